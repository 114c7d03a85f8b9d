#!/bin/sh
# Builds what is distributed into dist/, as far as this machine can, and says what it cannot. `make dist` runs it after
# `make components` and `make static`.
#
#   host/packages/dist.sh SBOM    SBOM is the tool that writes bills of materials
set -eu
cd "$(dirname "$0")/../.."

sbom=$1
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
machine=$(uname -m)
left_out=""

without() { left_out="$left_out
  $1: $2"; }

# A program, its configurations and the unit, for any Linux.
name=defenderbeat-$version-linux-$machine
if [ -x target/static/defenderbeat ]; then
    folder=target/static/$name
    host/packages/contents.sh target/static/defenderbeat "$folder" "$sbom"
    cp target/static/defenderbeat host/packages/defenderbeat.yml host/collector/defenderbeat.reference.yml \
        host/packages/systemd/defenderbeat.service LICENSE CHANGELOG.md docs/install.md "$folder"
    # The same bytes for the same files, whoever packs them and when.
    tar --mode=u+rwX,go+rX,go-w --sort=name --owner=0 --group=0 --numeric-owner --mtime='UTC 2020-01-01' -C target/static -cf - "$name" |
        gzip -n >"dist/$name.tar.gz"
else
    without "$name.tar.gz" "there is no static program; \`make static\` builds it on Linux"
fi

if ! cargo deb --version >/dev/null 2>&1; then
    without "the Debian package" "cargo-deb is not installed (cargo install cargo-deb --locked)"
elif ! command -v dpkg-shlibdeps >/dev/null; then
    without "the Debian package" "dpkg-dev is not installed, which finds the libraries that it takes"
else
    host/packages/contents.sh target/release/defenderbeat target/packages "$sbom"
    cargo deb --locked --package defenderbeat --no-build --output dist/
fi

if ! docker info >/dev/null 2>&1; then
    without "the image" "there is no Docker daemon"
else
    docker build --tag "defenderbeat:$version" .
    docker save "defenderbeat:$version" | gzip -n >"dist/defenderbeat-$version-image-$machine.tar.gz"
fi

(cd dist && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
cat dist/SHA256SUMS
[ -z "$left_out" ] || echo "not built here:$left_out"
