#!/bin/sh
# Says which tools that tests need are missing; those tests are skipped then. A build server (CI=true) skips nothing: there what
# Debian and Ubuntu have of them is installed, as root.
set -eu

is_there() { command -v "$1" >/dev/null; }

tools="node npm go python3 java mvn ${CHROMIUM:-chromium}"
missing=
packages=
for tool in $tools; do
    is_there "$tool" && continue
    missing="$missing $tool"
    case $tool in
        java) packages="$packages default-jre-headless" ;;
        mvn) packages="$packages maven" ;;
        chromium) packages="$packages chromium" ;;
    esac
done

if [ "${CI:-}" = true ] && [ "$packages" ] && is_there apt-get && [ "$(id -u)" = 0 ]; then
    apt-get update -qq >&2
    # Words are packages.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
fi

for tool in $missing; do
    is_there "$tool" || echo "$tool is missing: tests that need it are skipped (host/examples, host/elasticsearch, host/collector/tests, docs/playground)" >&2
done
