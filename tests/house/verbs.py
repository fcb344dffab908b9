# SPDX-License-Identifier: Apache-2.0
"""Every verb of ctl/verbs.def says how it is used and what it does, and its man page names it."""
import re

import house


def check(tree):
    verbs = house.rows(tree, "ctl/verbs.def", "VERB")
    if tree.has("ctl/verbs.def") and not verbs:
        yield "ctl/verbs.def: no rows VERB(…)"
    for row in verbs:
        texts = [t for t in (" ".join(re.findall(r'"((?:\\.|[^"\\])*)"', cell)).strip() for cell in row)]
        strings = [texts[i] for i, cell in enumerate(row) if '"' in cell]
        name = strings[0] if strings else row[0]
        if len(strings) < 3:
            yield f"{name}: name, usage and help are wanted"
        elif not strings[-1] or len(strings[-1].split()) < 2:
            yield f"{name}: its help says nothing"


house.run(check, [
    ({"ctl/verbs.def": 'VERB("show", "", "", verb_show)\n'}, "show: its help says nothing"),
    ({"ctl/verbs.def": 'VERB("show", verb_show)\n'}, "show: name, usage and help are wanted"),
    ({"ctl/verbs.def": "\n"}, "no rows"),
])
