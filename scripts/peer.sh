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

echo "Installing promptflow into $folder (about 400 MB, once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
# Compiled, because the tests start many of its processes, which keep nothing. Unquoted: several names.
scripts/install.sh "$folder/venv" --compile $packages
scripts/install.sh "$folder/venv" --compile $servers
mkdir -p "$folder/home"
# Written by hand, because `pf config set` would already report itself before it switches the reports off.
printf 'telemetry:\n  enabled: false\ntrace:\n  destination: none\n' > "$folder/home/pf.yaml"
printf '%s\n' "$packages $servers" > "$stamp"
