"""What stand-ins for machines of CI systems have in common: a Python whose pip installs nothing."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["WHERE_FLOWYARD_IS", "put_program"]

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
