#!/usr/bin/env bash
# Print the folder of a uv that reaches the packages, for PATH: scripts/uv.sh [FOLDER]
#
# uv installs several times as fast as pip, so in CI it is worth its own install, in FOLDER, with the version and hashes
# of requirements/dev.lock. Where only pip knows a way to the packages, nothing is printed, and pip does it all.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.uv}
command -v uv >/dev/null && exit 0

python3 -m venv "$folder" >&2 || exit 0
echo '*' > "$folder/.gitignore"
awk '/^uv==/ { wanted = 1 } wanted { print } !/\\$/ { wanted = 0 }' requirements/dev.lock > "$folder/uv.lock"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$folder/uv.lock" >&2
UV_SYSTEM_CERTS=1 timeout 60 "$folder/bin/uv" pip install --quiet --dry-run --python "$folder/bin/python" wheel >&2 || exit 0
echo "$PWD/$folder/bin"
