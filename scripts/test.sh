#!/usr/bin/env bash
# Run the tests: scripts/test.sh VENV [pytest arguments]
#
# The report is tested in a real browser, and sessions in containers of a real engine. Where these can be installed
# (Debian, as root) they are; elsewhere those tests skip.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/test.sh VENV [pytest arguments]" >&2; exit 2; }
cd "$(dirname "$0")/.."
venv=$1
shift

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_engine() { command -v dockerd && command -v docker && command -v debootstrap; }

can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

# install_for WHAT PACKAGE...
install_for() {
  local what=$1
  shift
  if can_install; then
    echo "Installing $* for the tests of $what"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } ||
      echo "$* could not be installed: the tests of $what are skipped."
  else
    echo "The tests of $what are skipped. To enable them: sudo apt-get install $*"
  fi
}

has_browser >/dev/null || install_for "the report" chromium
has_engine >/dev/null || install_for "containers" docker.io iptables debootstrap

exec "$venv/bin/python" -m pytest "$@"
