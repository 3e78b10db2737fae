"""The layers of docs/architecture.md hold, and the contract that says so can fail."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"

CONTRACT = """
[importlinter]
root_package = layered
exclude_type_checking_imports = True

[importlinter:contract:layers]
name = layers
type = layers
containers = layered
exhaustive = True
layers =
    above
    below
"""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_modules_import_only_from_lower_layers():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_such_a_contract_refuses_an_import_upwards(tmp_path: Path, monkeypatch):
    package = tmp_path / "layered"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "above.py").write_text("")
    (package / "below.py").write_text("import layered.above\n")
    (tmp_path / ".importlinter").write_text(CONTRACT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = lint(tmp_path)
    assert done.returncode != 0
    assert "layered.below -> layered.above" in done.stdout
