#!/bin/sh
# Runs the codec's tests and builds the tool with the least Rust they promise
# (rust-version in Cargo.toml), as Debian 12 packages it. The packages are
# unpacked into a folder of their own, nothing is installed.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
folder=${TMPDIR:-/tmp}/ip-mptcp-rust-$version
library=$folder/root/usr/lib/$(uname -m)-linux-gnu
if [ ! -x "$folder/rustc" ]; then
    package=$(apt-cache madison rustc-web | awk -F' *[|] *' -v v="$version." 'index($2, v) == 1 { print $2; exit }')
    if [ -z "$package" ]; then
        echo "SKIPPED: apt knows no rustc-web $version here (it is in Debian 12)" >&2
        exit 77
    fi
    mkdir -p "$folder/root"
    (
        cd "$folder"
        apt-get download -qq "rustc-web=$package" "libstd-rust-web-dev=$package" \
            "libstd-rust-web-$version=$package" libllvm19
        for deb in ./*.deb; do dpkg -x "$deb" root; done
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/root/usr/bin/rustc "$@"\n' "$library" "$folder" >rustc
        chmod +x rustc
    )
fi
export RUSTC="$folder/rustc" CARGO_TARGET_DIR="$folder/target"
"$RUSTC" --version
cargo test -q -p mptcp-codec --lib
cargo build -q -p ip-mptcp
