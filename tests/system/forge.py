#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a stranger who forges a connection's aggregates costs it, over AF_XDP on veth.

The bed of the demo; B's clean site sends a steady stream over its connection.  The forger knows the gateway's
address, the SPI and, if he likes, the far end's address, and sends out of the network between, so by the same line and
queue as the real aggregates.  He has the second core, as have all others but the gateway's worker, whose is the first.

  the rate     how many aggregates that fail their ICV the worker can take, offered more than that
  ROUNDS of    the stream alone; beside forgeries at half that rate; beside as many as the forger can send, from a
               source that an early rule excludes

Judged are medians of the share of the stream's packets that come out behind the gateway.  A round in which the
machine stood still is taken again, at most twice.  All rows are printed.  By hand, as root:

    PATH=BUILD/utilities:$PATH abs_top_builddir=BUILD tests/system/forge.py
"""
import json
import os
import secrets
import shutil
import socket
import statistics
import struct
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "demo"))
from bed import CONNS, LENGTH, Bed, Failure, in_bed  # noqa: E402 (no octet of it is kept beside it)

REPEAT = os.path.join(os.environ.get("abs_top_builddir", os.path.join(HERE, "..", "..")), "tests", "system", "repeat")
CONN, HOST = CONNS[1][:2]       # B's clean site; its outer address is 198.51.100.HOST
SPI = 0x1001                    # as Bed.configure() gives them
EXCLUDED = "198.51.100.66"
STREAM = 30                     # Mbit/s
PER_S = STREAM * 1e6 / 8 / LENGTH
FORGED = 1372                   # octets behind the ESP header: an outer packet of 1,400, as full aggregates are
SEQ_AT = 14 + 20 + 4            # of the sequence number in the frame
ROUNDS, SECONDS, AGAIN = 5, 0.75, 2
GOODPUT = 0.95
OFFERED = 0.8                   # of the forgeries that were planned
STEADY = 0.9                    # of the stream is sent; with less the machine stood still,
WAITED = 0.03                   # and when the worker has waited for its core for more than this part of the time
# Niceness: the machine may be busy with other things, of which nothing is to be learned here.
WEIGHT = {"worker": -20, "stream": -18, "forger": -12}
TOOLS = ("ip", "nft", "tc", "ethtool", "nsenter", "iperf3", "taskset", "ss")


def aggregate(mac, source):
    """A frame to the gateway: ESP with the connection's SPI and octets that nobody sealed."""
    esp = struct.pack("!II", SPI, 0) + secrets.token_bytes(FORGED)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(esp), 0, 0x4000, 64, 50, 0, socket.inet_aton(source),
                     socket.inet_aton("203.0.113.1"))
    half = sum(struct.unpack("!10H", ip))
    half = (half & 0xffff) + (half >> 16)
    ip = ip[:10] + struct.pack("!H", ~(half + (half >> 16)) & 0xffff) + ip[12:]
    return bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000000099") + b"\x08\x00" + ip + esp


def weigh(pid, thread, nice):
    """Against all others, also where the kernel gives each session the same share."""
    os.setpriority(os.PRIO_PROCESS, thread, nice)
    if os.path.exists(f"/proc/{pid}/autogroup"):
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as f:
            f.write(str(nice))


