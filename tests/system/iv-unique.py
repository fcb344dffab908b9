#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""iv-unique.py CAPTURE: no (SPI, IV) pair twice among the ESP packets over IPv4, raw or in UDP 4500.
Prints how many of each SPI; exit 1 when a pair is there twice or when there is no ESP at all.
`iv-unique.py --self-test` shows that it can fail."""
import collections
import io
import struct
import sys


def packets(f):
    head = f.read(24)
    magic, = struct.unpack("<I", head[:4])
    order = "<" if magic in (0xa1b2c3d4, 0xa1b23c4d) else ">"
    link, = struct.unpack(order + "I", head[20:24])
    skip = {1: 14, 101: 0, 113: 16}[link & 0xffff]
    while len(record := f.read(16)) == 16:
        size, = struct.unpack(order + "8xI4x", record)
        data = f.read(size)
        if len(data) == size:
            yield data[skip:]


def esp(ip):
    """The ESP packet in an IPv4 packet, or None."""
    if len(ip) < 20 or ip[0] >> 4 != 4:
        return None
    payload = ip[(ip[0] & 15) * 4:]
    if ip[9] == 50:
        return payload
    if ip[9] == 17 and 4500 in struct.unpack("!HH", payload[:4]):
        payload = payload[8:]
        return payload if payload[:4] != bytes(4) else None
    return None


def check(f, say=print):
    seen, counts, twice = set(), collections.Counter(), 0
    for ip in packets(f):
        packet = esp(ip)
        if packet is None or len(packet) < 16:
            continue
        spi, sequence, iv = struct.unpack("!IIQ", packet[:16])
        counts[spi] += 1
        if (spi, iv) in seen:
            twice += 1
            say(f"twice: spi {spi:#x} iv {iv:#x} sequence {sequence}")
        seen.add((spi, iv))
    for spi, n in sorted(counts.items()):
        say(f"spi {spi:#x}: {n} packets")
    say(f"{twice} pairs twice")
    return 1 if twice or not counts else 0


def self_test():
    def capture(*pairs):
        data = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
        for spi, iv in pairs:
            ip = bytes((0x45, 0, 0, 36, 0, 0, 0, 0, 64, 50)) + bytes(10) + struct.pack("!IIQ", spi, 1, iv)
            data += struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip
        return io.BytesIO(data)
    said = []
    results = [check(capture(*pairs), said.append) for pairs in (
        ((1, 1), (1, 2), (2, 1)), ((1, 1), (2, 5), (1, 1)), ())]
    return 0 if results == [0, 1, 1] else 1


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    with open(sys.argv[1], "rb") as f:
        return check(f)


sys.exit(main())
