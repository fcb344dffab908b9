#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every mistake of mistakes.txt, from every side that it can come from: refused with its code and a
reason, and nothing has changed.

    mistakes.py RUN_DIR LIST

A daemon runs in RUN_DIR and listens there.  Prints what was answered otherwise, and the sums.
The octets of OpenFlow are made here from the rows of fields.def, so that what a polite client would
not say is said.
"""
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, f"{SOURCE}/tests/openflow")
import wire  # noqa: E402
OURS = 0x534c5543
SIDES = ("ctl", "file", "config", "guard", "watch", "wire")  # what is on the wire goes into a bundle, too
WORDS = {"ip": (0x800,), "ipv6": (0x86dd,), "arp": (0x806,), "mpls": (0x8847,),
         "tcp": (0x800, 6), "udp": (0x800, 17), "sctp": (0x800, 132), "icmp": (0x800, 1),
         "tcp6": (0x86dd, 6), "udp6": (0x86dd, 17), "icmp6": (0x86dd, 58)}
ALIASES = {"nw_src": "ipv4_src", "nw_dst": "ipv4_dst", "nw_proto": "ip_proto", "nw_ecn": "ip_ecn",
           "dl_src": "eth_src", "dl_dst": "eth_dst", "dl_type": "eth_type", "nd_target": "ipv6_nd_target",
           "nd_sll": "ipv6_nd_sll", "ipv6_label": "ipv6_flabel", "tun_id": "tunnel_id"}
FRAGMENTS = {"no": (0, 3), "first": (1, 3), "later": (3, 3), "not_later": (0, 2)}
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns")
PORTS = {"NORMAL": 0xfffffffa, "FLOOD": 0xfffffffb, "ALL": 0xfffffffc, "CONTROLLER": 0xfffffffd,
         "LOCAL": 0xfffffffe, "ANY": 0xffffffff, "a": 1, "b": 2}


class Unsayable(Exception):
    """OpenFlow has no octets for it."""


def number(text, octets):
    """A field's value as an integer of so many octets."""
    try:
        value = int(text, 0)
    except ValueError:
        if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", text):
            value = int(text.replace(":", ""), 16)
        elif text in PORTS and octets == 4:
            value = PORTS[text]
        else:
            try:
                ip = ipaddress.ip_address(text)
            except ValueError:
                raise Unsayable(text) from None
            if ip.max_prefixlen != 8 * octets:
                raise Unsayable(text) from None
            value = int(ip)
    if value < 0 or value >> 8 * octets:
        raise Unsayable(text)
    return value


def read_fields():
    row = re.compile(r'^FIELD\(\w+, "(\w+)", (\w+), (\d+), (\d+), [\w.\[\]]+, (\d+), ', re.M)
    classes = {"OFPXMC_OPENFLOW_BASIC": 0x8000, "OFPXMC_NXM_1": 1, "OFPXMC_EXPERIMENTER": 0xffff}
    with open(f"{SOURCE}/datapath/fields.def", encoding="utf-8") as f:
        return {m[1]: (classes[m[2]], int(m[3]), int(m[4]), int(m[5])) for m in row.finditer(f.read())}


