#!/bin/sh
# Builds the guests as core modules for wasm32-unknown-unknown and prints where they are.
#
#   guest/build.sh setup      finds or installs a compiler for the target
#   guest/build.sh lint       checks what is compiled for the target only
#   guest/build.sh modules    builds the guests; the modules lie in the folder that the last line names
#
# Two compilers will do. rustup's, pinned in rust-toolchain.toml, where rustup can fetch the target; else a system rustc
# that comes with its library source, from which the target's library is built. GUEST_RUST=rustup|system chooses.
set -eu
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
packages="rustc-web cargo-web rust-web-src lld"
oldest=1.95

say() { echo "guest/build.sh: $*" >&2; }

rustup_ready() {
    command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$target"
}

rustup_setup() {
    command -v rustup >/dev/null || return 1
    rustup_ready && return 0
    # Without arguments rustup reads rust-toolchain.toml: compiler, clippy, rustfmt and the target.
    rustup toolchain install >&2 && rustup target add "$target" >&2 && rustup_ready
}

system_ready() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] || return 1
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ] || return 1
    command -v wasm-ld >/dev/null || return 1
    version=$(/usr/bin/rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ]
}

system_setup() {
    system_ready && return 0
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
    # shellcheck disable=SC2086 # one argument a package
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >&2 && system_ready
}

choose() {
    case "${GUEST_RUST:-}" in
        rustup) rustup_setup && echo rustup && return ;;
        system) system_setup && echo system && return ;;
        *)
            rustup_setup && echo rustup && return
            say "rustup cannot provide $target: trying a system compiler"
            system_setup && echo system && return
            ;;
    esac
    say "no compiler for $target. Install either"
    say "  rustup (https://rustup.rs) and, in this folder: rustup toolchain install && rustup target add $target"
    say "  or, on Debian and Ubuntu, as root: apt-get install $packages   (rustc $oldest or newer)"
    exit 1
}

# Where sources lie is in a module, for the messages of panics; with these flags it is the same on every machine, so that two
# builds give the same bytes. They join those of .cargo/config.toml. Sources that lie deeper are named last: the last flag that fits counts.
flags() {
    rustc=$1
    home=${CARGO_HOME:-$HOME/.cargo}
    library=$("$rustc" --print sysroot)/lib/rustlib/src/rust
    commit=$("$rustc" -vV | sed -n 's/^commit-hash: //p')
    printf "target.%s.rustflags=['--remap-path-prefix=%s=/defenderbeat','--remap-path-prefix=%s=/rustc/%s'" \
        "$target" "$PWD" "$library" "$commit"
    # One folder a registry, so that a mirror of crates.io makes no difference.
    for registry in "$home"/registry/src/*; do
        printf ",'--remap-path-prefix=%s=/crates'" "$registry"
    done
    printf ']'
}

modules() {
    # They would replace the flags of .cargo/config.toml.
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    compiler=$(choose)
    # shellcheck disable=SC2086 # several arguments
    set -- build --profile guest --target $target ${CI:+--locked} --quiet \
        -p defenderbeat-alert -p defenderbeat-incident -p defenderbeat-event \
        -p defenderbeat-vulnerability -p defenderbeat-hostile --lib --examples
    case "$compiler" in
        rustup)
            folder=target/guest-rustup
            cargo fetch ${CI:+--locked} --quiet --target $target
            cargo "$@" --target-dir "$folder" --config "$(flags rustc)"
            version=$(rustc --version)
            ;;
        system)
            # std is built from source, which takes the switches of a nightly compiler. Distributions leave out
            # rust-lld, which is the target's linker.
            folder=target/guest-system
            RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
                /usr/bin/cargo "$@" --target-dir "$folder" --config "$(flags /usr/bin/rustc)" -Zbuild-std=std,panic_abort
            version=$(/usr/bin/rustc --version)
            ;;
    esac
    # Which compiler it was decides what fuel a record takes.
    mkdir -p target/components && echo "$version" >target/components/compiler
    echo "$folder/$target/guest"
}

lint() {
    # The system compiler has no clippy for the target's library.
    [ "$(choose)" = rustup ] || { say "skipped: clippy for $target takes rustup's compiler" && return; }
    # By the profile of the modules, whose build scripts and macros are there.
    cargo clippy --profile guest --quiet ${CI:+--locked} --target $target --target-dir target/guest-rustup \
        -p defenderbeat-sdk -p defenderbeat-alert -p defenderbeat-incident -p defenderbeat-event \
        -p defenderbeat-vulnerability -p defenderbeat-hostile --lib --examples -- -D warnings
}

case "${1:-}" in
    lint) lint ;;
    setup) compiler=$(choose) && say "the guests' compiler is $compiler's" ;;
    modules) modules ;;
    *) say "usage: guest/build.sh setup | lint | modules" && exit 2 ;;
esac
