#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Flows of a router that exports NetFlow v5, v9 and IPFIX (softflowd, over a capture), by nfacctd with the
# shipped configuration, to the watcher's reader: by a FIFO, a file that grows and a pipe.  Every packet
# and octet of the capture arrives, once.
# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
begin nfacctd softflowd python3
built_reader=$built/tests/system/watch-print
example=$system/../../examples/pmacct/nfacctd.conf

net_down
ip netns add sl-src && at src ip link set lo up || fail "no namespace"

# Flows of known packets and octets: 100 of UDP, 50 SYNs, 10 of ICMP, 20 of UDP over IPv6, and 40 flows of one
# packet: softflowd's first datagram of version 9 says fewer sets than it has, unless there are many flows.
python3 - >lines <<'END' || fail "no capture"
import socket, struct
def frame(kind, payload): return bytes.fromhex("020000000002020000000001") + struct.pack(">H", kind) + payload
def ip4(src, proto, rest):
    return frame(0x800, struct.pack(">BBHIBBH4s4s", 0x45, 0, 20 + len(rest), 1 << 16, 64, proto, 0,
                                    socket.inet_aton(src), socket.inet_aton("10.9.0.2")) + rest)
def udp(port, size, source=1000): return struct.pack(">HHHH", source, port, size, 0) + bytes(size - 8)
syn = struct.pack(">HHIIBBHHH", 2000, 80, 1, 0, 0x50, 2, 1000, 0, 0)
v6 = struct.pack(">IHBB", 0x60000000, 960, 17, 64) + bytes([0x20, 1, 0xd, 0xb8] + 11 * [0] + [1]) + \
    bytes([0x20, 1, 0xd, 0xb8] + 11 * [0] + [2])
packets = [ip4("10.4.0.2", 17, udp(123, 80, 5000 + n)) for n in range(40)] + \
    100 * [ip4("10.1.0.2", 17, udp(53, 80))] + 50 * [ip4("10.2.0.2", 6, syn)] + \
    10 * [ip4("10.3.0.2", 1, b"\x08\0" + bytes(62))] + 20 * [frame(0x86dd, v6 + udp(443, 960))]
for n, p in enumerate(packets):
    print(f"{1700000000 + n / 100:.2f}", p.hex())
END
python3 "$system/../pcap.py" make flows.pcap <lines || fail "no capture"
v4='10.1.0.2 10.9.0.2 17 53 0x0 100 10000
10.2.0.2 10.9.0.2 6 80 0x2 50 2000
10.3.0.2 10.9.0.2 1 0 0x0 10 840
10.4.0.2 10.9.0.2 17 123 0x0 40 4000'
both="$v4
2001:db8::1 2001:db8::2 17 443 0x0 20 20000"

# start_reader ARG...
start_reader() {
    spawn src "$built_reader" "$@" >>seen 2>reader.log
    reader=$!
    sl_wait "the reader" grep -q ready reader.log || fail "no reader"
}

# The reader ends, and understood all there was.
stop_reader() {
    kill -TERM "$reader" && wait "$reader"
    grep 'records=' reader.log
    grep -q 'malformed=0 .*errors=0' reader.log || fail "the reader: $(cat reader.log)"
}

# start_nfacctd OUTPUT [LINE]...: the example, with its output elsewhere.
start_nfacctd() {
    sed "s|^print_output_file: .*|print_output_file: $1|" "$example" >nfacctd.conf
    shift
    printf '%s\n' "$@" >>nfacctd.conf
    spawn src nfacctd -f nfacctd.conf >nfacctd.log 2>&1
    nfacctd=$!
    wait_nfacctd
}

# Its plugin is there when it has looked into its empty cache for the first time; what comes before is lost.
wait_nfacctd() {
    sl_wait "nfacctd" grep -q "Purging cache - END" nfacctd.log || fail "no nfacctd"
}

stop_nfacctd() {
    kill -INT "$nfacctd"
    wait "$nfacctd"
}

flows_are() {
    [ "$(awk '{ p[$1 " " $2 " " $3 " " $5 " " $6] += $7; o[$1 " " $2 " " $3 " " $5 " " $6] += $8 }
        END { for (k in p) print k, p[k], o[k] }' seen | sort)" = "$1" ]
}

# export_flows VERSION WANT
export_flows() {
    : >seen
    at src softflowd -v "$1" -r flows.pcap -n 127.0.0.1:2055 -d -p soft.pid -c none >softflowd.log 2>&1 ||
        fail "softflowd: $(cat softflowd.log)"
    sl_wait "the flows of version $1" flows_are "$2" || fail "version $1 has other sums: $(cat seen)"
    echo "version $1: $(wc -l <seen) records, sums are right"
}

mkfifo -m 600 flows || exit 1
start_reader --json flows
start_nfacctd "$work/flows"
export_flows 5 "$v4"
export_flows 9 "$both"
export_flows 10 "$both"
stop_nfacctd
stop_reader

# A file that is yet to come, and grows.
start_reader --json grows
start_nfacctd "$work/grows" "print_output_file_append: true"
export_flows 9 "$both"
export_flows 10 "$both"
stop_nfacctd
stop_reader
echo "as a FIFO, and as a file that grows"

# The standard output, by a pipe.
sed '/^print_output_file/d' "$example" >nfacctd.conf
mkfifo pipe
(exec nsenter --net=/run/netns/sl-src "$built_reader" --json - <pipe >>seen 2>reader.log) &
reader=$!
spawn src nfacctd -f nfacctd.conf >pipe 2>nfacctd.log
nfacctd=$!
wait_nfacctd
export_flows 9 "$both"
stop_nfacctd
stop_reader
echo "as a pipe"
