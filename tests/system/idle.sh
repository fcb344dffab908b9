#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An idle daemon with two ports, two connections and a controller uses under 1 % of a core, over SECONDS_IDLE (20).
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin ovs-ofctl

seconds=${SECONDS_IDLE:-20}
net_up || fail "the network does not come up"
# shellcheck disable=SC2119
tunnel
add_conn gw 2 b-clean
# Its own control socket has to be somewhere.
OVS_RUNDIR=$work ovs-ofctl -O OpenFlow13 monitor unix:"$work/gw/openflow.sock" 65535 >monitor.out 2>&1 &
monitor=$!
sl_wait "the controller" sh -c "ovs-ofctl -O OpenFlow13 dump-flows unix:$work/gw/openflow.sock" || fail "no OpenFlow"
ticks() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(cat gw.pid)/stat"
}
# The first packets' timers have to run out first.
sleep 2
before=$(ticks)
sleep "$seconds"
after=$(ticks)
kill "$monitor" || fail "the controller did not stay: $(cat monitor.out)"
awk -v n=$((after - before)) -v hz="$(getconf CLK_TCK)" -v s="$seconds" 'BEGIN {
    printf "idle: %.2f %% of a core\n", 100 * n / hz / s; exit !(n / hz / s < 0.01) }' || fail "an idle daemon is not idle"
sl_stop agg && sl_stop gw
