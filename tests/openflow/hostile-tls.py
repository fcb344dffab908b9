#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Those who never finish a handshake, or send something else, beside peers who do it properly.

hostile-tls.py PORT PID LAB: the switch's listener and process, the folder of make-certificates.
"""
import os
import random
import resource
import socket
import ssl
import sys

PORT, PID, LAB = int(sys.argv[1]), sys.argv[2], sys.argv[3]
HELLO = b"\4\0\0\10\0\0\0\1"
HALF_OPEN = 10000


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(f"{LAB}/controller/ca.pem")
    c.load_cert_chain(f"{LAB}/controller/cert.pem", f"{LAB}/controller/key.pem")
    return c


def dial():
    return socket.create_connection(("127.0.0.1", PORT), timeout=20)


def peer():
    """One who is let in, with hellos exchanged."""
    s = CONTEXT.wrap_socket(dial(), server_hostname="127.0.0.1")
    s.sendall(HELLO)
    assert s.recv(100)[:2] == b"\4\0"
    return s


def answers(s):
    s.sendall(b"\4\2\0\10\0\0\0\7")
    return s.recv(100) == b"\4\3\0\10\0\0\0\7"


def descriptors():
    return len(os.listdir(f"/proc/{PID}/fd"))


def say(what, good):
    print(f"{what}: {'ok' if good else 'NO'}")


def half_open(good):
    """Each sends the beginning of a record and no more; all are kept open here."""
    before, fine, most, kept = descriptors(), True, 0, []
    for i in range(HALF_OPEN):
        kept.append(dial())
        kept[-1].sendall(b"\x16\3\1")
        if i % 50 == 0:
            # 64 under way, and as many that are on their way out as are let in at a time
            fine &= answers(good) and (most := max(most, descriptors() - before)) <= 64 + 32
        if i % 200 == 0:
            peer().close()
    print(f"at most {most} descriptors more", file=sys.stderr)
    say(f"{HALF_OPEN} half-open handshakes", fine)


def rubbish(good):
    """Nothing of it is TLS, or not what can follow."""
    rng, fine = random.Random(1), True
    words = [HELLO, b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1\xff\xff" + b"\1" * 20000, b"\x15\3\3\0\2\2\50", b"\x17\3\3\0\1\0",
             b"\x16\3\1\0\4\1\xff\xff\xff", b"\x80\x2e\1\0\2", b"\0" * 70000]
    words += [bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))) for _ in range(200)]
    words += [b"\x16\3\1" + len(w).to_bytes(2, "big") + b"\1" + w for w in words[-100:]]
    for w in words:
        s = dial()
        try:
            s.sendall(w)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):  # an alert at most, and the end
                pass
        except OSError:
            pass
        s.close()
        fine &= answers(good)
    say("what is no handshake", fine)


def half_a_record(good):
    """Let in, then a record that never ends, and one that lies: its own connection only."""
    raw = dial()
    s = CONTEXT.wrap_socket(raw, server_hostname="127.0.0.1")
    s.sendall(HELLO)
    s.recv(100)
    fd = os.dup(s.fileno())
    os.write(fd, b"\x17\3\3\x40\0" + b"x" * 100)
    fine = answers(good)
    os.write(fd, b"y" * 0x4000)
    os.close(fd)
    try:
        ended = s.recv(100) == b""
    except OSError:
        ended = True
    say("a record that nobody wrote", fine and ended and answers(good))


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
CONTEXT = context()
GOOD = peer()
half_open(GOOD)
rubbish(GOOD)
half_a_record(GOOD)
