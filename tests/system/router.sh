#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A daemon as a router between two AF_XDP ports, beside the kernel: what is addressed to the host
# stays the kernel's (host=kernel, the default with an address), the rest sluice forwards.  Then as
# a switch (host=none), with ports that come and go under traffic.
built=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$built/utilities:$built:$PATH

sl_ended() {
    sl_end KILL run 2>/dev/null
}

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/veth.sh"
cd "$work" || exit 1
command -v sluiced >/dev/null || fail "no sluiced built"
SL_NETNS=sl-pr

ctl() {
    sl_ctl run "$@" >"$work/ctl.log" 2>&1 || fail "sluice-ctl $*"
}

# Every frame is somewhere.
balance() {
    sl_ctl run --json stats >"$work/stats" || fail "no stats"
    python3 - "$work/stats" <<'P'
import json, sys
for w in json.load(open(sys.argv[1]))["workers"]:
    f = w["frames"]
    have = f["free"] + f["devices"] + f["handoff"] + f["held"]
    if have != f["total"]:
        sys.exit("worker %d: %d of %d frames" % (w["worker"], have, f["total"]))
P
}

# Networks 1 and 2 with the host, which does not forward, between them.
routed_net() {
    net
    for x in a:1 b:2; do
        n=${x%:*} i=${x#*:}
        nsenter --net=/run/netns/sl-p$n ip addr flush dev ${n}1
        nsenter --net=/run/netns/sl-p$n ip addr add 10.$i.0.1/24 dev ${n}1
        nsenter --net=/run/netns/sl-p$n ip -6 addr add 2001:db8:$i::1/64 dev ${n}1 nodad
        in_r ip addr add 10.$i.0.254/24 dev r$i
        in_r ip -6 addr add 2001:db8:$i::fe/64 dev r$i nodad
        nsenter --net=/run/netns/sl-p$n ip route add default via 10.$i.0.254
        nsenter --net=/run/netns/sl-p$n ip -6 route add default via 2001:db8:$i::fe
    done
    in_r sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
}

router() {
    routed_net
    sl_start run || fail "no daemon"
    ctl add-port r1 type=afxdp
    ctl add-port r2 type=afxdp
    sl_wait "a neighbour" in_a ping -q -c 1 -W 1 10.2.0.1 || fail "nothing goes through"
    sl_wait "a neighbour" in_a ping -q -c 1 -W 1 2001:db8:2::1 || fail "no IPv6 goes through"
    pings in_a 10.2.0.1
    pings in_b 2001:db8:1::1
    # The host is there beside it, on both its addresses.
    pings in_a 10.1.0.254
    pings in_a 10.2.0.254
    pings in_a 2001:db8:1::fe
    # An address that the host gets is the host's, and sluice's again when it goes.
    in_r ip addr add 10.2.0.200/24 dev r2
    sl_wait "the new address" in_a ping -q -c 1 -W 1 10.2.0.200 || fail "a new address is not the host's"
    balance || fail "frames were lost"
    sl_stop run || fail "a bad end"
    in_r ip link show | grep -q xdp && fail "an XDP program stayed"
    return 0
}

# host=rules: rules see what is addressed to the host before the host does.
rules() {
    routed_net
    sl_start run || fail "no daemon"
    ctl add-port r1 type=afxdp host=rules
    ctl add-port r2 type=afxdp
    sl_wait "the links" in_a ping -q -c 1 -W 1 10.2.0.1 || fail "nothing goes through"
    pings in_a 10.1.0.254
    pings in_a 2001:db8:1::fe
    ctl add-flow "priority=10,icmp,nw_dst=10.1.0.254,actions=drop"
    in_a ping -q -c 2 -i 0.1 -W 1 10.1.0.254 >/dev/null && fail "the rule does not see it"
    pings in_a 10.2.0.1
    pings in_a 2001:db8:1::fe
    balance || fail "frames were lost"
    sl_stop run || fail "a bad end"
}

has_xdp() {
    in_r ip link show "$1" | grep -q xdp
}

no_xdp() {
    ! has_xdp "$1"
}

# The default route's interface: refused, taken back, confirmed; the latter survives kill -9.
default_route() {
    net
    in_r ip addr add 10.99.0.254/24 dev r1
    in_r ip route add default via 10.99.0.1
    sl_start run --db "$work/db" || fail "no daemon"
    sl_ctl run add-port r1 type=afxdp 2>"$work/refused" && fail "took the default route's interface"
    grep -q needs-force "$work/refused" || fail "refused for another reason"
    ctl add-port r1 type=afxdp --confirm 1
    has_xdp r1 || fail "did not take it for a second"
    sl_wait "it to be put back" no_xdp r1 || fail "did not put it back"
    ctl add-port r1 type=afxdp --confirm 30
    ctl confirm
    sl_kill run
    sl_wait "the kernel to take the program off" no_xdp r1 || fail "the program stayed"
    sl_start run --db "$work/db" || fail "no daemon"
    sl_wait "the port" has_xdp r1 || fail "the confirmed port did not come back"
    ctl del-port r1
    sl_stop run 'not confirmed in time' || fail "a bad end"
    rm run.log # the warning was asked for
}

# What a sender's kernel makes of an answer: connect() and recv() fail at once, and a segment is small.
reactions() {
    routed_net
    sl_start run || fail "no daemon"
    ctl add-port r1 type=afxdp
    ctl add-port r2 type=afxdp
    sl_wait "a neighbour" in_a ping -q -c 1 -W 1 10.2.0.1 || fail "nothing goes through"
    sl_wait "a neighbour" in_a ping -q -c 1 -W 1 2001:db8:2::1 || fail "no IPv6 goes through"
    ctl add-flow "priority=20,tcp,tp_dst=81,actions=reject"
    ctl add-flow "priority=20,tcp6,tp_dst=81,actions=reject"
    ctl add-flow "priority=20,udp,tp_dst=82,actions=reject:icmp-port"
    ctl add-flow "priority=20,udp6,tp_dst=82,actions=reject:icmp-port"
    ctl add-flow "priority=20,udp,tp_dst=83,actions=reject"
    ctl add-flow "priority=10,ip,actions=clamp_mss:1000,NORMAL"
    ctl add-flow "priority=10,ipv6,actions=clamp_mss:1000,NORMAL"
    in_b python3 - >"$work/server" <<'P' &
import socket
s = socket.create_server(("::", 84), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
for _ in range(2):
    c, _ = s.accept()
    c.sendall(b"%d" % c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    c.close()
P
    sl_wait "the server" grep -q ready "$work/server" || fail "no server"
    in_a python3 - >"$work/client.log" 2>&1 <<'P' || fail "the senders are told something else"
import errno, socket, time

def told(what, family, kind, address, expected):
    start = time.monotonic()
    s = socket.socket(family, kind)
    s.settimeout(5)
    try:
        s.connect(address)
        s.send(b"x")
        s.recv(1)
        code = 0
    except OSError as error:
        code = error.errno
    assert code == expected, (what, address, code)
    assert time.monotonic() - start < 1, (what, "not at once")

for family, host in ((socket.AF_INET, "10.2.0.1"), (socket.AF_INET6, "2001:db8:2::1")):
    told("a reset", family, socket.SOCK_STREAM, (host, 81), errno.ECONNREFUSED)
    told("no port", family, socket.SOCK_DGRAM, (host, 82), errno.ECONNREFUSED)
    c = socket.create_connection((host, 84), 5)
    server, client = int(c.recv(10)), c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    assert server <= 1000 and client <= 1000, (host, server, client)
told("prohibited", socket.AF_INET, socket.SOCK_DGRAM, ("10.2.0.1", 83), errno.EHOSTUNREACH)
P
    # An error is the router's own.
    in_a python3 - <<'P' || fail "an error of another's"
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
s.connect(("10.2.0.1", 83))
s.settimeout(5)
s.send(b"x")
try:
    s.recv(1)
except OSError:
    pass
data, extra, *_ = s.recvmsg(100, 1000, socket.MSG_ERRQUEUE)
said = extra[0][2]
assert (said[4], said[5], said[6]) == (2, 3, 13), said
assert socket.inet_ntoa(said[20:24]) == "10.1.0.254", said
P
    # A packet that was never sent is told of, and sends nothing.
    sl_ctl run --json stats >"$work/before" || fail "no stats"
    sl_ctl run trace in_port=r1,tcp,nw_src=10.1.0.1,nw_dst=10.2.0.1,tp_dst=81 >"$work/trace" || fail "no trace"
    grep -q 'an answer of IP protocol 6' "$work/trace" || { cat "$work/trace"; fail "the trace shows no answer"; }
    sl_ctl run --json stats >"$work/after" || fail "no stats"
    python3 - "$work/before" "$work/after" <<'P' || fail "other answers than were asked for"
import json, sys
made = [json.load(open(f))["packets"]["made"]["rejected"] for f in sys.argv[1:]]
assert made[0] == made[1] >= 6, made
P
    balance || fail "frames were lost"
    sl_stop run || fail "a bad end"
}

switch() {
    net
    sl_start run --workers 0,1 || fail "no daemon"
    ctl add-port r1 type=afxdp host=none
    ctl add-port r2 type=afxdp host=none
    ctl add-flow "priority=10,in_port=r1,actions=output:r2"
    ctl add-flow "priority=10,in_port=r2,actions=output:r1"
    sl_wait "the links" in_a ping -q -c 1 -W 1 10.99.0.2 || fail "nothing goes through"
    pings in_a 10.99.0.2
    in_a ping -q -f -c 100000 10.99.0.2 >/dev/null &
    flood=$!
    for mode in copy skb copy skb; do
        ctl del-port r2
        ctl add-port r2 type=afxdp host=none mode=$mode
        ctl add-flow "priority=10,in_port=r2,actions=output:r1"
        ctl add-flow "priority=10,in_port=r1,actions=output:r2"
        sl_wait "the link" in_b ping -q -c 1 -W 1 10.99.0.1 || fail "mode=$mode: nothing goes through"
    done
    kill $flood 2>/dev/null
    wait $flood 2>/dev/null
    pings in_a 10.99.0.2
    balance || fail "frames were lost"
    sl_stop run || fail "a bad end"
}

[ $# -gt 0 ] || set -- router rules default_route reactions switch
for c; do
    echo "$c"
    "$c"
done
