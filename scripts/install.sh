#!/usr/bin/env bash
# Install packages into VENV, with uv where it is there and else with pip: scripts/install.sh VENV [pip arguments]
#
# VENV is made when it is not there, with pip in it. What uv cannot install is left to pip, which may know other places.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/install.sh VENV [pip arguments]" >&2; exit 2; }
venv=$1
shift
export UV_SYSTEM_CERTS=1  # as pip does
has_uv() { command -v uv >/dev/null; }

if [ ! -x "$venv/bin/python" ]; then
  for name in python3.11 python3.12 python3; do
    if "$name" -c 'import ensurepip' >/dev/null 2>&1; then
      python=$name
      break
    fi
  done
  [ -n "${python:-}" ] || { echo "No python3 with venv was found. Next: sudo apt-get install python3-venv" >&2; exit 1; }
  { has_uv && uv venv --quiet --seed --python "$python" "$venv"; } || "$python" -m venv "$venv"
fi
{ has_uv && uv pip install --quiet --python "$venv/bin/python" "$@"; } ||
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
