#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers that mean no good, and one that does: the good one is answered all the while, and the
daemon's memory stays bounded.

    hostile.py SOCKET PID

Prints one line per kind of peer; exits 1 when the good one was let down.
"""
import socket
import struct
import sys
import time

PATIENCE = 5.0  # seconds for an answer, on a machine that does other things as well
MEMORY_KB = 64 * 1024  # more than this above the beginning is too much

path, pid = sys.argv[1], int(sys.argv[2])


def message(kind, xid=1, body=b'', version=4):
    return struct.pack('!BBHI', version, kind, 8 + len(body), xid) + body


HELLO, ECHO, BARRIER = message(0), message(2), message(20)
FLOW_DUMP = message(18, body=struct.pack('!HHIB3xIIIQQHHI', 1, 0, 0, 255, 0xffffffff, 0xffffffff,
                                         0, 0, 0, 1, 4, 0))


def flow_mod(number):
    oxm = struct.pack('!HBBHHBBI', 0x8000, 10, 2, 0x800, 0x8000, 22, 4, number)
    match = struct.pack('!HH', 1, 4 + len(oxm)) + oxm + bytes(6)
    return message(14, number, struct.pack('!QQBBHHHIIIHH', 0, 0, 0, 0, 0, 0, 9, 0xffffffff,
                                           0xffffffff, 0xffffffff, 0, 0) + match)


class Peer:
    def __init__(self, hello=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(PATIENCE)
        if hello:
            self.send(HELLO)
            self.receive()

    def send(self, octets):
        self.socket.sendall(octets)

    def stuff(self, octets, at_most):
        """Sends as much as goes without waiting."""
        self.socket.setblocking(False)
        sent = 0
        try:
            while sent < at_most:
                sent += self.socket.send(octets)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
        self.socket.settimeout(PATIENCE)
        return sent

    def exactly(self, size):
        octets = b''
        while len(octets) < size:
            more = self.socket.recv(size - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def receive(self):
        header = self.exactly(8)
        return header[1], self.exactly(struct.unpack('!H', header[2:4])[0] - 8)


def memory():
    with open('/proc/%d/status' % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))


good = Peer()
good.send(b''.join(flow_mod(number) for number in range(1, 2001)) + BARRIER)
assert good.receive()[0] == 21
begun = memory()
failures = 0


def check(what):
    global failures
    start = time.monotonic()
    good.send(ECHO + BARRIER)
    kinds = [good.receive()[0], good.receive()[0]]
    grown = memory() - begun
    well = kinds == [3, 21] and time.monotonic() - start < PATIENCE and grown < MEMORY_KB
    failures += not well
    print(what, 'ok' if well else 'FAILED: answers %s after %.3f s, %d kB more'
          % (kinds, time.monotonic() - start, grown))


half_open = [Peer(hello=False) for _ in range(300)]
check('300 half-open connections:')
for peer in half_open:
    peer.socket.close()

slow = Peer(hello=False)
for octet in HELLO[:6]:
    slow.send(bytes([octet]))
check('a hello an octet at a time:')

deaf = [Peer() for _ in range(10)]
for peer in deaf:
    peer.stuff(FLOW_DUMP * 64, 1 << 22)
check('ten that ask for dumps and never read:')
for peer in deaf:
    peer.stuff(message(2, 1, bytes(30000)), 1 << 24)
check('and send echoes as well:')

wrong = Peer()
for _ in range(100):
    wrong.send(message(99) * 1000)
    for _ in range(1000):
        assert wrong.receive()[0] == 1
check('100,000 errors in a row:')

endless = Peer()
for _ in range(1000):
    endless.send(message(18, 7, struct.pack('!HHI', 12, 1, 0) + bytes(4096)))
check('a multipart request without an end:')

liars = 0
for length in range(8):
    liar = Peer()
    liar.send(struct.pack('!BBHI', 4, 2, length, 1))
    try:
        assert liar.receive()[0] == 1
        liar.receive()
    except (EOFError, ConnectionResetError):
        liars += 1
check('lengths shorter than a header, %d parted:' % liars)

def bundle_add(number, inner):
    """EXT-230, with 64 kB of what a group delete does not look at."""
    return message(4, 9, struct.pack('!IIIHH', 0x4f4e4600, 2301, number, 0, 0) + inner)


BIG = message(15, 9, struct.pack('!HBxI', 2, 0, 9) + bytes(60000))
bundlers = [Peer() for _ in range(6)]
refused = 0
for peer in bundlers:
    for number in range(200):
        peer.send(bundle_add(number, BIG))
    peer.send(BARRIER)
    while peer.receive()[0] == 1:
        refused += 1
check('bundles without an end, %s refused:' % ('most' if refused > 500 else refused))
for peer in bundlers:
    peer.socket.close()
bundler = Peer()
bundler.send(bundle_add(1, BIG) + BARRIER)
assert bundler.receive()[0] == 21, 'what others held is not free again'

barriers = Peer()
barriers.stuff(BARRIER * 1000, 1 << 20)
check('barriers in heaps, not read:')
sys.exit(1 if failures else 0)
