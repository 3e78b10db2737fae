#!/usr/bin/env bash
# Write the hashed locks anew: scripts/lock.sh VENV [uv arguments, such as --upgrade]
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/lock.sh VENV [uv arguments]" >&2; exit 2; }
cd "$(dirname "$0")/.."
uv=$1/bin/uv
shift

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' "$@"
}

compile "$@" pyproject.toml requirements/build.in -o requirements/core.lock
compile "$@" pyproject.toml requirements/build.in requirements/dev.in -c requirements/core.lock -o requirements/dev.lock
