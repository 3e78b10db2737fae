#!/usr/bin/env bash
# Install the system's packages that the tests need, where that can be done (Debian, as root): scripts/system_packages.sh
#
# The report is tested in a real browser, the store on a real PostgreSQL and containers with a real engine. Where they
# cannot be installed, those tests skip.
set -euo pipefail

is_here() {
  case $1 in
    browser) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    keyring) command -v gnome-keyring-daemon && command -v dbus-daemon ;;
    postgres) command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' ;;
    engine) command -v dockerd && command -v docker && command -v debootstrap ;;
  esac >/dev/null
}

# need WHAT PACKAGES WHAT_IS_SKIPPED
need() {
  is_here "$1" && return
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $2 for the tests"
    [ -n "${updated:-}" ] || { apt-get update -qq && updated=yes; } || true
    # Unquoted: several packages are several words.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $2 ||
      echo "$2 could not be installed: $3 are skipped."
  else
    echo "No $2: $3 are skipped. To enable them: sudo apt-get install $2"
  fi
}

need browser chromium "the browser tests"
need keyring "gnome-keyring dbus-daemon" "the tests on a keyring"
need postgres postgresql "the tests on PostgreSQL"
need engine "docker.io iptables debootstrap" "the tests with containers"