def read_errors():
    """Type and code by the refusals' names, from the two files that have them."""
    with open(f"{SOURCE}/lib/openflow.h", encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    value = {}
    for body in re.findall(r"enum(?:\s+\w+)?\s*\{(.*?)\}", text, re.S):
        n = -1
        for item in filter(None, (i.strip() for i in body.split(","))):
            name, _, given = (w.strip() for w in item.partition("="))
            try:
                n = int(given, 0) if given else n + 1
            except ValueError:
                continue
            value[name] = n
    with open(f"{SOURCE}/lib/refusals.def", encoding="utf-8") as f:
        rows = re.findall(r'^REFUSAL\(\w+,\s*"([\w-]+)",\s*(\w+),\s*(\w+)\)', f.read(), re.M)
    return {name: (value[kind], value[code]) for name, kind, code in rows}


FIELDS = read_fields()
ERRORS = read_errors()


def tlv(field, value, mask=None):
    oxm_class, n, _, size = FIELDS[field]
    octets = value.to_bytes(size, "big") + (b"" if mask is None else mask.to_bytes(size, "big"))
    if oxm_class == 0xffff:
        octets = struct.pack("!I", OURS) + octets
    return struct.pack("!HBB", oxm_class, n << 1 | (mask is not None), len(octets)) + octets


def condition(kind, flags, argument, field=None):
    oxm_class, n = FIELDS[field][:2] if field else (0, 0)
    octets = struct.pack("!IBBH", OURS, flags, n, oxm_class)
    octets += struct.pack("!I", OURS) + argument if oxm_class == 0xffff else argument
    if len(octets) > 255:
        raise Unsayable(field)
    return struct.pack("!HBB", 0xffff, kind << 1, len(octets)) + octets


def tcp_flags(text):
    value = mask = 0
    for sign, name in re.findall(r"([+-])(\w+)", text):
        bit = 1 << FLAGS.index(name)
        if mask & bit:
            raise Unsayable(text)
        mask |= bit
        value |= bit if sign == "+" else 0
    return value, mask


def field_octets(field, text):
    size = FIELDS[field][3]
    negated = text.startswith("!")
    text = text.lstrip("!")
    if text.startswith("@"):
        return condition(61, negated, text[1:].encode(), field)
    if field == "ip_frag":
        return tlv(field, *FRAGMENTS[text])
    if field == "tcp_flags" and text[0] in "+-":
        return tlv(field, *tcp_flags(text))
    ends = text.split("-")
    if negated or len(ends) == 2:
        if "/" in text:
            net = ipaddress.ip_network(text)
            ends = [str(net[0]), str(net[-1])]
        return condition(60, negated, b"".join(number(e, size).to_bytes(size, "big")
                                               for e in (ends * 2)[:2]), field)
    value, slash, mask = text.partition("/")
    value = number(value, size)
    if not slash:
        return tlv(field, value)
    if mask.isdigit() and field.startswith(("ip", "outer_ip", "arp")):
        if int(mask) > 8 * size:
            raise Unsayable(text)
        mask = (1 << 8 * size) - (1 << 8 * size - int(mask))
        return tlv(field, value & mask, mask)
    return tlv(field, value, number(mask, size))


def words_of(text):
    """`name=value` of FLOW; commas part them, but not in quotes."""
    return [w for w in re.findall(r'(?:"[^"]*"|[^,"])+', text) if w]


def bpf_octets(name, text):
    negated = text.startswith("!")
    return condition(62, negated | (2 if name == "outer_bpf" else 0), b"\0" + text.lstrip("!").strip('"').encode())


def port_field(name, proto):
    return {6: "tcp", 17: "udp", 132: "sctp"}.get(proto, "tcp") + name[2:]


def read_match(text, fixed):
    """The OXM fields; what is no field goes to `fixed`."""
    octets, proto, said = b"", None, []
    for word in words_of(text):
        name, equals, value = word.partition("=")
        name = ALIASES.get(name, name)
        if name in WORDS and not equals:
            kind = WORDS[name]
            for field, n in zip(("eth_type", "ip_proto"), kind):
                if (field, n) not in said:
                    octets += tlv(field, n)
                    said.append((field, n))
            proto = kind[1] if len(kind) > 1 else proto
        elif name in fixed:
            fixed[name] = number(value, 2)
        elif name in ("bpf", "outer_bpf"):
            octets += bpf_octets(name, value)
        elif name == "dl_vlan" and re.fullmatch(r"\d+", value):
            octets += tlv("vlan_vid", number(value, 2) | 0x1000)
        elif name in ("tp_src", "tp_dst"):
            octets += field_octets(port_field(name, proto), value)
        elif name in ("icmp_type", "icmp_code"):
            octets += field_octets(("icmpv4" if proto == 1 else "icmpv6") + name[4:], value)
        elif name in FIELDS:
            octets += field_octets(name, value)
        else:
            raise Unsayable(word)
    return octets


def padded(octets):
    return octets + bytes(-len(octets) % 8)


def read_action(text):
    name, _, value = text.partition(":")
    if name in PORTS:
        return struct.pack("!HHIH6x", 0, 16, PORTS[name], 0)
    if name == "output":
        return struct.pack("!HHIH6x", 0, 16, number(value, 4), 0)
    if name == "group":
        return struct.pack("!HHI", 22, 8, number(value, 4))
    if name == "pop_vlan":
        return struct.pack("!HH4x", 18, 8)
    if name == "set_field":
        value, _, field = value.partition("->")
        oxm = field_octets(field, value)
        return padded(struct.pack("!HH", 25, len(padded(bytes(4) + oxm))) + oxm)
    raise Unsayable(text)


def read_actions(text):
    apply, rest = b"", b""
    for word in filter(None, text.split(",")):
        name, _, value = word.partition(":")
        if word == "drop":
            continue
        if name == "goto_table":
            rest += struct.pack("!HHB3x", 1, 8, number(value, 1))
        elif name == "meter":
            rest += struct.pack("!HHI", 6, 8, number(value, 4))
        elif word == "clear_actions":
            rest += struct.pack("!HH4x", 5, 8)
        else:
            apply += read_action(word)
    return (struct.pack("!HHI", 4, 8 + len(apply), 0) + apply if apply else b"") + rest


def flow_mod(flow, command=0):
    fixed = {"table": 0, "priority": 0x8000, "idle_timeout": 0, "hard_timeout": 0}
    match, _, actions = flow.partition("actions=")
    oxm = read_match(match.strip(", "), fixed)
    if fixed["table"] > 255:
        raise Unsayable(flow)
    body = struct.pack("!QQBBHHHIIIHH", 0, 0, fixed["table"], command, fixed["idle_timeout"],
                       fixed["hard_timeout"], fixed["priority"], 0xffffffff, 0xffffffff, 0xffffffff, 0, 0)
    return body + padded(struct.pack("!HH", 1, 4 + len(oxm)) + oxm) + read_actions(actions)


class Controller(wire.Peer):
    """An OpenFlow controller."""
    def errors(self, *messages):
        """(type, code) of each error that they are answered with."""
        self.send(b"".join(messages) + wire.message(20))
        got = []
        while True:
            kind, octets = self.receive()
            if kind == 21:
                return got
            if kind == 1:
                got.append(struct.unpack("!HH", octets[:4]))

    def refused(self, octets):
        """Why; None: it was taken."""
        return (self.errors(octets) or [None])[0]

    def refused_in_bundle(self, octets):
        """The same of a bundle whose other rule is good: refused as it is put in, or as it is committed."""
        good = wire.message(14, flow_mod("priority=77,udp,udp_dst=77,actions=drop"))
        errors = self.errors(wire.bundle(wire.OPEN), wire.bundle_add(good), wire.bundle_add(octets))
        errors += self.errors(wire.bundle(wire.DISCARD if errors else wire.COMMIT))
        return (errors or [None])[0]


class Rpc:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile()

    def call(self, verb, *words):
        """(result, None), or (None, what was refused)."""
        request = {"jsonrpc": "2.0", "id": 1, "method": verb, "params": list(words)}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            return None, answer["error"].get("data") or {"code": "usage", "reason": answer["error"]["message"]}
        return answer["result"], None


def timeless(value):
    if isinstance(value, list):
        return [timeless(v) for v in value]
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not re.search(r"_s$|_ns$|duration|idle|age", k)}
    return value