class Forge(Bed):
    bottleneck = 1000
    cores = sorted(os.sched_getaffinity(0))[:2]

    def start(self, where, name, *command):
        if name in self.programs:
            command += ("--workers", str(self.cores[name == "agg"]))
        child = super().start(where, name, "taskset", "-c", str(self.cores[1]), *command)
        weigh(child.pid, child.pid, WEIGHT["forger" if name.startswith("forger") else "stream"])
        return child

    def find_worker(self):
        """The thread whose core is the first."""
        for thread in map(int, os.listdir(f"/proc/{self.pid['gw']}/task")):
            if os.sched_getaffinity(thread) == {self.cores[0]}:
                weigh(self.pid["gw"], thread, WEIGHT["worker"])
                return thread
        raise Failure(f"no worker on core {self.cores[0]}")

    def begin(self):
        self.worker = self.find_worker()
        mac = json.loads(self.run("ip", "-j", "link", "show", "dev", "wan", where="gw"))[0]["address"]
        for name, source in (("far end's", f"198.51.100.{HOST}"), ("excluded", EXCLUDED)):
            with open(os.path.join(self.work, name), "wb") as f:
                f.write(aggregate(mac, source))
        self.ctl("gw", "add-flow", f"priority=30,outer_ipv4_src={EXCLUDED},actions=drop")
        print(f"  {'':<26} forged/s     ICV/s   early/s  no room/s    sent/s  goodput   share   busy  waited")

    def server(self):
        self.start("rcv", "iperf-b", "iperf3", "-s", "-p", "5202")
        self.until("the receiver's server", lambda: ":5202 " in self.run("ss", "-Hltn", where="rcv"))

    def stream(self):
        self.start("src", "iperf-b-client", "iperf3", "-c", "10.9.0.2", "-p", "5202", "-B", "10.2.0.2", "--cport", "6202",
                   "-u", "-b", f"{STREAM}M", "-l", str(LENGTH), "-t", "86400")
        before = self.counted("iperf-b", "net", "rx")
        self.until("the stream", lambda: self.counted("iperf-b", "net", "rx") > before + PER_S)

    # ---- What was counted ---------------------------------------------------------------------

    def waited(self):
        """Seconds that the worker has waited for its core."""
        with open(f"/proc/{self.pid['gw']}/task/{self.worker}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[1]) / 1e9

    def counted(self, program, device, way):
        """Packets of a device where the program is.  Read by itself it takes no time, also on a busy machine."""
        with open(f"/proc/{self.pid[program]}/net/dev", encoding="ascii") as f:
            fields = next(line for line in f if line.lstrip().startswith(device + ":")).split(":")[1].split()
        return int(fields[1 if way == "rx" else 9])

    def reading(self):
        gw = json.loads(self.ctl("gw", "--json", "stats"))
        wan = next(p for p in gw["ports"] if p["name"] == "wan")
        return {"sent": self.counted("agg", "to-" + CONN, "tx"), "delivered": self.counted("iperf-b", "net", "rx"),
                "seconds": time.monotonic(), "waited": self.waited(),
                "icv": gw["packets"]["dropped"]["esp-icv"], "early": gw["packets"]["dropped"]["early"],
                "n_early": next(c for c in gw["conns"] if c["name"] == CONN)["counters"]["n_early"],
                "no_room": wan["readings"]["kernel_rx_dropped"], "busy": gw["workers"][0]["busy_ns"] / 1e9}

    def row(self, label, source=None, rate=0, seconds=SECONDS):
        """What a second of it brought, with forgeries from `source`, if any; rate 0: all that the forger can send."""
        forger = None
        if source:
            name = f"forger-{len(self.children)}"
            forger = self.start("wan", name, REPEAT, os.path.join(self.work, source), "gw", str(rate), str(SEQ_AT))
            self.forgeries_come(name)
        before = self.reading()
        time.sleep(seconds)
        after = self.reading()
        took = after["seconds"] - before["seconds"]
        row = {k: (after[k] - before[k]) / took for k in after}
        row.update(forged=0.0, rate=rate, source=source)
        if forger:
            forger.terminate()
            forger.wait(10)
            with open(os.path.join(self.work, name + ".log"), encoding="ascii") as f:
                sent, lasted = f.read().split()
            row["forged"] = int(sent) / float(lasted)
        row["share"] = row["delivered"] / row["sent"] if row["sent"] else 0.0
        print(f"  {label:<26} {row['forged']:8.0f}  {row['icv']:8.0f}  {row['early']:8.0f}  {row['no_room']:9.0f}  "
              f"{row['sent']:8.0f} {row['delivered']:8.0f}  {100 * row['share']:5.1f} %  {100 * row['busy']:3.0f} %"
              f"  {100 * row['waited']:4.0f} %", flush=True)
        return row

    def forgeries_come(self, name):
        dropped = ("icv", "early")
        before = self.reading()

        def come():
            if self.children[-1][1].poll() is not None:
                with open(os.path.join(self.work, name + ".log"), encoding="ascii") as f:
                    raise Failure(f"the forger ended: {f.read()}")
            now = self.reading()
            return sum(now[k] - before[k] for k in dropped) > 1000
        self.until("the forgeries", come)

    def steady(self, row):
        """The machine did not stand still: each had the time for what was planned."""
        return row["sent"] >= STEADY * PER_S and row["forged"] >= OFFERED * row["rate"] and row["waited"] <= WAITED

    def round(self, label, source=None, rate=0):
        for i in range(1 + AGAIN):
            row = self.row(label + (", again" if i else ""), source, rate)
            if self.steady(row):
                break
        return row

    def full(self, row):
        """The worker was offered more than it could take, and had nothing else to wait for."""
        return row["no_room"] > row["icv"] / 50 and row["waited"] <= 1 - STEADY

    def flood_alone(self):
        for i in range(1 + AGAIN):
            row = self.row("forgeries alone" + (", again" if i else ""), "far end's")
            if self.full(row):
                break
        return row

    # ---- What is promised ---------------------------------------------------------------------

    def admission(self):
        """An aggregate meter over a live connection needs unverified=yes."""
        flow = f"priority=20,in_port={CONN},actions=meter:1,NORMAL"
        self.ctl("gw", "add-meter", "meter=1,aggregate,pktps,bands=type=drop,rate=100000")
        said = self.finish("sluice-ctl", "-r", os.path.join(self.work, "gw"), "--json", "add-flow", flow)
        error = json.loads(said.stderr) if said.stderr else {}
        self.expect(f"an aggregate meter over a live connection is refused ({error.get('code')}, {error.get('field')})",
                    said.returncode == 1 and (error.get("code"), error.get("field")) == ("needs-force", "unverified"))
        self.ctl("gw", "add-flow", "unverified=yes," + flow)
        dump = self.ctl("gw", "dump-flows")
        self.expect("with unverified=yes it is not, and says so", "unverified=yes" in dump)
        self.ctl("gw", "del-flows", f"in_port={CONN}")
        self.ctl("gw", "add-flow", f"priority=20,in_port={CONN},outer_ipv4_src={EXCLUDED},actions=meter:1,NORMAL")
        self.ctl("gw", "del-flows", f"in_port={CONN}")

    def forgeries(self):
        self.admission()
        self.begin()
        self.server()
        flood = [self.flood_alone() for _ in range(3)]
        rate = statistics.median(row["icv"] for row in flood)
        self.expect(f"the worker can take {rate:.0f} failing ICVs a second; more were offered",
                    all(map(self.full, flood)))
        self.stream()
        rounds = [(self.round("the stream alone"), self.round("half the rate", "far end's", int(rate / 2)),
                   self.round("excluded, all that can be", "excluded")) for _ in range(ROUNDS)]
        alone, half, excluded = ({k: statistics.median(r[i][k] for r in rounds) for k in rounds[0][0] if k != "source"}
                                 for i in range(3))
        self.expect(f"the bed carries the stream: {100 * alone['share']:.1f} % of {alone['sent']:.0f} packets/s",
                    alone["share"] >= 0.98 and alone["sent"] >= STEADY * PER_S)
        self.expect(f"beside {half['icv']:.0f} failing ICVs/s, {100 * half['icv'] / rate:.0f} % of that rate, it keeps "
                    f"{100 * half['share'] / alone['share']:.1f} % of its goodput",
                    half["icv"] >= OFFERED * rate / 2 and half["share"] >= GOODPUT * alone["share"])
        self.expect(f"beside {excluded['early']:.0f} early drops/s of {excluded['forged']:.0f} offered it keeps "
                    f"{100 * excluded['share'] / alone['share']:.1f} %",
                    excluded["early"] >= OFFERED * rate / 2 and excluded["share"] >= GOODPUT * alone["share"])
        end = self.reading()
        self.expect(f"all of them count as n_early, {end['n_early']}, and none comes to its ICV",
                    end["n_early"] == end["early"] and not any(r[2]["icv"] for r in rounds))


def main():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    for lacks, what in ((os.geteuid(), "root"), (missing, ", ".join(missing)),
                        (len(Forge.cores) < 2, "two processors, one for the gateway's worker alone")):
        if lacks:
            print(f"SKIP: needs {what}", file=sys.stderr)
            return 77
    return in_bed(Forge, Forge.forgeries, os.environ.get("SL_KEEP"))


sys.exit(main())
