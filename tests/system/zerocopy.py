#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbered data units for zerocopy.sh, and the verdict on what came back.

    zerocopy.py make FILE SEED AGGREGATES BYTES-PER-SECOND   a capture of raw IPv4, spaced for that rate, with
                                                             octets for at least AGGREGATES full aggregates
    zerocopy.py check DIR AGGREGATES      DIR: in.pcap, out.pcap, and of a and b what sluice-ctl --json said:
                                          NAME.show (show-port nic), NAME.stats

A data unit is an IPv4 header (protocol 253), its number in 8 octets, and random octets.
"""
import json
import os
import random
import struct
import sys

ROOM = 1400  # more than an aggregate of size=1400 can carry
SHORTEST, LONGEST = 28, 3000
NANO, RAW = 0xa1b23c4d, 101


def checksum(header):
    s = sum(struct.unpack("!10H", header))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def size_of_next(rng):
    kind = rng.random()
    if kind < 0.5:
        return rng.randint(SHORTEST, 256)
    return rng.randint(257, ROOM) if kind < 0.9 else rng.randint(ROOM + 1, LONGEST)


def make(path, seed, aggregates, rate):
    rng = random.Random(seed)
    total = number = 0
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", NANO, 2, 4, 0, 0, 262144, RAW))
        while total < aggregates * ROOM:
            size = size_of_next(rng)
            ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, number & 0xffff, 0, 64, 253, 0,
                                       bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])))
            struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
            ns = total * 1000000000 // rate
            f.write(struct.pack("<IIII", ns // 1000000000, ns % 1000000000, size, size))
            f.write(ip + struct.pack("!Q", number) + rng.randbytes(size - 28))
            total += size
            number += 1
    print(f"{number} data units, {total} octets, over {total / rate:.0f} s")


def packets(path):
    with open(path, "rb") as f:
        if struct.unpack("<I", f.read(24)[:4])[0] != NANO:
            sys.exit(f"{path} is no capture of sluice's")
        while head := f.read(16):
            size = struct.unpack("<IIII", head)[2]
            octets = f.read(size)
            if len(octets) != size:
                sys.exit(f"{path} is cut off")
            yield octets


def compare(sent, received):
    """Exactly once, octet for octet, in order: the two sequences are one.  Returns how many."""
    n = octets = large = 0
    others = packets(received)
    for n, du in enumerate(packets(sent), 1):
        other = next(others, None)
        octets += len(du)
        large += len(du) > ROOM
        if du == other:
            continue
        if other is None:
            sys.exit(f"FAIL: {n - 1} data units came, number {n - 1} and later did not")
        was = struct.unpack_from("!Q", other, 20)[0] if len(other) >= SHORTEST else "none"
        sys.exit(f"FAIL: number {was} came in place of {n - 1}" if was != n - 1 else f"FAIL: number {was} came spoiled")
    if next(others, None) is not None:
        sys.exit(f"FAIL: more came than the {n} that were sent")
    print(f"{n} data units, {octets} octets, came once each, in order, octet for octet; "
          f"{large} of them larger than an aggregate")
    return n


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return json.load(f)


def need(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAIL: {what}: {got}, not {wanted}")


def reading(row, key):
    """What a row says, or an object in it."""
    for k, v in row.items():
        if k == key:
            return v
        if isinstance(v, dict) and (found := reading(v, key)) is not None:
            return found
    return None


def check_daemon(folder, name):
    show = load(folder, f"{name}.show")
    port = show[0] if isinstance(show, list) else show
    need(f"{name}: the NIC's mode", reading(port, "mode"), "zerocopy")
    print(f"{name}: {reading(port, 'driver')}, mode={reading(port, 'mode')}, why={reading(port, 'why')}")
    stats = load(folder, f"{name}.stats")
    p = stats["packets"]
    need(f"{name}: drops", {k: v for k, v in p["dropped"].items() if v}, {})
    need(f"{name}: packets held", p["held"], 0)
    need(f"{name}: packets that ended", p["tx"] + sum(p["consumed"].values()), p["rx"] + sum(p["made"].values()))
    for w in stats["workers"]:
        f = w["frames"]
        need(f"{name}: frames that are somewhere", f["free"] + f["devices"] + f["handoff"] + f["held"], f["total"])
    print(f"{name}: packets balance: rx {p['rx']} + made {sum(p['made'].values())} = tx {p['tx']} + "
          f"consumed {sum(p['consumed'].values())}, dropped 0, held 0; every frame is somewhere")
    return {port["name"]: port for port in stats["ports"] + stats["conns"]}


def check(folder, aggregates):
    n = compare(os.path.join(folder, "in.pcap"), os.path.join(folder, "out.pcap"))
    a, b = check_daemon(folder, "a"), check_daemon(folder, "b")
    sent, received = reading(a["c"], "out_aggregates"), reading(b["c"], "in_aggregates")
    print(f"aggregates: {sent} sent, {received} received; "
          f"{reading(b['c'], 'in_fragmented')} data units came in parts")
    need("aggregates received", received, sent)
    if received < aggregates:
        sys.exit(f"FAIL: fewer than {aggregates} aggregates")
    if not reading(b["c"], "in_fragmented"):
        sys.exit("FAIL: no data unit came in parts")
    need("data units sent", reading(a["c"], "out_dus"), n)
    need("data units received", reading(b["c"], "in_dus"), n)
    for key in ("in_lost", "in_late"):
        need(f"aggregates {key}", reading(b["c"], key), 0)
    for key in ("kernel_rx_dropped", "kernel_rx_ring_full", "kernel_invalid_descriptors"):
        need(f"b: {key}", reading(b["nic"], key), 0)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], *(int(word) for word in sys.argv[3:6]))
    else:
        check(sys.argv[2], int(sys.argv[3]))
