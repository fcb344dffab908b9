# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the system tests share: the demo's network, two daemons, one tunnel between them.  Sourced by bash
# scripts that also run by hand: sudo PATH=BUILD-FOLDER:$PATH tests/system/NAME.sh
#   SL_KEEP=1   leaves the working folder

set -uo pipefail
system=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib.sh
. "$system/../lib.sh"
# shellcheck source=tests/demo/net.sh disable=SC2119,SC2120
. "$system/../demo/net.sh"
built=${abs_top_builddir:-$(cd "$system/../.." && pwd)}

skip() {
    echo "SKIP: $*" >&2
    exit 77
}

fail() {
    echo "FAIL: $*" >&2
    tail -n 20 -- *.log >&2 2>/dev/null
    exit 1
}

# begin TOOL...: root, tools, a working folder; everything is gone at the end.
begin() {
    local tool
    [ "$(id -u)" = 0 ] || skip "needs root"
    for tool in ip nft tc ethtool nsenter "$@"; do
        command -v "$tool" >/dev/null || skip "needs $tool"
    done
    command -v sluiced >/dev/null || fail "no sluiced on PATH"
    work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-system.XXXXXX") || exit 1
    trap end_all EXIT
    trap 'exit 130' INT TERM
    cd "$work" || exit 1
}

end_all() {
    sl_end TERM agg 2>/dev/null
    sl_end TERM gw 2>/dev/null
    net_down
    cd / || exit 1
    if [ -n "${SL_KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}

# start_daemon agg|gw: in its namespace, with a store that lasts.
start_daemon() {
    SL_NETNS=sl-$1 sl_start "$1" --db "$work/$1.db" || fail "sluiced in $1 does not start"
}

new_key() {
    head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$1"
}

# add_conn agg|gw INDEX NAME [KEY=VALUE]...: connection INDEX (1 to 3), outer address .1INDEX, same keys every time.
add_conn() {
    local where=$1 i=$2 name=$3
    shift 3
    [ -s "up$i.key" ] || { new_key "up$i.key" && new_key "down$i.key"; }
    local up=$((0x1000 + i)) down=$((0x2000 + i))
    if [ "$where" = agg ]; then
        sl_ctl agg add-conn "$name" type=iptfs cipher=aes128gcm "local=198.51.100.1$i" remote=203.0.113.1 \
            spi-out=$up "key-out=@up$i.key" spi-in=$down "key-in=@down$i.key" "kernel=to-$name" "$@"
    else
        sl_ctl gw add-conn "$name" type=iptfs cipher=aes128gcm local=203.0.113.1 "remote=198.51.100.1$i" \
            spi-in=$up "key-in=@up$i.key" spi-out=$down "key-out=@down$i.key" "$@"
    fi || fail "add-conn $name in $where"
}

# lead DEV NAME TABLE: what comes by DEV in sl-agg leaves by the connection NAME.
lead() {
    if ! { at agg ip link set "to-$2" up && at agg ip route replace default dev "to-$2" table "$3"; }; then
        fail "no way into $2"
    fi
    at agg ip rule show pref "$3" | grep -q . || at agg ip rule add pref "$3" iif "$1" lookup "$3"
}

# tunnel [KEY=VALUE]...: customer A's connection, both ways, on a network that is up.
tunnel() {
    start_daemon agg
    start_daemon gw
    sl_ctl agg add-port wan type=afxdp dev=wan || fail "add-port in agg"
    sl_ctl gw add-port wan type=afxdp dev=wan || fail "add-port in gw"
    sl_ctl gw add-port net type=afxdp dev=net || fail "add-port in gw"
    add_conn agg 1 a "$@"
    add_conn gw 1 a "$@"
    sl_ctl agg add-flow priority=10,in_port=a,actions=LOCAL || fail "add-flow in agg"
    sl_ctl gw add-flow priority=10,in_port=net,ip,nw_dst=10.1.0.0/24,actions=output:a || fail "add-flow in gw"
    lead a1 a 201
    sl_wait "the first ping" at src ping -q -c 1 -W 1 -I 10.1.0.2 10.9.0.2 || fail "nothing comes through"
}

# impair OPTION...: the line between the two ends, on a network that is up with `impair`.
impair() {
    spawn wan "$built/tests/system/impair" left right "$@" >impair.out 2>impair.log
    impair_pid=$!
    sl_wait "the impaired line" grep -q ready impair.out || fail "impair does not start"
}

impair_end() {
    kill -TERM "$impair_pid"
    wait "$impair_pid"
    grep received= impair.out
}
