#!/bin/sh
# Says which tools that tests of other hosts need are missing; those tests are skipped then. A build server (CI=true) skips nothing: there
# Chromium is installed, on Debian and Ubuntu as root.
set -eu

is_there() { command -v "$1" >/dev/null; }

if [ "${CI:-}" = true ] && ! is_there "${CHROMIUM:-chromium}" && is_there apt-get && [ "$(id -u)" = 0 ]; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
fi

for tool in node npm go python3 "${CHROMIUM:-chromium}"; do
    is_there "$tool" || echo "$tool is missing: tests of hosts that need it are skipped (host/examples, docs/playground)" >&2
done
