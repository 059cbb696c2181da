#!/bin/bash
# What the program takes of a router's image: a root file system packed as OpenWrt
# packs it, with the program and without.
#
#   tests/proof/image.sh             what cli/static.sh has built for x86_64
#   tests/proof/image.sh armv7       or for another target
#
# Beside it `ip` of this machine with the libraries that it is linked with, as a
# router would need them. The root is one that BusyBox would have: some programs and
# texts of this machine, since how well something packs depends on its neighbours.
# squashfs: xz, blocks of 256 KiB, with the filter for the processor.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1-x86_64}
case $name in
-*) sed -n '2,/^set/{ /^#/!d; s/^# \{0,1\}//; p; }' "$0" && exit 2 ;;
x86_64 | i686) filter=x86 ;;
armv7) filter=armthumb ;;
powerpc) filter=powerpc ;;
*) filter= ;;
esac
command -v mksquashfs >/dev/null || { echo "image.sh: mksquashfs is needed (Debian: squashfs-tools)" >&2 && exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The bytes of the root as it is now.
packed() {
    mksquashfs "$work/root" "$work/image" -noappend -no-progress -quiet -all-root -no-xattrs -nopad \
        -comp xz -b 256k ${filter:+-Xbcj "$filter"} -mkfs-time 0 -all-time 0 >/dev/null
    stat -c %s "$work/image"
}

mkdir -p "$work/root/bin" "$work/root/etc" "$work/root/usr/sbin"
for program in bash grep sed tar gzip; do
    cp -L "$(command -v "$program")" "$work/root/bin/"
done
cp -L /etc/services /etc/protocols "$work/root/etc/" 2>/dev/null || true
without=$(packed)

# What files add to it.
row() {
    local what=$1 bytes=0 with
    shift
    for file; do
        cp -L "$file" "$work/root/usr/sbin/"
        bytes=$((bytes + $(stat -Lc %s "$file")))
    done
    with=$(packed)
    rm -f "$work/root/usr/sbin/"*
    printf '%-28s %10s %10s %10s\n' "$what" "$bytes" "$(cat "$@" | xz -9e | wc -c)" "+$((with - without))"
}

printf '%-28s %10s %10s %10s\n' "$name" bytes 'xz -9e' 'in image'
built=${CARGO_TARGET_DIR:-target}/static/$name
for set in mini router full; do
    file=$built-$set/ip-mptcp
    [ "$set" != full ] || file=$built/ip-mptcp
    [ -x "$file" ] || { echo "image.sh: no $file: cli/static.sh --features $set $name" >&2 && continue; }
    row "ip-mptcp $set" "$file"
done
if [ "$name" = "$(uname -m)" ] && ip=$(command -v ip); then
    # Those of the C library are in every image.
    mapfile -t libraries < <(ldd "$ip" | awk '$3 ~ /^\// { print $3 }' | grep -vE '/(libc|libm|libdl|libpthread)\.so')
    row "ip alone" "$ip"
    row "ip with ${#libraries[@]} libraries" "$ip" "${libraries[@]}"
fi
