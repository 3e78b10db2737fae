#!/usr/bin/env bash
# Run the tests: scripts/test.sh VENV [pytest arguments]
#
# A browser, PostgreSQL and a container engine are installed where they can be; elsewhere their tests skip.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/test.sh VENV [pytest arguments]" >&2; exit 2; }
cd "$(dirname "$0")/.."
venv=$1
shift

scripts/system_packages.sh

# Tests of one file stay together: some share a server or a cluster that takes long to start. A third of the time they
# wait, for processes and servers, so that there is half a worker more than there are cores, at most four in all. In CI, on
# a machine shared with others, a test that fails is tried once more, and the summary names each that needed it.
cores=$(getconf _NPROCESSORS_ONLN)
workers=$((cores + (cores + 1) / 2))
again=()
[ -n "${CI:-}" ] && again=(--reruns 1)
exec "$venv/bin/python" -m pytest -n "$workers" --maxprocesses 4 --dist loadfile --no-loadscope-reorder "${again[@]}" "$@"
