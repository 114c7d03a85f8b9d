#!/bin/sh
# Builds the guests once more, from the same tracked files in another folder and with another home of cargo, and compares
# what would be distributed with dist/, byte for byte.
#
#   guest/reproduce.sh COMPONENTIZE SBOM NAME..    the two tools, and the guests
set -eu
cd "$(dirname "$0")/.."
componentize=$PWD/$1
sbom=$PWD/$2
shift 2
here=$PWD

elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
copy=$elsewhere/a/copy
mkdir -p "$copy" "$elsewhere/home"
git ls-files -z | tar -c --null -T - | tar -x -C "$copy"

# Packages that are here already need not be fetched again.
home=${CARGO_HOME:-$HOME/.cargo}
for part in config.toml registry/index registry/cache; do
    [ -e "$home/$part" ] || continue
    mkdir -p "$(dirname "$elsewhere/home/$part")"
    cp -R "$home/$part" "$elsewhere/home/$part"
done

cd "$copy"
export CARGO_HOME="$elsewhere/home"
modules=$(guest/build.sh modules)
for name; do
    set -- "$@" "$name=$modules/defenderbeat_$name.wasm"
    shift
done
"$componentize" --out target/components "$@"
for product; do
    set -- "$@" "${product%%=*}"
    shift
done
guest/dist.sh "$sbom" "$@"
diff "$here/dist/SHA256SUMS" dist/SHA256SUMS >&2 && (cd "$here/dist" && sha256sum --check --quiet SHA256SUMS) || {
    echo "guest/reproduce.sh: two builds differ; is dist/ of these sources (make components)?" >&2
    exit 1
}
echo "two builds in different folders gave the same $(wc -l <dist/SHA256SUMS) files"
