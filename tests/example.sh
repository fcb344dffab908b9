#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# example.sh N: the offline example with its rule N in force and the others commented out (0: none), as README
# invites to edit it.  Prints how many packets the receiver's port sent.
set -eu
rule=$1
top=$(cd "$(dirname "$0")/.." && pwd)
conf=$(mktemp)
trap 'rm -f "$conf"' EXIT
awk -v n="$rule" '
    /^# [0-9]\. / { at = $2 + 0 }
    /^#?add-flow priority=100/ { sub(/^#/, ""); if (at != n) $0 = "#" $0 }
    { print }' "$top/examples/flood.conf" >"$conf"
# As it is shipped, rule 2 is the one.
[ "$rule" != 2 ] || cmp "$conf" "$top/examples/flood.conf"
cd "$top"
sluiced --offline "$conf" --json | python3 -c '
import json, sys
print(*(p["counters"]["tx_packets"] for p in json.load(sys.stdin)["ports"] if p["name"] == "net"))'
