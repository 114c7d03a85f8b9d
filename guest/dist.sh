#!/bin/sh
# Writes what other hosts take: components, their core modules, the contract, a bill of materials, digests.
#
#   guest/dist.sh SBOM NAME..    SBOM is the tool that writes the bill, NAMEs are the guests; both kinds of module lie in
#                                target/components already
set -eu
cd "$(dirname "$0")/.."
sbom=$1
shift

mkdir -p dist
find dist -maxdepth 1 -type f -delete
cp wit/pipeline.wit dist
products=
for name; do
    cp "target/components/$name.wasm" "target/components/$name.core.wasm" dist
    products="$products defenderbeat-$name=dist/$name.wasm defenderbeat-$name=dist/$name.core.wasm"
done
# Such as `rustc 1.95.0 (59807616e 2026-04-14)`.
rust=$(cut -d ' ' -f 2 target/components/compiler)
# shellcheck disable=SC2086 # one argument a product
"$sbom" --name defenderbeat-components --target wasm32-unknown-unknown --rust "$rust" $products >dist/components.cdx.json
cd dist
sha256sum -- *.json *.wasm *.wit >SHA256SUMS
