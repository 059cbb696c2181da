#!/bin/sh
# The codec's tests on processors of another kind, under emulation: big-endian
# and 32 bits.
#
#   tests/proof/foreign.sh                 s390x and mips and armv7
#   tests/proof/foreign.sh s390x           only this
#
# Each target runs `cargo test -p mptcp-codec`, examples in the documentation
# included, and the codec_* tests of tests/ that need no kernel: the captures
# of all kernels, a million mutants, the inputs of the fuzz targets. The last
# step builds the codec, and its example of a static library, for a processor that
# has no operating system, against core and nothing else.
#
# Needed: a Rust toolchain with its library's source, zig (musl and a linker
# for every target) and qemu's user emulation. What is missing is taken, for
# root, from Debian's packages (qemu unpacked beside, not installed) and PyPI.
#
# Exit status: 0 all passed; 1 a test failed; 2 unknown target; 3 of one target
# or all, the tools are not to be had here: what is left out is named as SKIPPED.
set -eu

# name   Rust target                     zig target             emulator
TARGETS='
s390x    s390x-unknown-linux-musl        s390x-linux-musl       qemu-s390x-static
mips     mips-unknown-linux-musl         mips-linux-musleabi    qemu-mips-static
armv7    armv7-unknown-linux-musleabihf  arm-linux-musleabihf   qemu-arm-static
'
BARE=thumbv7m-none-eabi
ZIG_VERSION=0.17.1

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=${CARGO_TARGET_DIR:-$here/target}/foreign
mkdir -p "$work"
work=$(CDPATH='' cd -- "$work" && pwd)

say() { printf '%s\n' "foreign.sh: $*" >&2; }
give_up() { say "SKIPPED: $*"; exit 3; }
column() { printf '%s' "$TARGETS" | awk -v name="$1" -v n="$2" '$1 == name { print $n }'; }

# ---- tools ------------------------------------------------------------------

serves() {
    [ -x "$1/bin/cargo" ] && [ -f "$1/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}
find_rust() {
    for rust in $({ rustc --print sysroot
        rustup toolchain list | while read -r name _; do rustc "+$name" --print sysroot; done
        echo /usr; } 2>/dev/null); do
        serves "$rust" && return
    done
    return 1
}
find_rust || {
    say "installing a toolchain with its library's source"
    apt-get -q update >/dev/null && apt-get -q -y --no-install-recommends install \
        rustc-web cargo-web rust-web-src >"$work/install.log" 2>&1 </dev/null && find_rust
} || give_up "no Rust toolchain with the source of its library"

zig=${ZIG-}
for venv in "$work/../static/zig-$ZIG_VERSION" "$work/zig-$ZIG_VERSION"; do
    [ -z "$zig" ] && [ -x "$venv/bin/python" ] || continue
    zig=$("$venv/bin/python" -c 'import ziglang, os
print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))' 2>/dev/null) || zig=
done
if [ -z "$zig" ]; then
    say "installing ziglang $ZIG_VERSION"
    python3 -m venv "$venv" && "$venv/bin/python" -m pip install -q --disable-pip-version-check \
        "ziglang==$ZIG_VERSION" >&2 || give_up "no zig"
    zig=$("$venv/bin/python" -c 'import ziglang, os
print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
fi

emulator() {
    command -v "$1" && return
    if [ ! -x "$work/qemu/usr/bin/$1" ]; then
        say "unpacking qemu's user emulation"
        (
            mkdir -p "$work/qemu" && cd "$work/qemu" &&
                { apt-get -q download qemu-user-static || { apt-get -q update && apt-get -q download qemu-user-static; }; } &&
                dpkg -x qemu-user-static_*.deb . && rm qemu-user-static_*.deb
        ) >"$work/qemu.log" 2>&1 || return 1
    fi
    echo "$work/qemu/usr/bin/$1"
}

# ---- tests ------------------------------------------------------------------

# Compiles and runs on target $1 what the rest says.
run() {
    name=$1
    shift
    target=$(column "$name" 2)
    linker=$work/link-$name
    # What Rust's own start files and libraries would be, zig has.
    cat >"$linker" <<LINKER
#!/bin/sh
left=\$#
for word; do
    case \$word in
    -m32 | -Wl,-melf_i386 | */self-contained/*) ;;
    *) set -- "\$@" "\$word" ;;
    esac
done
shift "\$left"
exec "$zig" cc -target $(column "$name" 3) "\$@"
LINKER
    chmod +x "$linker"
    variable=$(echo "$target" | tr 'a-z-' 'A-Z_')
    env -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER \
        RUSTC_BOOTSTRAP=1 RUSTC="$rust/bin/rustc" RUSTDOC="$rust/bin/rustdoc" \
        CARGO_TARGET_DIR="$work/build" \
        "CARGO_TARGET_${variable}_LINKER=$linker" \
        "CARGO_TARGET_${variable}_RUNNER=$qemu" \
        "CARGO_TARGET_${variable}_RUSTFLAGS=-Clink-self-contained=no -Ctarget-feature=+crt-static" \
        CARGO_PROFILE_TEST_OPT_LEVEL=1 CARGO_PROFILE_TEST_DEBUG=0 \
        RUSTDOCFLAGS="-Clink-self-contained=no -Ctarget-feature=+crt-static -Clinker=$linker" \
        "$rust/bin/cargo" test --manifest-path "$here/Cargo.toml" --target "$target" -Zbuild-std "$@"
}

[ $# -gt 0 ] || set -- $(printf '%s' "$TARGETS" | awk 'NF { print $1 }')
for name; do
    [ -n "$(column "$name" 2)" ] || { say "unknown target \"$name\""; exit 2; }
done
failed=0 skipped=0
for name; do
    qemu=$(emulator "$(column "$name" 4)") || {
        say "SKIPPED: $name: no emulator for it, see $work/qemu.log"
        skipped=3
        continue
    }
    echo "== $name, $(column "$name" 2), $("$qemu" --version | head -n 1)"
    run "$name" -p mptcp-codec || failed=1
    run "$name" -p ip-mptcp-tests --test codec_captures --test codec_mutation \
        --test codec_regressions --test codec_peers || failed=1
done

echo "== $BARE: core alone"
RUSTC_BOOTSTRAP=1 RUSTC="$rust/bin/rustc" CARGO_TARGET_DIR="$work/build" \
    "$rust/bin/cargo" build --manifest-path "$here/Cargo.toml" -p mptcp-codec --release \
    --lib --example bare_metal --target "$BARE" -Zbuild-std=core || failed=1
[ $failed -eq 0 ] || exit 1
exit $skipped
