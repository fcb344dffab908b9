# SPDX-License-Identifier: Apache-2.0
"""The daemon against aggregates of other makes, offline: every vector of tests/vectors gives exactly its
inner packets, and what comes out, aggregated by sluice in several shapes, comes out again.  What it
sends without encryption is also taken apart here, by a reader that forgives nothing."""
import glob
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import tempfile

VECTORS = os.path.join(os.environ.get("srcdir", "."), "tests", "vectors")
SHAPES = ["", "size=300", "encap=udp", "delay=0", "pad=yes", "fragment=no size=3000", "esn=no"]
ADDRESSES = {"in": "local=10.9.0.2 remote=10.9.0.1", "out": "local=10.9.0.1 remote=10.9.0.2"}


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    at, found = 24, []
    while at < len(data):
        size, = struct.unpack_from("=I", data, at + 8)
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found


def keys(sa, way):
    text = ""
    if sa["key"]:
        text += f" key-{way}={sa['key']}{sa.get('salt', '')}"
    if sa.get("auth_key"):
        text += f" auth-key-{way}={sa['auth_key']}"
    return text


def cipher(sa):
    if sa.get("alg") == "gcm":
        return "aes128gcm" if len(sa["key"]) == 32 else "aes256gcm"
    return sa.get("cipher") or sa["alg"]


def run(folder, lines):
    path = os.path.join(folder, "config")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    done = subprocess.run(["utilities/sluiced", "--offline", path, "--json"], capture_output=True)
    if done.returncode:
        sys.exit(f"sluiced: {done.stderr.decode()}")
    return json.loads(done.stdout)


def take_apart(folder, source, options, link):
    out = os.path.join(folder, "inner.pcap")
    report = run(folder, [
        f"add-port in type=pcap in={source} link={link}",
        f"add-port out type=pcap out={out} link=raw",
        f"add-conn t type=iptfs {options}",
        "add-flow in_port=t,actions=output:out",
    ])
    return packets(out), report


def put_together(folder, source, options):
    out = os.path.join(folder, "aggregates.pcap")
    run(folder, [
        f"add-port in type=pcap in={source} link=raw",
        f"add-port out type=pcap out={out} link=raw",
        f"add-conn t type=iptfs {options}",
        "add-route 10.9.0.2/32 dev out",
        "add-flow in_port=in,actions=output:t",
    ])
    return out


def need(ok, what):
    if not ok:
        raise ValueError(what)


def payload_of(packet, number, sa, shape):
    """The AGGFRAG payload of the number-th packet we sent; each header octet is looked at."""
    need(packet[0] == 0x45 and struct.unpack_from(">H", packet, 2)[0] == len(packet), "IP length")
    need(packet[1] == 0 and packet[6:8] == b"\x40\0", "TOS 0, DF")
    need(packet[9] == (17 if "udp" in shape else 50), "protocol")
    esp = packet[28 if "udp" in shape else 20:]
    need(struct.unpack_from(">II", esp) == (sa["spi"], number), "SPI, consecutive sequence numbers")
    high = b"" if "esn=no" in shape else bytes(4)
    icv = hmac.new(bytes.fromhex(sa["auth_key"]), esp[:-16] + high, hashlib.sha256).digest()[:16]
    need(esp[-16:] == icv, "ICV")
    text = esp[8:-16]
    pad, following = text[-2:]
    need(following == 144 and len(text) % 4 == 0, "next header, alignment")
    need(text[-2 - pad:-2] == bytes(range(1, pad + 1)), "padding")
    return text[:-2 - pad]


def read_strictly(aggregates, sa, shape):
    """RFC 9347 2.2: what the payloads hold."""
    inner, part, left = [], b"", 0
    for number, packet in enumerate(packets(aggregates), 1):
        payload = payload_of(packet, number, sa, shape)
        subtype, reserved, offset = struct.unpack_from(">BBH", payload)
        need((subtype, reserved, offset) == (0, 0, left), "sub-type 0, nothing reserved, BlockOffset")
        blocks = payload[4:]
        need(blocks, "no empty payloads")
        while blocks:
            if not left and blocks[0] >> 4 == 0:
                need(not any(blocks) and "pad" in shape, "padding of zeros, where it was asked for")
                break
            if not left:
                size = struct.unpack_from(">H", blocks, 2 if blocks[0] >> 4 == 4 else 4)[0]
                left = size if blocks[0] >> 4 == 4 else size + 40
                part = b""
            part += blocks[:left]
            taken = min(left, len(blocks))
            left, blocks = left - taken, blocks[taken:]
            if not left:
                inner.append(part)
    need(not left, "everything was sent to its end")
    return inner


def check(path, folder):
    with open(path) as f:
        sa = json.load(f)
    want = [bytes.fromhex(du) for du in sa["inner_sent"]]
    options = f"{ADDRESSES['in']} spi-in={sa['spi']} cipher={cipher(sa)}{keys(sa, 'in')}"
    options += f" esn={'yes' if sa['esn'] else 'no'} encap={'udp' if sa['encap'] else 'none'}"
    if sa.get("seq_in"):
        options += f" seq-in={sa['seq_in']}"
    got, report = take_apart(folder, path.replace(".json", ".pcap"), options, "ethernet")
    if got != want:
        return f"{len(got)} packets came out, {len(want)} expected, {report['drops']}"
    inner = os.path.join(folder, "again.pcap")
    os.rename(os.path.join(folder, "inner.pcap"), inner)
    for shape in SHAPES:
        both = f"spi-%s={sa['spi']} cipher={cipher(sa)} {shape}"
        aggregates = put_together(folder, inner, f"{ADDRESSES['out']} {both % 'out'}{keys(sa, 'out')}")
        if cipher(sa) == "null-sha256":
            need(read_strictly(aggregates, sa, shape) == want, "what was sent")
        got, report = take_apart(folder, aggregates, f"{ADDRESSES['in']} {both % 'in'}{keys(sa, 'in')}", "raw")
        if got != want:
            return f"{shape}: {len(got)} packets came back, {len(want)} expected, {report['drops']}"
    return None


def main():
    paths = sorted(glob.glob(os.path.join(VECTORS, "*.json")))
    bad = 0 if paths else 1
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            error = check(path, folder)
        print(os.path.basename(path), error or "ok")
        bad += error is not None
    return 1 if bad else 0


sys.exit(main())
