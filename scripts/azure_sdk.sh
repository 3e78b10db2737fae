#!/usr/bin/env bash
# Install the official azure-ai-ml and azure-identity for the tests that compare requests with theirs:
# scripts/azure_sdk.sh [FOLDER], about 130 MB, 61 packages.
#
# It lives in an environment of its own, its telemetry is off in the tests, and flowyard never imports it.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.azure-sdk}
stamp="$folder/.installed"
packages="azure-ai-ml==1.35.2 azure-identity==1.27.0"
[ "$(cat "$stamp" 2>/dev/null)" = "$packages" ] && [ -x "$folder/venv/bin/python" ] && exit 0

echo "Installing $packages into $folder (about 130 MB, once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
scripts/install.sh "$folder/venv" $packages  # unquoted: two names
printf '%s\n' "$packages" > "$stamp"
