#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutate.py SECONDS RUN_DIR KEY_FILE [SEED]: random and mutated aggregates, OpenFlow messages and FLOW texts at a
running gateway (mutate.sh sets it up), then, again and again, one good one of each, which has to be served.

Runs in sl-wan.  Aggregates are ESP with NULL and HMAC-SHA-256-128, so that a mutated AGGFRAG payload can carry
a right ICV.  At the end: every frame is somewhere, packets balance, and memory has not grown.
"""
import ctypes
import hashlib
import hmac
import json
import os
import random
import select
import socket
import struct
import sys
import time

SPI, SOURCE, GATEWAY = 0x3001, "198.51.100.11", "203.0.113.1"
RECEIVER, PORT = "10.9.0.2", 7000


def die(text):
    print("mutate: " + text)
    sys.exit(1)


def ipv4(source, target, protocol, payload, **kw):
    total = kw.get("total", 20 + len(payload))
    head = struct.pack("!BBHHHBBH4s4s", kw.get("version_ihl", 0x45), 0, total & 0xffff, kw.get("ident", 0), kw.get("frag", 0),
                       64, protocol, 0, socket.inet_aton(source), socket.inet_aton(target))
    s = sum(struct.unpack("!10H", head))
    s = (s & 0xffff) + (s >> 16)
    s = (s & 0xffff) + (s >> 16)
    return head[:10] + struct.pack("!H", ~s & 0xffff) + head[12:] + payload


def udp(payload):
    return ipv4("10.1.0.2", RECEIVER, 17, struct.pack("!HHHH", 7001, PORT, 8 + len(payload), 0) + payload)


class Sealer:
    """The sending half of a connection with NULL and HMAC-SHA-256-128 and extended sequence numbers."""

    def __init__(self, key):
        self.key, self.sequence = key, 0

    def seal(self, payload, next_header=144):
        self.sequence += 1
        pad = -(len(payload) + 2) % 4
        body = struct.pack("!II", SPI, self.sequence & 0xffffffff) + payload + bytes(range(1, pad + 1)) \
            + bytes((pad, next_header))
        icv = hmac.new(self.key, body + struct.pack("!I", self.sequence >> 32), hashlib.sha256).digest()[:16]
        return body + icv


class Mutator:
    def __init__(self, r):
        self.r = r

    def mutate(self, data):
        r, out = self.r, bytearray(data)
        for _ in range(r.choice((1, 1, 2, 4, 16))):
            what = r.randrange(6)
            at = r.randrange(len(out)) if out else 0
            if what == 0 and out:
                out[at] = r.randrange(256)
            elif what == 1 and out:
                out[at] ^= 1 << r.randrange(8)
            elif what == 2:
                del out[at:]
            elif what == 3:
                out[at:at] = r.randbytes(r.choice((1, 2, 4, 40)))
            elif what == 4 and out:
                out[at:at + 2] = r.choice((b"\0\0", b"\xff\xff", b"\0\1", b"\x7f\xff"))[:len(out) - at]
            elif out:
                del out[at:at + r.choice((1, 2, 4, 8))]
        return bytes(out)

    def text(self, text):
        r, words = self.r, list(text)
        for _ in range(r.choice((1, 2, 3, 8))):
            at = r.randrange(len(words) + 1)
            what = r.randrange(4)
            if what == 0:
                words[at:at + 1] = r.choice("=,:/()[]->0123456789abcxyz \t'\"%\\\u00fc")
            elif what == 1:
                del words[at:at + r.randrange(1, 6)]
            elif what == 2:
                words[at:at] = r.choice(("18446744073709551616", "-1", "actions=", "ip,", "0x", "/33", "2001:db8::/129",
                                         "outer_dscp=64,", "goto_table:0", "x" * 300, "load:1->NXM_NX_REG0[]"))
            else:
                words = words[at:] + words[:at]
        return "".join(words)


class Aggregates:
    def __init__(self, mutator, key):
        self.m, self.sealer = mutator, Sealer(key)
        self.s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, packet):
        try:
            self.s.sendto(packet, (GATEWAY, 0))
        except OSError:
            pass  # the kernel refuses some of what is made up here

    def payload(self):
        """A plausible AGGFRAG payload: whole packets, a begun one, pad."""
        r = self.m.r
        blocks = b"".join(udp(r.randbytes(r.choice((0, 1, 40, 300)))) for _ in range(r.randrange(6)))
        if r.random() < 0.5:
            blocks += udp(r.randbytes(1000))[:r.randrange(1, 900)]
        if r.random() < 0.3:
            blocks += bytes(r.randrange(1, 60))
        offset = r.choice((0, 0, 0, r.randrange(2000), 0xffff))
        if r.random() < 0.2:
            return struct.pack("!BBH", 1, r.choice((0, 1, 2, 3)), offset) + r.randbytes(20) + blocks
        return struct.pack("!BBH", 0, 0, offset) + blocks

    def one(self):
        r, what = self.m.r, self.m.r.randrange(8)
        if what < 4:
            esp = self.sealer.seal(self.m.mutate(self.payload()), r.choice((144, 144, 144, 4, 59, r.randrange(256))))
        elif what == 4:
            esp = self.m.mutate(self.sealer.seal(self.payload()))
        elif what == 5:
            esp = struct.pack("!II", SPI, r.getrandbits(32)) + r.randbytes(r.randrange(100))
        elif what == 6:
            self.sealer.sequence += r.choice((1, 3, 60, 5000))
            esp = self.sealer.seal(self.payload())
        else:
            esp = r.randbytes(r.randrange(60))
        shape = r.randrange(12)
        if shape == 0:
            self.send(ipv4(SOURCE, GATEWAY, 50, esp, frag=r.choice((0x2000, 1, 0x2001, 0x1fff)), ident=r.getrandbits(16)))
        elif shape == 1:
            self.send(ipv4(SOURCE, GATEWAY, 17, struct.pack("!HHHH", 4500, 4500, 8 + len(esp), 0) + esp))
        elif shape == 2:
            self.send(self.m.mutate(ipv4(SOURCE, GATEWAY, 50, esp)))
        else:
            self.send(ipv4(SOURCE, GATEWAY, 50, esp))

    def good(self, word):
        self.send(ipv4(SOURCE, GATEWAY, 50, self.sealer.seal(struct.pack("!BBH", 0, 0, 0) + udp(word))))


def of(kind, body, xid=1):
    return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body


def oxm_match(*fields):
    body = b"".join(fields)
    size = 4 + len(body)
    return struct.pack("!HH", 1, size) + body + bytes(-size % 8)


def of_corpus():
    basic = oxm_match(struct.pack("!HBBI", 0x8000, 0 << 1, 4, 1), struct.pack("!HBBH", 0x8000, 5 << 1, 2, 0x800),
                      struct.pack("!HBBII", 0x8000, 11 << 1 | 1, 8, 0x0a000000, 0xff000000))
    collected = oxm_match(struct.pack("!HBBIB", 0xffff, 12 << 1, 5, 0x00ffffff, 14))
    output = struct.pack("!HHIH6x", 0, 16, 1, 0xffff)
    apply = struct.pack("!HH4x", 4, 8 + len(output)) + output
    flow = [of(14, struct.pack("!QQBBHHHIIIH2x", 1, 0, 0, command, 0, 0, 100, 0xffffffff, 0xffffffff, 0xffffffff, 1) + match
               + apply) for command in range(5) for match in (basic, collected, oxm_match())]
    multipart = [of(18, struct.pack("!HH4x", kind, 0) + body) for kind, body in (
        (0, b""), (1, struct.pack("!B3xII4xQQ", 0xff, 0xffffffff, 0xffffffff, 0, 0) + oxm_match()),
        (2, struct.pack("!B3xII4xQQ", 0xff, 0xffffffff, 0xffffffff, 0, 0) + oxm_match()), (3, b""),
        (4, struct.pack("!I4x", 0xffffffff)), (12, b""), (13, b""))]
    return flow + multipart + [
        of(2, b"hello"), of(5, b""), of(7, b""), of(9, struct.pack("!HH", 0, 128)), of(20, b""),
        of(13, struct.pack("!IIH6x", 0xffffffff, 0xfffffffd, len(output)) + output + bytes(60)),
        of(4, struct.pack("!II", 0x00ffffff, 1) + bytes(16))]


class OpenFlow:
    def __init__(self, mutator, path):
        self.m, self.path, self.s = mutator, path, None
        self.corpus = of_corpus()

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(self.path)
        s.sendall(of(0, struct.pack("!HHI", 1, 8, 1 << 4)))
        return s

    def one(self):
        try:
            if self.s is None:
                self.s = self.connect()
            message = self.m.r.choice(self.corpus)
            if self.m.r.random() < 0.9:
                mutant = bytearray(self.m.mutate(message))
                # Mostly a true length, so that the switch looks further than the header.
                if len(mutant) >= 8 and self.m.r.random() < 0.8:
                    mutant[0], mutant[2:4] = 4, struct.pack("!H", len(mutant) & 0xffff)
                message = bytes(mutant)
            self.s.sendall(message)
            while select.select([self.s], [], [], 0)[0]:
                if not self.s.recv(65536):
                    raise ConnectionError
        except (ConnectionError, TimeoutError, OSError):
            self.close()

    def close(self):
        if self.s is not None:
            self.s.close()
        self.s = None

    def good(self):
        """Hello, then an echo with its answer."""
        self.close()
        s = self.connect()
        s.sendall(of(2, b"still there", 0x5a5a))
        got, end = b"", time.monotonic() + 5
        while time.monotonic() < end:
            got += s.recv(65536)
            while len(got) >= 8 and len(got) >= struct.unpack("!H", got[2:4])[0]:
                size, xid = struct.unpack("!HI", got[2:8])
                if got[1] == 3 and xid == 0x5a5a and got[8:size] == b"still there":
                    s.close()
                    return True
                got = got[size:]
        return False


class Management:
    GOOD = ("priority=5,ip,nw_src=10.0.0.0/8,actions=output:1", "table=1,tcp,tp_dst=80,actions=dec_ttl,NORMAL",
            "priority=100,outer_dscp=14,actions=drop", "tun_src=198.51.100.0/24,udp,tp_src=53,idle_timeout=3,actions=drop",
            "ipv6,ipv6_src=2001:db8::/32,icmp6,icmpv6_type=135,actions=CONTROLLER:128",
            "dl_vlan=7,actions=strip_vlan,set_field:00:00:00:00:00:01->eth_dst,goto_table:2")

    def __init__(self, mutator, path):
        self.m, self.path, self.s, self.got = mutator, path, None, b""

    def call(self, method, *params, raw=None):
        if self.s is None:
            self.s, self.got = socket.socket(socket.AF_UNIX), b""
            self.s.settimeout(10)
            self.s.connect(self.path)
        line = raw or json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        self.s.sendall(line + b"\n")
        while b"\n" not in self.got:
            more = self.s.recv(1 << 20)
            if not more:
                raise ConnectionError("closed")
            self.got += more
        answer, self.got = self.got.split(b"\n", 1)
        return json.loads(answer)

    def one(self):
        text = self.m.text(self.m.r.choice(self.GOOD))
        try:
            if self.m.r.random() < 0.1:
                line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "add-flow", "params": [text]}).encode()
                line = self.m.mutate(line).replace(b"\n", b" ")
                if line.strip():  # an empty line has no answer
                    self.call("", raw=line)
            else:
                self.call(self.m.r.choice(("add-flow", "mod-flows", "del-flows", "dump-flows", "trace")), text)
        except (ConnectionError, TimeoutError):
            self.s.close()
            self.s = None

    def must(self, method, *params):
        answer = self.call(method, *params)
        if "result" not in answer:
            die(f"{method} {params} was refused: {answer}")
        return answer["result"]


def socket_in(namespace):
    """A UDP socket at the receiver: sockets belong to the namespace they are made in."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open("/run/netns/" + namespace, os.O_RDONLY)
    if libc.setns(there, 0):
        die("setns: " + os.strerror(ctypes.get_errno()))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((RECEIVER, PORT))
    libc.setns(here, 0)
    os.close(here)
    os.close(there)
    return s


