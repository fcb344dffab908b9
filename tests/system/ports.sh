#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# AF_XDP ports over veth pairs, without a switch: sl-pa <-> sl-pr (xskloop) <-> sl-pb.
#
#   ports.sh CASE...     the cases are the functions case_… below; "all" runs each
#
# Root.  Everything is in namespaces of its own and gone afterwards.  xskloop is looked for on PATH
# and in $abs_top_builddir/tests/system.  Status: 0, 1, or 77 and a word why.
built=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$built/tests/system:$PATH
loop_pid=

sl_ended() {
    [ -z "$loop_pid" ] || kill -9 "$loop_pid" 2>/dev/null
    loop_pid=
}

. "$(dirname "$0")/veth.sh"
command -v xskloop >/dev/null || { echo "SKIPPED: no xskloop built" >&2; exit 77; }

# loop ARG...: starts xskloop in sl-pr and waits until it is ready
loop() {
    : >"$work/loop"
    nsenter --net=/run/netns/sl-pr xskloop "$@" >"$work/loop" 2>&1 &
    loop_pid=$!
    tries=100
    until grep -q '^ready' "$work/loop"; do
        kill -0 $loop_pid 2>/dev/null || fail "xskloop ended at once"
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "xskloop is not ready"
        sleep 0.05
    done
}

# end: asks it to end; every frame has to come home
end() {
    kill -TERM "$loop_pid"
    wait "$loop_pid" || fail "xskloop: status $?"
    loop_pid=
    grep -q '^balance: even' "$work/loop" || fail "frames or packets were lost"
}

# counted PORT KEY: what xskloop said at the end
counted() {
    sed -n "s/^$1: .*[ :]$2=\([0-9]*\).*/\1/p;s/^$1: $2=\([0-9]*\).*/\1/p" "$work/loop" | tail -1
}

# ------------------------------------------------------------------

case_modes() {
    net
    for mode in auto copy skb; do
        loop r1,mode=$mode r2,mode=$mode
        case $mode in skb) got=skb ;; *) got=copy ;; esac
        grep -q "^r1: .*mode='$got'" "$work/loop" || fail "mode=$mode did not get $got"
        pings in_a 10.99.0.2
        pings in_a 2001:db8:99::2
        end
    done
    loop r1,busy-poll=yes r2,busy-poll=yes
    grep -q "busy_poll='yes'" "$work/loop" || fail "no busy polling"
    pings in_a 10.99.0.2
    end
    # veth has no zero copy, and says so.
    in_r xskloop r1,mode=zerocopy r2 >"$work/loop" 2>&1 && fail "zero copy on veth?"
    grep -q 'refused r1: .*zero copy: not supported by the driver' "$work/loop" || fail "no reason given"
    in_r ip link show r1 | grep -q xdp && fail "a refused port left its program"
    return 0
}

case_flood() {
    net
    in_r ethtool -k r1 | grep -q 'rx-vlan-offload: on' || fail "another veth than expected"
    loop r1 r2
    in_r ethtool -k r1 | grep -q 'rx-vlan-offload: off' || fail "tags are still stripped"
    in_a ping -q -f -c 20000 10.99.0.2 >"$work/ping" || fail "flood"
    end
    in_r ethtool -k r1 | grep -q 'rx-vlan-offload: on' || fail "left the offload off"
    [ "$(counted r1 rx)" -ge 20000 ] || fail "r1 received $(counted r1 rx)"
    [ "$(counted r1 rx)" = "$(counted r2 tx)" ] || fail "r1 rx $(counted r1 rx), r2 tx $(counted r2 tx)"
}

# The receiver's NAPI gets next to no time: frames are neither lost nor waited for.
case_slow() {
    net
    in_b sh -c 'echo 1 >/sys/class/net/b1/threaded' 2>/dev/null || { echo "SKIPPED slow: no threaded NAPI" >&2; return 0; }
    napi=
    for p in /proc/[0-9]*; do
        case $(cat "$p/comm" 2>/dev/null) in napi/b1-*) napi="$napi ${p#/proc/}" ;; esac
    done
    for p in $napi; do chrt -i -p 0 "$p" && taskset -pc 0 "$p" >/dev/null; done
    loop r1 r2
    taskset -c 0 sh -c 'while :; do :; done' &
    hog=$!
    in_a python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + 3
while time.time() < end:
    s.sendto(bytes(1400), ("10.99.0.2", 9))'
    kill $hog
    wait $hog 2>/dev/null
    for p in $napi; do chrt -o -p 0 "$p"; done
    sl_tries=20
    until in_a ping -q -c 1 -W 1 10.99.0.2 >/dev/null; do
        sl_tries=$((sl_tries - 1))
        [ $sl_tries -gt 0 ] || fail "nothing goes after the receiver is back"
    done
    pings in_a 10.99.0.2
    end
    echo "slow: r1 received $(counted r1 rx), r2 sent $(counted r2 tx), dropped $(counted r2 tx_dropped)"
}

case_jumbo() {
    net 9000
    loop r1 r2
    if ! grep -q "segments='yes'" "$work/loop"; then
        echo "SKIPPED jumbo: this kernel has no packets of several descriptors" >&2
        end
        return 0
    fi
    pings in_a -M do -s 8900 10.99.0.2
    pings in_a -M do -s 3900 10.99.0.2
    end
}

