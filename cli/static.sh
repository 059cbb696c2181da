#!/bin/sh
# The small build: one static ip-mptcp for each router.
#
#   cli/static.sh                 every target below
#   cli/static.sh x86_64 mipsel   only these
#   cli/static.sh --install mips  installs Debian's packages first, where they are missing
#   cli/static.sh --features mini x86_64
#                                 a smaller one: mini has what iproute2 has, router the state
#                                 files too, full is all; or features of cli/Cargo.toml, with
#                                 commas between
#
# The standard library is built again, for size and with every panic turned
# into an immediate abort, which leaves out all that would print or unwind one.
# Linked against musl by lld, without what a program that cannot unwind never
# reads. The result is target/static/TARGET/ip-mptcp, of other features than full
# target/static/TARGET-FEATURES/ip-mptcp (CARGO_TARGET_DIR is honoured), with
# the licences of what is in it beside it, followed by a table: target, bytes, how it was built and tried.
#
# Needed: a Rust toolchain of 1.92 or later with its library's source, and zig,
# which brings musl and lld for every target. Nothing on the machine is changed
# without --install, which lets root install Debian's packages; before that, what
# is missing is named. zig comes from PyPI into the target folder, with the
# machine's python3, unless ZIG names one or NO_INSTALL=1 forbids that.
#
# Exit status: 0 built; 1 a target failed to compile or to run; 2 unknown target; 3 none
# of the targets can be built on this machine, the table says why.
set -eu

# name           Rust target                     zig target
TARGETS='
x86_64           x86_64-unknown-linux-musl       x86_64-linux-musl
aarch64          aarch64-unknown-linux-musl      aarch64-linux-musl
armv7            armv7-unknown-linux-musleabihf  arm-linux-musleabihf
i686             i686-unknown-linux-musl         x86-linux-musl
riscv64          riscv64gc-unknown-linux-musl    riscv64-linux-musl
mips             mips-unknown-linux-musl         mips-linux-musleabi
mipsel           mipsel-unknown-linux-musl       mipsel-linux-musleabi
powerpc          powerpc-unknown-linux-musl      powerpc-linux-musleabihf
s390x            s390x-unknown-linux-musl        s390x-linux-musl
'
ZIG_VERSION=0.17.1

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
work=${CARGO_TARGET_DIR:-$here/target}/static
mkdir -p "$work"
work=$(CDPATH='' cd -- "$work" && pwd)

say() { printf '%s\n' "static.sh: $*" >&2; }
row() {
    table="${table-}$(printf '%-16s %8s  %s' "$1" "$2" "$3")
"
}

# The second and third column of a target.
target() { printf '%s' "$TARGETS" | awk -v name="$1" 'NF && $1 == name { print $2, $3 }'; }

