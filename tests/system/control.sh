#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A controller over TLS, dialled, on a switch of two AF_XDP ports under traffic; then without it: the
# rules go on (secure), stand aside (standalone), and hold again when it is back.
built=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
PATH=$built/utilities:$built:$PATH
apps=$(cd "$(dirname "$0")/../openflow" && pwd)

sl_ended() {
    [ ! -s "$work/osken.pid" ] || kill "$(cat "$work/osken.pid")" 2>/dev/null
    sl_end KILL run 2>/dev/null
}

. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/veth.sh"
cd "$work" || exit 1
command -v sluiced >/dev/null || fail "no sluiced built"
command -v osken-manager >/dev/null || { echo "SKIPPED: needs os-ken" >&2; exit 77; }
SL_NETNS=sl-pr

ctl() {
    sl_ctl run "$@" >"$work/ctl.log" 2>&1 || fail "sluice-ctl $*: $(cat "$work/ctl.log")"
}

controller() {
    nsenter --net=/run/netns/sl-pr -- osken-manager --ofp-listen-host 127.0.0.1 --ofp-ssl-listen-port 6653 --ctl-privkey lab/controller/key.pem \
        --ctl-cert lab/controller/cert.pem --ca-certs lab/controller/ca.pem "$apps/osken-switch.py" >osken.out 2>osken.log &
    echo $! >osken.pid
}

learned() {
    [ "$(sl_ctl run dump-flows | grep -c 'priority=1,.*in_port=.*eth_dst=.*output')" -ge 2 ]
}

alone() {
    sl_ctl run --json show | grep -q '"standalone": true'
}

together() {
    ! alone
}

lost() {
    sl_ctl run --json list-controllers | grep -q 'Connection refused'
}

sluice-ctl make-certificates lab >/dev/null || fail "no certificates"
net
sl_start run || fail "no daemon"
ctl add-port r1 type=afxdp host=none
ctl add-port r2 type=afxdp host=none
ctl set-switch fail-mode=secure fail-after=0
ctl set-tls private-key="$work/lab/switch/key.pem" certificate="$work/lab/switch/cert.pem" ca-cert="$work/lab/switch/ca.pem"
controller
sl_wait "os-ken to listen" sl_listens 6653 || fail "os-ken does not listen: $(cat osken.log)"
ctl add-controller ssl:127.0.0.1:6653
sl_wait "the link" in_a ping -q -c 1 -W 1 10.99.0.2 || fail "nothing goes through"
sl_wait "rules" learned || fail "it has not learned"
grep -q 'ssl:127.0.0.1:6653 CN=controller,O=sluice laboratory: connected' run.log || fail "who is it?"

echo "secure"
kill "$(cat osken.pid)"
sl_wait "the controller's end" lost || fail "it is still there"
in_a ping -q -c 20 -i 0.02 -W 2 10.99.0.2 >ping.out 2>&1 || fail "its rules do not go on"
together || fail "fail-mode=secure, and the rules are aside"

echo "standalone"
# What is not addressed to the router has no way by NORMAL.
ctl set-switch fail-mode=standalone
sl_wait "standalone" alone || fail "it does not go on alone"
if in_a ping -q -c 3 -i 0.1 -W 1 10.99.0.2 >ping.out 2>&1; then fail "the rules hold"; fi
learned || fail "the rules have gone"

echo "and back"
controller
sl_wait "the controller" together || fail "it does not come back"
in_a ping -q -c 20 -i 0.02 -W 2 10.99.0.2 >ping.out 2>&1 || fail "the rules do not hold again"
sl_stop run 'cannot connect|on as a standalone switch' || fail "a bad end"
