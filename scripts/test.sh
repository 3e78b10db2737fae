#!/usr/bin/env bash
# Run the tests: scripts/test.sh VENV [pytest arguments]
#
# The report is tested in a real browser. Where it can be installed (Debian, as root) it is; elsewhere those tests skip.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/test.sh VENV [pytest arguments]" >&2; exit 2; }
cd "$(dirname "$0")/.."
venv=$1
shift

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if ! has_browser >/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium for the tests of the report"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } ||
      echo "chromium could not be installed: the browser tests are skipped."
  else
    echo "No chromium: the browser tests are skipped. To enable them: sudo apt-get install chromium"
  fi
fi

exec "$venv/bin/python" -m pytest "$@"
