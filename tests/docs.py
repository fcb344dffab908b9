#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs.py SOURCE: what the documents tell somebody to type is accepted.

Each line of sluice-ctl in a block ```sh of README.md and docs/*.md is said to a daemon, a new one for each document,
with dummy ports for the interfaces.  ELSEWHERE is what needs root or an address, and is tested where that is.
"""
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

ELSEWHERE = ("add-port", "add-controller", "set-tls", "panic detach", "undo 17")
KEYS = "spi-in=0x1001 spi-out=0x2001 cipher=aes128gcm key-in=@in.key key-out=@out.key"
BEFORE = ("add-port wan type=dummy", "add-port net type=dummy")
SITE = "add-conn site-b type=iptfs local=203.0.113.1 remote=198.51.100.12 " + KEYS
FILES = {"feed.txt": "203.0.113.77\n", "in.key": "11" * 20, "out.key": "22" * 20}


def ctl(words):
    return subprocess.run(["sluice-ctl", "-r", "run", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)


def lines(path):
    with open(path, encoding="utf-8") as f:
        blocks = re.findall(r"^```sh\n(.*?)^```", f.read(), flags=re.M | re.S)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("sluice-ctl "):
            yield shlex.split(line, comments=True)[1:]


def document(path, asked):
    """How many lines were said; what was refused is printed."""
    with open("log", "a", encoding="utf-8") as log:
        daemon = subprocess.Popen(["sluiced", "--run-dir", "run", "--db", "db"], stderr=log)
    try:
        end = time.monotonic() + 20
        while ctl(["show"]).returncode and time.monotonic() < end:
            time.sleep(0.02)
        before = list(BEFORE)
        if not any(words[0] == "add-conn" for words in asked):
            before.append(SITE)
        bad = 0
        for words in [line.split() for line in before] + asked:
            done = ctl(words)
            if done.returncode:
                bad += 1
                print(f"{path}: sluice-ctl {' '.join(words)}\n    {done.stderr.strip()}")
        return bad
    finally:
        daemon.terminate()
        daemon.wait()
        for name in glob.glob("db*"):
            os.unlink(name)


def main():
    source, n, bad = os.path.abspath(sys.argv[1]), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, content in FILES.items():
            with open(name, "w", encoding="ascii") as f:
                f.write(content)
        for path in (os.path.join(source, "README.md"), *sorted(glob.glob(os.path.join(source, "docs", "*.md")))):
            asked = [words for words in lines(path) if not " ".join(words).startswith(ELSEWHERE)]
            n += len(asked)
            if asked:
                bad += document(os.path.relpath(path, source), asked)
    print(f"{n} lines, {bad} refused")
    return bad > 0 or n < 40


sys.exit(main())
