"""What is said of a use case's own tests."""

from __future__ import annotations

from pathlib import Path

from flowyard.pipelines.use_cases.checks import run_own_tests


def test_what_passed_is_said_by_pytest_and_not_by_what_else_wrote_to_stderr(tmp_path: Path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_one():\n    assert True\n")
    (tmp_path / "tests" / "conftest.py").write_text(
        "import atexit, os\natexit.register(os.write, 2, b'somebody warns')\n"
    )
    found = run_own_tests(tmp_path)
    assert found is not None
    assert (found.state, "1 passed" in found.message or "100%" in found.message) == ("passed", True)
    assert "warns" not in found.message
