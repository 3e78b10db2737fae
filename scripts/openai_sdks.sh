#!/usr/bin/env bash
# Install each major version of the openai package beside flowyard, for the tests of flows that pin one:
# scripts/openai_sdks.sh [FOLDER]
#
# One environment for each, with the locked dependencies of flowyard: a version that could not live beside them fails here.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=${1:-.sdks}
versions=(0.28.1 1.109.1 2.54.0 3.54.0)
stamp="$folder/.installed"
want="$(cat requirements/core.lock | cksum) ${versions[*]} $PWD"
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

echo "Installing openai ${versions[*]} into $folder (once)" >&2
mkdir -p "$folder"
echo '*' > "$folder/.gitignore"
for version in "${versions[@]}"; do
  venv="$folder/${version%%.*}"
  scripts/venv.sh "$venv" requirements/core.lock
  scripts/install.sh "$venv" "openai==$version"
done
printf '%s\n' "$want" > "$stamp"
