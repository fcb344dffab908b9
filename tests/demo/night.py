# SPDX-License-Identifier: Apache-2.0
"""A night of the demo's network (bed.py) with sluice-watch beside the gateway, and nobody there: what
tests/demo/unattended and tests/system/watch-kill.py share."""
import collections
import datetime
import json
import math
import os
import re
import shlex
import signal
import sys
import time

from bed import CURL, HERE, Bed

# The bound is well above what is lawful here: it is half the bound that a flood has to fall below to be over, and in
# a window of 250 ms four samples of 1 in 64 already stand for 1,000 packets/s.
ABOVE = "3kpps"
KINDS = ["syn", "amplification", "udp", "icmp", "fragment", "other"]
TARGET = "10.9.0.2"
LEARN, CLEAR, HOLD, EXPIRE = 10, 2, 3, 20  # seconds
# Promised of 19 nights in 20: from the flood's first sample to the rule in force, and goodput as a share of before.
FOUND_S, GOODPUT = 2.0, 0.95
# What a single night, on a machine that may be busy with anything, has to keep.
FOUND_LATE_S, GOODPUT_LOW = 4.0, 0.9
LIFTED_S = CLEAR + HOLD + 5.0  # with what a machine busy with other work needs to hear of it
COLLECTOR = 16343
CROWD = 200
RECORD_EVERY = 400  # so that a whole scenario is a small capture