case_queues() {
    net 1500 4
    loop -w 2 r1 r2
    grep -q "^r1: .*queues=4 queues_of_interface=4" "$work/loop" || fail "not four queues"
    for size in 64 200 400 800; do
        pings in_a -s $size 10.99.0.2
        pings in_b -s $size 2001:db8:99::1
    done
    end
    loop r1,queues=1 r2,queues=2
    grep -q "^r2: .*queues=2 queues_of_interface=4" "$work/loop" || fail "not two queues"
    end
    in_r xskloop r1,queues=5 r2 >"$work/loop" 2>&1 && fail "queue 4 does not exist"
    grep -q 'refused r1: bad-value: r1 has 4 queues' "$work/loop" || fail "no reason given"
}

case_occupied() {
    net
    loop r1 r2
    in_r xskloop r1 r2 >"$work/second" 2>&1 && fail "one interface, two programs"
    grep -q 'refused r1: occupied: .*sluice_steer' "$work/second" || fail "does not name the program"
    end
}

case_killed() {
    net
    loop r1 r2
    in_r ip link show r1 | grep -q 'xdp' || fail "no program attached"
    kill -KILL "$loop_pid"
    wait "$loop_pid" 2>/dev/null
    loop_pid=
    tries=100
    while in_r ip link show | grep -q xdp; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "the program outlived its process"
        sleep 0.05
    done
    loop r1 r2
    pings in_a 10.99.0.2
    end
}

case_down() {
    net
    loop r1 r2
    pings in_a 10.99.0.2
    in_r ip link set r2 down
    in_a ping -q -f -c 500 -W 1 10.99.0.2 >/dev/null
    in_r ip link set r2 up
    sl_tries=50
    until in_a ping -q -c 1 -W 1 10.99.0.2 >/dev/null; do
        sl_tries=$((sl_tries - 1))
        [ $sl_tries -gt 0 ] || fail "nothing goes after the link came back"
    done
    pings in_a 10.99.0.2
    # Gone altogether, under traffic.
    in_a ping -q -f -c 2000 10.99.0.2 >/dev/null &
    ping_pid=$!
    in_r ip link del r1
    kill $ping_pid 2>/dev/null
    wait $ping_pid 2>/dev/null
    end
}

case_host() {
    net
    # r1 has an address: host=kernel by default.  r2 is taken whole.
    in_r ip addr add 10.99.0.254/24 dev r1
    loop r1 r2
    grep -q "^r1: .*host='kernel'" "$work/loop" || fail "host=kernel is the default with an address"
    grep -q "^r2: .*host='none'" "$work/loop" || fail "host=none is the default without"
    in_r ip link show r2 | grep -q PROMISC || in_r ip -d link show r2 | grep -q 'promiscuity 1' ||
        fail "host=none takes every frame"
    end
    # The map of local addresses is the switch's to fill; without it every IP packet is forwarded,
    # but ARP is the kernel's.
    loop r1,host=kernel r2
    in_a arping -q -c 1 -w 2 -I a1 10.99.0.254 2>/dev/null ||
        { in_a ping -q -c 1 -W 1 10.99.0.254 >/dev/null; in_a ip neigh show 10.99.0.254 | grep -q lladdr; } ||
        fail "ARP does not reach the kernel"
    end
}

case_default() {
    net
    in_r ip addr add 10.99.0.254/24 dev r1
    in_r ip route add default via 10.99.0.1
    in_r xskloop r1 r2 >"$work/loop" 2>&1 && fail "took the default route's interface"
    grep -q 'refused r1: needs-force:' "$work/loop" || fail "no reason given"
    loop r1,force=yes r2
    end
    loop r1,confirm=30 r2
    end
    in_r ip route del default
    in_r ip -6 route add default dev r2
    in_r xskloop r1 r2 >"$work/loop" 2>&1 && fail "took the IPv6 default route's interface"
    grep -q 'refused r2: needs-force:' "$work/loop" || fail "no reason given"
}

# The capabilities that the daemon keeps are enough.
case_caps() {
    net
    for mode in copy skb; do
        in_r setpriv --inh-caps=-all --bounding-set=-all,+net_admin,+net_raw,+bpf,+ipc_lock \
            xskloop -s 1 r1,host=kernel,mode=$mode r2,host=none,mode=$mode >"$work/loop" 2>&1 ||
            fail "mode=$mode needs more capabilities"
    done
}

case_tun() {
    net
    loop t1,type=tun,mtu=1400 t2,type=tun,dev=sl-t2
    in_r ip link show t1 | grep -q 'mtu 1400' || fail "no tun device t1"
    in_r ip addr add 10.98.0.1/24 dev t1
    in_r ip addr add 10.98.1.1/24 dev sl-t2
    # What is routed to t1 comes back from sl-t2, for the host.
    in_r sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.sl-t2.rp_filter=0 \
        net.ipv4.conf.all.accept_local=1
    in_r ping -q -c 3 -i 0.1 -W 1 -I t1 10.98.1.1 >"$work/ping" 2>&1
    end
    [ "$(counted t1 rx)" -ge 3 ] || fail "t1 received nothing"
    [ "$(counted t2 tx)" -ge 3 ] || fail "t2 sent nothing"
    in_r ip link show t1 2>/dev/null | grep -q t1 && fail "the tun device stayed"
    return 0
}

[ $# -gt 0 ] || set -- all
[ "$1" != all ] || set -- modes flood slow jumbo queues occupied killed down host default caps tun
for c; do
    echo "$c"
    "case_$c"
done
