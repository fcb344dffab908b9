#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes examples/flood.pcap, octet for octet the same each time: sluiced itself aggregates two sites' packets
(--offline), then each site's aggregates get the DSCP that its access network would give them.

    examples/make-flood.py        from the project's folder, with sluiced on PATH
"""
import os
import struct
import subprocess
import tempfile

START, SECONDS, RATE, FLOOD, LENGTH = 1_700_000_000, 2, 60, 1000, 92
RAW, ETHERNET = 101, 1
SITES = {"clean": (12, "000102030405060708090a0b0c0d0e0f10111213"),
         "infected": (13, "202122232425262728292a2b2c2d2e2f30313233")}
DSCP = {"198.51.100.12": 12, "198.51.100.13": 14}


def checksum(head):
    s = sum(struct.unpack(f"!{len(head) // 2}H", head))
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


def with_checksum(head):
    head = head[:10] + b"\0\0" + head[12:]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def packet(n):
    payload = struct.pack("!I", n) + bytes(LENGTH - 4)
    udp = struct.pack("!HHHH", 6202, 5202, 8 + len(payload), 0) + payload
    return with_checksum(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n & 0xffff, 0, 64, 17, 0,
                                     bytes((10, 2, 0, 2)), bytes((10, 9, 0, 2)))) + udp


def write(path, link, records):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link))
        for us, data in records:
            f.write(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(data), len(data)) + data)


def read(path):
    """(µs, packet) of a capture in either resolution and byte order."""
    with open(path, "rb") as f:
        magic = f.read(24)[:4]
        order = "<" if magic[0] in (0xd4, 0x4d) else ">"
        unit = 1000 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1
        while len(head := f.read(16)) == 16:
            s, fraction, size, _ = struct.unpack(order + "IIII", head)
            yield s * 1_000_000 + fraction // unit, f.read(size)


def site(floods):
    """Both send alike; in the last second the infected one sends more of the same."""
    times = [START * 1_000_000 + i * 1_000_000 // RATE for i in range(SECONDS * RATE)]
    if floods:
        times += [(START + SECONDS - 1) * 1_000_000 + i * 1_000_000 // FLOOD for i in range(FLOOD)]
    return [(us, packet(n)) for n, us in enumerate(sorted(times))]


def marked(frame):
    head = frame[14:34]
    dscp = DSCP[".".join(str(octet) for octet in head[12:16])]
    return frame[:14] + with_checksum(head[:1] + bytes((dscp << 2 | head[1] & 3,)) + head[2:]) + frame[34:]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as work:
        lines = [f"add-port wan type=pcap out={work}/wan.pcap mac=02:00:00:00:00:fe",
                 "add-route 203.0.113.0/24 via 198.51.100.254 dev wan",
                 "add-neigh 198.51.100.254 lladdr 02:00:00:00:00:01 dev wan"]
        for name, (host, key) in SITES.items():
            write(f"{work}/{name}.pcap", RAW, site(name == "infected"))
            lines += [f"add-port from-{name} type=pcap in={work}/{name}.pcap link=raw",
                      f"add-conn {name} type=iptfs local=198.51.100.{host} remote=203.0.113.1 "
                      f"spi-out={0x1006 + host} cipher=aes128gcm key-out={key} delay=20ms",
                      f"add-flow priority=1,in_port=from-{name},actions=output:{name}"]
        with open(f"{work}/make.conf", "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        subprocess.run(["sluiced", "--offline", f"{work}/make.conf"], check=True, stdout=subprocess.DEVNULL)
        write(os.path.join(here, "flood.pcap"), ETHERNET, [(us, marked(data)) for us, data in read(f"{work}/wan.pcap")])


main()
