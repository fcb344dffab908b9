#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""decisions.py: what `sluice-watch --replay` printed, for a test: a line for each decision, then what was lost."""
import json
import re
import sys

for line in sys.stdin:
    e = json.loads(line)
    if e["what"] == "summary":
        rules = e["summary"]["rules"]
        hit, lost = sum(r["packets"] for r in rules), sum(r["lost"] for r in rules)
        assert e["summary"]["read"]["malformed"] == 0 and e["summary"]["samples"] > 100
        print(f"{len(rules)} rules", "all ended" if all(r["ended_ns"] for r in rules) else "some held",
              f"lost {100 * lost / hit:.0f} % of what they hit" if hit else "")
    else:
        rule = re.sub(r"cookie=\w+,", "", e.get("rule", ""))
        print(e["what"], e["pipeline"], e["attack"]["target"], rule)
