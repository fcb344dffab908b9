#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Samples of real traffic, read by others: sfcapd and nfdump count what the gateway counted, tshark decodes every
# datagram and finds no fault, the local socket hears the same; no payload is in any of it.  top, why and a
# dry run say the same of the same traffic.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin sfcapd nfdump tshark tcpdump python3

net_up || fail "the network does not come up"
tunnel
add_conn agg 3 i
add_conn gw 3 i
lead i1 i 203

# One that has bound samples.sock: keeps every datagram, its length in front.
cat >watch.py <<'P'
import os, signal, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
with open(sys.argv[2], "wb", buffering=0) as f:
    while True:
        d = s.recv(65536)
        f.write(struct.pack(">I", len(d)) + d)
P
python3 watch.py gw/samples.sock local.sflow &
watcher=$!
sl_wait "the local socket" test -S gw/samples.sock || fail "nobody binds samples.sock"
mkdir flows
spawn gw sfcapd -p 6343 -b 127.0.0.1 -w flows -t 3600 >sfcapd.out 2>&1
sfcapd=$!
spawn gw tcpdump -i lo -U --immediate-mode -w sflow.pcap udp port 6343 2>tcpdump.out
tcpdump=$!
sl_wait "sfcapd" sh -c "nsenter --net=/run/netns/sl-gw ss -Hlun | grep -q :6343" || fail "no sfcapd: $(cat sfcapd.out)"
sl_wait "tcpdump" grep -q listening tcpdump.out || fail "no tcpdump"

sl_ctl gw set-switch sample=4 sample-max=100000 || fail "set-switch"
sl_ctl gw add-collector 127.0.0.1 agent=203.0.113.1 || fail "add-collector"
sl_ctl gw add-flow priority=20,in_port=i,udp,tp_dst=5299,actions=drop || fail "add-flow"

# Counted traffic: UDP by connection i to two ports, one of which is dropped.  Its payload begins with a canary.
cat >send.py <<'P'
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"i0")
s.bind(("10.2.0.2", 6202))
t0 = time.monotonic()
for n in range(int(sys.argv[1])):
    s.sendto(b"canary in the payload" + bytes(379), ("10.9.0.2", 5202 + 97 * (n % 2)))
    while time.monotonic() - t0 < n / 2000:
        time.sleep(0.001)
P
# A host that listens sends no ICMP.
cat >sink.py <<'P'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.9.0.2", 5202))
while True:
    s.recv(2048)
P
spawn rcv python3 sink.py
sl_wait "the sink" sh -c "nsenter --net=/run/netns/sl-rcv ss -Hlun | grep -q :5202" || fail "no sink"
conn_rx() {
    sl_ctl gw --json show-conn i | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["counters"]["rx_packets"])'
}
at src python3 send.py 10000 || fail "nothing is sent"
all_came() {
    [ "$(conn_rx)" -ge 10000 ]
}
sl_wait "the last of it" all_came || fail "$(conn_rx) of 10000 came"
sent=$(conn_rx)

sl_ctl gw --json top --by dst,dport,in_port,outer_ipv4_src --seconds 60 >top.json || fail "top"
sl_ctl gw top --by dst,dport --seconds 60
sl_ctl gw why 10.9.0.2 | tee why.txt
sl_ctl gw --json why 10.9.0.2 >why.json || fail "why"
sl_ctl gw --json add-flow in_port=i,udp,tp_dst=5202,actions=drop --dry-run >dry.json || fail "dry run"
sl_ctl gw add-flow in_port=i,udp,tp_dst=5202,actions=drop --dry-run
sl_ctl gw --json stats >stats.json || fail "stats"
: >local.size
all_written() {
    stat -c %s local.sflow sflow.pcap >local.now
    cmp -s local.size local.now || { cp local.now local.size && false; }
}
sl_wait "the last datagram" all_written || fail "datagrams come without an end"
kill "$watcher" "$sfcapd" "$tcpdump"
wait "$watcher" "$sfcapd" "$tcpdump"
sl_ctl gw del-collector 127.0.0.1 || fail "del-collector"

nfdump -R flows -o 'fmt:%sa;%da;%sp;%dp;%pr;%pkt;%byt;%in;%out;%ra' -q >nfdump.txt 2>&1 || fail "nfdump: $(cat nfdump.txt)"
tshark -r sflow.pcap -d udp.port==6343,sflow -T pdml >sflow.pdml 2>tshark.err || fail "tshark: $(cat tshark.err)"
sent=$sent python3 "$system/sflow.py" || fail "they do not agree"
sl_stop agg && sl_stop gw
