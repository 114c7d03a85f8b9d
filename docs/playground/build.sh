#!/bin/sh
# Builds the playground in target/playground: one page with everything in it.
#
#   docs/playground/build.sh OUT COMPONENT.wasm..
#
# Needs Node.js, 20.19 or newer, and npm.
set -eu
cd "$(dirname "$0")/../.."

work=target/playground
mkdir -p "$work"
cp docs/playground/*.mjs docs/playground/*.json docs/playground/*.css docs/playground/index.html "$work"
# Installs what package-lock.json names, unless it is there.
if ! cmp -s "$work/package-lock.json" "$work/node_modules/installed-lock.json"; then
    npm ci --prefix "$work" --ignore-scripts --engine-strict --prefer-offline --fetch-retries=1 --no-audit --no-fund --silent
    cp "$work/package-lock.json" "$work/node_modules/installed-lock.json"
fi
exec node "$work/build.mjs" . "$@"
