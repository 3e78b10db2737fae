#!/usr/bin/env bash
# Install promptfoo for `make bench`: scripts/promptfoo_peer.sh [FOLDER], needs node and npm.
#
# Its version is fixed, so that two measurements can be compared; 0.120 is the last minor version that says it runs on Node 20. Nothing of it runs here but npm's own install scripts.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.promptfoo}
version=0.120.27
stamp="$folder/.installed"
[ "$(cat "$stamp" 2>/dev/null)" = "$version" ] && [ -x "$folder/node_modules/.bin/promptfoo" ] && exit 0

command -v npm >/dev/null || { echo "npm was not found. Next: sudo apt-get install npm" >&2; exit 1; }
echo "Installing promptfoo $version into $folder (once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
[ -f "$folder/package.json" ] || echo '{"private": true}' > "$folder/package.json"
npm install --prefix "$folder" --no-audit --no-fund --no-update-notifier --loglevel error "promptfoo@$version"
printf '%s\n' "$version" > "$stamp"
