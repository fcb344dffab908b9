#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Those who never finish a handshake, or send something else, beside peers who do it properly.

hostile-tls.py PORT PID LAB: the switch's listener and process, the folder of make-certificates.
"""
import os
import random
import resource
import signal
import socket
import ssl
import sys
import time

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


def slowness():
    """How much longer than its own time a process takes now: others want the processors, too."""
    wall, own = time.monotonic(), time.process_time()
    while time.process_time() - own < 0.02:
        pass
    return (time.monotonic() - wall) / 0.02


def rounds(good, seconds=0.5):
    times, until = [], time.monotonic() + seconds
    while len(times) < 30 or time.monotonic() < until:
        begin = time.monotonic()
        assert answers(good)
        times.append(time.monotonic() - begin)
    return sorted(times)


def memory():
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def beside(what, good, attack, n):
    """The good peer beside n processes of an attack; and one who comes now."""
    usual, had, children = rounds(good), memory(), []
    for _ in range(n):
        children.append(os.fork())
        if not children[-1]:
            try:
                attack()
            except BaseException as e:  # pylint: disable=broad-except
                print("the attack itself ended:", repr(e), file=sys.stderr)
            os._exit(0)
    time.sleep(0.3)
    times = rounds(good)
    begin = time.monotonic()
    s = peer()
    let_in, fine = time.monotonic() - begin, answers(s)
    s.close()
    slow, grown = slowness(), memory() - had
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    middle = times[len(times) // 2] - usual[len(usual) // 2]
    print(f"{what}: median {times[len(times) // 2] * 1e3:.1f} ms, worst {times[-1] * 1e3:.1f} ms (usually "
          f"{usual[len(usual) // 2] * 1e3:.1f}, {usual[-1] * 1e3:.1f}), let in after {let_in * 1e3:.1f} ms, "
          f"{grown} kB more, machine {slow:.1f}", file=sys.stderr)
    say(what, fine and times[-1] < 2 and let_in < 5 and
        (SANITIZED or (middle < 0.1 * slow and grown < 64 * 1024)))


def client_hellos():
    """Whole ones, as fast as they are answered; each costs the switch a signature."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = CONTEXT.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    try:
        hello.do_handshake()
    except ssl.SSLWantReadError:
        octets = outgoing.read()
    while True:
        under_way = []
        for _ in range(32):
            under_way.append(dial())
            under_way[-1].sendall(octets)
        for s in under_way:
            try:
                s.recv(1)
            except OSError:
                pass  # it had to give way
            s.close()


def never_read():
    """Echoes of 30,000 octets, of which nobody takes the replies."""
    echo = b"\4\2\x75\x38\0\0\0\7" + bytes(0x7538 - 8)
    kept = [peer() for _ in range(8)]
    for s in kept:
        s.setblocking(False)
    until = time.monotonic() + 0.3
    while True:
        for s in kept:
            try:
                s.send(echo)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
        if time.monotonic() > until:
            time.sleep(0.01)


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
with open(f"/proc/{PID}/maps", encoding="ascii", errors="replace") as maps:
    SANITIZED = "libasan" in maps.read()
CONTEXT = context()
GOOD = peer()
half_open(GOOD)
rubbish(GOOD)
half_a_record(GOOD)
beside("handshakes without an end", GOOD, client_hellos, 3)
beside("replies that nobody reads", GOOD, never_read, 2)
