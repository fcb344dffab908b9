# SPDX-License-Identifier: Apache-2.0
"""No constructors: rows name their objects, nothing registers itself at run time."""
import re

import house


def check(tree):
    for path in tree.files("lib", "datapath", "ofproto", "ctl", "utilities"):
        for n, line in enumerate(house.code(tree.read(path)).splitlines(), 1):
            if re.search(r"__attribute__.*\b(_*constructor_*|_*destructor_*)\b|\[\[.*constructor", line):
                yield f"{path}:{n}: a constructor; write a row in a .def list"


house.run(check, [
    ({"lib/a.c": "static void __attribute__((constructor)) init(void)\n{\n}\n"}, "lib/a.c:1"),
    ({"lib/a.c": "__attribute__((__constructor__(101))) static void f(void);\n"}, "lib/a.c:1"),
])
