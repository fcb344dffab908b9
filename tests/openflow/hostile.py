#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers that mean no good, each kind in a process of its own, and one that does: it is answered all
the while, the daemon's memory stays bounded, and packets go on.

    hostile.py RUN-DIR PID [ATTACK]...

A switch without ports; it gets two, and a capture to forward and drop from.  Prints a line per
attack, the figures to stderr.  Exits 1 when somebody was let down.
"""
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

from wire import *

ROUNDS = 30      # of the good peer, per attack
PATIENCE = 2.0   # seconds for any one round: noise of the machine is below, a starved peer above
AT_WORST = 0.5   # … and for one of a machine that is there for us alone
USUALLY = 0.1    # the same for most of them, more than unloaded
HALF_OPEN = 10000
MEMORY_KB = 64 * 1024  # more than this of one attack is too much
MUCH_KB = 512 * 1024   # where more is meant to be held, and of all together

RUN, PID = sys.argv[1], int(sys.argv[2])
OPENFLOW, MANAGEMENT = RUN + '/openflow.sock', RUN + '/mgmt.sock'

ECHO, BARRIER, HELLO = message(2), message(20), message(0)
DUMP = multipart(1, FLOW_REQUEST + match())


def udp_rule(port, number, command=0, instructions=b''):
    oxm = IPV4 + h('80001401 11') + struct.pack('!HBBHHBBI', 0x8000, 32, 2, port, 0x8000, 22, 4, number)
    return flow_mod(match(oxm), instructions, command=command)


# ---- Attacks: each begins, says so by `ready`, and goes on until it is killed ----------------

def connect(path=OPENFLOW):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def rest():
    while True:
        signal.pause()


def stuff(sockets, octets, ready, read=False):
    """Sends the same without end, as much as each takes; reads what comes, or nothing."""
    left = {s.fileno(): (s, memoryview(octets)) for s in sockets}
    poll = select.poll()
    for s in sockets:
        s.setblocking(False)
        poll.register(s, select.POLLOUT | (select.POLLIN if read else 0))
    begun = 0
    while True:
        happened = poll.poll(20)
        begun += 1
        if not happened or begun == 200:
            ready()
        for fd, what in happened:
            s, rest_of = left[fd]
            try:
                if what & select.POLLIN:
                    s.recv(1 << 18)
                if what & select.POLLOUT:
                    rest_of = rest_of[s.send(rest_of):]
                    left[fd] = s, rest_of or memoryview(octets)
                elif what & (select.POLLHUP | select.POLLERR):
                    raise OSError
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(fd)
        if not happened and not read:
            rest()


def peers(n):
    return [Peer(OPENFLOW).socket for _ in range(n)]


def controllers(ready):
    """64 that do what controllers do, without a rest."""
    work = b''.join(ECHO + udp_rule(7, i % 50) + BARRIER for i in range(100))
    stuff(peers(64), work, ready, read=True)


def half_open(path, first=b''):
    def attack(ready):
        kept = []
        for _ in range(HALF_OPEN):
            kept.append(connect(path))
            try:
                kept[-1].send(first)
            except OSError:
                pass  # it had to give way already
        ready()
        rest()
    return attack


def an_octet_at_a_time(ready):
    """Hellos and messages that are never whole."""
    slow = [connect() for _ in range(40)] + peers(24)
    octets = HELLO[:7] + bytes(1)
    for i in range(1 << 30):
        if i == 8:
            ready()
        for s in slow:
            try:
                s.send(octets[i % 8:i % 8 + 1] if i < 7 or s in slow[40:] else b'')
            except OSError:
                pass
        time.sleep(0.01)


def never_read(octets, n=16):
    return lambda ready: stuff(peers(n), octets, ready)


def errors(ready):
    """100,000 in a row, each answered, and more."""
    wrong = Peer(OPENFLOW)
    for _ in range(100):
        wrong.send(message(99) * 1000)
        for _ in range(1000):
            assert wrong.receive()[0] == 1
    stuff(peers(8), message(99) * 2000, ready, read=True)


def come_and_go(octets):
    s = connect()
    try:
        s.send(octets)
    except OSError:
        pass  # there was no room
    s.close()


def churn(ready):
    """Comes, says half a thing, and goes."""
    for i in range(1 << 30):
        come_and_go(HELLO + DUMP + ECHO[:i % 8])
        if i == 100:
            ready()


def lies():
    """Whole messages in which one length inside says something else.  Words of 16 bits, octets."""
    honest = [
        (flow_mod(match(IPV4 + TCP), apply_actions(output(2), set_field(IPV4)), table=1),
         (50, 66, 74, 90), (55, 61)),
        (packet_out(output(2)), (16, 26), ()),
        (group_mod(0, 0, 7, bucket(output(2)) + bucket(output(3))), (16, 34, 48), ()),
        (message(29, struct.pack('!HHI', 0, 1, 7) + band() + band()), (18, 34), ()),
        (bundle_add(flow_mod(table=1)), (26, 74), ()),
        (multipart(1, FLOW_REQUEST + match(IPV4)), (50,), (55,)),
        (multipart(12, struct.pack('!HB5x32sQQII', 72, 0, b'', 0, 0, 0, 9) + h('0000000c') + bytes(12)),
         (16, 82), ()),
        (message(0, h('0001 0008 00000010')), (10,), ())]
    for octets, words, single in honest:
        for at in words:
            for word in 0, 1, 3, 5, 7, 9, 11, len(octets), 0x7fff, 0xfff8, 0xffff:
                yield octets[:at] + struct.pack('!H', word) + octets[at + 2:]
        for at in single:
            for octet in 0, 1, 3, 5, 7, 0x7f, 0xff:
                yield octets[:at] + bytes([octet]) + octets[at + 1:]


def lying_lengths(ready):
    stuff(peers(8), b''.join(lies()), ready, read=True)


def short_lengths(ready):
    """A header that says it is shorter than itself."""
    for i in range(1 << 30):
        come_and_go(HELLO + struct.pack('!BBHI', 4, 2, i % 8, 1))
        if i == 100:
            ready()


def bundles(ready):
    """Filled by 16 peers in 16 bundles each, never committed."""
    adds = b''.join(bundle_add(udp_rule(9, i), 1 + i % 16) for i in range(2000))
    stuff(peers(16), adds, ready, read=True)


LARGE = bundle_add(group_mod(2, 0, 9, bytes(60000)))  # a delete does not look at its buckets


def large_bundles(ready):
    """More than all bundles together may hold; most of it is refused."""
    stuff(peers(6), b''.join(LARGE[:8] + LARGE[8:16] + struct.pack('!I', 1 + i) + LARGE[20:]
                             for i in range(20)), ready, read=True)


def commits(ready):
    """Bundles of 2,000, committed one after the other."""
    adds = b''.join(bundle_add(udp_rule(9, i)) for i in range(100 if SANITIZED else 2000)) + bundle(COMMIT)
    stuff(peers(4), adds, ready, read=True)


def small_bundles(ready):
    """They join what is on its way."""
    adds = (b''.join(bundle_add(udp_rule(9, i)) for i in range(20 if SANITIZED else 200)) + bundle(COMMIT)) * 10
    stuff(peers(8), adds, ready, read=True)


def multiparts(ready):
    """Requests with more to come, for ever."""
    stuff(peers(16), multipart(12, b'', 1) * 4096, ready, read=True)


def management(octets, n=8, read=False):
    return lambda ready: stuff([connect(MANAGEMENT) for _ in range(n)], octets, ready, read)


def one_after_the_other(octets):
    """A line that nobody wants, by peers that are hung up on, again and again."""
    def attack(ready):
        for i in range(1 << 30):
            s = connect(MANAGEMENT)
            try:
                s.sendall(octets)
                s.recv(1 << 16)
            except OSError:
                pass
            s.close()
            if i == 1:
                ready()
    return attack


REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"%s"}\n'
ATTACKS = {
    '64 controllers at once': controllers,
    '10,000 half-open connections': half_open(OPENFLOW, HELLO[:3]),
    '10,000 half-open management connections': half_open(MANAGEMENT, b'{"json'),
    'an octet at a time': an_octet_at_a_time,
    'dumps that nobody reads': never_read(DUMP * 64),
    'echoes that nobody reads': never_read(message(2, bytes(30000))),
    'barriers that nobody reads': never_read(BARRIER * 1000),
    '100,000 errors in a row': errors,
    'connections, one after the other': churn,
    'lying lengths inside': lying_lengths,
    'lengths shorter than a header': short_lengths,
    'bundles without an end': bundles,
    'bundles of large messages': large_bundles,
    'bundles, one after the other': commits,
    'small bundles without a rest': small_bundles,
    'multiparts without an end': multiparts,
    'JSON without an end': management(b'[' + b'{"a":[' * 10000, 64),
    'a string without an end': management(b'"' + b'a' * 65535, 64),
    'lines that are no JSON': management(b'x\n' * 30000, 8, True),
    'answers that nobody reads': management(REQUEST % b'dump-flows' * 100, 16),
    'batches that nobody reads': management(b'[' + b','.join([REQUEST.strip() % b'dump-flows'] * 256) + b']\n', 4),
    'arrays of millions': one_after_the_other(b'[' + b'1,' * (20 << 20) + b'1]\n'),
    'nested deeply': management((b'[' * 100000 + b'\n') * 4, 4, True),
}


# ---- The good peer, and what is looked at ----------------------------------------------------

def memory():
    with open('/proc/%d/status' % PID) as status:
        return next(int(line.split()[1]) for line in status if line.startswith('VmRSS'))


class Good:
    def __init__(self):
        self.peer = Peer(OPENFLOW)
        self.peer.socket.settimeout(60)
        self.number = 0

    def ask(self, octets):
        """The switch may ask in between whether we are still there."""
        kind, body = self.peer.ask(octets)
        while kind == 2:
            kind, body = self.peer.receive()
        return kind, body

    def round(self):
        """An echo, a flow-mod and its barrier."""
        self.number += 1
        begin = time.monotonic()
        assert self.ask(ECHO)[0] == 3
        assert self.ask(udp_rule(5, self.number % 100) + BARRIER)[0] == 21
        return time.monotonic() - begin

    def rounds(self, least_s=0.3):
        until, times = time.monotonic() + least_s, []
        while len(times) < ROUNDS or time.monotonic() < until:
            times.append(self.round())
        return sorted(times)

    def packets(self):
        """Of the two rules of the capture."""
        counts = []
        for port in 1, 2:
            oxm = IPV4 + h('80001401 11') + struct.pack('!HBBH', 0x8000, 32, 2, port)
            kind, body = self.ask(multipart(2, FLOW_REQUEST + match(oxm)))
            assert kind == 19
            counts.append(struct.unpack('!Q', body[8:16])[0])
        return counts

    def sent(self):
        """By port 1."""
        _, body = self.ask(multipart(4, struct.pack('!II', 1, 0)))
        return struct.unpack('!8xQ', body[16:32])[0]


def ask(verb, *words):
    """One who comes now is let in and answered."""
    s = connect(MANAGEMENT)
    s.settimeout(60)
    s.sendall(json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': verb, 'params': words}).encode() + b'\n')
    answer = b''
    while not answer.endswith(b'\n'):
        more = s.recv(65536)
        if not more:
            raise EOFError('management hung up')
        answer += more
    s.close()
    return json.loads(answer)['result']


def slowness():
    """How much longer than its own time a process takes now: others want the processors, too."""
    wall, own = time.monotonic(), time.process_time()
    while time.process_time() - own < 0.02:
        pass
    return (time.monotonic() - wall) / 0.02


def capture(path):
    """UDP to ports 1 and 2 in turn, for five minutes."""
    frame = h('020000000001 020000000002 0800', '4500002e 00000000 4011 0000 0a000001 0a000002', '0009')
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHIIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(60000):
            out.write(struct.pack('<IIII', i // 200, i % 200 * 5000, 60, 60) + frame
                      + struct.pack('!HHH', 1 + i % 2, 26, 0) + bytes(18))


def controller_let_in():
    peer = Peer(OPENFLOW)
    answered = peer.ask(ECHO)[0] == 3
    peer.socket.close()
    return answered


def begin(attack, good):
    """In a process of its own; back when it is under way, which it says once.  The process, or None."""
    told, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        under_way = os.read(told, 1)
        os.close(told)
        return child if under_way else None
    os.close(told)
    heard = []
    good.peer.socket.close()
    try:
        attack(lambda: heard or heard.append(os.write(tell, b'1')))
    except BaseException as e:  # pylint: disable=broad-except
        print('the attack itself ended:', repr(e), file=sys.stderr)
    os._exit(0)


def stand(name, good, usual):
    had = memory()
    child = begin(ATTACKS[name], good)
    faults, before = [], good.packets()
    if not child:
        faults.append('the attack did not begin')
    slow = slowness()
    times = good.rounds()
    start = time.monotonic()
    ask('version')
    asked = time.monotonic() - start
    grown, moved = memory() - had, sum(good.packets()) - sum(before)
    slow = max(slow, slowness())
    if max(times[-1], asked) > max(PATIENCE, AT_WORST * slow):
        faults.append('a round took %.3f s, management %.3f s' % (times[-1], asked))
    if not SANITIZED and times[len(times) // 2] - usual[len(usual) // 2] > USUALLY * slow:
        faults.append('most rounds took %.3f s, the machine %.1f times as long as usual' %
                      (times[len(times) // 2], slow))
    if not controller_let_in():
        faults.append('a new controller was not answered')
    if not SANITIZED and (grown > (MUCH_KB if name in MUCH else MEMORY_KB) or had + grown > START_KB + MUCH_KB):
        faults.append('%d kB more' % grown)
    if moved < 20:
        faults.append('%d packets' % moved)
    open_files = len(os.listdir('/proc/%d/fd' % PID))
    if open_files > 512:
        faults.append('%d descriptors' % open_files)
    if child and os.waitpid(child, os.WNOHANG)[0]:
        faults.append('the attack ended')
    elif child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print('%s: median %.1f ms, worst %.1f ms (usually %.1f, %.1f), management %.1f ms, %d kB more, '
          '%d packets, machine %.1f' % (name, times[len(times) // 2] * 1e3, times[-1] * 1e3,
                          usual[len(usual) // 2] * 1e3, usual[-1] * 1e3, asked * 1e3, grown, moved, slow),
          file=sys.stderr, flush=True)
    print('%s: %s' % (name, '; '.join(faults) or 'ok'), flush=True)
    return not faults


# A sanitizer keeps what was freed, and takes a hundred times as long to put it away.
with open('/proc/%d/maps' % PID, encoding='ascii', errors='replace') as maps:
    SANITIZED = 'libasan' in maps.read()
# Lines of 64 MiB and what they say; 64 MiB of answers.
MUCH = ('JSON without an end', 'a string without an end', 'arrays of millions', 'nested deeply',
        'answers that nobody reads', 'batches that nobody reads')
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
capture('hostile.pcap')
ask('add-port', 'out', 'type=dummy')
GOOD = Good()
GOOD.peer.send(message(28, bytes(24)))  # hears answers only
GOOD.peer.send(b''.join(udp_rule(3, i) for i in range(2000)))
for port, actions in (1, b''), (2, apply_actions(output(1))):
    GOOD.peer.send(flow_mod(match(IPV4 + h('80001401 11') + struct.pack('!HBBH', 0x8000, 32, 2, port)),
                            actions))
assert GOOD.peer.ask(BARRIER)[0] == 21
ask('add-port', 'in', 'type=pcap', 'in=hostile.pcap')  # begins at once
USUAL = GOOD.rounds(1)
START_KB = memory()
WELL = [stand(name, GOOD, USUAL) for name in sys.argv[3:] or ATTACKS]
# Who had to go was counted.
AWAY = [sum(row.get('turned_away', 0) for row in ask('list-controllers')['json']),
        ask('show')['json']['management']['turned_away']]
WELL.append(len(sys.argv) > 3 or min(AWAY) >= HALF_OPEN - 300)
print('turned away:', 'ok' if WELL[-1] else AWAY)
# What others held is free again.
assert GOOD.peer.ask(LARGE + BARRIER)[0] == 21
# Every packet met its rule: nothing was lost, and nothing took another way.
ask('del-port', 'in')
DROPPED, FORWARDED = GOOD.packets()
WELL.append(DROPPED - FORWARDED in (0, 1) and FORWARDED == GOOD.sent())
print('packets:', 'ok' if WELL[-1] else (DROPPED, FORWARDED, GOOD.sent()))
sys.exit(0 if all(WELL) else 1)
