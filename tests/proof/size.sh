#!/bin/bash
# Where the bytes of the small build are, and what each #[inline(never)] is worth.
#
#   tests/proof/size.sh                bytes by module, and the largest functions
#   tests/proof/size.sh --functions    every function
#   tests/proof/size.sh --inline       builds again without each #[inline(never)] of cli/src,
#                                      one at a time: what the program gains or loses by it
#   tests/proof/size.sh … --features mini
#                                      the same for other features than full
#
# Of x86_64, by cli/static.sh. Functions that are alike are one in the program, and counted
# under the name that comes first. --inline takes the last commit, and as many builds as there
# are places: a quarter of an hour.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mode=modules set=full
while (($#)); do
    case $1 in
    --functions | --inline) mode=${1#--} ;;
    --features) set=${2:?} && shift ;;
    *) sed -n '2,/^set/{ /^#/!d; s/^# \{0,1\}//; p; }' "$0" && exit 2 ;;
    esac
    shift
done
target=${CARGO_TARGET_DIR:-$root/target}
# The zig that is there already.
for zig in "$target"/static/zig-*/lib/python3*/site-packages/ziglang/zig; do
    [ -x "$zig" ] && export ZIG=${ZIG-$zig}
done
suffix=
[ "$set" = full ] || suffix=-$set

# Builds the sources of a folder, with names or without.
build() {
    CARGO_PROFILE_DIST_STRIP=$2 CARGO_TARGET_DIR=$target/size-$2 "$1/cli/static.sh" --features "$set" x86_64 \
        >/dev/null 2>"$target/size.log" || { tail -n 20 "$target/size.log" >&2 && return 1; }
    program=$target/size-$2/static/x86_64$suffix/ip-mptcp
}

# Bytes and names: each address once.
symbols() {
    nm -C -S -t d --defined-only "$program" | awk '
        $3 ~ /[tTrR]/ && !seen[$1]++ {
            name = $4; for (i = 5; i <= NF; i++) name = name " " $i
            print $2 + 0, name
        }' | sort -rn
}

case $mode in
inline)
    copy=$(mktemp -d)
    trap 'git worktree remove --force "$copy/tree"; rm -rf "$copy"' EXIT
    git worktree add -q --detach "$copy/tree" HEAD
    build "$copy/tree" true
    whole=$(wc -c <"$program")
    echo "$whole bytes; without the attribute, more (it pays) or less (it costs):"
    git -C "$copy/tree" grep -n '#\[inline(never)\]' -- cli/src | while IFS=: read -r file line _; do
        sed -i "${line}d" "$copy/tree/$file"
        if build "$copy/tree" true; then
            name=$(sed -n "$line,\$p" "$copy/tree/$file" | grep -m1 -oE 'fn [a-z_0-9]+')
            printf '%+6d  %s:%s %s\n' $(($(wc -c <"$program") - whole)) "$file" "$line" "$name"
        fi
        git -C "$copy/tree" checkout -q -- "$file"
    done
    ;;
*)
    build "$root" none
    size -A "$program" | awk '$1 ~ /^\.(text|rodata|data|got)$/ { print $2, $1 }'
    if [ "$mode" = functions ]; then
        symbols
        exit
    fi
    echo "by module:"
    symbols | awk '
        {
            bytes = $1; name = $0; sub(/^[0-9]+ /, "", name)
            if (match(name, /(ip_mptcp|mptcp_codec)::[a-z_0-9]+(::[a-z_]+)?/))
                module = substr(name, RSTART, RLENGTH)
            else if (match(name, /(argh|argh_shared|core|alloc|std|libc)::/))
                module = substr(name, RSTART, RLENGTH - 2)
            else module = "C library"
            sum[module] += bytes
        }
        END { for (module in sum) print sum[module], module }' | sort -rn
    echo "the largest functions:"
    symbols | awk 'NR <= 40'
    ;;
esac
