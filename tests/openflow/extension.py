# SPDX-License-Identifier: Apache-2.0
"""A client of sluice's extension of OpenFlow, written from docs/protocol.md."""
import struct

from wire import Peer, message, multipart

ID = 0x534c5543
HELLO, REFUSAL, RULE_MOD, DRY_RUN, CONFIRM, SET_MOD, MEMBERS_MOD, LIMITER_MOD, REQUEST = range(1, 10)
SETS, MEMBERS, RULES, CONNS, LIMITERS = range(1, 6)
IN_GUARD, WIDE, UNVERIFIED, FOREVER = 2, 4, 8, 16  # flags of a rule-mod; 1: a dry run
ADD, DELETE, SWAP = 0, 1, 2
IPV4_SET, IPV6_SET, PORT_SET, NUMBER_SET, ETH_SET, IPV4_PORT_SET = range(6)
TIMEOUTS, COUNTERS, PROTECTED, EMPTY = 1, 2, 4, 8
OWN = 0xffffffff
REASONS = 1
STOP, SLOW = 0, 1
RANGE, SET, BPF, PAIR = 60, 61, 62, 63


def ext(kind, body=b''):
    return message(4, struct.pack('!II', ID, kind) + body)


def condition(number, field, argument, flags=0, oxm_class=0x8000):
    """A condition of a match: `field` is the number in its class of the field that is asked."""
    target = struct.pack('!BBH', flags, field, oxm_class)
    if oxm_class == 0xffff:
        target += struct.pack('!I', ID)
    return struct.pack('!HBBI', 0xffff, number << 1, 4 + len(target) + len(argument), ID) \
        + target + argument


def collected(number, value):
    return struct.pack('!HBBI', 0xffff, number << 1, 4 + len(value), ID) + value


def action(kind, body):
    size = (10 + len(body) + 7) // 8 * 8
    return (struct.pack('!HHIH', 0xffff, size, ID, kind) + body).ljust(size, b'\0')


def name(text, room=32):
    return text.encode().ljust(room, b'\0')


def word(octets):
    return octets.rstrip(b'\0').decode()


def set_mod(command, which, kind=0, flags=0, timeout=0, most=0, other=''):
    return ext(SET_MOD, struct.pack('!BBHIQ', command, kind, flags, timeout, most) + name(which)
               + name(other))


def member(value, prefix=0, timeout=OWN):
    return struct.pack('!B3xI', prefix, timeout) + value


def members_mod(command, which, *members):
    return ext(MEMBERS_MOD, struct.pack('!B7x', command) + name(which) + b''.join(members))


def rule_mod(mod, flags=0, expire=0, confirm=0, reason=''):
    """A flow-mod with what the extension says beside it; times in ms."""
    octets = reason.encode()
    return ext(RULE_MOD, struct.pack('!IIIH2x', flags, expire, confirm, len(octets)) + octets
               + bytes(-len(octets) % 8) + mod[8:])


def limiter_mod(command, which, kind=0, unit=0, keys=0, rate=0, burst=0, conns=0, idle=0, by=''):
    return ext(LIMITER_MOD, struct.pack('!BBBxIQQII', command, kind, unit, keys, rate, burst, conns, idle)
               + name(which) + by.encode() + bytes(-len(by) % 8))


def request(which, what=STOP, unit=0, priority=0x8000, lifetime=0, rate=0, reason=''):
    octets = reason.encode()
    return ext(REQUEST, struct.pack('!BBHIQH6x', what, unit, priority, lifetime, rate, len(octets))
               + octets + bytes(-len(octets) % 8) + which)


