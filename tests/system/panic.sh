#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The way out when the daemon does not answer.  `detach`: the whole daemon under SIGSTOP, `panic detach`, and the
# kernel forwards; the daemon, going on, stays aside until `panic off`.  `pass`: the control thread held as by a
# debugger, rules that drop in force (also early ones), and `panic pass` lets traffic through within a second.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin ping python3
hold_pid=
# A daemon that stands, or one thread of it, does not end.
trap 'let_go; [ ! -s gw.pid ] || kill -CONT "$(cat gw.pid)" 2>/dev/null; end_all' EXIT

one() { # a ping from beyond the one port to beyond the other, through sl-gw
    at wan ping -q -c 1 -W 0.3 10.9.0.2 >/dev/null 2>&1
}

none() {
    at wan ping -q -c 3 -i 0.1 -W 0.3 10.9.0.2 >/dev/null 2>&1 && fail "$1"
    return 0
}

gw() {
    sl_ctl gw "$@" >>ctl.out 2>&1 || fail "sluice-ctl $*: $(tail -n 3 ctl.out)"
}

# Packets that sluice has received, ever.
taken() {
    sl_ctl gw --json stats | python3 -c 'import json, sys; print(json.load(sys.stdin)["packets"]["rx"])' || echo unknown
}

attached() { # yes|no: what the daemon and the kernel say
    sl_ctl gw --json show-port wan | grep -q "\"attached\": \"$1\"" &&
        if [ "$1" = yes ]; then at gw ip link show wan | grep -q xdp; else ! at gw ip link show wan | grep -q xdp; fi
}

# The network with sluice as the only router of sl-gw, and the ways from sl-wan to the receiver.
routed() {
    net_up || fail "the network does not come up"
    at wan ip route add 10.9.0.0/24 via 203.0.113.1 || fail "route"
    at net ip route add 203.0.113.0/24 via 10.8.0.1 || fail "route"
}

ports() {
    start_daemon gw
    gw add-port wan type=afxdp dev=wan
    gw add-port net type=afxdp dev=net
    sl_wait "the first ping" one || fail "nothing comes through"
}

detach() {
    local pid before
    routed
    ports
    pid=$(cat gw.pid)
    kill -STOP "$pid"
    none "packets pass a daemon that stands still"
    at gw sysctl -qw net.ipv4.ip_forward=1
    sluice-ctl -r gw panic detach >panic.out || fail "panic detach: $(cat panic.out)"
    grep -c ': detached' panic.out | grep -qx 2 || fail "not both links: $(cat panic.out)"
    sl_wait "the kernel" one || fail "the kernel does not forward"
    kill -CONT "$pid"
    sl_wait "the daemon" attached no || fail "the daemon took its port again"
    sl_wait "the log" grep -q 'WARN PANIC: detached' gw.log || fail "the log does not say so"
    sl_ctl gw show | grep -q '^PANIC' || fail "show does not say so"
    before=$(taken)
    one || fail "the kernel no longer forwards"
    [ "$(taken)" = "$before" ] || fail "packets reach a daemon that is detached"

    # What the operator said outlives the daemon, which loads its ports and leaves the kernel alone.
    sl_kill gw
    start_daemon gw
    attached no || fail "the new daemon took the port"
    one || fail "the kernel no longer forwards"

    # Said while the daemon stands still, too.
    kill -STOP "$(cat gw.pid)"
    sluice-ctl -r gw --timeout 0.2 panic off >/dev/null 2>&1
    [ $? = 3 ] || fail "panic off with no daemon that answers"
    kill -CONT "$(cat gw.pid)"
    sl_wait "the daemon to take its ports" attached yes || fail "the ports are not attached again"
    at gw sysctl -qw net.ipv4.ip_forward=0
    before=$(taken)
    sl_wait "sluice" one || fail "sluice does not forward again"
    [ "$(taken)" -gt "$before" ] || fail "the counters stand still"

    # And to a daemon that runs.
    gw panic detach
    sl_wait "the daemon" attached no || fail "panic detach"
    gw panic off
    attached yes || fail "panic off came back too early"
    sl_wait "sluice" one || fail "sluice does not forward again"
    sl_stop gw 'PANIC|panic is over'
}

hold() { # the control thread is the one with the process's own number
    "$built/tests/system/hold" "$(cat gw.pid)" >hold.out &
    hold_pid=$!
    sl_wait "the debugger" grep -q held hold.out || fail "cannot hold a thread here"
    sl_ctl gw --timeout 0.3 show >/dev/null 2>&1 && fail "the control thread answers"
    return 0
}

let_go() {
    [ -n "$hold_pid" ] || return 0
    kill "$hold_pid"
    wait "$hold_pid"
    hold_pid=
}

# within_a_second COMMAND...: it succeeds once within a second from now.
within_a_second() {
    local until=$((${EPOCHREALTIME/[.,]/} + 1000000))
    until "$@"; do
        [ "${EPOCHREALTIME/[.,]/}" -lt $until ] || return 1
        sleep 0.02
    done
}

counting() { # datagrams at the receiver, by its own count
    at rcv cat /proc/net/snmp | awk '/^Udp:/ && $2 ~ /[0-9]/ { print $2 + $3 }'
}

more_than() {
    [ "$(counting)" -gt "$1" ]
}

pass() {
    local n
    routed
    at gw ip route add 10.1.0.0/24 dev wan # for what nobody answers: rules led to the connection
    tunnel
    sl_wait "the first ping" one || fail "nothing comes through"
    gw add-flow priority=100,icmp,actions=drop
    none "a rule that drops does not"
    hold
    sluice-ctl -r gw panic pass >panic.out || fail "panic pass: $(cat panic.out)"
    within_a_second one || fail "panic pass lets nothing through"
    sluice-ctl -r gw --timeout 0.2 panic off >/dev/null 2>&1
    within_a_second eval '! one' || fail "the rule is not in force again"

    # Before decryption: aggregates, by their outer addresses.
    let_go
    sl_wait "the daemon" sl_ctl gw show || fail "the control thread does not go on"
    gw del-flows --strict priority=100,icmp
    gw add-flow priority=100,tun_src=198.51.100.11,actions=drop
    spawn src python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.1.0.2", 7001))
while True:
    try: s.sendto(bytes(200), ("10.9.0.2", 7000))
    except OSError: pass
    time.sleep(0.002)'
    sender=$!
    sl_wait "early drops" sh -c 'sluice-ctl -r gw drops | grep -q "early"' || fail "no early drop"
    hold
    n=$(counting)
    sleep 0.5
    more_than "$n" && fail "what is dropped early arrives"
    sluice-ctl -r gw panic pass >panic.out || fail "panic pass: $(cat panic.out)"
    within_a_second more_than "$n" || fail "panic pass leaves early drops in force"
    let_go
    sl_wait "the log" grep -q 'WARN PANIC: rules' gw.log || fail "the log does not say so"
    gw panic off
    kill "$sender"
    sl_stop agg && sl_stop gw 'PANIC|panic is over'
}

"$1"
