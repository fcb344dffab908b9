#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic for limits by key, and what became of it.

    limits.py sources FILE      two seconds of two heavy sources' packets and two light ones'
    limits.py count FILE        packets by source network
    limits.py connections FILE  the steps of STORY
    limits.py story IN OUT      what became of each step
"""
import ipaddress
import struct
import sys

FIN, SYN, RST, ACK = 1, 2, 4, 16


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(src, dst, transport, proto, step=0):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 6:
        header = struct.pack(">IHBB", 6 << 28, len(transport), proto, 64) + src.packed + dst.packed
        return bytes.fromhex("02000000000202000000000186dd") + header + transport
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), step, 0, 64, proto, 0) + src.packed + dst.packed
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return bytes.fromhex("0200000000020200000000010800") + header + transport


def udp(src, dst):
    return frame(src, dst, struct.pack(">HHHH", 7, 9, 8, 0), 17)


def tcp(src, port, flags, step):
    return frame(src, "10.9.0.2", struct.pack(">HHIIBBHHH", port, 80, 1, 1, 5 << 4, flags, 1000, 0, 0), 6, step)


def write(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for ns, octets in packets:
            f.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(octets), len(octets)) + octets)


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def sources():
    for i in range(200):
        at = 10**12 + i * 10**7 + 1
        yield at, udp(f"10.0.0.{i % 250 + 1}", "10.9.0.2")
        yield at, udp(f"fd00:0:0:1::{i + 1:x}", "fd00::2")
        if i % 10 == 0:
            yield at, udp("10.0.1.7", "10.9.0.2")
    yield at, udp("10.0.2.1", "10.9.0.2")


def count(path):
    n = {}
    for octets in read(path):
        if octets[12:14] == b"\x08\x00":
            net = str(ipaddress.ip_address(octets[26:30])).rsplit(".", 1)[0] + ".x"
        else:
            net = ipaddress.ip_address(octets[22:38]).exploded
            net = ":".join(f"{int(word, 16):x}" for word in net.split(":")[:4]) + "::x"
        n[net] = n.get(net, 0) + 1
    for net in sorted(n):
        print(net, n[net])


# Steps: what it is, seconds since the beginning, packets (source, port, flags).
A, B = "10.0.0.1", "10.0.0.2"
STORY = [
    ("three connections open", 0, [(A, p, f) for p in (1, 2, 3) for f in (SYN, ACK)]),
    ("a fourth SYN", 1, [(A, 4, SYN)]),
    ("the three go on", 2, [(A, p, ACK) for p in (1, 2, 3, 1)]),
    ("SYNs of a thousand others, made up in the name of 10.0.0.2", 2.5, [(B, 1000 + p, SYN) for p in range(1000)]),
    ("10.0.0.2 opens a connection", 3, [(B, 5, SYN), (B, 5, ACK)]),
    ("one of the three closes, its last ACK", 4, [(A, 2, FIN | ACK), (A, 2, ACK)]),
    ("5 s later a fourth SYN, and its ACK", 9, [(A, 4, SYN), (A, 4, ACK)]),
    ("a fifth SYN", 9.5, [(A, 6, SYN)]),
    ("ACKs out of nowhere of the key at its limit", 9.6, [(A, p, ACK) for p in range(50, 55)]),
    (None, 15, [(A, 1, ACK)]),
    ("12 s of silence but for one of them; a new SYN", 21.5, [(A, 7, SYN)]),
]


def connections():
    for step, (_, at, packets) in enumerate(STORY, 1):
        for i, (src, port, flags) in enumerate(packets):
            yield 10**12 + int(at * 10**9) + i * 1000, tcp(src, port, flags, step)


def story(before, after):
    steps = [[struct.unpack_from(">H", p, 18)[0] for p in read(path)] for path in (before, after)]
    for step, (what, _, _) in enumerate(STORY, 1):
        sent, came = steps[0].count(step), steps[1].count(step)
        if what:
            print(f"{what}: {'passed' if came == sent else 'dropped' if not came else f'{came} of {sent} passed'}")


if __name__ == "__main__":
    verb, path = sys.argv[1:3]
    if verb == "sources":
        write(path, sources())
    elif verb == "count":
        count(path)
    elif verb == "connections":
        write(path, connections())
    else:
        story(path, sys.argv[3])
