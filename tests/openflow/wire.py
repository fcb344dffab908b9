# SPDX-License-Identifier: Apache-2.0
"""OpenFlow 1.3 messages as octets, and a peer that sends and receives them."""
import socket
import struct

NO_BUFFER = 0xffffffff


def h(*words):
    return bytes.fromhex(''.join(words).replace(' ', ''))


def message(kind, body=b'', version=4):
    return struct.pack('!BBHI', version, kind, 8 + len(body), 9) + body


def match(oxm=b'', kind=1, length=None):
    octets = struct.pack('!HH', kind, 4 + len(oxm) if length is None else length) + oxm
    return octets + bytes(-len(octets) % 8)


def apply_actions(*actions):
    octets = b''.join(actions)
    return struct.pack('!HHI', 4, 8 + len(octets), 0) + octets


def output(port, length=16, max_len=0):
    return struct.pack('!HHIH6x', 0, length, port, max_len)


def set_field(oxm):
    octets = struct.pack('!HH', 25, (4 + len(oxm) + 7) // 8 * 8) + oxm
    return octets + bytes(-len(octets) % 8)


def flow_mod(m=None, instructions=b'', table=0, command=0, flags=0, buffer=NO_BUFFER, priority=5):
    return message(14, struct.pack('!QQBBHHHIIIHH', 0, 0, table, command, 0, 0, priority, buffer,
                                   0xffffffff, 0xffffffff, flags, 0)
                   + (match() if m is None else m) + instructions)


def packet_out(actions=b'', frame=bytes(60), in_port=0xfffffffd, buffer=NO_BUFFER, length=None):
    return message(13, struct.pack('!IIH6x', buffer, in_port,
                                   len(actions) if length is None else length) + actions + frame)


def band(kind=1, rate=1, burst=0, level=0):
    return struct.pack('!HHIIB3x', kind, 16, rate, burst, level)


def multipart(kind, body=b'', flags=0):
    return message(18, struct.pack('!HHI', kind, flags, 0) + body)


IN_PORT = h('80000004 00000001')
IPV4 = h('80000a02 0800')
IPV6 = h('80000a02 86dd')
TCP = h('80001401 06')
FLOW_REQUEST = struct.pack('!B3xIIIQQ', 255, 0xffffffff, 0xffffffff, 0, 0, 0)


def bucket(actions=b'', weight=0, port=0xffffffff, group=0xffffffff, length=None):
    length = 16 + len(actions) if length is None else length
    return struct.pack('!HHII4x', length, weight, port, group) + actions


def group_mod(command, kind, number, buckets=b''):
    return message(15, struct.pack('!HBxI', command, kind, number) + buckets)


def onf(kind, *body):
    """Bundles are the ONF's experimenter messages (EXT-230): 2300 controls, 2301 adds."""
    return message(4, struct.pack('!II', 0x4f4e4600, kind) + b''.join(body))


def bundle(kind, number=1, flags=0, properties=b''):
    return onf(2300, struct.pack('!IHH', number, kind, flags) + properties)


def bundle_add(inner, number=1, flags=0):
    return onf(2301, struct.pack('!IHH', number, 0, flags) + inner)


def features(properties=b'', table=0, length=None, config=0, entries=10):
    return struct.pack('!HB5x32sQQII', 64 + len(properties) if length is None else length, table,
                       b'', 0, 0, config, entries) + properties


OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6


class Peer:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(10)
        self.send(message(0))
        self.receive()

    def send(self, octets):
        self.socket.sendall(octets)

    def exactly(self, size):
        octets = b''
        while len(octets) < size:
            more = self.socket.recv(size - len(octets))
            if not more:
                raise EOFError('the connection is gone')
            octets += more
        return octets

    def receive(self):
        header = self.exactly(8)
        return header[1], self.exactly(struct.unpack('!H', header[2:4])[0] - 8)

    def ask(self, octets):
        self.send(octets)
        return self.receive()

    def errors(self, octets, n=1):
        """(type, code) of the n errors that the message is answered with, of which the last quotes
        it; or what came instead."""
        codes = []
        self.send(octets + message(20))
        for i in range(n):
            kind, body = self.receive()
            if kind != 1:
                return 'no error'
            codes.append(struct.unpack('!HH', body[:4]))
        if body[8 if codes[-1][0] == 0xffff else 4:][:64] != octets[:64]:
            return 'an error that quotes another message'
        if self.receive()[0] != 21:
            return 'no barrier reply'
        return codes

    def error(self, octets):
        codes = self.errors(octets)
        return codes[0] if isinstance(codes, list) else codes

    def dump(self, kind, body=b''):
        """What a multipart request is answered with, of all its messages."""
        octets, more = b'', True
        self.send(multipart(kind, body))
        while more:
            kind, body = self.receive()
            assert kind == 19, kind
            octets += body[8:]
            more = body[3] & 1
        return octets

    def rules(self):
        """The flow dump without what time changes."""
        octets, rules = self.dump(1, FLOW_REQUEST + match()), []
        while octets:
            size = struct.unpack('!H', octets[:2])[0]
            rules.append(octets[:4] + octets[12:size])
            octets = octets[size:]
        return b''.join(sorted(rules))

    def state(self):
        """What messages can change: rules, groups, meters, ports, and what is the connection's."""
        return [self.rules()] + [self.dump(*request) for request in (
            (7,), (10, struct.pack('!II', 0xffffffff, 0)), (12,), (13,))] + [
                self.ask(octets) for octets in (message(26), message(7), message(24, bytes(16)))]
