#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Zero copy, where a driver has it: in a qemu guest, over virtio-net.  Two sluiced in two namespaces, a NIC each,
# the NICs joined by qemu's hub.  Numbered data units of random lengths, more than an aggregate's too, are played
# into a (AES-128-GCM, ESN) and AGGREGATES (100000) aggregates or more cross to b, which writes what was in them:
# every data unit exactly once, octet for octet, in order; nothing dropped, packets and frames balanced.  show-port
# has to say zero copy, which sluiced reads back from the kernel, and so does the kernel's own list of sockets.
#
#   LAB=DIR PATH=BUILD-FOLDER:$PATH tests/system/zerocopy.sh
#
# DIR holds lab.sh, which boots a guest that sees this machine's files and runs a command in it; the guest is in DIR
# too, or in $ZL_HOME.  Needs no root.  RATE (700000) is in octets a second: the hub reorders when it is overrun.
# SL_KEEP=1 leaves the working folder.

# shellcheck disable=SC2015 # fail ends
set -uo pipefail
system=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
aggregates=${AGGREGATES:-100000}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# ------------------------------------------------------------------ in the guest

at() {
    local name=$1
    shift
    nsenter "--net=/run/netns/sl-$name" -- "$@"
}

# side NAME MAC ADDRESS: the NIC of that MAC, in a namespace of its own
side() {
    local dev
    dev=$(ip -o link | awk -v mac="$2" '$0 ~ mac { sub(/:$/, "", $2); print $2 }')
    [ -n "$dev" ] || fail "no NIC $2"
    ip netns add "sl-$1" && ip link set "$dev" netns "sl-$1" && at "$1" ip link set lo up || fail "no namespaces"
    # No words of IPv6 among the packets that are counted.
    at "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    at "$1" ip link set "$dev" name nic && at "$1" ip addr add "$3/24" dev nic && at "$1" ip link set nic up ||
        fail "NIC $2"
    SL_NETNS=sl-$1 sl_start "$1" --db "$PWD/$1.db" || fail "sluiced in $1 does not start"
    sl_ctl "$1" add-port nic type=afxdp dev=nic mode=auto || fail "add-port in $1"
}

count_of() { # NAME CONN COUNTER
    sl_ctl "$1" --json stats | python3 -c 'import json, sys
c = next(c for c in json.load(sys.stdin)["conns"] if c["name"] == sys.argv[1])
print(next(r[sys.argv[2]] for r in (c, *(v for v in c.values() if isinstance(v, dict))) if sys.argv[2] in r))' "$2" "$3"
}

played() {
    sl_ctl a show-port du | grep -q 'at its end'
}

arrived() {
    [ "$(count_of b c in_dus)" = "$(count_of a c out_dus)" ]
}

in_guest() {
    local name key
    # shellcheck source=tests/lib.sh
    . "$system/../lib.sh"
    export SL_PATIENCE=60
    modprobe -q tun # the way into the host
    mkdir /tmp/zerocopy && cd /tmp/zerocopy || exit 1
    trap 'cp ./*.log ./*.show ./*.stats ./*.ss out.pcap /x/ 2>/dev/null; dmesg >/x/dmesg' EXIT
    cp /x/in.pcap . || fail "no room for the data units"
    uname -r
    side a 52:54:00:00:00:01 198.51.100.1
    side b 52:54:00:00:00:02 198.51.100.2
    sl_wait "the line between them" at a ping -q -c 1 -W 1 198.51.100.2 || fail "the NICs are not joined"
    key=$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')
    set -- type=iptfs cipher=aes128gcm esn=yes size=1400
    sl_ctl b add-port out type=pcap out=out.pcap link=raw &&
        sl_ctl b add-conn c "$@" local=198.51.100.2 remote=198.51.100.1 spi-in=4097 "key-in=$key" \
            replay=4096 reorder=64 drop-timer=2s &&
        sl_ctl b add-flow in_port=c,actions=output:out &&
        sl_ctl a add-conn c "$@" local=198.51.100.1 remote=198.51.100.2 spi-out=4097 "key-out=$key" &&
        sl_ctl a add-flow in_port=9,actions=output:c && # before the port: the data units begin with it
        sl_ctl a add-port du type=pcap in=in.pcap ofport=9 || fail "the connection"
    SL_PATIENCE=${LIMIT:-900} sl_wait "the end of the data units" played || fail "not all of it was played"
    sl_wait "the last ones to arrive" arrived
    modprobe -q xsk_diag
    for name in a b; do
        sl_ctl $name --json show-port nic >$name.show && sl_ctl $name --json stats >$name.stats || fail "stats of $name"
        at $name ss --xdp -a -e >$name.ss
        sl_ctl $name show-port nic | grep -q mode=zerocopy || fail "show-port in $name: $(sl_ctl $name show-port nic)"
        grep -q 'zc:1' $name.ss || fail "the kernel's list of sockets in $name does not say zero copy: $(cat $name.ss)"
        echo "$name: the kernel's list of sockets: $(grep -o 'umem(.*)' $name.ss)"
    done
    for name in a b; do
        sl_stop $name || fail "sluiced in $name"
    done
    ! dmesg | grep -E 'Oops|BUG:|Call Trace|process `sluiced' || fail "the guest's kernel is in trouble"
}

# ------------------------------------------------------------------ outside

nic() { # ID MAC: without iommu_platform virtio-net offers no zero copy
    echo "-netdev hubport,hubid=1,id=$1 -device virtio-net-pci,netdev=$1,romfile=,mac=$2,iommu_platform=on,disable-legacy=on"
}

outside() {
    local home limit=${LIMIT:-900}
    [ -n "${LAB:-}" ] || {
        echo "SKIP: zero copy needs a guest: LAB=DIR names the folder of lab.sh" >&2
        exit 77
    }
    [ -x "$LAB/lab.sh" ] || fail "no $LAB/lab.sh"
    home=${ZL_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-lab}
    [ ! -e "$LAB/guest.cpio" ] || home=$LAB
    export ZL_GUEST=${ZL_GUEST:-$home/guest} ZL_QEMU=${ZL_QEMU-$home/qemu}
    [ -e "$ZL_GUEST.cpio" ] || fail "no guest $ZL_GUEST.cpio: prepare it first"
    command -v sluiced >/dev/null && command -v sluice-ctl >/dev/null || fail "no sluiced on PATH"
    work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-zerocopy.XXXXXX") || exit 1
    trap 'if [ -n "${SL_KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi' EXIT
    trap 'exit 130' INT TERM
    python3 "$system/zerocopy.py" make "$work/in.pcap" "${SEED:-1}" "$aggregates" "${RATE:-700000}" || exit 1
    "$LAB/lab.sh" -t "$limit" -s 2 -m 1536 -x "$work" -Q "$(nic a 52:54:00:00:00:01)" -Q "$(nic b 52:54:00:00:00:02)" \
        -- "PATH=$PATH LIMIT=$limit bash '$system/zerocopy.sh' guest" </dev/null || {
        tail -n 20 "$work"/*.log "$work/dmesg" >&2
        fail "the guest's part"
    }
    python3 "$system/zerocopy.py" check "$work" "$aggregates"
}

case ${1:-} in guest) in_guest ;; *) outside ;; esac