class Mistakes:
    def __init__(self, run_dir, path):
        self.run_dir = run_dir
        self.setup, self.rows = [], []
        self.read(path)
        self.mgmt = Rpc(f"{run_dir}/mgmt.sock")
        self.watcher = Rpc(f"{run_dir}/watch.sock")
        self.peer = Controller(f"{run_dir}/openflow.sock")
        self.bad, self.n, self.unsayable = 0, {side: 0 for side in SIDES}, []
        for line in self.setup:
            _, refused = self.verb(line)
            assert not refused, (line, refused)

    def read(self, path):
        """`setup: VERB WORD…`, and rows of two lines: `CODE[/WIRE] SIDE[,SIDE]: WHAT`, then what it
        would have done, indented."""
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith("setup: "):
                    self.setup.append(line[7:].strip())
                elif line[0] in " \t":
                    self.rows[-1][3] += line.strip()
                elif line.strip() and line[0] != "#":
                    head, what = line.rstrip("\n").split(": ", 1)
                    code, sides = head.split()
                    self.rows.append([code, sides.split(","), what, ""])

    def verb(self, line, rpc=None):
        words = re.findall(r"'([^']*)'|(\S+)", line)
        return (rpc or self.mgmt).call(*(a or b for a, b in words))

    def state(self):
        """All that a mistake could have changed, without what time does."""
        out = []
        for words in (["dump-flows", "--all"], ["dump-groups"], ["dump-meters"], ["list-limiters"],
                      ["list-sets"], ["proposals"]):
            result, refused = self.mgmt.call(*words)
            assert not refused, refused
            out.append(timeless(result["json"]))
        for row in out[4]["sets"]:
            out.append(sorted(map(str, timeless(self.mgmt.call("dump-set", row["name"])[0]["json"]))))
        return out

    # -- the sides: what each answers, as {"code": …, "reason": …}; None: it was taken

    def side_ctl(self, flow):
        done = subprocess.run(["sluice-ctl", "-r", self.run_dir, "--json", "add-flow", flow], check=False,
                              capture_output=True, text=True)
        if done.returncode != 1:
            return done.returncode and {"code": f"exit status {done.returncode}", "reason": done.stderr}
        return json.loads(done.stderr)

    def side_file(self, flow):
        """The rules of a file: the good one before it is taken back."""
        return self.mgmt.call("add-flows", "--", f"priority=77,udp,udp_dst=77,actions=drop\n{flow}\n")[1]

    def side_config(self, line):
        name = f"{self.run_dir}/mistake.conf"
        with open(name, "w", encoding="utf-8") as f:
            f.write("\n".join(self.setup) + f"\n{line}\n")
        done = subprocess.run(["sluiced", "--offline", name, "--json"], check=False,
                              capture_output=True, text=True)
        if not done.returncode:
            return None
        said = json.loads(done.stderr.strip().splitlines()[-1])
        assert said["line"] == len(self.setup) + 1, (line, said)
        return said

    def side_guard(self, flow):
        return self.mgmt.call("add-guard", flow, "--reason", "a mistake")[1]

    def side_watch(self, flow):
        return self.watcher.call("add-guard", flow, "--reason", "a mistake")[1]

    def one(self, side, code, what):
        """A row from one side.  True: refused as it should be."""
        if side in ("wire", "bundle", "mod-wire"):
            octets = wire.message(14, flow_mod(what, side == "mod-wire"))
            answer = self.peer.refused_in_bundle if side == "bundle" else self.peer.refused
            got, want = answer(octets), ERRORS[code]
            return got == want or print(f"{side}: {what}: {got}, not {want}") or False
        if side in ("verb", "watch-verb"):
            refused = self.verb(what, self.watcher if side == "watch-verb" else None)[1]
        elif side == "config":
            refused = self.side_config(f"add-flow '{what}'")
        elif side == "config-verb":
            refused = self.side_config(what)
        else:
            refused = getattr(self, f"side_{side}")(what)
        if not refused or refused["code"] != code or not refused["reason"]:
            print(f"{side}: {what}: {refused or 'taken'}, not {code}")
            return False
        return True

    def run(self):
        before = self.state()
        for code, sides, what, story in self.rows:
            code, _, of_code = code.partition("/")
            if len(story) < 20:
                self.fail(f"{what}: what would it have done?")
            sides = list(SIDES) if sides == ["all"] else sides
            for side in sides + ["bundle"] * ("wire" in sides):
                try:
                    good = self.one(side, of_code or code if side in ("wire", "bundle") else code, what)
                except Unsayable:
                    self.unsayable.append(what)
                    continue
                self.n[side] = self.n.get(side, 0) + 1
                self.bad += not good
                if self.state() != before:
                    self.fail(f"{side}: {what}: it changed something")
                    before = self.state()
        return self.bad

    def fail(self, text):
        print(text)
        self.bad += 1


def main():
    mistakes = Mistakes(sys.argv[1], sys.argv[2])
    bad = mistakes.run()
    print(f"{len(mistakes.rows)} mistakes:", ", ".join(f"{n} by {side}" for side, n in mistakes.n.items()))
    print(f"{len(mistakes.unsayable)} cannot be said in OpenFlow")
    if "-v" in sys.argv:
        print("\n".join(mistakes.unsayable))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
