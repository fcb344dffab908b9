# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# A network of two veth pairs, sl-pa <-> sl-pr <-> sl-pb, for tests of ports.  POSIX sh, sourced by
# scripts of this folder with $built set; the scripts end what they start in sl_ended().
set -u
work=$(mktemp -d)

[ "$(id -u)" = 0 ] || { echo "SKIPPED: needs root" >&2; exit 77; }

sl_clean() {
    sl_ended
    # A namespace lives on while a process is in it.
    for n in a r b; do
        for pid in $(ip netns pids sl-p$n 2>/dev/null); do kill "$pid" 2>/dev/null; done
        ip netns del sl-p$n 2>/dev/null
    done
}
trap 'sl_clean; rm -rf "$work"' 0
trap 'exit 1' 1 2 15

fail() {
    echo "FAILED: $*" >&2
    cat "$work"/loop "$work"/*.log >&2 2>/dev/null
    exit 1
}

in_a() { nsenter --net=/run/netns/sl-pa -- "$@"; }
in_b() { nsenter --net=/run/netns/sl-pb -- "$@"; }
in_r() { nsenter --net=/run/netns/sl-pr -- "$@"; }

# net [MTU [QUEUES]]: a1 is 10.99.0.1 and 2001:db8:99::1, b1 is .2; r1 and r2 have no address
net() {
    sl_clean
    for n in a r b; do
        ip netns add sl-p$n || fail "no namespaces here"
        nsenter --net=/run/netns/sl-p$n ip link set lo up
    done
    for x in a:1 b:2; do
        n=${x%:*} i=${x#*:}
        ip link add ${n}1 netns sl-p$n mtu "${1:-1500}" numrxqueues "${2:-1}" numtxqueues "${2:-1}" \
            type veth peer name r$i netns sl-pr mtu "${1:-1500}" numrxqueues "${2:-1}" \
            numtxqueues "${2:-1}" || fail "no veth here"
        nsenter --net=/run/netns/sl-p$n ip addr add 10.99.0.$i/24 dev ${n}1
        nsenter --net=/run/netns/sl-p$n ip -6 addr add 2001:db8:99::$i/64 dev ${n}1 nodad
        # No unfinished checksums; and a veth takes redirected frames only with NAPI on.
        in_$n ethtool -K ${n}1 tx off gro on >/dev/null
        in_r ethtool -K r$i tx off gro on >/dev/null
        nsenter --net=/run/netns/sl-p$n ip link set ${n}1 up
        in_r ip link set r$i up
    done
}

pings() { # FROM ARGUMENT...
    from=$1
    shift
    "$from" ping -q -i 0.01 -c 50 -W 2 "$@" >"$work/ping" 2>&1 || { cat "$work/ping" >&2; fail "ping $*"; }
    grep -q ' 0% packet loss' "$work/ping" || fail "ping $* lost packets"
}
