#!/usr/bin/env bash
# Make or renew a virtual environment: scripts/venv.sh VENV LOCK
#
# Installs the hashed LOCK and this project (editable) into VENV. A stamp, written last, says what was installed, so a
# second call does nothing, a changed lock rebuilds, and an interrupted install is done again.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: scripts/venv.sh VENV LOCK" >&2; exit 2; }
cd "$(dirname "$0")/.."
venv=$1 lock=$2
made_here="$venv/.made-by-venv.sh"
stamp="$venv/.installed"
want="$(cat "$lock" pyproject.toml | cksum) $PWD"

[ -f "$stamp" ] && [ -x "$venv/bin/python" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
  echo "flowyard needs Python 3.11 or newer, and none was found on PATH." >&2
  echo "Next: install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python), then run this again." >&2
  return 1
}

# Debian ships the venv module without pip's installer; it is a package of its own there.
require_ensurepip() {
  "$1" -c 'import ensurepip' >/dev/null 2>&1 && return
  local package
  package="$("$1" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')"
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $package, which makes virtual environments" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
  else
    echo "$1 cannot make a virtual environment: its venv package is missing." >&2
    echo "Next: sudo apt-get install $package, then run this again." >&2
    return 1
  fi
}

python=$(find_python)
echo "Making $venv from $lock with $("$python" --version)" >&2
rm -f "$stamp"
clear=()
# An environment that this script did not make is somebody's own: it is installed into, never emptied.
[ -f "$made_here" ] && clear=(--clear)

if command -v uv >/dev/null; then
  [ -x "$venv/bin/python" ] && [ ${#clear[@]} -eq 0 ] || UV_SYSTEM_CERTS=1 uv venv --quiet --seed ${clear[@]+"${clear[@]}"} --python "$python" "$venv"
else
  require_ensurepip "$python"
  "$python" -m venv ${clear[@]+"${clear[@]}"} "$venv"
fi
touch "$made_here"
scripts/install.sh "$venv" --require-hashes -r "$lock"
scripts/install.sh "$venv" --no-deps --no-build-isolation -e .

echo '*' > "$venv/.gitignore"
printf '%s\n' "$want" > "$stamp"
