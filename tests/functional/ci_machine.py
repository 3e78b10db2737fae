"""What stand-ins for machines of CI systems have in common: git, and a Python whose pip installs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from functional_helper import clean_environment

__all__ = ["WHERE_FLOWYARD_IS", "git", "put_program"]

WHERE_FLOWYARD_IS = "CI_PROGRAMS"

_PYTHON = f"""\
#!/bin/sh
# The flowyard of these tests is put where a script would be.
if [ "$1 $2 $3" = "-m pip install" ]; then
  printf '%s\\n' "$*" >> "${WHERE_FLOWYARD_IS}/pip.log"
  printf '#!/bin/sh\\nexec "{sys.executable}" -m flowyard "$@"\\n' > "${WHERE_FLOWYARD_IS}/flowyard"
  chmod 755 "${WHERE_FLOWYARD_IS}/flowyard"
  exit 0
fi
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$4/bin"
  : > "$4/bin/activate"
  exit 0
fi
exec "{sys.executable}" "$@"
"""


def put_program(path: Path) -> None:
    """Python under that name; it puts ``flowyard`` into the folder that ``CI_PROGRAMS`` names."""
    path.write_text(_PYTHON)
    path.chmod(0o755)


def git(folder: Path, *words: str | Path) -> str:
    """What git prints. It reads no settings of this machine."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env=clean_environment({**settings, **people}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
