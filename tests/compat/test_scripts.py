"""Scripts that were written for promptflow's client print here what they print there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from user_scripts import SCRIPTS, copy_scripts, expected_results, results, run_script, simulated_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated_model(tmp_path_factory.mktemp("model")) as address:
        yield address


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_prints_what_it_prints_in_promptflow(script: str, model: str, tmp_path: Path) -> None:
    folder = copy_scripts(tmp_path)
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-m", "flowyard", "exec", f"{script}.py"]
    done = run_script(command, folder, {"FLOWYARD_HOME": str(tmp_path / "home"), "MODEL_URL": model})
    assert done.returncode == 0, done.stderr[-3000:]
    assert results(done.stdout) == expected_results(script)
    assert "ResourceWarning" not in done.stderr
    assert "never awaited" not in done.stderr
