"""Where things are: this checkout, scratch space, flowyard's command and the peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = [
    "FLOWYARD",
    "HERE",
    "PEER_PF",
    "PEER_PYTHON",
    "PROMPTFOO",
    "ROOT",
    "SCRATCH",
    "has_peer",
    "has_promptfoo",
    "own_env",
    "peer_env",
    "version",
]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / ".bench"
FLOWYARD: tuple[str | Path, ...] = (sys.executable, "-m", "flowyard")
_PEER = ROOT / ".peer"
PEER_PYTHON = _PEER / "venv" / "bin" / "python"
PEER_PF = _PEER / "venv" / "bin" / "pf"
PROMPTFOO = ROOT / ".promptfoo" / "node_modules" / ".bin" / "promptfoo"


def has_peer() -> bool:
    return (_PEER / ".installed").exists()


def has_promptfoo() -> bool:
    return PROMPTFOO.exists()


def own_env(**more: str) -> dict[str, str]:
    """The environment for flowyard: its home is scratch space, so that nothing of a person's is read or changed."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "FLOWYARD_HOME": str(SCRATCH / "home"), **more}


def peer_env(**more: str) -> dict[str, str]:
    """The environment for promptflow: a home and a keyring of its own in scratch space, telemetry and traces off."""
    home = SCRATCH / "peer_home"
    if not home.exists():
        home.mkdir(parents=True)
        shutil.copy(_PEER / "home" / "pf.yaml", home)
    return {
        **os.environ,
        "PF_HOME_DIRECTORY": str(home),
        "PF_LOGGING_LEVEL": "ERROR",
        "PYTHON_KEYRING_BACKEND": "peer_keyring.FileKeyring",
        "PYTHONPATH": str(ROOT / "tests" / "compat"),
        **more,
    }


def version(python: Path | str, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
