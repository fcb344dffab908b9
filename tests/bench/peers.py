#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sluice beside its peers: what dropping a packet costs the processor, over veth, as ratios of one run.

    gen0 ══ dut0      sl-bg: the flood, on the second core          sl-bd: who drops, on the first

Every round measures every row once, so that what the machine does otherwise hits all alike; shown are medians and
quartiles of rounds.  A row of AF_XDP is what it costs above the bare loop of the same round; its ratio is to Open
vSwitch's row of the same round.  What each calls busy:

  bare loop      time of turns of its loop that received something (rxloop.c)
  sluice         `stats --json`, busy_ns of the worker: turns that did something, the clock's reading included
  Open vSwitch   pmd-stats-show, processing cycles: what is left of a PMD's time without polls that found nothing
  testpmd        knows no busy time; it is there for the rate
  nftables,      time that the NAPI thread of dut0 was on the processor: the kernel's whole way of receiving is in
  iptables       it, which for AF_XDP rows is spent in the flood's context.  So these stand apart, not above the loop

Whoever is offered less than 3 million packets a second and drops all of them says nothing about his bound, and
neither does one who waited for the processor; both are marked.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

GEN, DUT = "sl-bg", "sl-bd"
MAC = "02:00:00:00:01:02"
BUILT = os.getcwd()
FLOOR_PPS = 3e6
MASKS = ["", ",nw_src=10.1.0.0/16", ",nw_src=10.0.0.0/8", ",nw_ttl=64", ",nw_tos=0", ",nw_dst=10.2.0.0/16",
         ",nw_src=10.1.0.0/16,nw_ttl=64", ",nw_dst=10.2.0.2"]  # as utilities/bench/rules.c has them
RULES = {
    "1000 rules in 8 masks": [f"in_port=1,udp,tp_dst={i}{MASKS[i % 8]},actions=drop" for i in range(1, 1001)],
    "3 rules": ["priority=30,in_port=1,udp,nw_src=10.1.0.7,actions=drop",
                "priority=20,in_port=1,udp,tp_dst=80,actions=drop",
                "priority=10,in_port=1,udp,tp_src=53,actions=drop",
                "priority=0,actions=drop"],
}
ROWS = [("1000 rules in 8 masks", t) for t in ("1", "1000", "100000", "spoof")] + \
       [("3 rules", t) for t in ("1000", "spoof", "explode")]


def run(*command, **more):
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def at(name, *command, **more):
    return run("nsenter", f"--net=/run/netns/{name}", "--", *command, **more)


def until(what, test, seconds=10):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(.05)