names=$(printf '%s' "$TARGETS" | awk 'NF { printf "%s%s", space, $1; space = " " }')
# The features of a named set, or those that are named.
features_of() {
    case $1 in
    full) echo default ;;
    mini) ;;
    router) echo state ;;
    *) echo "$1" ;;
    esac
}
# Before anything is installed for it. Options go, the names of targets stay.
install='' set=full wants_set=''
for name; do
    shift
    if [ -n "$wants_set" ]; then
        set=$name wants_set=
        continue
    fi
    case $name in
    -h | --help)
        sed -n '2,/^set/{ /^#/!d; s/^# \{0,1\}//; p; }' "$0"
        exit 0
        ;;
    --install)
        install=1
        continue
        ;;
    --features)
        wants_set=1
        continue
        ;;
    --features=*)
        set=${name#--features=}
        continue
        ;;
    esac
    [ -n "$(target "$name")" ] || {
        say "unknown target \"$name\", one of: $names"
        exit 2
    }
    set -- "$@" "$name"
done
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $names
[ -z "$wants_set" ] || {
    say "--features needs mini, router, full or features of cli/Cargo.toml"
    exit 2
}
features=$(features_of "$set")
for name in $(echo "$features" | tr , ' '); do
    grep -q "^$name = \\[" "$here/cli/Cargo.toml" || {
        say "unknown feature \"$name\", one of: mini router full $(sed -n '/^\[features\]/,/^$/s/^\([a-z-]*\) = .*/\1/p' "$here/cli/Cargo.toml" | tr '\n' ' ')"
        exit 2
    }
done
suffix=
[ "$set" = full ] || suffix=-$(echo "$set" | tr , +)

may_install() { [ -z "${NO_INSTALL-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Nothing is ever removed for it: Debian's own rustc excludes the packages
# wanted here, and a machine that has it keeps it.
install_packages() {
    may_install || return 1
    if [ -z "$install" ]; then
        say "missing: Debian's $*; with --install they are installed"
        return 1
    fi
    say "installing Debian's $*"
    { apt-get -q update && apt-get -q -y --no-install-recommends --no-remove install "$@"; } \
        >"$work/install.log" 2>&1 </dev/null || { say "that failed, see $work/install.log"; return 1; }
}

# ---- the compiler -----------------------------------------------------------

# A toolchain serves if it has the library's source beside it and knows the
# panic strategy; a stable one does too, RUSTC_BOOTSTRAP opens it. What each that
# does not serve lacks is kept in $unfit.
serves() {
    [ -x "$1/bin/rustc" ] || return 1
    lacks=
    [ -x "$1/bin/cargo" ] || lacks="has no cargo"
    [ -f "$1/lib/rustlib/src/rust/library/std/Cargo.toml" ] ||
        lacks="${lacks:+$lacks and }has no source of its library"
    RUSTC_BOOTSTRAP=1 "$1/bin/rustc" -Zunstable-options -Cpanic=immediate-abort --print cfg >/dev/null 2>&1 ||
        lacks="${lacks:+$lacks and }is too old (1.92 or later is needed)"
    [ -n "$lacks" ] || return 0
    unfit="${unfit-}; $("$1/bin/rustc" --version | cut -d' ' -f1,2) in $1 $lacks"
    return 1
}

find_rust() {
    unfit=
    for rust in $({ rustc --print sysroot
        rustup toolchain list | while read -r name _; do rustc "+$name" --print sysroot; done
        echo /usr; } 2>/dev/null | awk '!seen[$0]++'); do
        serves "$rust" && return
    done
    rust=
    return 1
}

find_rust || { install_packages rustc-web cargo-web rust-web-src && find_rust; } ||
    missing="no Rust toolchain of 1.92 or later with the source of its library$unfit; rustup component add rust-src, or Debian's rustc-web cargo-web rust-web-src, brings one"

# ---- the linker and the C library -------------------------------------------

find_zig() {
    [ -n "${ZIG-}" ] && return
    venv=$work/zig-$ZIG_VERSION
    if [ ! -x "$venv/bin/python" ] || ! ZIG=$("$venv/bin/python" -c 'import ziglang, os
print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))' 2>/dev/null); then
        if [ -n "${NO_INSTALL-}" ] || ! new_venv "$venv"; then
            ZIG=$(command -v zig)
            return
        fi
        find_zig
    fi
}

new_venv() {
    command -v python3 >/dev/null || install_packages python3-venv || return 1
    python3 -m venv "$1" >/dev/null 2>&1 || { install_packages python3-venv && python3 -m venv "$1"; } || return 1
    say "installing ziglang $ZIG_VERSION into $1"
    "$1/bin/python" -m pip install -q --disable-pip-version-check "ziglang==$ZIG_VERSION" >&2 && return
    rm -rf "$1"
    return 1
}

[ -n "${missing-}" ] || find_zig || missing="no zig: pip install ziglang==$ZIG_VERSION and name it in ZIG"

# zig builds musl when it first links for a target, and says with -v where it
# put the parts; they are kept, so that lld can be called with options that
# zig's own driver does not pass on. memset and its like come from zig's
# compiler_rt, which is made for speed: made for size they go byte by byte,
# and clearing the receive buffers was two thirds of all instructions.
libc_for() {
    libc=$work/libc/$1
    [ -f "$libc/libc.a" ] && return
    mkdir -p "$libc"
    echo 'int main(void) { return 0; }' >"$libc/empty.c"
    "$ZIG" cc -target "$2" -Os -static -v "$libc/empty.c" -o "$libc/empty" 2>"$libc/log" || return 1
    : >"$libc/nothing.c"
    (cd "$libc" && "$ZIG" build-lib nothing.c -fcompiler-rt -OReleaseFast -fstrip -target "$2" --name compiler_rt) \
        >>"$libc/log" 2>&1 || return 1
    for word in $(grep '^ld.lld .*crt1\.o' "$libc/log" | tail -n 1); do
        case $word in
        */crt1.o | */libzigc.a) cp "$word" "$libc/" ;;
        */libc.a) cp "$word" "$libc/libc.new" ;;
        esac
    done
    mv "$libc/libc.new" "$libc/libc.a"
}

# What rustc asks of the linker, less the libraries that an immediate abort
# never calls, and the table of frames: .eh_frame would be a fifth of the file.
# One segment for code and constants, one for data: two pages fewer to map.
# memmove does what memcpy does, in the same time.
# On powerpc two closures of the unwinder stay, called by nothing; the names
# that they want are given away as 0.
linker_for() {
    cat >"$work/layout.ld.new" <<'LAYOUT'
SECTIONS {
    /DISCARD/ : { *(.eh_frame) *(.comment) *(.note.*) *(.pdr) *(.mdebug.*) *(.gnu.attributes) *(.ARM.exidx*) *(.ARM.extab*) }
} INSERT AFTER .text;
LAYOUT
    cat >"$work/link-$1.new" <<LINKER
#!/bin/sh
left=\$#
for word; do
    case \$word in
    -lc | -lgcc | -lgcc_s | -lgcc_eh | -lunwind | --eh-frame-hdr) ;;
    *) set -- "\$@" "\$word" ;;
    esac
