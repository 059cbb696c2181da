#!/bin/sh
# Runs the fuzz targets for a few seconds each, from the seeds and the kept
# inputs: smoke.sh [SECONDS [TARGET…]]. Ends at the first crash.
set -eu
cd "$(dirname "$0")"
seconds=${1:-5}
if [ $# -gt 0 ]; then shift; fi

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "installing cargo-fuzz"
    cargo install --quiet --locked cargo-fuzz
fi
cargo run --quiet --example seed >/dev/null
cargo +nightly fuzz build

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
for target in ${*:-$(cargo +nightly fuzz list)}; do
    mkdir -p "corpus/$target" "regressions/$target"
    if ! cargo +nightly fuzz run "$target" "corpus/$target" "regressions/$target" -- \
        -dict=netlink.dict -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 >"$log" 2>&1; then
        cat "$log"
        echo "$target: crashed; keep the input in regressions/$target/"
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$log")
    echo "$target: $runs runs, $edges edges"
    passed=$((passed + 1))
done
echo "$passed passed, 0 failed"
