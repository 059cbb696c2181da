#!/bin/sh
# Checks the workspace with the oldest Rust it promises to compile with: the
# rust-version of Cargo.toml. It compiles the codec and the program, and runs the
# codec's unit tests.
#
#   tests/proof/msrv.sh
#
# A rustup toolchain of that version is used if there is one. Else the compiler
# is taken out of Debian's packages (trixie has 1.85) and unpacked beside,
# with the libraries it runs with; nothing is installed.
#
# Exit status: 0 all passed; 3 no such compiler to be had here; another: it does not
# compile, or a test failed.
set -eu

SUITE=trixie
PACKAGES='rustc libstd-rust-dev libstd-rust-1.85 libllvm19 libc6 libgcc-s1
    libstdc++6 zlib1g libzstd1 libxml2 libedit2 libffi8 libtinfo6 libbsd0
    libmd0 liblzma5 libicu76 libz3-4'

here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/Cargo.toml")
work=${CARGO_TARGET_DIR:-$here/target}/msrv-$version
mkdir -p "$work"
work=$(CDPATH='' cd -- "$work" && pwd)

say() { printf '%s\n' "msrv.sh: $*" >&2; }
give_up() { say "SKIPPED: $*"; exit 3; }

# apt with a state of its own, so that the machine's is left alone.
apt() {
    apt-get -q -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" \
        -o Dir::Cache="$work/apt/cache" -o Dir::Etc::sourcelist="$work/apt/sources.list" \
        -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=- -o APT::Default-Release= \
        -o APT::Sandbox::User=root "$@"
}

unpack() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/root"
    : >"$work/apt/status"
    # Where this machine gets its own packages from.
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
        sort -u | sed "s|.*|deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] & $SUITE main|" \
        >"$work/apt/sources.list"
    apt update || :
    # Not every source has the suite; one that has is enough.
    cd "$work/apt/cache" && apt download $PACKAGES || return 1
    for package in *.deb; do dpkg -x "$package" "$work/root" && rm "$package"; done
    cd "$here"
}

compiler=$(rustup run "$version" rustc --print sysroot 2>/dev/null)/bin/rustc || compiler=
[ -x "$compiler" ] || {
    compiler=$work/rustc
    [ -x "$compiler" ] || {
        say "unpacking rustc $version"
        unpack >"$work/apt.log" 2>&1 || give_up "no rustc $version, see $work/apt.log"
        machine=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -dumpmachine)
        root=$work/root
        loader=$(find "$root/usr/lib/$machine" "$root/lib" -name 'ld-linux*.so*' 2>/dev/null | head -n 1)
        cat >"$compiler.new" <<RUSTC
#!/bin/sh
exec "$loader" --library-path "$root/usr/lib/$machine:$root/lib/$machine:$root/usr/lib" \\
    "$root/usr/bin/rustc" --sysroot "$root/usr" "\$@"
RUSTC
        chmod +x "$compiler.new"
        mv "$compiler.new" "$compiler"
    }
}
case $("$compiler" --version) in
"rustc $version".*) ;;
*) give_up "$compiler is $("$compiler" --version 2>&1 | head -n 1)" ;;
esac

"$compiler" --version
# Dependencies of the program as the lock file has them.
with_it() {
    command=$1
    shift
    env -u CARGO_ENCODED_RUSTFLAGS -u RUSTFLAGS RUSTC="$compiler" CARGO_TARGET_DIR="$work/build" \
        cargo "$command" --locked --manifest-path "$here/Cargo.toml" "$@"
}
with_it check -p mptcp-codec -p ip-mptcp
with_it test -p mptcp-codec --lib
