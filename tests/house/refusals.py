# SPDX-License-Identifier: Apache-2.0
"""Every refusal of lib/refusals.def stands in docs/admission.md, with the OpenFlow error that says the same."""
import re

import house


def check(tree):
    rows = house.rows(tree, "lib/refusals.def", "REFUSAL")
    told = tree.read("docs/admission.md") if tree.has("docs/admission.md") else ""
    for row in rows:
        name = row[1].strip().strip('"')
        kind, code = row[2].strip()[4:], row[3].strip().split("_", 1)[-1]
        if not re.search(rf"^\| `{re.escape(name)}` \| `{kind}` `{code}` \| \S", told, re.M):
            yield f"docs/admission.md: no row | `{name}` | `{kind}` `{code}` | … |"


house.run(check, [
    ({"lib/refusals.def": 'REFUSAL(OVERLAP, "overlap", OFPET_FLOW_MOD_FAILED, OFPFMFC_OVERLAP)\n'}, "no row | `overlap`"),
    ({"lib/refusals.def": 'REFUSAL(OVERLAP, "overlap", OFPET_FLOW_MOD_FAILED, OFPFMFC_OVERLAP)\n',
      "docs/admission.md": "| `overlap` | `FLOW_MOD_FAILED` `EPERM` | it overlaps |\n"}, "no row | `overlap`"),
])
