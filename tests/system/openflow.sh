#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Controllers of others, unchanged, on a switch of two AF_XDP ports under traffic: what operators do
# with ovs-ofctl, and applications of os-ken over TCP.
#   openflow.sh everyday|learning|multiparts...
built=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$built/utilities:$built:$PATH
apps=$(cd "$(dirname "$0")/../openflow" && pwd)

sl_ended() {
    for i in monitor osken; do
        [ ! -s "$work/$i.pid" ] || kill "$(cat "$work/$i.pid")" 2>/dev/null
        rm -f "$work/$i.pid"
    done
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

of() { # COMMAND ARGUMENT...: its output in out
    of_command=$1
    shift
    # shellcheck disable=SC2086
    ovs-ofctl -O OpenFlow13 $of_command "unix:$work/run/openflow.sock" "$@" >out 2>of.log ||
        fail "ovs-ofctl $of_command $*"
}

has() { # PATTERN...: each is in the last output
    for i; do
        grep -q -- "$i" out || { cat out >&2; fail "no '$i' in what $of_command says"; }
    done
}

# Sums of the packets of rules that match PATTERN.
packets() {
    of dump-flows "$1"
    awk -F 'n_packets=' '/n_packets/ { split($2, n, ","); sum += n[1] } END { print sum + 0 }' out
}

switch_up() {
    net
    sl_start run || fail "no daemon"
    ctl add-port r1 type=afxdp host=none
    ctl add-port r2 type=afxdp host=none
}

through() {
    sl_wait "the link" in_a ping -q -c 1 -W 1 10.99.0.2 || fail "nothing goes through"
}

monitor_heard() {
    grep -q "$1" monitor.log
}

everyday() {
    command -v ovs-ofctl >/dev/null || { echo "SKIPPED: needs ovs-ofctl" >&2; exit 77; }
    switch_up
    of show
    has 'n_tables:' '1(r1)' '2(r2)' 'LIVE'
    of del-flows
    [ "$(packets '')" = 0 ] || fail "del-flows leaves rules"
    cat >pair <<'F'
priority=10,cookie=0xa,in_port=1,actions=output:2
priority=10,cookie=0xb,in_port=2,actions=output:1
F
    of add-flows pair
    through
    pings in_a 10.99.0.2
    [ "$(packets 'cookie=0xa/-1')" -ge 50 ] || fail "rules do not count"
    of diff-flows pair
    of mod-flows 'cookie=0xa/-1,in_port=1,actions=drop'
    if in_a ping -q -c 2 -i 0.1 -W 1 10.99.0.2 >/dev/null; then fail "mod-flows changes nothing"; fi
    of replace-flows pair
    through
    # Groups and meters on the way.
    of add-group 'group_id=1,type=ff,bucket=watch_port:2,output:2'
    of add-group 'group_id=2,type=select,bucket=weight:3,output:1'
    of add-meter 'meter=1,pktps,burst,band=type=drop,rate=100000,burst_size=1000'
    cat >mixed <<'F'
flow modify_strict priority=10,cookie=0xa,in_port=1,actions=group:1
flow modify_strict priority=10,cookie=0xb,in_port=2,actions=group:2
F
    of bundle mixed
    of add-flow 'table=0,priority=20,in_port=1,icmp,actions=meter:1,goto_table:1'
    of add-flow 'table=1,in_port=1,actions=group:1'
    pings in_a 10.99.0.2
    of dump-groups && has 'type=ff,bucket=watch_port:2' 'type=select,bucket=weight:3'
    of dump-group-stats && has 'group_id=1' 'packet_count=[1-9]'
    of dump-group-features && has 'select group'
    of dump-meters && has 'meter=1 pktps burst' 'rate=100000 burst_size=1000'
    of meter-stats && has 'flow_count:1' 'packet_in_count:[1-9]'
    of meter-features && has 'max_meter:'
    of mod-group 'group_id=2,type=indirect,bucket=output:1'
    of mod-meter 'meter=1,pktps,burst,band=type=drop,rate=200000,burst_size=1000'
    pings in_a 10.99.0.2
    of dump-ports && has 'port  1' 'port  2'
    of dump-ports-desc && has '1(r1)'
    of dump-tables && has 'matched=[1-9]'
    of dump-table-features && has 'Set-Field'
    of dump-aggregate && has 'flow_count=4'
    of dump-desc && has 'sluice'
    of queue-stats && has '0 queues'
    of queue-get-config && has 'OFPT_QUEUE_GET_CONFIG_REPLY'
    of get-frags && has 'normal'
    of probe
    of ping 100 && has '100 bytes from'
    of benchmark 100 100 && has 'Finished in'
    monitored
    bundled
    of del-flows
    of del-groups
    of del-meters
    of dump-groups && [ "$(wc -l <out)" = 1 ] || fail "groups are left"
    sl_stop run || fail "a bad end"
}

# What a controller hears: packets, rules that end of each cause but the group's, ports.
monitored() {
    OVS_RUNDIR=$work ovs-ofctl -O OpenFlow13 monitor "unix:$work/run/openflow.sock" 65534 --detach --no-chdir \
        --pidfile="$work/monitor.pid" 2>monitor.log || fail "no monitor"
    of add-flow 'priority=30,cookie=0xc,in_port=1,dl_type=0x88b5,actions=CONTROLLER:20'
    of packet-out 'in_port=1 packet=02000000000902000000000888b50000000000000000000000000000000000000000000000000000000000000000 actions=TABLE'
    sl_wait "a packet-in" monitor_heard 'cookie=0xc total_len=46 in_port=1 (via action) data_len=20 buffer=' ||
        fail "no packet-in"
    of add-flow 'priority=31,cookie=0xd,send_flow_rem,idle_timeout=1,dl_type=0x88b6,actions=drop'
    of add-flow 'priority=31,cookie=0xe,send_flow_rem,hard_timeout=1,dl_type=0x88b7,actions=drop'
    of add-flow 'priority=31,cookie=0xf,send_flow_rem,dl_type=0x88b8,actions=drop'
    of del-flows 'cookie=0xf/-1'
    of add-group 'group_id=3,type=all,bucket=output:1'
    of add-flow 'priority=31,cookie=0x10,send_flow_rem,dl_type=0x88b8,actions=group:3'
    of del-groups 'group_id=3'
    for i in 'reason=delete table_id=0 cookie:0xf' 'reason=group_delete table_id=0 cookie:0x10' \
        'reason=idle table_id=0 cookie:0xd' 'reason=hard table_id=0 cookie:0xe'; do
        sl_wait "$i" monitor_heard "$i" || fail "nothing of $i"
    done
    of 'mod-port' r1 no-packet-in
    sl_wait "a port's news" monitor_heard 'MOD: 1(r1)' || fail "no port-status"
    of 'mod-port' r1 packet-in
    kill "$(cat monitor.pid)"
    rm -f monitor.pid
}

# Two ways for the same packets, changed for one another again and again: no packet is lost.
bundled() {
    cat >direct <<'F'
flow delete in_port=1
flow delete table=1
flow add priority=10,cookie=0xa,in_port=1,actions=output:2
group modify group_id=2,type=indirect,bucket=output:1
F
    cat >round <<'F'
group modify group_id=2,type=all,bucket=output:1
group add group_id=4,type=indirect,bucket=output:2
flow delete in_port=1
flow add priority=10,cookie=0xa,in_port=1,actions=goto_table:1
flow add table=1,cookie=0xa,actions=group:4
F
    echo 'group delete group_id=4' >>direct
    of bundle round
    in_a ping -q -i 0.002 -c 1000 -W 2 10.99.0.2 >ping.out 2>&1 &
    pinging=$!
    n=0
    while kill -0 $pinging 2>/dev/null; do
        of bundle direct
        of bundle round
        n=$((n + 1))
    done
    grep -q ' 0% packet loss' ping.out || { cat ping.out >&2; fail "$n bundles lost packets"; }
    [ $n -gt 3 ] || fail "too few bundles"
}

osken() { # APPLICATION: over TCP, in the switch's namespace
    command -v osken-manager >/dev/null || { echo "SKIPPED: needs os-ken" >&2; exit 77; }
    in_r osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port 6653 "$apps/$1" >osken.out 2>osken.log &
    echo $! >osken.pid
    sl_wait "os-ken to listen" sl_listens 6653 || fail "os-ken does not listen: $(cat osken.log)"
    ctl add-controller tcp:127.0.0.1:6653
}

learned() {
    of dump-flows
    [ "$(grep -c "priority=1,in_port=[12],dl_src=.*dl_dst=.*actions=output:[12]" out)" -ge 2 ]
}

learn() {
    switch_up
    osken osken-switch.py
    through
    sl_wait "rules" learned || { cat out >&2; fail "it has not learned"; }
    pings in_a 10.99.0.2
    pings in_b 10.99.0.1
    [ ! -s osken.out ] || { cat osken.out >&2; fail "it heard errors"; }
    kill "$(cat osken.pid)"
    rm -f osken.pid
    sl_wait "the controller's end" grep -q 'tcp:127.0.0.1:6653' run.log
    pings in_a 10.99.0.2 # what was learned is there without it
    sl_stop run 'cannot connect' || fail "a bad end"
}

learning() {
    learn
    SWITCH_MAX_LEN=32
    export SWITCH_MAX_LEN
    learn
    unset SWITCH_MAX_LEN
}

multiparts() {
    switch_up
    osken osken-multiparts.py
    sl_wait "the last answer" grep flow-removed osken.out || fail "it has not ended"
    for i in desc flows aggregate tables port-stats queues groups group-desc group-features meters meter-config \
        meter-features table-features ports config role async queue-config packet-in; do
        grep -q "^$i " osken.out || { cat osken.out >&2; fail "nothing of $i"; }
    done
    if grep -q '^error' osken.out; then fail "it heard errors"; fi
    sl_stop run 'cannot connect' || fail "a bad end"
}

[ $# -gt 0 ] || set -- everyday learning multiparts
for c; do
    echo "$c"
    "$c"
done