class Night(Bed):
    programs = ("agg", "gw", "watch")
    record = None

    # ---- the watcher -----------------------------------------------------------------------------

    def path(self, *name):
        return os.path.join(self.work, *name)

    def watcher(self):
        """Also a second time, after an end."""
        folder, log = self.path("pipelines"), self.path("watch.log")
        os.makedirs(folder, exist_ok=True)
        for kind in KINDS:
            with open(os.path.join(folder, f"edge-{kind}.watch"), "w", encoding="ascii") as f:
                f.write(f"signal kind={kind} target=address above={ABOVE} times=3 of=2/3 window=250ms learn={LEARN}s "
                        f"clear={CLEAR}s\npolicy mode=automatic\n"
                        f"action limit=usual then=drop after=1s hold={HOLD}s expire={EXPIRE}s\n")
        said = os.path.getsize(log) if os.path.exists(log) else 0
        self.start("gw", "watch", "sluice-watch", "--run-dir", self.path("gw"), "--pipelines", folder, "--state",
                   self.path("state"), "--audit", self.path("audit.json"))

        def ready():
            with open(log, encoding="utf-8") as f:
                f.seek(said)
                return "connected" in f.read() and os.path.exists(self.path("gw", "samples.sock"))
        self.until("sluice-watch", ready)

    def collector(self, name):
        """Beside the watcher, on the same datagrams: when the first sample of the flood came."""
        self.start("gw", "collect", sys.executable, os.path.join(HERE, "collect.py"), str(COLLECTOR),
                   *([os.path.join(self.record, name + ".pcap")] if self.record else []))
        self.until("the collector", lambda: f":{COLLECTOR}" in self.run("ss", "-Hlun", where="gw"))
        self.ctl("gw", "add-collector", f"127.0.0.1:{COLLECTOR}")
        if self.record:
            self.ctl("gw", "set-switch", f"sample={RECORD_EVERY}")

    def begin(self, name):
        self.collector(name)
        self.watcher()
        self.traffic()
        self.until("the first seconds of traffic", lambda: self.counters()["clean"] > 0 and self.iperf_lines())
        print(f"  what the receiver counted, Mbit/s;    {'A':>7} {'B clean':>9} {'B infected':>11} {'pages':>9} {'gw CPU':>9}")
        self.settle(lambda t: False, 3)
        base = self.measure("learning", LEARN)
        self.settle(lambda t: False, 2)
        return base

    def audit(self):
        if not os.path.exists(self.path("audit.json")):
            return []
        with open(self.path("audit.json"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def when(self, what):
        """The wall's time of the first such decision, as it was written; None: there is none yet."""
        for entry in self.audit():
            if entry["what"] == what:
                return datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")).timestamp()
        return None

    def guard(self):
        """Rules of the watcher that are in force."""
        rows = json.loads(self.ctl("gw", "--json", "dump-flows", "--guard"))
        return [row for row in rows if row["origin"] == "watch"]

    def datagrams(self):
        return json.loads(self.ctl("gw", "--json", "list-collectors"))[0]["sent"]

    def infected_port(self):
        return json.loads(self.ctl("gw", "--json", "show-conn", "b-infected"))

    def first_sample(self, since):
        """When the first sample of the infected site came; None: not yet."""
        port = self.port
        with open(self.path("collect.log"), encoding="ascii") as f:
            for line in f:
                entry = json.loads(line) if line.startswith("{") else {"input": None}
                if entry["input"] == port and entry["time"] >= since:
                    return entry["time"]
        return None

    # ---- one night -------------------------------------------------------------------------------

    def good(self, row):
        return row["a"] + row["clean"]

    def night(self):
        show = self.infected_port()
        self.port = (show[0] if isinstance(show, list) else show)["ofport"]
        base = self.begin("night")
        self.expect("nothing is found in lawful traffic", not self.audit())
        for name, child in self.children:
            if name == "collect":
                child.send_signal(signal.SIGUSR1)
        began = time.time()
        self.flood(True)
        times = self.react(began, base)
        stopped = time.time()
        self.flood(False)
        self.lift(stopped, times)
        self.look_back()
        self.times = times

    def react(self, began, base):
        self.until("the first sample of the flood", lambda: self.first_sample(began), 10)
        first = self.first_sample(began)
        rules = []

        def in_force():
            rules[:] = self.guard()
            return rules and self.when("installed")
        t0 = time.monotonic()
        while not in_force() and time.monotonic() - t0 < 10:
            time.sleep(0.05)
        times = {"first": first, "found": (self.when("found") or math.inf) - first,
                 "rule": (self.when("installed") or math.inf) - first}
        self.expect(f"found {times['found']:.2f} s and a rule in force {times['rule']:.2f} s after the flood's first "
                    f"sample ({FOUND_S} s promised, {FOUND_LATE_S} s at most)",
                    0 < times["found"] <= times["rule"] <= FOUND_LATE_S)
        for row in rules:
            print(f"      {row['flow']}\n      {row.get('reason', '')}")
        self.check_rules([row["match"] for row in rules])
        self.settle(lambda t: self.good(t) >= GOODPUT * self.good(base), 20)
        times["goodput"] = time.time() - first
        row = self.measure(f"flood, rule (back in {times['goodput']:.0f} s)", 8)
        times["share"] = self.good(row) / self.good(base)
        self.expect(f"good goodput is {100 * times['share']:.1f} % of before ({100 * GOODPUT:.0f} % promised, "
                    f"{100 * GOODPUT_LOW:.0f} % at least)", times["share"] >= GOODPUT_LOW)
        self.expect("B's clean site is whole", row["clean"] >= GOODPUT_LOW * base["clean"])
        return times

    def check_rules(self, matches):
        self.expect("there is a rule", matches)
        self.expect("no rule is wider than the attack's target", all(
            re.search(rf"(ipv4_dst|nw_dst)={TARGET}(/32)?(,|$)", m) for m in matches))
        self.expect("each is about the infected connection", all("in_port=b-infected" in m for m in matches))

    def lift(self, stopped, times):
        t0 = time.monotonic()
        while self.guard() and time.monotonic() - t0 < EXPIRE + 20:
            self.going_on(f"waiting for the rule's end, {time.monotonic() - t0:.0f} s")
            time.sleep(0.05)
        self.going_on()
        times["lifted"] = time.time() - stopped
        self.expect(f"lifted {times['lifted']:.1f} s after the flood's end (at most {LIFTED_S} s)",
                    times["lifted"] <= LIFTED_S)

    def look_back(self):
        """The audit: every decision, in order, with its numbers."""
        audit = self.audit()
        what = [e["what"] for e in audit]
        rules = [e for e in audit if e["what"] in ("installed", "escalated", "renewed", "lifted")]
        print("    " + " → ".join(what))
        self.expect("the audit is complete: found, installed, escalated, lifted, once each", what[:2] == [
            "found", "installed"] and what[-1] == "lifted" and what.count("escalated") == 1 and len(set(what)) in (4, 5))
        self.expect("in order of time, with target, rule and numbers", [e["time"] for e in audit] == sorted(
            e["time"] for e in audit) and all(e["attack"]["target"] == TARGET and e["attack"]["pps"] >= 0 for e in audit)
            and all(e["rule"] and e["profile"]["n_attack"] and e["reason"] for e in rules))
        self.check_rules([e["rule"] for e in rules])

    # ---- quiet -----------------------------------------------------------------------------------

    def quiet(self, names):
        self.begin(names[0])
        for name in names:
            getattr(self, name)()
            self.settle(lambda t: False, 2)
            found = [f"{e['what']} {e['pipeline']}" for e in self.audit()]
            self.expect(f"{name}: nothing is found{' but ' + ', '.join(found) if found else ''}", not found and not self.guard())
        self.expect("samples came all the while", self.datagrams() > 100)

    def crowd(self):
        """Many clients, a connection each, for pages of 50 kB."""
        curl = shlex.join((*CURL, "-m", "90", "-w", "%{http_code} %{size_download} %{errormsg}\\n", "http://10.1.0.2/page"))
        done = self.finish("sh", "-c", f"seq {CROWD} | xargs -P 40 -I{{}} {curl}", where="rcv", timeout=300)
        said = collections.Counter(done.stdout.splitlines())
        served = sum(n for line, n in said.items() if line.startswith("200 50000"))
        not_all = "" if served == CROWD else f": {dict(said)} {done.stderr[-200:]}"
        self.expect("the crowd is served" + not_all, not not_all)

    def speed_test(self):
        self.start("rcv", "iperf-c", "iperf3", "-s", "-1", "-p", "5203")
        self.until("the speed test's server", lambda: ":5203" in self.run("ss", "-Hltn", where="rcv"))
        done = self.finish("iperf3", "-c", TARGET, "-p", "5203", "-B", "10.1.0.2", "-P", "8", "-t", "8", where="src",
                           timeout=120)
        self.expect("the speed test runs" + done.stderr[-200:], done.returncode == 0)

    def backup(self):
        """Of more than can come in the time."""
        with open(self.path("web", "backup"), "wb") as f:
            f.truncate(1 << 30)
        done = self.finish(*CURL, "-w", "%{size_download}", "-m", "8", "http://10.1.0.2/backup", where="rcv",
                           timeout=60)
        self.expect(f"the backup goes on: {done.stdout} octets", done.returncode == 28 and int(done.stdout) > 100_000)
