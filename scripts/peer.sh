#!/usr/bin/env bash
# Install the real promptflow for `make bench` and the differential tests: scripts/peer.sh [FOLDER], about 400 MB.
#
# It lives in an environment of its own with a home of its own, its telemetry is off, and flowyard never imports it.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.peer}
stamp="$folder/.installed"
packages="promptflow promptflow-tools promptflow-evals"
servers="fastapi uvicorn"  # its other engine; asked for together, pip looks for minutes for versions that fit
[ "$(cat "$stamp" 2>/dev/null)" = "$packages $servers" ] && [ -x "$folder/venv/bin/pf" ] && exit 0

for name in python3.11 python3.12 python3; do
  if "$name" -c 'import ensurepip' >/dev/null 2>&1; then
    python=$name
    break
  fi
done
[ -n "${python:-}" ] || { echo "No python3 with venv was found. Next: sudo apt-get install python3-venv" >&2; exit 1; }

echo "Installing promptflow into $folder (about 400 MB, once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages  # unquoted: several names
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check $servers
mkdir -p "$folder/home"
# Written by hand, because `pf config set` would already report itself before it switches the reports off.
printf 'telemetry:\n  enabled: false\ntrace:\n  destination: none\n' > "$folder/home/pf.yaml"
printf '%s\n' "$packages $servers" > "$stamp"