class Run:
    def __init__(self, run_dir, key, seed):
        self.m = Mutator(random.Random(seed))
        self.aggregates = Aggregates(self.m, key)
        self.openflow = OpenFlow(self.m, os.path.join(run_dir, "openflow.sock"))
        self.management = Management(self.m, os.path.join(run_dir, "mgmt.sock"))
        self.receiver = socket_in("sl-rcv")
        with open(run_dir + ".pid", encoding="ascii") as f:
            self.pid = int(f.read())

    def memory(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])

    def good(self, n):
        """The rules are put right, then one good one of each kind is served."""
        if not self.openflow.good():
            die("a good OpenFlow echo was not answered")
        self.receiver.setblocking(False)
        word = b"good %d" % n
        for i in range(80):  # the reorder window and a reassembly begun may cost the first ones
            if i % 8 == 0:  # again: the last flow-mods of a closed connection may be read after the first time
                self.management.must("del-flows", "--all")
                self.management.must("add-flow", "priority=0,actions=NORMAL")
            self.aggregates.good(word)
            if select.select([self.receiver], [], [], 0.05)[0]:
                try:
                    while True:
                        if self.receiver.recv(65536) == word:
                            return
                except BlockingIOError:
                    pass  # read empty, or one with a wrong checksum
        die("a good aggregate was not taken apart")

    def balance(self):
        """Once nothing is under way: every frame is somewhere, packets balance."""
        problem = ""
        for _ in range(40):
            stats = self.management.must("stats")["json"]
            p, problem = stats["packets"], ""
            left = p["rx"] + sum(p["made"].values())
            right = p["tx"] + sum(p["dropped"].values()) + sum(p["consumed"].values()) + p["held"]
            if left != right:
                problem = f"packets do not balance: {left} began, {right} ended or are held"
            for w in stats["workers"]:
                f = w["frames"]
                if f["free"] + f["devices"] + f["handoff"] + f["held"] != f["total"]:
                    problem = f"frames are lost: {f}"
            if not problem:
                return stats
            time.sleep(0.1)
        return die(problem)


def main():
    seconds, run_dir = float(sys.argv[1]), sys.argv[2]
    with open(sys.argv[3], encoding="ascii") as f:
        key = bytes.fromhex(f.read())
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 32)
    print(f"seed {seed}")
    run = Run(run_dir, key, seed)
    run.good(0)
    end, rounds, early_memory = time.monotonic() + seconds, 0, None
    n = {"aggregates": 0, "messages": 0, "texts": 0}
    while time.monotonic() < end:
        rounds += 1
        for _ in range(200):
            run.aggregates.one()
            n["aggregates"] += 1
        for _ in range(60):
            run.openflow.one()
            n["messages"] += 1
        for _ in range(30):
            run.management.one()
            n["texts"] += 1
        run.good(rounds)
        if rounds == 20:
            early_memory = run.memory()
    stats = run.balance()
    grown = run.memory() - (early_memory or run.memory())
    drops = {k: v for k, v in stats["packets"]["dropped"].items() if v}
    print(f"{n['aggregates']} aggregates, {n['messages']} OpenFlow messages, {n['texts']} FLOW texts; "
          f"{rounds} good ones of each served; memory grew {grown} kB; drops {drops}")
    if grown > 16384:
        die("memory grew by more than 16 MB")


main()
