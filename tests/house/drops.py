# SPDX-License-Identifier: Apache-2.0
"""Every drop reason of datapath/drops.def is used by the code and named by a test."""
import re

import house

KINDS = ("DROP", "CONSUME", "MADE")


def missing(tree):
    source = "\n".join(house.code(tree.read(p)) for p in tree.files("datapath", "ofproto", ext=(".c", ".h")))
    tests = "\n".join(tree.read(p) for p in tree.files("tests", ext=(".c", ".h", ".at", ".sh", ".py")))
    for kind in KINDS:
        for row in house.rows(tree, "datapath/drops.def", kind):
            symbol, name = f"{kind}_{row[0]}", row[1].strip('"')
            if not re.search(rf"\b{symbol}\b", source):
                yield f"{symbol} ({name}): no code uses it"
            if kind == "DROP" and not re.search(rf"\b{symbol}\b|(?<![\w-]){re.escape(name)}(?![\w-])", tests):
                yield f"{symbol} ({name}): no test names it"


TREE = {"datapath/drops.def": 'DROP(A, "a-reason", "x")\n', "datapath/a.c": "drop(p, DROP_A);\n"}
house.run(missing, [
    (TREE, "no test names it"),
    ({**TREE, "tests/x.at": "a-reason-2"}, "no test names it"),
    ({**TREE, "datapath/a.c": "/* DROP_A */", "tests/x.at": "a-reason"}, "no code uses it"),
])
