#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The network of the demo and of the system tests: six namespaces, veth between them, traffic nowhere else.
#
#   sl-src        sl-agg            sl-wan          sl-gw           sl-net           sl-rcv
#   a0 10.1.0.2 ─ a1                agg ┐       ┌─ wan              gw
#   b0 10.2.0.2 ─ b1  wan ───────── .254│ kernel│ 203.0.113.1  net ─ 10.8.0.254  rcv ─ net 10.9.0.2
#   i0 10.2.0.2 ─ i1  198.51.100.   gw ─┴───────┘              10.8.0.1     tbf ↗
#                     11, 12, 13    .254
#
# Customer A sends by the outer address .11, B's clean site by .12, B's infected site by .13: b0 and i0 have
# the same inner address.  The hop sl-wan marks outer DSCP by outer source: 10, 12, 14.  The kernel of sl-gw
# forwards nothing: what comes through went through sluice.
#
#   net.sh up [impair]   idempotent; with `impair` sl-wan has a gap left─right before the gateway, for
#                        tests/system/impair to bridge
#   net.sh down          also ends every process inside
#   net.sh at NAME COMMAND…
#
# May be sourced: net_up, net_down, at, spawn.
# RATE (20mbit): the bottleneck, in sl-net toward the receiver.

NET_NAMES="src agg wan gw net rcv"
RATE=${RATE:-20mbit}

at() {
    local name=$1
    shift
    # Not `ip -n` or `ip netns exec`: those remount / and /sys, which a chroot cannot, and leave a program between.
    nsenter "--net=/run/netns/sl-$name" -- "$@"
}

# In the background; $! is the program's own pid.
spawn() {
    local name=$1
    shift
    nsenter "--net=/run/netns/sl-$name" -- "$@" &
}

# pair NS DEV NS DEV: a veth with every offload off that a raw socket would see unfinished frames from.
pair() {
    ip link add "$2" netns "sl-$1" type veth peer name "$4" netns "sl-$3" || return 1
    local ns dev
    for ns in "$1:$2" "$3:$4"; do
        dev=${ns#*:} ns=${ns%:*}
        at "$ns" sysctl -qw "net.ipv6.conf.$dev.disable_ipv6=1" 2>/dev/null
        at "$ns" ethtool -K "$dev" tx off >/dev/null || return 1
        at "$ns" ip link set "$dev" up || return 1
    done
}

net_up() {
    local name n
    net_down || return 1
    for name in $NET_NAMES; do
        ip netns add "sl-$name" && at "$name" ip link set lo up || return 1
        at "$name" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 || return 1
    done
    for name in agg wan net; do
        at "$name" sysctl -qw net.ipv4.ip_forward=1 || return 1
    done
    pair src a0 agg a1 && pair src b0 agg b1 && pair src i0 agg i1 && pair agg wan wan agg || return 1
    if [ "${1:-}" = impair ]; then
        pair wan gw wan left && pair wan right gw wan || return 1
        for n in left right; do
            at wan ip link set "$n" arp off promisc on || return 1
        done
    else
        pair wan gw gw wan || return 1
    fi
    pair gw net net gw && pair net rcv rcv net || return 1
    net_addresses && net_routes && net_marks
}

net_addresses() {
    local n
    at src ip addr add 10.1.0.2/24 dev a0 noprefixroute &&
        at src ip addr add 10.2.0.2/24 dev b0 noprefixroute &&
        at src ip addr add 10.2.0.2/24 dev i0 noprefixroute &&
        at agg ip addr add 10.1.0.1/24 dev a1 &&
        at agg ip addr add 10.2.0.1/24 dev b1 &&
        at agg ip addr add 10.2.0.1/24 dev i1 noprefixroute &&
        at agg ip addr add 198.51.100.1/24 dev wan || return 1
    for n in 11 12 13; do
        at agg ip addr add "198.51.100.$n/24" dev wan || return 1
    done
    at wan ip addr add 198.51.100.254/24 dev agg &&
        at wan ip addr add 203.0.113.254/24 dev gw &&
        at gw ip addr add 203.0.113.1/24 dev wan &&
        at gw ip addr add 10.8.0.1/24 dev net &&
        at net ip addr add 10.8.0.254/24 dev gw &&
        at net ip addr add 10.9.0.254/24 dev rcv &&
        at rcv ip addr add 10.9.0.2/24 dev net
}

# Each source computer has its own way out, also the two with one address.
net_routes() {
    local n dev from
    for n in 1:a0:10.1.0 2:b0:10.2.0 3:i0:10.2.0; do
        from=${n##*:} n=${n%:*}
        dev=${n#*:} n=${n%:*}
        at src ip route add "$from.0/24" dev "$dev" table "10$n" &&
            at src ip route add default via "$from.1" dev "$dev" table "10$n" || return 1
    done
    at src ip route add default via 10.1.0.1 dev a0 onlink &&
        at src ip rule add pref 10 oif i0 lookup 103 &&
        at src ip rule add pref 11 from 10.1.0.2 lookup 101 &&
        at src ip rule add pref 12 from 10.2.0.2 lookup 102 &&
        at src ip neigh replace 10.2.0.1 dev i0 nud permanent \
            lladdr "$(mac agg i1)" &&
        at agg ip route add 203.0.113.0/24 via 198.51.100.254 &&
        at gw ip route add 198.51.100.0/24 via 203.0.113.254 &&
        at gw ip route add 10.9.0.0/24 via 10.8.0.254 &&
        at net ip route add 10.1.0.0/16 via 10.8.0.1 &&
        at net ip route add 10.2.0.0/16 via 10.8.0.1 &&
        at rcv ip route add default via 10.9.0.254
}

mac() {
    at "$1" ip -o link show dev "$2" | sed 's/.*link\/ether \([^ ]*\).*/\1/'
}

net_marks() {
    at wan nft -f - <<'NFT' || return 1
table ip marks {
    chain forward {
        type filter hook forward priority mangle
        ip saddr 198.51.100.11 ip dscp set 10
        ip saddr 198.51.100.12 ip dscp set 12
        ip saddr 198.51.100.13 ip dscp set 14
    }
}
NFT
    at net tc qdisc add dev rcv root tbf rate "$RATE" burst 32k latency 40ms
}

# The namespaces' processes first: a namespace lives on while a process is in it.
net_down() {
    local name pids pid tries
    for name in $NET_NAMES; do
        [ -e "/run/netns/sl-$name" ] || continue
        pids=$(ip netns pids "sl-$name")
        for pid in $pids; do
            [ "$pid" = $$ ] || kill -TERM "$pid" 2>/dev/null
        done
        tries=40
        while [ -n "$(ip netns pids "sl-$name")" ]; do
            tries=$((tries - 1))
            if [ "$tries" = 0 ]; then
                for pid in $(ip netns pids "sl-$name"); do
                    [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null
                done
                sleep 0.2
                break
            fi
            sleep 0.05
        done
        ip netns del "sl-$name" || return 1
    done
    # The mount that `ip netns add` made for itself, when nobody else has a namespace in it.
    if [ -d /run/netns ] && [ -z "$(ls -A /run/netns)" ]; then
        umount -n /run/netns 2>/dev/null
        rmdir /run/netns 2>/dev/null
    fi
    return 0
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
    up) net_up "${2:-}" ;;
    down) net_down ;;
    at) "$@" ;;
    *)
        sed -n '3,24s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    esac
fi
