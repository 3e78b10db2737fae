"""The scripts print in the real promptflow what ``expected`` says, so that it is the truth for ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from user_scripts import SCRIPTS, copy_scripts, expected_results, results, run_script, simulated_model

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".peer" / "venv" / "bin" / "python"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated_model(tmp_path_factory.mktemp("model")) as address:
        yield address


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_prints_the_same_in_promptflow(script: str, model: str, tmp_path: Path) -> None:
    folder, home = copy_scripts(tmp_path), tmp_path / "home"
    home.mkdir()
    (home / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
    environ = {
        "BROWSER": "true",
        "MODEL_URL": model,
        "PF_HOME_DIRECTORY": str(home),
        "PF_LOGGING_LEVEL": "CRITICAL",
        "PF_WORKER_COUNT": "1",
        "PYTHONPATH": str(HERE),
        "PYTHON_KEYRING_BACKEND": "peer_keyring.FileKeyring",
    }
    done = run_script([PYTHON, f"{script}.py"], folder, environ)
    assert done.returncode == 0, done.stderr[-3000:]
    assert results(done.stdout) == expected_results(script)
