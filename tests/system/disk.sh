#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk under the store that is full, or does not answer: a file system of its own in a file.
#   disk.sh full     changes are refused and what was answered stays, over kill -9, too; packets and expiries go on
#   disk.sh frozen   packets and questions go on, a change waits for its answer, and is there when it comes
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin mkfs.ext4 fsfreeze mount

thaw() {
    fsfreeze -u "$work/disk" 2>/dev/null
}
trap 'thaw; sl_end TERM agg 2>/dev/null; sl_end TERM gw 2>/dev/null; umount "$work/disk" 2>/dev/null; end_all' EXIT

start_daemon() {
    SL_NETNS=sl-$1 sl_start "$1" --db "$work/disk/$1.db" || fail "sluiced in $1 does not start"
}

up() {
    mkdir disk && truncate -s 32M image && mkfs.ext4 -q -m 0 image && mount -o loop image disk ||
        skip "no file system in a file here"
    net_up || fail "the network does not come up"
    # shellcheck disable=SC2119
    tunnel
    sl_ctl gw add-flow priority=77,udp,tp_dst=77,actions=drop || fail "add-flow"
}

rules() {
    sl_ctl gw --json dump-flows --all | python3 -c '
import json, sys
print("\n".join(sorted(row["flow"] for row in json.load(sys.stdin))))'
}

pings() {
    at src ping -q -c 10 -i 0.05 -W 1 -I 10.1.0.2 10.9.0.2 >ping.out || fail "$1: $(cat ping.out)"
}

full() {
    up
    sl_ctl gw add-guard 'udp,tp_dst=99,actions=drop' --reason "for a moment" --expire 3 || fail "add-guard"
    dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null
    dd if=/dev/zero of=disk/filler2 bs=1 count=4096 2>/dev/null
    # What the store has of blocks is used up at some time.
    local n=0
    while sl_ctl gw add-flow "priority=$((1000 + n)),udp,tp_dst=$((1000 + n)),actions=drop" 2>refusal; do
        n=$((n + 1))
        [ $n -lt 5000 ] || fail "a full disk takes everything"
    done
    echo "refused after $n more: $(cat refusal)"
    grep -q 'store-failed.*make room' refusal || fail "not in these words"
    pings "on a full disk"
    sl_wait "the guard's rule to end" sh -c '! sluice-ctl -r gw dump-flows --guard | grep -q 99' || fail "it does not end"
    rules >before
    [ "$(grep -c . before)" -gt "$n" ] || fail "$(grep -c . before) rules of $n"
    sl_kill gw
    start_daemon gw
    rules >after
    cmp before after || fail "other rules after kill -9 on a full disk: $(diff before after | head -3)"
    sl_wait "the tunnel" at src ping -q -c 1 -W 1 -I 10.1.0.2 10.9.0.2 || fail "nothing comes through after a restart"
    pings "after a restart on a full disk"
    rm disk/filler disk/filler2
    sl_ctl gw add-flow priority=78,udp,tp_dst=78,actions=drop || fail "with room again"
    sl_log_check agg 'store: .*full' && sl_log_check gw 'store: .*full' || fail "logs"
}

frozen() {
    up
    fsfreeze -f disk || skip "cannot freeze a file system here"
    sl_ctl gw add-flow priority=78,udp,tp_dst=78,actions=drop >answer 2>&1 &
    local asks=$!
    for _ in 1 2 3 4 5; do
        pings "on a frozen disk"
        timeout 5 sluice-ctl -r gw status >/dev/null || fail "no status on a frozen disk"
        timeout 5 sluice-ctl -r gw dump-flows >dump || fail "no rules on a frozen disk"
    done
    ! grep -q tp_dst=78 dump || fail "in effect before it is written"
    kill -0 $asks || fail "answered before it is written: $(cat answer)"
    thaw
    wait $asks || fail "add-flow: $(cat answer)"
    sl_ctl gw dump-flows | grep -q udp_dst=78 || fail "answered, and not there"
    sl_log_check agg && sl_log_check gw || fail "logs"
}

"${1:-full}"
