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

# The server of the tests of MLflow (scripts/mlflow_server.sh), without what only MLflow's client libraries import.
unused=()
for name in contourpy cycler docker fonttools gunicorn joblib kiwisolver matplotlib narwhals pillow prettytable pyparsing \
  pywin32 scikit-learn skops threadpoolctl waitress wcwidth; do
  unused+=(--no-emit-package "$name")
done
compile "$@" "${unused[@]}" requirements/mlflow.in -o requirements/mlflow.lock