class Client(Peer):
    """A peer that has said hello to the extension: a refusal is (code, field, sentence)."""

    def __init__(self, path):
        super().__init__(path)
        self.origin = self.hello()[1]

    def hello(self, version=1, flags=REASONS):
        kind, body = self.ask(ext(HELLO, struct.pack('!HHI', version, 0, flags)))
        experimenter, exp_type, version, origin, _, flags = struct.unpack('!IIHBBI', body)
        assert (kind, experimenter, exp_type) == (4, ID, HELLO)
        return version, origin, flags

    def change(self, octets):
        """None when it is done and lasts; else why not."""
        refusal = None
        self.send(octets + message(20))
        while True:
            kind, body = self.receive()
            if kind == 21:
                return refusal
            if kind == 4:
                experimenter, exp_type = struct.unpack('!II', body[:8])
                assert (experimenter, exp_type) == (ID, REFUSAL)
                assert body[8:12] == error, 'a reason of another error'
                refusal = word(body[16:48]), word(body[48:80]), body[80:].decode()
            else:
                assert kind == 1
                error = body[:4]

    def features(self):
        """Property of table 0 by its type."""
        _, body = self.ask(multipart(12))
        table = body[8:8 + struct.unpack('!H', body[8:10])[0]]
        at, found = 64, {}
        while at < len(table):
            kind, size = struct.unpack('!HH', table[at:at + 4])
            found[kind] = table[at + 4:at + size]
            at += (size + 7) // 8 * 8
        return found

    def entries(self, kind, body=b''):
        """What a list has, each without its length; or the refusal's code."""
        self.send(multipart(0xffff, struct.pack('!II', ID, kind) + body))
        found, more = [], True
        while more:
            answer, body = self.receive()
            if answer == 1:
                return word(self.receive()[1][16:48])
            assert body[:2] == b'\xff\xff' and body[8:16] == struct.pack('!II', ID, kind)
            more = body[3] & 1
            at = 16
            while at < len(body):
                size = struct.unpack('!H', body[at:at + 2])[0]
                found.append(body[at + 2:at + size])
                at += size
        return found

    def dry_run(self, mod, flags=0):
        """What a flow-mod would have met: evidence, snapshots, hit and so on; or the refusal's code."""
        kind, body = self.ask(rule_mod(mod, flags | 1))
        if kind == 1:
            return word(self.receive()[1][16:48])
        assert struct.unpack('!II', body[:8]) == (ID, DRY_RUN)
        return struct.unpack('!6I6Q', body[8:])

    def listed(self, guard=False):
        """(origin, ms left, reason, octets of ofp_flow_stats) of each rule."""
        found = []
        for e in self.entries(RULES, struct.pack('!B7x', guard)):
            size, left = struct.unpack('!H2xQ', e[2:14])
            found.append((e[0], left, e[14:14 + size].decode(), e[14 + (size + 7) // 8 * 8:]))
        return found

    def conns(self):
        """By name: port, the number that comes in, local and remote address, ten counters, readings."""
        found = {}
        for e in self.entries(CONNS):
            port, number = struct.unpack('!II', e[2:10])
            readings = {word(e[at:at + 32]): struct.unpack('!Q', e[at + 32:at + 40])[0]
                        for at in range(174, len(e) - 39, 40)}
            found[word(e[126:158])] = (port, number, e[14:18], e[30:34],
                                       struct.unpack('!10Q', e[46:126]), readings)
        return found

    def limiters(self):
        """By name: kind, unit, keys, rate, burst, connections, ms idle, rules, by."""
        return {word(e[62:94]): struct.unpack('!BBIQQIII', e[:34]) + (word(e[94:]),)
                for e in self.entries(LIMITERS)}

    def sets(self):
        """By name: type, flags, timeout in ms, room, members."""
        return {word(e[54:]): struct.unpack('!BxIQQQ', e[:30]) for e in self.entries(SETS)}

    def members(self, which):
        """(prefix, ms left, value) of each, in order."""
        return sorted((e[0], struct.unpack('!I', e[2:6])[0], e[22:])
                      for e in self.entries(MEMBERS, name(which)))


def oxm_headers(octets):
    """(class, number, experimenter) of each."""
    while octets:
        oxm_class, number = struct.unpack('!HB', octets[:3])
        ours = oxm_class == 0xffff
        yield oxm_class, number >> 1, struct.unpack('!I', octets[4:8])[0] if ours else None
        octets = octets[8 if ours else 4:]
