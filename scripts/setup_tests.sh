#!/usr/bin/env bash
# Programs that only tests need, from Debian's packages: PostgreSQL's server, Chromium, and letters of Korean. What is there already is left
# as it is; where nothing can be installed, one line says what to install, and the tests that need it will fail.
set -euo pipefail

stop() {
  echo "setup: $1" >&2
  exit 0
}
has_server() { # Debian keeps the server's programs outside PATH, in a folder a version
  { command -v initdb && command -v postgres; } >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

MISSING=()
has_server || MISSING+=(postgresql)
command -v chromium >/dev/null || MISSING+=(chromium)
ls /usr/share/fonts/truetype/nanum/*.ttf >/dev/null 2>&1 || MISSING+=(fonts-nanum) # for pictures of Korean pages
[ ${#MISSING[@]} -gt 0 ] || exit 0

INSTALL="apt-get install -y --no-install-recommends ${MISSING[*]}"
AS_ROOT=()
if [ "$(id -u)" -ne 0 ]; then
  AS_ROOT=(sudo -n)
fi
if ! command -v apt-get >/dev/null || ! "${AS_ROOT[@]}" true 2>/dev/null; then
  stop "tests need ${MISSING[*]}, which cannot be installed from here; as root (Debian): $INSTALL"
fi

echo "setup: installing ${MISSING[*]} for the tests (a minute or two, once)"
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
apt() { "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$LOG" 2>&1; }
apt update || stop "apt-get update failed: $(tail -n 1 "$LOG")"
apt install -y --no-install-recommends "${MISSING[@]}" || stop "$INSTALL failed: $(tail -n 1 "$LOG")"
