# SPDX-License-Identifier: Apache-2.0
"""Nothing is left for later in the files: what is open is written where it is tracked, not in the code."""
import re

import house

WORDS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


def check(tree):
    for path in tree.files(ext=(".c", ".h", ".def", ".at", ".sh", ".py", ".mk", ".md", ".am", ".ac", "quickstart")):
        for n, line in enumerate(tree.read(path).splitlines(), 1):
            found = WORDS.search(line)
            if found:
                yield f"{path}:{n}: {found.group(1)}"
            if line != line.rstrip():
                yield f"{path}:{n}: white space at the end of the line"


house.run(check, [
    ({"lib/a.c": "/* TO" + "DO: later */\n"}, "lib/a.c:1"),
    ({"README.md": "fine\nleft \n"}, "README.md:2: white space"),
])