class Bed:
    """Two namespaces, a veth, and every process that was begun in them."""

    def __init__(self, seconds):
        self.seconds, self.processes = seconds, []
        self.work = tempfile.mkdtemp(prefix="sluice-peers.")

    def up(self):
        for name in (GEN, DUT):
            if os.path.exists(f"/run/netns/{name}"):
                raise RuntimeError(f"{name} is there already: another run?")
            run("ip", "netns", "add", name)
            at(name, "ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "gen0", "netns", GEN, "type", "veth", "peer", "name", "dut0", "netns", DUT,
            "address", MAC)
        for name, dev in ((GEN, "gen0"), (DUT, "dut0")):
            at(name, "sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1")
            at(name, "ip", "link", "set", dev, "up")
        # Without a NAPI at the receiving end a redirected frame is lost; GRO brings one.
        at(DUT, "ethtool", "-K", "dut0", "gro", "on")

    def down(self):
        self.end_all()
        for name in (GEN, DUT):
            if os.path.exists(f"/run/netns/{name}"):
                subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def start(self, name, *command, core=None):
        """A process in a namespace; its output in a file."""
        pin = ["taskset", "-c", str(core)] if core is not None else []
        log = open(os.path.join(self.work, f"{len(self.processes)}.log"), "w+", encoding="utf-8")
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{name}", "--", *pin, *command], stdout=log,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=dict(os.environ, OVS_RUNDIR=self.work))
        process.log = log
        self.processes.append(process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def end_all(self):
        for process in reversed(self.processes):
            self.end(process)
            process.log.close()
        self.processes.clear()

    def said(self, process):
        with open(process.log.name, encoding="utf-8") as log:
            return log.read()

    def bare_device(self):
        """An XDP program outlives a process that was killed."""
        for mode in ("xdp", "xdpdrv"):
            subprocess.run(["nsenter", f"--net=/run/netns/{DUT}", "--", "ip", "link", "set", "dut0", mode, "off"],
                           check=False, stderr=subprocess.DEVNULL)
        at(DUT, "ethtool", "-K", "dut0", "gro", "on")
        at(DUT, "ip", "link", "set", "dut0", "up")

    def has_program(self):
        return "prog/xdp" in at(DUT, "ip", "link", "show", "dev", "dut0")

    def flood(self, traffic, reading, warm=.6):
        """What `reading` (packets, busy ns) said between two moments of one flood."""
        flood = self.start(GEN, f"{BUILT}/tests/bench/flood", "gen0", MAC, str(warm + self.seconds + .5), traffic,
                           core=1)
        time.sleep(warm)
        stall, began, before = stalled(), time.monotonic(), reading()
        time.sleep(self.seconds)
        after, took = reading(), time.monotonic() - began
        stall = (stalled() - stall) / took / 1e6
        flood.wait(30)
        packets, busy = after[0] - before[0], after[1] - before[1]
        offered = self.said(flood).strip()
        if not offered.isdigit():
            raise RuntimeError(f"the flood said: {offered}")
        return {"offered": float(offered), "pps": packets / took, "ns": busy / packets if packets else None,
                "stall": stall}


def stalled():
    """Microseconds that some task has waited for a processor."""
    with open("/proc/pressure/cpu", encoding="ascii") as pressure:
        return int(re.search(r"^some.*total=(\d+)", pressure.read(), re.M).group(1))


# ---- Who drops ----------------------------------------------------------------------------------------------------

class Bare:
    name = "bare loop"

    def missing(self):
        return None

    def measure(self, bed):
        loop = bed.start(DUT, f"{BUILT}/tests/bench/rxloop", "dut0", core=0)
        until("the bare loop", lambda: "ready" in bed.said(loop))

        def reading():
            lines = bed.said(loop).count("\n")
            os.kill(loop.pid, signal.SIGUSR1)
            until("its answer", lambda: bed.said(loop).count("\n") > lines)
            return tuple(float(n) for n in bed.said(loop).split("\n")[-2].split())

        yield "", "1000", bed.flood("1000", reading)


class Sluice:
    name = "sluice"

    def missing(self):
        return None

    def measure(self, bed):
        at_run = os.path.join(bed.work, "run")
        os.makedirs(at_run, exist_ok=True)
        bed.start(DUT, f"{BUILT}/utilities/sluiced", "--run-dir", at_run, "--db", ":memory:", "--workers", "0",
                  "--spin", "1000")

        def ctl(*words):
            return run(f"{BUILT}/utilities/sluice-ctl", "-r", at_run, *words)

        until("sluiced", lambda: os.path.exists(os.path.join(at_run, "mgmt.sock")))
        ctl("add-port", "in", "type=afxdp", "dev=dut0", "host=none", "ofport=1")

        def reading():
            worker = json.loads(ctl("stats", "--json"))["workers"][0]
            return worker["packets"], worker["busy_ns"]

        for rules, traffic in ROWS:
            if getattr(self, "rules", None) != rules:
                path = os.path.join(bed.work, "flows")
                with open(path, "w", encoding="ascii") as flows:
                    flows.write("\n".join(RULES[rules]) + "\n")
                ctl("replace-flows", path)
                self.rules = rules
            yield rules, traffic, bed.flood(traffic, reading)
        self.rules = None


class OpenVswitch:
    name = "Open vSwitch"

    def missing(self):
        needed = ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "ovs-ofctl", "ovs-appctl", "ovsdb-tool")
        return next((f"{tool} is not installed" for tool in needed if not shutil.which(tool)), None)

    def open(self, bed):
        db, unix = os.path.join(bed.work, "conf.db"), f"unix:{bed.work}/db.sock"
        if os.path.exists(db):
            os.unlink(db)
        run("ovsdb-tool", "create", db, os.environ.get("OVS_SCHEMA", "/usr/share/openvswitch/vswitch.ovsschema"))
        bed.start(DUT, "ovsdb-server", f"--remote=p{unix}", f"--unixctl={bed.work}/db.ctl", db)
        until("ovsdb-server", lambda: os.path.exists(f"{bed.work}/db.sock"))
        self.vsctl = ["ovs-vsctl", "--timeout=20", f"--db={unix}"]
        run(*self.vsctl, "--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
        bed.start(DUT, "ovs-vswitchd", unix, f"--unixctl={bed.work}/vs.ctl")
        run(*self.vsctl, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure",
            "--", "add-port", "br0", "dut0", "--", "set", "int", "dut0", "type=afxdp", "ofport_request=1")
        until("its XDP program", bed.has_program)

    def pmd(self, bed, verb):
        return run("ovs-appctl", "-t", f"{bed.work}/vs.ctl", f"dpif-netdev/pmd-stats-{verb}")

    def reading(self, bed):
        """Of the PMD thread alone: packets received, and what it was busy for."""
        pmd = re.split(r"^main thread", self.pmd(bed, "show"), flags=re.M)[0]
        packets = int(re.search(r"packets received: (\d+)", pmd).group(1))
        cycles = re.search(r"processing cycles: (\d+)", pmd)
        return packets, int(cycles.group(1)) / tsc_ghz() if cycles else 0

    def measure(self, bed):
        self.open(bed)
        last = None
        for rules, traffic in ROWS:
            if rules != last:
                path = os.path.join(bed.work, "flows")
                with open(path, "w", encoding="ascii") as flows:
                    flows.write("\n".join(RULES[rules]) + "\n")
                run("ovs-ofctl", "del-flows", f"unix:{bed.work}/br0.mgmt")
                run("ovs-ofctl", "add-flows", f"unix:{bed.work}/br0.mgmt", path)
                last = rules
            yield rules, traffic, bed.flood(traffic, lambda: self.reading(bed), 1.2)
        run(*self.vsctl, "del-br", "br0")


def tsc_ghz():
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        return float(re.search(r"^bogomips\s*: ([\d.]+)", cpuinfo.read(), re.M).group(1)) / 2000


class Testpmd:
    name = "testpmd"

    def missing(self):
        return None if shutil.which("dpdk-testpmd") else "dpdk-testpmd (Debian: dpdk-dev) is not installed"

    def measure(self, bed):
        bed.start(DUT, "dpdk-testpmd", "--no-huge", "-m", "1024", "--no-pci", "--no-shconf", "--no-telemetry",
                  "--lcores", "0@0,1@0", "--vdev", "net_af_xdp0,iface=dut0,busy_budget=0", "--",
                  "--forward-mode=rxonly", "--auto-start", "--total-num-mbufs=16384", "--stats-period=1", core=0)
        until("its XDP program", bed.has_program)

        def reading():
            counters = at(DUT, "ethtool", "-S", "dut0")
            return int(re.search(r"rx_queue_0_xdp_redirect: (\d+)", counters).group(1)), 0

        yield "", "1000", bed.flood("1000", reading)


class Kernel:
    """Rules of the kernel's: dut0's NAPI is a thread on the first core, whose time is what dropping costs."""

    def napi(self, on):
        # The /sys that shows a namespace's devices is one that was mounted in it.
        at(DUT, "unshare", "-m", "sh", "-c",
           f"mount -t sysfs sysfs /sys && echo {int(on)} >/sys/class/net/dut0/threaded")
        if not on:
            return None
        found = [pid for pid in os.listdir("/proc") if pid.isdigit() and self.comm(pid).startswith("napi/dut0")]
        run("taskset", "-pc", "0", found[-1])
        return found[-1]

    @staticmethod
    def comm(pid):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
                return comm.read()
        except OSError:
            return ""

    def measure(self, bed):
        pid = self.napi(True)
        try:
            for rules, begin, count, end in self.rows(bed):
                begin()

                def reading(count=count):
                    with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
                        return count(), int(stat.read().split()[0])

                yield rules, "1000", bed.flood("1000", reading)
                end()
        finally:
            self.napi(False)


class Nftables(Kernel):
    name = "nftables"

    def missing(self):
        return None if shutil.which("nft") else "nft is not installed"

    def rows(self, bed):
        del bed
        words = {"nw_src": "ip saddr", "nw_dst": "ip daddr", "nw_ttl": "ip ttl", "nw_tos": "ip dscp"}

        def rule(i):
            more = [w.split("=") for w in MASKS[i % 8].split(",") if w]
            return "".join(f"{words[k]} {v} " for k, v in more) + f"udp dport {i} counter name c drop;"

        for name, body in (("1000 rules in 8 masks", "".join(rule(i) for i in range(1, 1001))),
                           ("a set of 1000 ports",
                            f"udp dport {{ {','.join(str(i) for i in range(1, 1001))} }} counter name c drop;")):
            text = ("table netdev t { counter c { }; chain i { type filter hook ingress device dut0 priority 0; "
                    f"policy accept; {body} }}; }}")
            yield (name, lambda text=text: at(DUT, "nft", "-f", "-", input=text),
                   lambda: int(re.search(r"packets (\d+)", at(DUT, "nft", "list", "counters")).group(1)),
                   lambda: at(DUT, "nft", "flush", "ruleset"))


class Iptables(Kernel):
    name = "iptables"

    def missing(self):
        return None if shutil.which("iptables-legacy") else "iptables is not installed"

    def rows(self, bed):
        del bed
        table = ["iptables-legacy", "-t", "raw"]
        for name, words in (("xt_bpf, one rule", ["-m", "bpf", "--bytecode", "1,6 0 0 65535"]),
                            ("hashlimit by port", ["-p", "udp", "-m", "hashlimit", "--hashlimit-above", "10/sec",
                                                   "--hashlimit-mode", "dstport", "--hashlimit-name", "bench"])):
            yield (name, lambda words=words: at(DUT, *table, "-A", "PREROUTING", "-i", "dut0", *words, "-j", "DROP"),
                   lambda: int(re.search(r"^\s*(\d+)\s+\d+ DROP", at(DUT, *table, "-nvxL", "PREROUTING"),
                                         re.M).group(1)),
                   lambda: at(DUT, *table, "-F"))


# ---- Rounds and the table -------------------------------------------------------------------------------------------

def round_of(bed, peers, results, number):
    for peer in peers:
        try:
            bed.bare_device()
            for rules, traffic, row in peer.measure(bed):
                rows = results.setdefault((peer.name, rules, traffic), {})
                if number not in rows or row["ns"] < rows[number]["ns"]:
                    rows[number] = row
                ns = "-" if row["ns"] is None else f"{row['ns']:.0f}"
                print(f"  round {number + 1}: {peer.name}, {rules or 'no rules'}, {traffic}: "
                      f"{row['pps'] / 1e3:.0f} kpps of {row['offered'] / 1e3:.0f}, {ns} ns, waiting {row['stall']:.0%}",
                      file=sys.stderr)
        finally:
            bed.end_all()


def summary(values):
    """Median and quartiles as text."""
    if not values:
        return "-"
    if len(values) < 3:
        return f"{statistics.median(values):.0f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def paired(results, a, b, combine):
    """combine(a, b) of the rounds that both have."""
    a, b = results.get(a, {}), results.get(b, {})
    return [combine(a[n]["ns"], b[n]["ns"]) for n in sorted(a.keys() & b.keys()) if a[n]["ns"] and b[n]["ns"]]


def above(results, key):
    return paired(results, key, (Bare.name, "", "1000"), lambda x, y: x - y)


def ratios(results, key):
    """To Open vSwitch's row of the same round, both above the bare loop."""
    bare = results.get((Bare.name, "", "1000"), {})
    mine, theirs = results.get(key, {}), results.get((OpenVswitch.name, *key[1:]), {})
    found = []
    for n in mine.keys() & theirs.keys() & bare.keys():
        mine_ns, theirs_ns = mine[n]["ns"] - bare[n]["ns"], theirs[n]["ns"] - bare[n]["ns"]
        if mine_ns > 0 and theirs_ns > 0:
            found.append(mine_ns / theirs_ns)
    return found


def table(results, rounds):
    afxdp = (Sluice.name, OpenVswitch.name)
    print(f"\nDropping over veth, nanoseconds of one core per packet: median of {rounds} rounds (quartiles)\n")
    print(f"{'who':13} {'rules':22} {'flows':8} {'above the bare loop':>22} {'whole':>22} "
          f"{'to Open vSwitch':>16} {'dropped':>8} {'offered':>8}")
    for key in sorted(results, key=lambda k: (k[1] not in RULES, k[1], k[2], k[0])):
        rows = list(results[key].values())
        offered, pps = (statistics.median(r[k] for r in rows) for k in ("offered", "pps"))
        ratio = ratios(results, key) if key[0] in afxdp else []
        marks = "*" * (offered < FLOOR_PPS) + "w" * (statistics.median(r["stall"] for r in rows) > .2)
        print(f"{key[0]:13} {key[1] or '-':22} {key[2]:8} "
              f"{summary(above(results, key)) if key[0] in afxdp else '-':>22} "
              f"{summary([r['ns'] for r in rows if r['ns']]):>22} "
              f"{f'{statistics.median(ratio):.2f}' if ratio else '-':>16} {pps / 1e6:7.2f}M {offered / 1e6:7.2f}M{marks}")
    print("\n*: offered less than 3 million a second: says nothing about the bound of whoever dropped all of it."
          "\nw: somebody waited for a processor more than a fifth of the time: ratios only, and with care."
          "\nnftables and iptables have the kernel's whole receiving in their time; for the others the flood pays it.")


def be_nice(n):
    """Where sessions are scheduled as groups, the group's niceness is what counts."""
    os.nice(n)
    if n and os.path.exists("/proc/self/autogroup"):
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write(str(n))


def main():
    parser = argparse.ArgumentParser(description="sluice beside its peers; see docs/bench.md")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured, of each flood")
    parser.add_argument("--only", default=".", help="peers whose names match; the bare loop always")
    parser.add_argument("--nice", type=int, default=0, help="of everything begun here; -10 on a shared machine")
    parser.add_argument("--json", metavar="FILE", help="all rounds, for machines")
    asked = parser.parse_args()
    if os.geteuid() or os.cpu_count() < 2:
        print("SKIP: needs root and two processors", file=sys.stderr)
        sys.exit(77)
    peers, results = [Bare()], {}
    for peer in (Sluice(), OpenVswitch(), Testpmd(), Nftables(), Iptables()):
        missing = peer.missing()
        if missing:
            print(f"not measured: {peer.name}: {missing}", file=sys.stderr)
        elif re.search(asked.only, peer.name):
            peers.append(peer)
    be_nice(asked.nice)
    bed = Bed(asked.seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        bed.up()
        for number in range(asked.rounds):
            # The loop comes first and last: what others do can only add to it, so the lower one is nearer.
            round_of(bed, peers + peers[:1], results, number)
    finally:
        bed.down()
    table(results, asked.rounds)
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as out:
            json.dump([dict(peer=k[0], rules=k[1], flows=k[2], rounds=list(v.values())) for k, v in results.items()],
                      out, indent=1)


main()
