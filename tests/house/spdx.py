# SPDX-License-Identifier: Apache-2.0
"""Every source file names its licence in its first three lines."""
import house

EXT = (".c", ".h", ".def", ".at", ".sh", ".py")


def check(tree):
    for path in tree.files(ext=EXT) + [p for p in ("quickstart", ".ci/run", ".ci/why") if tree.has(p)]:
        head = "\n".join(tree.read(path).splitlines()[:3])
        want = "BSD-2-Clause" if path.endswith(".bpf.c") else "Apache-2.0"
        if "SPDX-License-Identifier:" not in head or want not in head:
            yield f"{path}: no line SPDX-License-Identifier: … {want} at its head"


house.run(check, [
    ({"lib/a.c": "int x;\n"}, "lib/a.c"),
    ({"datapath/a.bpf.c": "/* SPDX-License-Identifier: Apache-2.0 */\n"}, "BSD-2-Clause"),
])
