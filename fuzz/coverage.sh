#!/bin/sh
# Which lines of the codec the corpus reaches: coverage.sh [TARGET…]. A table
# for each target, then one for all together; the last columns are lines.
# CORPUS names another folder than corpus/.
#
# Needed: llvm-profdata and llvm-cov of the compiler's LLVM, from rustup's
# llvm-tools or from the distribution (llvm-cov-NN), on the PATH or in LLVM.
set -eu
cd "$(dirname "$0")"
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tools=${LLVM-}
tool() {
    for path in "$tools/$1" "$tools/$1-$major" "$(command -v "$1-$major")" \
        "$(rustc --print sysroot)"/lib/rustlib/*/bin/"$1"; do
        [ -x "$path" ] && { echo "$path"; return; }
    done
    echo "coverage.sh: no $1 for LLVM $major: rustup component add llvm-tools, or the package llvm-$major" >&2
    exit 3
}
profdata=$(tool llvm-profdata)
cov=$(tool llvm-cov)

target=${CARGO_TARGET_DIR:-target}/coverage
# What the build itself runs is of no interest.
LLVM_PROFILE_FILE=/dev/null RUSTFLAGS=-Cinstrument-coverage cargo build --quiet --target-dir "$target" --example replay
program=$target/debug/examples/replay
profiles=$target/profiles
rm -rf "$profiles"
mkdir -p "$profiles"

report() {
    "$profdata" merge -sparse "$2"/*.profraw -o "$2/merged"
    "$cov" report "$program" -instr-profile="$2/merged" -ignore-filename-regex='/(fuzz|cli|registry|rustc|library|tests)/' |
        awk -v name="$1" '$1 == "TOTAL" { print name ": functions " $7 ", lines " $10 " of " $8 } /^[a-z].*\.rs/ && name == "all" { print "  " $1 ": " $10 }'
}
for name in ${*:-$(sed -n 's/^    ("\([a-z_]*\)", .*/\1/p' src/lib.rs)}; do
    mkdir -p "$profiles/$name" "$profiles/all"
    LLVM_PROFILE_FILE=$profiles/$name/$name-%p.profraw "$program" "$name" "${CORPUS:-corpus}/$name" >/dev/null
    cp "$profiles/$name"/*.profraw "$profiles/all/"
    report "$name" "$profiles/$name"
done
report all "$profiles/all"
