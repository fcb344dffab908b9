# SPDX-License-Identifier: Apache-2.0
"""clang-format decides the layout of C, nobody else."""
import os
import shutil
import subprocess
import sys

import house

FORMAT = shutil.which("clang-format")
if not FORMAT:
    print("SKIP: no clang-format here; apt-get install clang-format")
    sys.exit(77)
STYLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".clang-format")


def unlike(tree):
    paths = tree.files("lib", "datapath", "ofproto", "ctl", "utilities", "tests", ext=(".c", ".h"))
    if not paths:
        return
    done = subprocess.run([FORMAT, f"--style=file:{STYLE}", "--dry-run", "-Werror", *paths], cwd=tree.root,
                          capture_output=True, text=True, check=False)
    lines = [line.split(":")[:2] for line in done.stderr.splitlines() if ": error: " in line]
    for path in sorted({path for path, _ in lines}):
        at = [n for p, n in lines if p == path]
        yield f"{path}:{at[0]}: clang-format would write this and {len(at) - 1} more places otherwise"


house.run(unlike, [({"lib/a.c": "int  x ;\n"}, "lib/a.c:1")])
