# SPDX-License-Identifier: Apache-2.0
"""Includes go one way, utilities → ctl → ofproto → datapath → lib, and nobody includes an encapsulation."""
import re

import house

ORDER = ["lib", "datapath", "ofproto", "ctl", "utilities"]


def check(tree):
    for path in tree.files(*ORDER, ext=(".c", ".h", ".def")):
        folder = path.split("/")[0]
        for n, line in enumerate(tree.read(path).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found:
                continue
            target = found.group(1)
            to = target.split("/")[0]
            if "/" in target and to in ORDER and ORDER.index(to) > ORDER.index(folder):
                yield f"{path}:{n}: {folder}/ includes {target}: includes go {' → '.join(reversed(ORDER))}"
            if re.search(r"(^|/)encap-[^/]*$", target):
                yield f"{path}:{n}: includes {target}: an encapsulation is one file that nobody includes"
            if "/" not in target and target != "config.h":
                yield f"{path}:{n}: includes {target}: write the folder too"


house.run(check, [
    ({"lib/a.c": '#include "datapath/pkt.h"\n'}, "lib/ includes datapath/pkt.h"),
    ({"datapath/a.h": '#include "ctl/mgmt.h"\n'}, "datapath/ includes ctl/mgmt.h"),
    ({"datapath/decap.c": '#include "datapath/encap-x.h"\n'}, "nobody includes"),
    ({"ctl/a.c": '#include "mgmt.h"\n'}, "write the folder"),
])
