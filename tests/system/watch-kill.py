#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the watcher or of the gateway's sluiced, TIMES (6) at random moments of an attack, and started again:
within 5 s the flood is stopped and lawful traffic flows, by a rule that the watcher knows as its own.  Then the
watcher dies for good, and sluiced once more: no rule outlives its expiry."""
import json
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo"))
from bed import in_bed  # noqa: E402 (no octet of it is kept beside it)
from night import EXPIRE, Night  # noqa: E402

TIMES = int(os.environ.get("TIMES", "6"))
WHOLE_S = 5.0
SEED = int(os.environ.get("SEED", str(int(time.time()))))


class Kill(Night):
    def end(self, name, number):
        for entry in [c for c in self.children if c[0] == name]:
            entry[1].send_signal(number)
            entry[1].wait(10)
            self.children.remove(entry)

    def start_again(self, name):
        if name == "watch":
            self.watcher()
        else:
            self.daemon(name, fresh=False)

    def whole(self):
        """The flood is stopped by a rule, and lawful traffic flows."""
        before = self.counters()
        time.sleep(0.25)
        now = self.counters()
        # The first action is a limit of a few packets a second.
        return now["clean"] > before["clean"] and now["infected"] - before["infected"] < 50 and self.guard()

    def attack(self):
        self.begin("kill")
        # What was learned is kept at the watcher's end; how lawful packets look it has to see again.
        self.end("watch", signal.SIGTERM)
        self.watcher()
        self.settle(lambda t: False, 8)
        self.flood(True)
        self.until("a rule", self.whole)
        worst = 0.0
        for i in range(TIMES):
            victim = ("gw", "watch")[i % 2]
            time.sleep(random.uniform(0, 3))
            t0 = time.monotonic()
            self.end(victim, signal.SIGKILL)
            self.start_again(victim)
            self.until(f"round {i + 1}: the loop after kill -9 of {victim}", self.whole, 30)
            took = time.monotonic() - t0
            worst = max(worst, took)
            print(f"  round {i + 1}: {'sluiced' if victim == 'gw' else 'sluice-watch'} killed; whole after {took:.1f} s",
                  flush=True)
        self.expect(f"the loop is whole after {worst:.1f} s at worst (at most {WHOLE_S} s)", worst <= WHOLE_S)
        self.renewed()
        self.alone()

    def renewed(self):
        """By the watcher that found it there: the time that it has left grows from one look to the next."""
        last = [self.guard()[0]["expires_ns"]]

        def grows():
            last.append(self.guard()[0]["expires_ns"])
            return last[-1] > last[-2]
        self.until("a renewal", grows, EXPIRE)
        self.expect("the rule is renewed while the flood lasts", self.whole())

    def alone(self):
        """Nobody renews any more."""
        self.end("watch", signal.SIGKILL)
        rules = self.guard()
        self.expect("there is a rule when the watcher dies", rules)
        until = time.monotonic() + max(row["expires_ns"] for row in rules) / 1e9
        self.end("gw", signal.SIGKILL)
        self.start_again("gw")
        left = [row["expires_ns"] / 1e9 for row in self.guard()]
        self.expect("sluiced, killed too, prolongs none", all(time.monotonic() + s <= until + 1 for s in left))
        self.until("the last rule's end", lambda: not self.guard(), EXPIRE + 5)
        late = time.monotonic() - until
        self.expect(f"no rule outlives its expiry ({late:+.1f} s)", late < 1)
        before = self.counters()["infected"]
        self.until("the flood, let through again", lambda: self.counters()["infected"] > before + 1000)
        self.expect("every line of the audit is whole", all(json.dumps(e) for e in self.audit()))


def main():
    if os.geteuid():
        print("SKIP: needs root", file=sys.stderr)
        return 77
    random.seed(SEED)
    print(f"SEED={SEED}")
    return in_bed(Kill, Kill.attack, os.environ.get("SL_KEEP"))


sys.exit(main())
