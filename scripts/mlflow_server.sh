#!/usr/bin/env bash
# Install a real MLflow server for the tests of the registry and of tracking: scripts/mlflow_server.sh [FOLDER], 530 MB.
#
# It lives in an environment of its own, and flowyard never imports it. requirements/mlflow.lock has what the server
# needs, with hashes, and leaves out what only its client libraries do.
set -euo pipefail

if [ $# -gt 1 ] || [[ "${1-}" == -* ]]; then
  echo "Usage: scripts/mlflow_server.sh [FOLDER]" >&2
  exit 2
fi
cd "$(dirname "$0")/.."
folder=${1:-.mlflow}
lock=requirements/mlflow.lock
stamp="$folder/.installed"
cmp -s "$lock" "$stamp" && [ -x "$folder/venv/bin/mlflow" ] && exit 0

echo "Installing an MLflow server into $folder (530 MB, once)" >&2
rm -rf "$folder"
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
# Compiling all of it would take longer than the server takes to compile what it imports.
scripts/install.sh "$folder/venv" --no-deps --no-compile --require-hashes -r "$lock"
cp "$lock" "$stamp"
