#!/bin/sh
# Runs each fuzz target for a while, a minute unless told otherwise, and says where the input of a crash lies.
#
#   fuzz/run.sh [SECONDS] [TARGET]...
#
# It begins with fuzz/corpus/TARGET and keeps what it finds in target/fuzz/TARGET, where the next run goes on. Inputs
# that crashed lie in fuzz/artifacts/TARGET; `cargo fuzz run --sanitizer none TARGET FILE` runs one again. The first two
# bytes of an input are choices of the target, see fuzz/fuzz_targets.
set -eu
cd "$(dirname "$0")/.."

say() { echo "fuzz/run.sh: $*" >&2; }

seconds=60
case "${1:-}" in
    '') ;;
    *[!0-9]*) say "usage: fuzz/run.sh [SECONDS] [TARGET]..." && exit 2 ;;
    *) seconds=$1 && shift ;;
esac
[ $# -gt 0 ] || set -- splitter engine

if ! cargo fuzz --version >/dev/null 2>&1; then
    say "cargo-fuzz is not installed: cargo install cargo-fuzz --locked"
    exit 1
fi

# Names of the source's members: nothing finds them by chance.
mkdir -p target/fuzz
grep -oha '"[@A-Za-z0-9_.]*":' testdata/*/*.ndjson | LC_ALL=C sort -u |
    sed 's/"\(.*\)":/"\\"\1\\":"/' >target/fuzz/names.dict

# The code under test is safe Rust, so the address sanitizer would only halve the speed; without it, the compiler of
# rust-toolchain.toml will do. Overflow checks and debug assertions are on.
failed=""
for target; do
    mkdir -p "target/fuzz/$target"
    say "$target: $seconds seconds"
    cargo fuzz run --sanitizer none "$target" "target/fuzz/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -dict=target/fuzz/names.dict \
        -verbosity=0 -print_funcs=0 -print_final_stats=1 ||
        failed="$failed $target"
done
if [ -n "$failed" ]; then
    say "failed:$failed. The inputs lie in fuzz/artifacts"
    exit 1
fi
