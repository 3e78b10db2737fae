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

# Tests of one file stay together: some share a server or a cluster that takes long to start. They begin in the order of
# the folders, so that the short ones of tests/unit fill up the end. In CI, on a machine shared with others, a test that
# fails is tried once more, and the summary names each that needed it.
again=()
[ -n "${CI:-}" ] && again=(--reruns 1)
exec "$venv/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "${again[@]}" "$@"
