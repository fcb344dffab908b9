# SPDX-License-Identifier: Apache-2.0
"""No atomic read-modify-write in datapath/, except where ARCHITECTURE says so: the leases of token buckets
(limits and meters), the keyed tables (limits by key), and members of sets (their counters, their prolonged time)."""
import re

import house

ALLOWED = re.compile(r"^datapath/(bucket|meter|keyed|set-table)[^/]*\.[ch]$")
RMW = re.compile(r"\b(__atomic_(fetch_\w+|\w+_fetch|exchange\w*|compare_exchange\w*|test_and_set)"
                 r"|__sync_\w+|atomic_(fetch_\w+|exchange\w*|compare_exchange\w*)"
                 r"|uatomic_(add|sub|inc|dec|or|and|xchg|cmpxchg)\w*)\s*\(")


def check(tree):
    for path in tree.files("datapath"):
        if ALLOWED.match(path):
            continue
        for n, line in enumerate(house.code(tree.read(path)).splitlines(), 1):
            found = RMW.search(line)
            if found:
                yield f"{path}:{n}: {found.group(1)}: count per worker, or hand it to the owner"


house.run(check, [
    ({"datapath/a.c": "\t__atomic_fetch_add(&n, 1, __ATOMIC_RELAXED);\n"}, "datapath/a.c:1"),
    ({"datapath/a.c": "\n\tuatomic_inc(&n);\n"}, "datapath/a.c:2"),
])
