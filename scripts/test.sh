#!/usr/bin/env bash
# Run the tests: scripts/test.sh VENV [pytest arguments]
#
# The report is tested in a real browser, the store on a real PostgreSQL and containers with a real engine. Where they can
# be installed (Debian, as root) they are; elsewhere those tests skip.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: scripts/test.sh VENV [pytest arguments]" >&2; exit 2; }
cd "$(dirname "$0")/.."
venv=$1
shift

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_engine() { command -v dockerd && command -v docker && command -v debootstrap; }
has_postgres() { command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'; }

# install PACKAGES WHAT_IS_SKIPPED
install() {
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $1 for the tests"
    # shellcheck disable=SC2086 - several packages are several words
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1; } ||
      echo "$1 could not be installed: $2 are skipped."
  else
    echo "No $1: $2 are skipped. To enable them: sudo apt-get install $1"
  fi
}

has_browser >/dev/null || install chromium "the browser tests"
{ command -v gnome-keyring-daemon && command -v dbus-daemon; } >/dev/null || install "gnome-keyring dbus-daemon" "the tests on a keyring"
has_postgres >/dev/null || install postgresql "the tests on PostgreSQL"
has_engine >/dev/null || install "docker.io iptables debootstrap" "the tests with containers"

# Tests of one file stay together: some share a server or a cluster that takes long to start. They begin in the order of
# the folders, so that the short ones of tests/unit fill up the end. In CI, on a machine shared with others, a test that
# fails is tried once more, and the summary names each that needed it.
again=()
[ -n "${CI:-}" ] && again=(--reruns 1)
exec "$venv/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "${again[@]}" "$@"
