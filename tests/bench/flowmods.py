#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow-mods and one barrier: the time to the barrier's reply, sluice beside Open vSwitch, as ratios of one run.

    who          what is sent               ms to the barrier's reply     flow-mods a second     to Open vSwitch

One connection over a unix socket writes N flow-mods and a barrier request as fast as they are taken.  The clock runs
from the first octet out to the last octet of the barrier's reply, and the reply counts only if no error came before
it; then the number of rules is asked for and has to be right.  Rounds measure each of the two once, so that what the
machine does otherwise hits both alike; shown are medians and quartiles.

What the two promise with that reply differs.  sluice has every rule on the disk (its store is a file beside this
run's other files; --dir chooses the disk) and in effect in its worker; Open vSwitch has it in its tables, and forgets
it when it ends.
"""
import argparse
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

BUILT = os.getcwd()
ADD, MODIFY_STRICT, DELETE, DELETE_STRICT = 0, 2, 3, 4
FLOW_MOD, BARRIER, BARRIER_REPLY, ERROR, MULTIPART, MULTIPART_REPLY = 14, 20, 21, 1, 18, 19
ECHO, ECHO_REPLY, ANY = 2, 3, 0xffffffff


# ---- OpenFlow 1.3 on the wire (TS-023, 7.2.3 and 7.3.4.2) ----------------------------------------------------------

def message(kind, body, xid=1):
    return struct.pack("!BBHI", 4, kind, 8 + len(body), xid) + body


def field(number, value, mask=None):
    octets = value + (mask or b"")
    return struct.pack("!HBB", 0x8000, number << 1 | (mask is not None), len(octets)) + octets


def match(fields):
    body = b"".join(fields)
    size = 4 + len(body)
    return struct.pack("!HH", 1, size) + body + bytes(-size % 8)


def flow_mod(command, priority, fields, port=None):
    actions = struct.pack("!HHIHxxxxxx", 0, 16, port, 0xffff) if port else b""
    instructions = struct.pack("!HHxxxx", 4, 8 + len(actions)) + actions if command < DELETE else b""
    return message(FLOW_MOD, struct.pack("!QQBBHHHIIIHxx", 0, 0, 0, command, 0, 0, priority, ANY, ANY, ANY, 0) +
                   match(fields) + instructions)


def five_tuple(i, masks):
    """The i-th of many rules; from one mask, or with a prefix length of the source that varies."""
    source = struct.pack("!I", 0x0a000000 | i << 8)
    bits = 32 - i % masks // 8
    mask = struct.pack("!I", 0xffffffff << (32 - bits) & 0xffffffff)
    more = [field(8, bytes([i % 8 << 1]))] if masks > 1 else []  # ip_dscp
    source = bytes(s & m for s, m in zip(source, mask))
    return [field(5, b"\x08\x00"), *more, field(10, bytes([17])),
            field(11, source, mask) if bits < 32 else field(11, source),
            field(12, struct.pack("!I", 0x14000000 | i)), field(15, struct.pack("!H", 1 + i % 60000)),
            field(16, struct.pack("!H", 53))]


def all_of(command, n, masks, port):
    return b"".join(flow_mod(command, 100 + i % 20, five_tuple(i, masks), port) for i in range(n))


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.input = b""
        self.socket.sendall(message(0, b""))
        self.receive(0)

    def receive(self, wanted):
        """The body of the next message of a kind; echo requests are answered, an error is one."""
        while True:
            while len(self.input) < 8 or len(self.input) < struct.unpack("!H", self.input[2:4])[0]:
                got = self.socket.recv(65536)
                if not got:
                    raise RuntimeError("the switch hung up")
                self.input += got
            size = struct.unpack("!H", self.input[2:4])[0]
            one, self.input = self.input[:size], self.input[size:]
            if one[1] == ERROR:
                raise RuntimeError(f"error type {one[9]} code {one[11]}")
            if one[1] == ECHO:
                self.socket.sendall(message(ECHO_REPLY, one[8:]))
            if one[1] == wanted:
                return one[8:]

    def timed(self, octets):
        """Milliseconds to the reply of a barrier behind them."""
        octets += message(BARRIER, b"", 77)
        began = time.monotonic()
        self.socket.sendall(octets)
        self.receive(BARRIER_REPLY)
        return (time.monotonic() - began) * 1e3

    def n_rules(self):
        request = struct.pack("!HHxxxxBxxxIIxxxxQQ", 2, 0, 0xff, ANY, ANY, 0, 0) + match([])
        self.socket.sendall(message(MULTIPART, request))
        return struct.unpack("!I", self.receive(MULTIPART_REPLY)[8 + 16:8 + 20])[0]


# ---- Who is measured -----------------------------------------------------------------------------------------------

class Bed:
    def __init__(self, folder):
        self.work = tempfile.mkdtemp(prefix="sluice-flowmods.", dir=folder)
        self.processes = []

    def start(self, *command):
        with open(os.path.join(self.work, f"{len(self.processes)}.log"), "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                                   stdin=subprocess.DEVNULL,
                                                   env=dict(os.environ, OVS_RUNDIR=self.work)))

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def until(path):
    end = time.monotonic() + 15
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {path}")
        time.sleep(.05)


def sluice(bed):
    at = os.path.join(bed.work, "run")
    os.makedirs(at)
    bed.start(f"{BUILT}/utilities/sluiced", "--run-dir", at, "--db", os.path.join(bed.work, "db"))
    until(f"{at}/mgmt.sock")
    for name in ("a", "b"):
        subprocess.run([f"{BUILT}/utilities/sluice-ctl", "-r", at, "add-port", name, "type=dummy"], check=True)
    return f"{at}/openflow.sock"


def open_vswitch(bed):
    db, unix = os.path.join(bed.work, "conf.db"), f"unix:{bed.work}/db.sock"
    schema = os.environ.get("OVS_SCHEMA", "/usr/share/openvswitch/vswitch.ovsschema")
    subprocess.run(["ovsdb-tool", "create", db, schema], check=True)
    bed.start("ovsdb-server", f"--remote=p{unix}", f"--unixctl={bed.work}/db.ctl", db)
    until(f"{bed.work}/db.sock")
    vsctl = ["ovs-vsctl", "--timeout=20", f"--db={unix}"]
    subprocess.run([*vsctl, "--no-wait", "init"], check=True)
    # Its dummy datapath: nothing of the machine's is touched.
    bed.start("ovs-vswitchd", unix, "--enable-dummy=override", "--disable-system", f"--unixctl={bed.work}/vs.ctl")
    subprocess.run([*vsctl, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail-mode=secure",
                    "protocols=OpenFlow13", "--", "add-port", "br0", "p1", "--", "set", "int", "p1", "type=dummy",
                    "--", "add-port", "br0", "p2", "--", "set", "int", "p2", "type=dummy"], check=True)
    until(f"{bed.work}/br0.mgmt")
    return f"{bed.work}/br0.mgmt"


PEERS = {"sluice": sluice, "Open vSwitch": open_vswitch}


def round_of(connection, n, found):
    """Adds, changes and takes away again; what is there afterwards is counted."""
    before = connection.n_rules()
    for masks in (1, 64):
        for what, command, port, there in (("add", ADD, 1, n), ("modify strict", MODIFY_STRICT, 2, n),
                                           ("delete strict", DELETE_STRICT, None, 0), ("add again", ADD, 2, n),
                                           ("delete at once", DELETE, None, 0)):
            octets = flow_mod(DELETE, 0, [field(5, b"\x08\x00"), field(10, bytes([17]))]) if command == DELETE \
                else all_of(command, n, masks, port)
            took = connection.timed(octets)
            if connection.n_rules() != before + there:
                raise RuntimeError(f"{what}: there are {connection.n_rules()} rules, not {before + there}")
            if what != "add again":
                found.setdefault(f"{what}, {masks} mask{'s' if masks > 1 else ''}", []).append(took)


def quartiles(values):
    if len(values) < 3:
        return f"{statistics.median(values):.0f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--flows", type=int, default=10000)
    options.add_argument("--dir", help="where the stores are: the disk that is measured")
    options.add_argument("--only", action="append", choices=list(PEERS))
    o = options.parse_args()
    bed, found = Bed(o.dir), {}
    try:
        connections = {}
        for name in o.only or PEERS:
            if name != "sluice" and not shutil.which("ovs-vswitchd"):
                print(f"{name}: ovs-vswitchd is not installed: left out", file=sys.stderr)
                continue
            connections[name] = Connection(PEERS[name](bed))
        for _ in range(o.rounds):
            for name, connection in connections.items():
                round_of(connection, o.flows, found.setdefault(name, {}))
    finally:
        bed.end()
    print(f"{o.flows} flow-mods and one barrier: milliseconds to its reply, median of {o.rounds} rounds (quartiles)\n")
    print(f"{'who':13} {'what':24} {'ms':>20} {'flow-mods/s':>12} {'to Open vSwitch':>16}")
    for what in next(iter(found.values())):
        for name, rows in found.items():
            theirs = found.get("Open vSwitch", {}).get(what)
            ratio = f"{statistics.median(a / b for a, b in zip(rows[what], theirs)):.2f}" \
                if theirs and name == "sluice" else "-"
            rate = f"{o.flows / statistics.median(rows[what]) * 1e3:.0f}"
            print(f"{name:13} {what:24} {quartiles(rows[what]):>20} {rate:>12} {ratio:>16}")


if __name__ == "__main__":
    main()
