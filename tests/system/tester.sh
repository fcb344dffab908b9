#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# os-ken's switch tester, unchanged, on our cases (tests/openflow/cases.py): a switch under test and one that
# sends and looks, three veth pairs between them, and the tester as the controller of both.
#   tester.sh quick|whole|/FOLDER-OF-CASES
# TARGET and TESTER say which switch each is: sluice, or ovs (Debian's openvswitch-switch, userspace datapath).
# SECONDS_EACH=N is how long a case about rates takes.
built=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$built/utilities:$built:$PATH
cases=$(cd "$(dirname "$0")/../openflow" && pwd)/cases.py
TARGET=${TARGET:-sluice}
TESTER=${TESTER:-sluice}
SL_NETNS=sl-of
set -u
[ "$(id -u)" = 0 ] || { echo "SKIPPED: needs root" >&2; exit 77; }
. "$(dirname "$0")/../lib.sh"
work=$(mktemp -d)
cd "$work" || exit 1

clean() {
    # A namespace lives on while a process is in it.
    for pid in $(ip netns pids $SL_NETNS 2>/dev/null); do kill "$pid" 2>/dev/null; done
    ip netns del $SL_NETNS 2>/dev/null
}

ended() {
    sl_end KILL target 2>/dev/null
    sl_end KILL tester 2>/dev/null
    clean
    cd / && rm -rf "$work"
}
trap ended 0
trap 'exit 1' 1 2 15

fail() {
    echo "FAILED: $*" >&2
    tail -n 20 "$work"/*.log >&2 2>/dev/null
    exit 1
}

inside() { nsenter --net=/run/netns/$SL_NETNS -- "$@"; }

start() { # NAME COMMAND...
    name=$1
    shift
    nsenter --net=/run/netns/$SL_NETNS -- "$@" >"$name.out" 2>&1 &
    echo $! >"$name.pid"
}

command -v sluiced >/dev/null || fail "no sluiced built"
command -v osken-manager >/dev/null || { echo "SKIPPED: needs os-ken" >&2; exit 77; }
app=$(/usr/bin/python3 -c 'import os_ken.tests.switch as s; print(s.__path__[0])')/tester.py
[ -r "$app" ] || { echo "SKIPPED: this os-ken has no switch tester" >&2; exit 77; }

# Nothing but the tester's packets: no addresses, no IPv6; and checksums are finished.
wires() {
    clean
    ip netns add $SL_NETNS || fail "no namespaces here"
    inside sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    inside ip link set lo up
    for i in 1 2 3; do
        inside ip link add "target$i" type veth peer name "tester$i" || fail "no veth here"
        for j in "target$i" "tester$i"; do
            inside ethtool -K "$j" tx off gro on >/dev/null
            inside ip link set "$j" up
        done
    done
}

sluice_up() { # target|tester DPID
    sl_start "$1" || fail "no daemon"
    sl_ctl "$1" set-switch "dpid=$2" >/dev/null || fail "no dpid"
    for i in 1 2 3; do
        sl_ctl "$1" add-port "$1$i" type=afxdp host=none >/dev/null || fail "no port"
    done
    sl_ctl "$1" add-controller tcp:127.0.0.1:6653 >/dev/null || fail "no controller"
}

vsctl() { ovs-vsctl --timeout=20 "--db=unix:$work/db.sock" "$@" || fail "ovs-vsctl $*"; }

ovs_up() { # target|tester DPID
    command -v ovs-vswitchd >/dev/null || { echo "SKIPPED: needs ovs-vswitchd" >&2; exit 77; }
    if [ ! -s ovsdb.pid ]; then
        ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema || fail "no database"
        start ovsdb ovsdb-server "--remote=punix:$work/db.sock" "--unixctl=$work/db.ctl" conf.db
        sl_wait "ovsdb-server" test -S db.sock || fail "no ovsdb-server"
        export OVS_RUNDIR="$work"
        start vswitchd ovs-vswitchd "unix:$work/db.sock" "--unixctl=$work/vs.ctl"
        # It would go on for a moment by what it keeps of earlier rules; so nothing is kept.
        vsctl set Open_vSwitch . other_config:flow-limit=0
    fi
    vsctl add-br "$1" -- set bridge "$1" datapath_type=netdev protocols=OpenFlow13 fail_mode=secure \
        "other_config:datapath-id=$2" other_config:disable-in-band=true
    for i in 1 2 3; do
        vsctl add-port "$1" "$1$i" -- set interface "$1$i" "ofport_request=$i"
    done
    vsctl set-controller "$1" tcp:127.0.0.1:6653
}

run() { # FOLDER
    wires
    start osken osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port 6653 --test-switch-dir "$1" \
        --test-switch-target 0000000000000001 --test-switch-tester 0000000000000002 "$app"
    # Dialled too early it would be dialled again only after a second or two.
    sl_wait "os-ken" eval 'inside ss -Hltn | grep -q 127.0.0.1:6653' || fail "os-ken does not listen: $(cat osken.out)"
    "${TARGET}_up" target 0000000000000001
    "${TESTER}_up" tester 0000000000000002
    wait "$(cat osken.pid)"
    rm -f osken.pid
    [ -z "${KEPT:-}" ] || cp osken.out "$KEPT"
    sed -n '/--- Test report ---/,$p' osken.out
    grep -q '^OK([1-9][0-9]*) / ERROR(0)' osken.out || fail "not all pass"
    ! grep -q 'Test file format error' osken.out || fail "a file that is no case"
}

case ${1:-quick} in
quick) /usr/bin/python3 "$cases" --quick folder && run folder ;;
whole) /usr/bin/python3 "$cases" --seconds "${SECONDS_EACH:-10}" folder && run folder ;;
*) run "$1" ;;
esac
for i in target tester; do
    [ ! -e "$i.log" ] || sl_stop "$i" 'cannot connect|127.0.0.1:6653' || fail "a bad end"
done
