# SPDX-License-Identifier: Apache-2.0
"""A client of sluice's extension of OpenFlow, written from docs/protocol.md."""
import struct

from wire import Peer, message, multipart

ID = 0x534c5543
HELLO, REFUSAL = 1, 2
REASONS = 1
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


def oxm_headers(octets):
    """(class, number, experimenter) of each."""
    while octets:
        oxm_class, number = struct.unpack('!HB', octets[:3])
        ours = oxm_class == 0xffff
        yield oxm_class, number >> 1, struct.unpack('!I', octets[4:8])[0] if ours else None
        octets = octets[8 if ours else 4:]
