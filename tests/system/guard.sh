#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A rule of the watcher's in the guard, and kill -9 of the daemon: the rule is in force again with the daemon, what it
# drops stays dropped, and it is gone on time.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin python3

net_up || fail "the network does not come up"
# shellcheck disable=SC2119
tunnel
# Milliseconds since the rule was asked for.
since() {
    echo $((($(date +%s%N) - begun) / 1000000))
}
comes_through() {
    at src ping -q -c 1 -W 1 -I 10.1.0.2 10.9.0.2 >/dev/null
}
packets() {
    sl_ctl gw --json dump-flows --guard | python3 -c 'import json, sys; print(*(r["packets"] for r in json.load(sys.stdin)))'
}

begun=$(date +%s%N)
sl_watch gw add-guard 'icmp,nw_dst=10.9.0.2 actions=drop' --reason 'kill -9' --expire 6s >/dev/null || fail "add-guard"
comes_through && fail "the rule drops nothing"
[ "$(packets)" -ge 1 ] || fail "the rule counted $(packets) packets"
sl_kill gw || fail "kill"
start_daemon gw
[ "$(since)" -lt 5000 ] || fail "the daemon was too slow for this test: $(since) ms"
[ "$(packets)" != "" ] || fail "the rule is not there after kill -9"
sl_wait "packets to be dropped again" eval '! comes_through && [ "$(packets)" -ge 1 ]' || fail "the rule drops nothing after kill -9"
back=$(since)
[ "$back" -lt 6000 ] || fail "the rule was gone before it was seen at work: $back ms"
sl_wait "the rule to end" eval '[ -z "$(packets)" ]' || fail "the rule outlives its expiry"
ended=$(since)
{ [ "$ended" -ge 5950 ] && [ "$ended" -le 7000 ]; } || fail "it ended after $ended ms, not 6000"
sl_wait "packets to come through" comes_through || fail "nothing comes through after the rule's end"
echo "dropped again $back ms after the rule was asked for, gone after $ended ms of 6000"
sl_log_check agg && sl_log_check gw && sl_stop agg && sl_stop gw
