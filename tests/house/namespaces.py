# SPDX-License-Identifier: Apache-2.0
"""Tests enter namespaces by nsenter: `ip netns exec` and `ip -n` remount / and /sys, which a chroot cannot."""
import re

import house


def check(tree):
    for path in tree.files("tests", ext=(".sh", ".at", ".py", "/demo")):
        for n, line in enumerate(tree.read(path).splitlines(), 1):
            if re.search(r"\bip (netns exec|(-\w+ )*-n(etns)?) ", line.split("#")[0]):
                yield f"{path}:{n}: nsenter --net=/run/netns/NAME works in a chroot too"


house.run(check, [
    ({"tests/system/a.sh": "ip -n sl-a link show\n"}, "tests/system/a.sh:1"),
    ({"tests/a.at": "\nip netns exec sl-a true\n"}, "tests/a.at:2"),
])
