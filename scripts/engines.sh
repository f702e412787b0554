#!/bin/sh
# Makes sure that the tests find PostgreSQL, nginx and Chromium: installs Debian's where that can be done.
set -eu

has_postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_nginx() { command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; }
has_chromium() { command -v chromium >/dev/null; }

has_postgres && has_nginx && has_chromium && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing PostgreSQL, nginx and Chromium for the tests (once)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null
  apt-get install -y -qq --no-install-recommends postgresql nginx chromium >/dev/null
  exit 0
fi
has_postgres || echo "The PostgreSQL tests will not be run: install its server (apt-get install postgresql, brew install postgresql)."
has_nginx || echo "The test of the whole topology will not be run: install nginx (apt-get install nginx, brew install nginx)."
has_chromium || echo "No video will be played in a browser: install Chromium (apt-get install chromium)."
