# SPDX-License-Identifier: Apache-2.0
"""Every interface header opens with an essay: what, how it fits, who owns what, which thread.  A machine sees
only that there are a few sentences."""
import re

import house

WORDS = 20


def check(tree):
    for path in tree.files("lib", "datapath", "ofproto", "ctl", ext=(".h",)):
        text = re.sub(r"^/\* SPDX[^\n]*\n", "", tree.read(path))
        found = re.match(r"\s*/\*(.*?)\*/", text, flags=re.S)
        if not found or len(re.findall(r"\w+", found.group(1))) < WORDS:
            yield f"{path}: opens without an essay of at least {WORDS} words"


house.run(check, [
    ({"lib/a.h": "/* SPDX-License-Identifier: Apache-2.0 */\n#ifndef A\n#endif\n"}, "lib/a.h"),
    ({"ctl/a.h": "/* SPDX-License-Identifier: Apache-2.0 */\n/* The a. */\n"}, "ctl/a.h"),
])
