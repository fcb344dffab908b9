#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of either daemon under traffic, TIMES (50) in turn, and the connection deleted and added again with the
# same keys in between: the same rules within 2 s, no (key, IV) pair twice in a capture of the whole run, and the
# kernel's own traffic on the daemon's interface goes on meanwhile.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin tcpdump iperf3 python3

python3 "$system/iv-unique.py" --self-test || fail "iv-unique.py no longer fails"
times=${TIMES:-50}
net_up || fail "the network does not come up"
# shellcheck disable=SC2119
tunnel
for i in $(seq 1 40); do
    echo "priority=$((100 + i)),tun_src=192.0.2.$i,udp,tp_dst=$i,actions=drop"
done >rules
for where in agg gw; do
    sl_ctl $where add-flows rules || fail "add-flows"
    i=0
    for action in drop pass limit:10mbps limit:200pps,burst=50p,output:1 sample:64 'set_field:7->pkt_mark'; do
        i=$((i + 1))
        sl_ctl $where add-guard "priority=7,tun_src=192.0.2.$i,udp,actions=$action" --reason "to be kept" \
            --expire 2h || fail "add-guard"
    done
done
rules_of() {
    sl_ctl "$1" --json dump-flows --all | python3 -c '
import json, sys
def texts(node):
    if isinstance(node, dict):
        if "match" in node or "flow" in node:
            yield json.dumps({k: v for k, v in node.items() if k in ("flow", "match", "priority", "actions", "table", "cookie")},
                             sort_keys=True)
        for v in node.values():
            yield from texts(v)
    elif isinstance(node, list):
        for v in node:
            yield from texts(v)
print("\n".join(sorted(texts(json.load(sys.stdin)))))'
}
for where in agg gw; do
    rules_of $where >"$where.rules"
    [ "$(wc -l <"$where.rules")" -ge 48 ] || fail "dump-flows of $where shows $(wc -l <"$where.rules") rules"
done

spawn wan tcpdump -q -i agg -s 80 -B 32768 -w wan.pcap 'ip proto 50' >tcpdump.out 2>&1
tcpdump_pid=$!
sl_wait "tcpdump" grep -q listening tcpdump.out || fail "tcpdump: $(cat tcpdump.out)"
spawn agg ping -q -i 0.1 198.51.100.254 >ping-agg.out
pings=$!
spawn gw ping -q -i 0.1 203.0.113.254 >ping-gw.out
pings="$pings $!"
# Both ways, without answers to wait for.
spawn src python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.1.0.2", 7001))
while True:
    try: s.sendto(bytes(900), ("10.9.0.2", 7000))
    except OSError: pass
    time.sleep(0.001)'
spawn rcv python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.9.0.2", 7000))
while True:
    try: s.sendto(bytes(900), ("10.1.0.2", 7001))
    except OSError: pass
    time.sleep(0.001)'

worst=0
for i in $(seq 1 "$times"); do
    where=agg
    [ $((i % 2)) = 0 ] || where=gw
    sl_kill $where || fail "kill"
    t0=$(date +%s%N)
    start_daemon $where
    rules_of $where >now.rules
    took=$((($(date +%s%N) - t0) / 1000000))
    [ "$took" -le "$worst" ] || worst=$took
    cmp "$where.rules" now.rules || fail "round $i: other rules in $where after kill -9"
    [ "$took" -le 2000 ] || fail "round $i: $took ms until $where had its rules"
    if [ $((i % 5)) = 0 ]; then
        sl_ctl $where del-conn a || fail "del-conn"
        add_conn $where 1 a
    fi
    [ $where = gw ] || lead a1 a 201
    sl_wait "round $i: the tunnel" at src ping -q -c 1 -W 1 -I 10.1.0.2 10.9.0.2 || fail "round $i: nothing comes through"
done
echo "killed $times times; rules back after $worst ms at worst"

kill -INT "$tcpdump_pid"
wait "$tcpdump_pid"
grep -E 'captured|dropped by kernel' tcpdump.out
grep -q '^0 packets dropped by kernel' tcpdump.out || fail "the capture is not whole"
python3 "$system/iv-unique.py" wan.pcap || fail "an IV twice"
# shellcheck disable=SC2086
kill -INT $pings
sl_wait "ping's figures" sh -c "grep -q received ping-agg.out && grep -q received ping-gw.out" || fail "no figures of ping"
for where in agg gw; do
    grep received "ping-$where.out"
    awk -F'[ ,%]+' '/received/ { exit !($4 >= 0.98 * $1) }' "ping-$where.out" || fail "the kernel's own traffic in $where did not go on"
done
sl_log_check agg && sl_log_check gw && sl_stop agg && sl_stop gw
