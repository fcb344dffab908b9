#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Captures as lines of text, for tests: `SECONDS HEX`, seconds with up to nine decimals.

    pcap.py make FILE [raw] <LINES     pcap.py show FILE
    pcap.py vector NAME                from tests/vectors: NAME.conf, and NAME.want as `show` would write it
"""
import json
import os
import struct
import sys

NANO, RAW, ETHERNET = 0xa1b23c4d, 101, 1


def make(path, link):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", NANO, 2, 4, 0, 0, 262144, link))
        for line in sys.stdin:
            when, octets = line.split(maxsplit=1)
            seconds, _, rest = when.partition(".")
            octets = bytes.fromhex(octets)
            f.write(struct.pack("<IIII", int(seconds), int(rest.ljust(9, "0") or 0), len(octets), len(octets)))
            f.write(octets)


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    unit = 1 if struct.unpack_from("<I", data)[0] == NANO else 1000
    at = 24
    while at < len(data):
        seconds, rest, size, _ = struct.unpack_from("<IIII", data, at)
        yield seconds, rest * unit, data[at + 16:at + 16 + size].hex()
        at += 16 + size


def show(path):
    for seconds, ns, octets in packets(path):
        print(f"{seconds}.{ns:09d}".rstrip("0").rstrip("."), octets)


def vector(name):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors")
    with open(os.path.join(folder, name + ".json")) as f:
        v = json.load(f)
    cipher = v.get("cipher") or {"gcm": f"aes{4 * len(v['key'] or '')}gcm"}.get(v.get("alg"), v.get("alg"))
    words = ["add-conn c type=iptfs", f"local={v['outer']['dst']} remote={v['outer']['src']}",
             f"spi-in={v['spi']} cipher={cipher} esn={'yes' if v['esn'] else 'no'}"]
    words += [f"key-in={v['key']}{v['salt']}"] if v.get("key") else []
    words += [f"auth-key-in={v['auth_key']}"] if v.get("auth_key") else []
    words += ["encap=udp"] if v["encap"] else []
    words += [f"seq-in={v['seq_in']}"] if v.get("seq_in") else []
    with open(name + ".conf", "w") as f:
        f.write(f"add-port in type=pcap in={folder}/{name}.pcap\nadd-port out type=pcap out={name}.pcap link=raw\n"
                f"{' '.join(words)}\nadd-flow in_port=c,actions=output:out\n")
    with open(name + ".want", "w") as f:
        f.writelines(p + "\n" for p in v["inner_sent"])


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], RAW if sys.argv[3:] == ["raw"] else ETHERNET)
    elif sys.argv[1] == "show":
        show(sys.argv[2])
    else:
        vector(sys.argv[2])
