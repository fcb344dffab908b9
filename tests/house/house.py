# SPDX-License-Identifier: Apache-2.0
"""What the checks of this folder share.

A check is one file with check(tree), which yields Problem lines, and BAD: made-up trees, each a
{path: text} with the words that the check must say of it.  main() first shows that the check fails on
every made-up tree, then runs it on the real one.  So a check that can no longer fail, fails.

Exit status as automake wants it: 0 fine, 1 problems, 77 not possible here.
"""
import os
import re
import sys
import tempfile

FOLDERS = ("lib", "datapath", "ofproto", "ctl", "utilities", "tests", "examples", "debian", ".ci", "docs")
SKIPPED = re.compile(r"(\.skel\.h|/testsuite|/system-testsuite)$|testsuite\.dir|__pycache__|^tests/house/")


class Tree:
    """The project's own text files below a root, by path relative to it."""

    def __init__(self, root):
        self.root = root
        self.paths = []
        for folder in FOLDERS:
            for at, folders, names in os.walk(os.path.join(root, folder)):
                folders.sort()
                for name in sorted(names):
                    path = os.path.relpath(os.path.join(at, name), root)
                    if not SKIPPED.search(path):
                        self.paths.append(path)
        self.paths += [n for n in sorted(os.listdir(root)) if n.endswith((".md", ".am", ".ac"))
                       or n == "quickstart"]

    def files(self, *folders, ext=(".c", ".h")):
        return [p for p in self.paths if p.endswith(tuple(ext))
                and (not folders or p.split("/")[0] in folders)]

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def has(self, path):
        return os.path.exists(os.path.join(self.root, path))


def code(text):
    """C text with comments and string contents blanked, line numbers kept."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[-1]
        return re.sub(r"[^\n]", " ", found)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def rows(tree, path, macro):
    """The rows MACRO(a, b, …) of a .def list: lists of raw arguments."""
    out = []
    if not tree.has(path):
        return out
    text = re.sub(r"/\*.*?\*/", "", tree.read(path), flags=re.S)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    for match in re.finditer(r"^\s*%s\(" % macro, text, flags=re.M):
        depth, i, arguments, start, quoted = 1, match.end(), [], match.end(), False
        while depth and i < len(text):
            c = text[i]
            if quoted:
                i += c == "\\"
                quoted = c != '"'
            elif c == '"':
                quoted = True
            elif c in "([{":
                depth += 1
            elif c in ")]}":
                depth -= 1
            if depth == 0 or (depth == 1 and c == "," and not quoted):
                arguments.append(text[start:i].strip())
                start = i + 1
            i += 1
        out.append(arguments)
    return out


def run_on(check, files):
    with tempfile.TemporaryDirectory(prefix="sluice-house.") as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        return list(check(Tree(root)))


def main(check, bad, remarks=None):
    for files, words in bad:
        problems = run_on(check, files)
        if not any(words in p for p in problems):
            print(f"this check no longer fails on a tree that is wrong: expected {words!r}, got {problems}")
            return 1
    here = os.path.dirname(os.path.abspath(__file__))
    tree = Tree(os.path.dirname(os.path.dirname(here)))
    for line in remarks(tree) if remarks else ():
        print("remark: " + line)
    problems = list(check(tree))
    print("\n".join(problems) if problems else "fine")
    return 1 if problems else 0


def run(check, bad, remarks=None):
    sys.exit(main(check, bad, remarks))