done
shift "\$left"
exec "$ZIG" ld.lld "\$@" -z norelro -z noseparate-code --no-rosegment --icf=all -O2 \\
    --build-id=none --defsym=memcpy=memmove --defsym=_Unwind_GetTextRelBase=0 --defsym=_Unwind_GetDataRelBase=0 \\
    -T "$work/layout.ld" "$work/libc/$1"/crt1.o "$work/libc/$1"/*.a
LINKER
    chmod +x "$work/link-$1.new"
    # Cargo does not see what these files say: without its result it links again.
    if ! cmp -s "$work/layout.ld.new" "$work/layout.ld" || ! cmp -s "$work/link-$1.new" "$work/link-$1"; then
        rm -f "$work/build/$2/dist/deps"/ip_mptcp-* "$work/build/$2/dist/ip-mptcp"
    fi
    mv "$work/layout.ld.new" "$work/layout.ld"
    mv "$work/link-$1.new" "$work/link-$1"
}

# ---- a target ---------------------------------------------------------------

compile() {
    instructions=+crt-static
    # Every processor of armv7 knows the denser instructions.
    [ "$1" != armv7 ] || instructions=$instructions,+thumb-mode
    # Between the flags stands a byte that no path has: that of the linker may have spaces.
    flags=$(printf '%s\037' "-Clinker=$work/link-$1" -Clinker-flavor=ld -Clink-self-contained=no \
        "-Ctarget-feature=$instructions" -Crelocation-model=static -Zunstable-options -Cpanic=immediate-abort -Zinline-mir=no)
    env -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER \
        RUSTC_BOOTSTRAP=1 RUSTC="$rust/bin/rustc" CARGO_ENCODED_RUSTFLAGS="${flags%?}" \
        "$rust/bin/cargo" build --manifest-path "$here/Cargo.toml" --target-dir "$work/build" \
        --package ip-mptcp --bin ip-mptcp --no-default-features --features "$features" \
        --profile dist --target "$2" \
        -Zbuild-std=core,alloc,std,panic_abort -Zbuild-std-features=optimize_for_size >"$work/$1.log" 2>&1
}

build() {
    # shellcheck disable=SC2046
    set -- "$1" $(target "$1")
    if [ -n "${missing-}" ]; then
        row "$1" - "cannot be built here: $missing"
        return 0
    fi
    if ! libc_for "$1" "$3"; then
        row "$1" - "cannot be built here: zig gives no musl for $3, see $work/libc/$1/log"
        return 0
    fi
    linker_for "$1" "$2"
    say "building $1"
    if ! compile "$1" "$2"; then
        tail -n 20 "$work/$1.log" >&2
        row "$1" - "failed to compile, see $work/$1.log"
        failed=1
        return 0
    fi
    mkdir -p "$work/$1$suffix"
    cp "$work/build/$2/dist/ip-mptcp" "$work/$1$suffix/ip-mptcp.new"
    mv "$work/$1$suffix/ip-mptcp.new" "$work/$1$suffix/ip-mptcp"
    # Of the program, of argh, and of musl.
    cat "$here/LICENSE-MIT" "$here/cli/packaging/licenses/"* \
        "$(dirname "$ZIG")/lib/libc/musl/COPYRIGHT" >"$work/$1$suffix/LICENSES" 2>/dev/null || :
    built=1
    tried=$(try "$1") || failed=1
    row "$1$suffix" "$(wc -c <"$work/$1$suffix/ip-mptcp")" "$2, $("$rust/bin/rustc" --version | cut -d' ' -f1,2), zig $("$ZIG" version), $tried"
}

# Foreign programs run if the machine has an emulator for them.
try() {
    case $1-$(uname -m) in
    x86_64-x86_64 | i686-x86_64 | i686-i?86 | aarch64-aarch64 | armv7-armv7l | riscv64-riscv64 | s390x-s390x) runner= ;;
    *)
        case $1 in i686) runner=i386 ;; armv7) runner=arm ;; powerpc) runner=ppc ;; *) runner=$1 ;; esac
        runner=$(command -v "qemu-$runner" || command -v "qemu-$runner-static") || { echo 'not run'; return; }
        ;;
    esac
    if ${runner:+"$runner"} "$work/$1$suffix/ip-mptcp" -V >/dev/null 2>&1; then echo runs; else echo 'DOES NOT RUN'; return 1; fi
}

failed='' built=''
row target bytes how
for name; do build "$name"; done
printf '%s' "$table"
[ -z "$failed" ] || exit 1
[ -n "$built" ] || exit 3
