# SPDX-License-Identifier: Apache-2.0
"""The unit of understanding: files up to 900 lines, functions up to 100 lines and five parameters.  The soft
limits (600, 60) are printed.  Code is laid out by clang-format, so a function's body opens and closes
in column 0."""
import re

import house

FILE_SOFT, FILE_HARD, FUNCTION_SOFT, FUNCTION_HARD, PARAMETERS = 600, 900, 60, 100, 5
FOLDERS = ("lib", "datapath", "ofproto", "ctl", "utilities", "tests")


def functions(text):
    """(name, first line, lines, parameters) of every function defined in column 0."""
    lines = house.code(text).splitlines()
    start = None
    for n, line in enumerate(lines):
        if line == "{":
            head = n
            while head > 0 and lines[head - 1].strip() and not re.search(r"[;}]\s*$|^#", lines[head - 1]):
                head -= 1
            signature = " ".join(lines[head:n])
            start = (head, signature)
        elif line.startswith("}") and start:
            head, signature = start
            start = None
            found = re.search(r"(\w+)\s*\((.*)\)", signature)
            if found and "=" not in signature.split("(")[0]:
                yield found.group(1), head + 1, n - head + 1, parameters(found.group(2))


def parameters(text):
    depth, n = 0, 1
    for c in text:
        depth += (c in "([") - (c in ")]")
        n += c == "," and depth == 0
    return 0 if text.strip() in ("", "void") else n - text.rstrip().endswith("...")


def measure(tree, file_limit, function_limit):
    for path in tree.files(*FOLDERS, ext=(".c", ".h", ".def", ".py", ".sh", ".at")):
        text = tree.read(path)
        if text.count("\n") > file_limit:
            yield f"{path}: {text.count(chr(10))} lines, limit {file_limit}"
        if not path.endswith((".c", ".h")):
            continue
        for name, line, n, n_parameters in functions(text):
            if n > function_limit:
                yield f"{path}:{line}: {name}() has {n} lines, limit {function_limit}"
            if n_parameters > PARAMETERS:
                yield f"{path}:{line}: {name}() has {n_parameters} parameters, limit {PARAMETERS}"


def check(tree):
    yield from measure(tree, FILE_HARD, FUNCTION_HARD)


house.run(check, [
    ({"lib/a.c": "int x;\n" * 901}, "901 lines"),
    ({"lib/a.c": "static int\nlong_one(int a)\n{\n" + "\ta++;\n" * 98 + "}\n"}, "long_one() has 102 lines"),
    ({"lib/a.c": "int f(int a, int b, int c,\n      int d, int (*e)(int, int), int g)\n{\n}\n"}, "6 parameters"),
], remarks=lambda tree: measure(tree, FILE_SOFT, FUNCTION_SOFT))
