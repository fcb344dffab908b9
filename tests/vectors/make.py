#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors m-*: AGGFRAG aggregates that Linux never sends, in every cipher.

Run it in this folder.  Everything is derived from fixed seeds, so a second run changes nothing."""
import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CIPHERS = {  # key, salt, auth key, IV, alignment
    "aes128gcm": (16, 4, 0, 8, 4),
    "aes256gcm": (32, 4, 0, 8, 4),
    "aes128gmac": (16, 4, 0, 8, 4),
    "aes256gmac": (32, 4, 0, 8, 4),
    "chacha20poly1305": (32, 4, 0, 8, 4),
    "null-sha256": (0, 0, 32, 0, 4),
    "aes128cbc-sha256": (16, 0, 32, 16, 16),
}
SRC, DST = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2])


def csum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def octets(seed, n):
    return hashlib.shake_128(seed.encode()).digest(n)


def ipv4(number, size):
    """A UDP packet of `size` octets in all."""
    src, dst = bytes([10, 1, 0, 1]), bytes([10, 2, 0, 1])
    udp = struct.pack(">HHHH", 4000 + number, 5000, size - 20, 0) + octets("du%d" % number, size - 28)
    pseudo = src + dst + struct.pack(">BBH", 0, 17, size - 20)
    udp = udp[:6] + struct.pack(">H", csum(pseudo + udp)) + udp[8:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, number, 0, 64, 17, 0) + src + dst
    return head[:10] + struct.pack(">H", csum(head)) + head[12:] + udp


def ipv6(number, size):
    src, dst = octets("src", 16), octets("dst", 16)
    src, dst = b"\xfd" + src[1:], b"\xfd" + dst[1:]
    udp = struct.pack(">HHHH", 4000 + number, 5000, size - 40, 0) + octets("du%d" % number, size - 48)
    pseudo = src + dst + struct.pack(">II", size - 40, 17)
    udp = udp[:6] + struct.pack(">H", csum(pseudo + udp)) + udp[8:]
    return struct.pack(">IHBB", 6 << 28, size - 40, 17, 64) + src + dst + udp


class Sa:
    def __init__(self, case, cipher, spi, esn=True, seq=0, encap=None):
        key, salt, auth, self.iv, self.align = CIPHERS[cipher]
        self.cipher, self.spi, self.esn, self.first, self.encap = cipher, spi, esn, seq, encap
        self.key, self.salt = octets(case + "key", key), octets(case + "salt", salt)
        self.auth = octets(case + "auth", auth)
        self.seq = seq

    def esp(self, payload):
        self.seq += 1
        pad = -(len(payload) + 2) % self.align
        text = payload + bytes(range(1, pad + 1)) + bytes([pad, 144])
        front = struct.pack(">II", self.spi, self.seq & 0xFFFFFFFF)
        iv = octets("iv%d" % self.seq, self.iv) if self.iv == 16 else struct.pack(">Q", self.seq)
        aad = struct.pack(">IQ", self.spi, self.seq) if self.esn else front
        if self.cipher.endswith("sha256"):
            if self.iv:
                enc = Cipher(algorithms.AES(self.key), modes.CBC(iv)).encryptor()
                text = iv + enc.update(text) + enc.finalize()
            high = struct.pack(">I", self.seq >> 32) if self.esn else b""
            return front + text + hmac.new(self.auth, front + text + high, "sha256").digest()[:16]
        if self.cipher.endswith("gmac"):
            tag = AESGCM(self.key).encrypt(self.salt + iv, b"", aad + iv + text)
            return front + iv + text + tag
        aead = ChaCha20Poly1305 if self.cipher.startswith("chacha") else AESGCM
        return front + iv + aead(self.key).encrypt(self.salt + iv, text, aad)

    def frame(self, payload):
        esp = self.esp(payload)
        proto = 50
        if self.encap:
            proto, esp = 17, struct.pack(">HHHH", 4500, 4500, len(esp) + 8, 0) + esp
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(esp), 0, 0x4000, 64, proto, 0) + SRC + DST
        head = head[:10] + struct.pack(">H", csum(head)) + head[12:]
        return bytes.fromhex("525400000002525400000001" "0800") + head + esp


def agg(offset, *blocks):
    return struct.pack(">BBH", 0, 0, offset) + b"".join(blocks)


def agg_cc(offset, flags, *blocks):
    word = 20000 << 42 | 100 << 21 | 50
    return struct.pack(">BBHIQII", 1, flags, offset, 1000, word, 7, 8) + b"".join(blocks)


def pads():
    a, b, c = ipv4(1, 100), ipv4(2, 1000), ipv6(3, 90)
    inner = [a, b, c]
    yield inner
    yield agg(0, a, bytes(200))                # a block, then pad
    yield agg(0, bytes(300))                   # all-pad
    yield agg(0, b[:400])
    yield agg(0, bytes(300))                   # all-pad between fragments
    yield agg(0, b"\x0f" + bytes(99))          # a pad block's low nibble says nothing
    yield agg(600, b[400:700])                 # the rest is longer than the payload
    yield agg(300, b[700:], c, bytes(1))


def runts():
    inner = [ipv4(1, 64), ipv6(2, 80), ipv4(3, 200), ipv6(4, 48)]
    yield inner
    a, b, c, d = inner
    yield agg(0, a, b[:1])
    yield agg(79, b[1:3])
    yield agg(77, b[3:5])
    yield agg(75, b[5:], c[:3])
    yield agg(197, c[3:4])
    yield agg(196, c[4:], d[:5])
    yield agg(43, d[5:])


def whole_then_begun():
    inner = [ipv4(i, 60 + 97 * i) if i % 2 else ipv6(i, 60 + 97 * i) for i in range(1, 16)]
    yield inner
    stream, ends, at = b"".join(inner), [], 0
    for du in inner:
        at += len(du)
        ends.append(at)
    for at in range(0, len(stream), 500):
        offset = min((e - at for e in [0] + ends if e >= at))
        yield agg(offset, stream[at:at + 500])


def congestion():
    inner = [ipv4(1, 64), ipv4(2, 1200), ipv6(3, 100)]
    yield inner
    a, b, c = inner
    yield agg_cc(0, 0, a, b[:600])
    yield agg_cc(600, 3, b[600:], c)
    yield agg_cc(0, 2)                         # empty
    yield agg_cc(0, 1, bytes(40))


CASES = [
    ("m-pads", pads, Sa("m-pads", "aes128gcm", 0x2000)),
    ("m-runts", runts, Sa("m-runts", "aes256gcm", 0x2001, esn=False)),
    ("m-whole-then-begun", whole_then_begun, Sa("m-wtb", "aes128gcm", 0x2002, encap=[4500, 4500])),
    ("m-congestion", congestion, Sa("m-cc", "aes128gcm", 0x2003)),
    ("m-esn-gcm", whole_then_begun, Sa("m-esn-gcm", "aes256gcm", 0x2004, seq=2**32 - 5)),
    ("m-esn-null", whole_then_begun, Sa("m-esn-null", "null-sha256", 0x2005, seq=5 * 2**32 - 5)),
    ("m-gmac128", whole_then_begun, Sa("m-gmac128", "aes128gmac", 0x2006, seq=2**32)),
    ("m-gmac256", runts, Sa("m-gmac256", "aes256gmac", 0x2007, esn=False)),
    ("m-chacha", whole_then_begun, Sa("m-chacha", "chacha20poly1305", 0x2008)),
    ("m-cbc", whole_then_begun, Sa("m-cbc", "aes128cbc-sha256", 0x2009, seq=2**32 - 5)),
    ("m-cbc-noesn", pads, Sa("m-cbc-noesn", "aes128cbc-sha256", 0x200a, esn=False)),
]


def main():
    for name, case, sa in CASES:
        payloads = case()
        inner = next(payloads)
        frames = [sa.frame(p) for p in payloads]
        with open(name + ".pcap", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for i, frame in enumerate(frames):
                f.write(struct.pack("<IIII", 1000, 1000 * i, len(frame), len(frame)) + frame)
        with open(name + ".json", "w") as f:
            json.dump({
                "case": name, "made_by": "make.py", "spi": sa.spi, "cipher": sa.cipher,
                "key": sa.key.hex(), "salt": sa.salt.hex(), "auth_key": sa.auth.hex(),
                "esn": sa.esn, "seq_in": sa.first, "encap": sa.encap,
                "outer": {"src": "10.9.0.1", "dst": "10.9.0.2", "family": 4},
                "inner_sent": [du.hex() for du in inner],
            }, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
