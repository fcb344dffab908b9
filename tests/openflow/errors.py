#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Malformed and impossible messages, and the error type and code that the standard has for each
(ONF TS-023, 7.5.4; docs/openflow.md has a line for every row of its tables).  After each refusal
all that can be dumped is as it was, the connection answers, and so does another.

    errors.py SOCKET

Port 1 exists.  Prints the rows that were answered otherwise, and how many were right.
"""
import socket
import struct
import sys

from extension import ADD, members_mod
from wire import *

# Sent before the rows, and answered without an error: the connection is the master, of generation
# 100; there are a meter, one of aggregates, two groups, of which the second forwards to the first,
# and a chain of 16 groups; buffer 1 was emptied.
def to_group(number):
    return bucket(struct.pack('!HHI', 22, 8, number))


def role(number, generation):
    return message(24, struct.pack('!I4xQ', number, generation))


BEFORE = [
    role(2, 100),
    message(29, h('0000 0001 00000007') + band()),
    message(29, h('0000 8001 00000006') + band()),
    group_mod(0, 0, 1, bucket(output(1))),
    group_mod(0, 0, 2, to_group(1)),
    *(group_mod(0, 0, 101 + i, to_group(100 + i) if i else b'') for i in range(16)),
]

# Before the rows of bundles: 2 to 4 are there to be lost, 6 is full of packet-outs.
BEFORE_BUNDLES = [
    *(bundle(OPEN, i) for i in range(1, 7)), bundle(CLOSE, 2), bundle(CLOSE, 3),
    *(bundle_add(packet_out(output(1)), 6) for i in range(256)),
]

# What a slave may not say (TS-023, 6.3.5).
SLAVE_ROWS = [
    ('packet-out', packet_out(output(1))), ('flow-mod', flow_mod()),
    ('group-mod', group_mod(2, 0, 1)), ('meter-mod', message(29, h('0002 0000 00000007'))),
    ('port-mod', message(16, struct.pack('!I4x6s2xIII4x', 1, bytes(6), 1, 1, 0))),
    ('table-mod', message(17, h('00 000000 00000000'))), ('bundle', bundle(OPEN)),
]

ROWS = [
    # Requests
    ('BAD_VERSION', message(2, version=5), 1, 0),
    ('BAD_TYPE', message(30), 1, 1),
    ('BAD_TYPE of a reply', message(19, bytes(8)), 1, 1),
    ('BAD_MULTIPART', multipart(14), 1, 2),
    ('BAD_EXPERIMENTER', message(4, h('00002320 00000001')), 1, 3),
    ('BAD_EXPERIMENTER multipart', multipart(0xffff, h('00002320 00000001')), 1, 3),
    ('BAD_EXP_TYPE', message(4, h('534c5543 7fffffff')), 1, 4),
    ('EPERM', members_mod(ADD, 'nowhere'), 1, 5),
    ('BAD_LEN', message(5, bytes(1)), 1, 6),
    ('BAD_LEN flow-mod', message(14, bytes(40)), 1, 6),
    ('BAD_LEN multipart', multipart(13, bytes(8)), 1, 6),
    ('BAD_LEN actions_len', packet_out(length=8, frame=b''), 1, 6),
    ('BUFFER_UNKNOWN flow-mod', flow_mod(buffer=9), 1, 8),
    ('BUFFER_UNKNOWN packet-out', packet_out(buffer=9), 1, 8),
    ('BUFFER_EMPTY flow-mod', flow_mod(buffer=1), 1, 7),
    ('BUFFER_EMPTY packet-out', packet_out(output(1), b'', buffer=1), 1, 7),
    ('BAD_TABLE_ID', multipart(1, b'\x64' + FLOW_REQUEST[1:] + match()), 1, 9),
    ('BAD_PORT packet-out', packet_out(in_port=77), 1, 11),
    ('BAD_PORT port-stats', multipart(4, struct.pack('!II', 77, 0)), 1, 11),
    ('BAD_PACKET', packet_out(frame=bytes(5)), 1, 12),
    ('MULTIPART_BUFFER_OVERFLOW', multipart(1, FLOW_REQUEST + match(), flags=1), 1, 13),
    # Actions
    ('BAD_ACTION BAD_TYPE', flow_mod(instructions=apply_actions(h('0063 0008 00000000'))), 2, 0),
    ('BAD_ACTION BAD_LEN', flow_mod(instructions=apply_actions(h('0000 0008 00000001'))), 2, 1),
    ('BAD_ACTION BAD_LEN zero',
     flow_mod(instructions=apply_actions(h('0000 0000 00000001 0000 000000000000'))), 2, 1),
    ('BAD_ACTION BAD_LEN beyond',
     flow_mod(instructions=apply_actions(output(1, length=24))), 2, 1),
    ('BAD_ACTION BAD_EXPERIMENTER',
     flow_mod(instructions=apply_actions(h('ffff 0010 00002320 0000000000000000'))), 2, 2),
    ('BAD_ACTION BAD_EXP_TYPE',
     flow_mod(instructions=apply_actions(h('ffff 0010 534c5543 7fff 000000000000'))), 2, 3),
    ('TOO_MANY', flow_mod(instructions=apply_actions(*257 * [output(1)])), 2, 7),
    ('TOO_MANY packet-out', packet_out(b''.join(257 * [output(1)])), 2, 7),
    ('BAD_QUEUE', flow_mod(instructions=apply_actions(h('0015 0008 00000005'))), 2, 8),
    ('BAD_OUT_PORT', flow_mod(instructions=apply_actions(output(0xffffffff))), 2, 4),
    ('BAD_OUT_PORT zero', flow_mod(instructions=apply_actions(output(0))), 2, 4),
    ('BAD_OUT_PORT packet-out', packet_out(output(0xffffff55)), 2, 4),
    ('BAD_ARGUMENT', flow_mod(instructions=apply_actions(h('0011 0008 0800 0000'))), 2, 5),
    ('BAD_OUT_GROUP', flow_mod(instructions=apply_actions(h('0016 0008 00000009'))), 2, 9),
    ('MATCH_INCONSISTENT', flow_mod(instructions=apply_actions(set_field(h('80001c02 0050')))),
     2, 10),
    ('BAD_SET_TYPE', flow_mod(instructions=apply_actions(set_field(h('8000fe02 0050')))), 2, 13),
    ('BAD_SET_TYPE in_port', flow_mod(instructions=apply_actions(set_field(IN_PORT))), 2, 13),
    ('BAD_SET_TYPE in_phy_port', flow_mod(
        match(IN_PORT), apply_actions(set_field(h('80000204 00000001')))), 2, 13),
    ('BAD_SET_TYPE metadata', flow_mod(
        instructions=apply_actions(set_field(h('80000408 0000000000000001')))), 2, 13),
    ('BAD_SET_TYPE ipv6_exthdr', flow_mod(
        match(IPV6), apply_actions(set_field(h('80004e02 0001')))), 2, 13),
    ('BAD_SET_LEN', flow_mod(match(IPV4 + TCP),
                             apply_actions(set_field(h('80001c03 005000')))), 2, 14),
    ('BAD_SET_ARGUMENT', flow_mod(match(IPV4), apply_actions(set_field(h('80001001 ff')))), 2, 15),
    # Instructions
    ('UNKNOWN_INST', flow_mod(instructions=h('0009 0008 00000000')), 3, 0),
    ('UNSUP_INST', flow_mod(table=1, instructions=h('0006 0008 00000006')), 3, 1),
    ('BAD_INSTRUCTION BAD_TABLE_ID back', flow_mod(table=3, instructions=h('0001 0008 03000000')),
     3, 2),
    ('BAD_INSTRUCTION BAD_TABLE_ID high', flow_mod(instructions=h('0001 0008 fe000000')), 3, 2),
    ('BAD_INSTRUCTION BAD_EXPERIMENTER', flow_mod(instructions=h('ffff 0008 00002320')), 3, 5),
    ('BAD_INSTRUCTION BAD_LEN', flow_mod(instructions=h('0001 0010 01000000 0000000000000000')),
     3, 7),
    ('BAD_INSTRUCTION BAD_LEN short', flow_mod(instructions=h('0002 0008 00000000')), 3, 7),
    ('BAD_INSTRUCTION BAD_LEN beyond', flow_mod(instructions=h('0004 0010 00000000')), 3, 7),
    ('DUP_INST', flow_mod(instructions=h('0001 0008 01000000 0001 0008 02000000')), 3, 9),
    # Matches
    ('BAD_MATCH BAD_TYPE', flow_mod(match(kind=0)), 4, 0),
    ('BAD_MATCH BAD_LEN', flow_mod(match(length=3)), 4, 1),
    ('BAD_MATCH BAD_LEN beyond', flow_mod(match(length=64)), 4, 1),
    ('BAD_MATCH BAD_LEN field', flow_mod(match(h('80000003 000001'))), 4, 1),
    ('BAD_FIELD', flow_mod(match(h('8000fe04 00000000'))), 4, 6),
    ('BAD_FIELD class', flow_mod(match(h('12340004 00000000'))), 4, 6),
    ('BAD_FIELD experimenter', flow_mod(match(h('ffff0008 00002320 00000000'))), 4, 6),
    ('BAD_VALUE vlan_pcp', flow_mod(match(h('80000c02 1005 80000e01 08'))), 4, 7),
    ('BAD_VALUE ip_dscp', flow_mod(match(IPV4 + h('80001001 40'))), 4, 7),
    ('BAD_MASK', flow_mod(match(h('80000108 00000001 0000ffff'))), 4, 8),
    ('BAD_WILDCARDS', flow_mod(match(IPV4 + h('80001708 0a000001 ff000000'))), 4, 5),
    ('BAD_PREREQ', flow_mod(match(h('80001a02 0050'))), 4, 9),
    ('BAD_PREREQ of the other version', flow_mod(match(IPV6 + h('80001604 0a000001'))), 4, 9),
    ('DUP_FIELD', flow_mod(match(IN_PORT + IN_PORT)), 4, 10),
    # Flow-mods
    ('FLOW_MOD BAD_TABLE_ID', flow_mod(table=254), 5, 2),
    ('FLOW_MOD BAD_TABLE_ID all', flow_mod(table=255), 5, 2),
    ('OVERLAP', flow_mod(match(IPV4), flags=2, priority=0), 5, 3),
    ('EPERM', flow_mod(), 5, 4), # everything, dropped
    ('BAD_COMMAND', flow_mod(command=5), 5, 6),
    ('BAD_FLAGS', flow_mod(flags=0x20), 5, 7),
    # Groups, ports, tables, queues, configuration, roles, meters, features
    ('GROUP_EXISTS', group_mod(0, 0, 1), 6, 0),
    ('INVALID_GROUP number', group_mod(0, 0, 0xffffff01), 6, 1),
    ('INVALID_GROUP indirect', group_mod(0, 2, 3), 6, 1),
    ('INVALID_GROUP weight', group_mod(0, 0, 3, bucket(weight=1)), 6, 1),
    ('WEIGHT_UNSUPPORTED', group_mod(0, 1, 3, bucket(weight=1) + bucket(weight=65535) * 9), 6, 2),
    ('OUT_OF_BUCKETS', group_mod(0, 0, 3, bucket() * 257), 6, 4),
    ('CHAINING_UNSUPPORTED', group_mod(0, 0, 3, to_group(116)), 6, 5),
    ('CHAINING_UNSUPPORTED in the middle', group_mod(1, 0, 101, to_group(1)), 6, 5),
    ('WATCH_UNSUPPORTED', group_mod(0, 0, 3, bucket(port=1)), 6, 6),
    ('LOOP', group_mod(1, 0, 1, bucket(h('0016 0008 00000002'))), 6, 7),
    ('LOOP itself', group_mod(0, 0, 3, bucket(h('0016 0008 00000003'))), 6, 7),
    ('UNKNOWN_GROUP', group_mod(1, 0, 3), 6, 8),
    ('CHAINED_GROUP', group_mod(2, 0, 1), 6, 9),
    ('GROUP_MOD BAD_TYPE', group_mod(0, 4, 3), 6, 10),
    ('GROUP_MOD BAD_COMMAND', group_mod(3, 0, 1), 6, 11),
    ('BAD_BUCKET short', group_mod(0, 0, 3, bucket(length=8)), 6, 12),
    ('BAD_BUCKET beyond', group_mod(0, 0, 3, bucket(length=24)), 6, 12),
    ('BAD_BUCKET not in eights', group_mod(0, 0, 3, bucket(length=12) + bytes(8)), 6, 12),
    ('BAD_WATCH', group_mod(0, 3, 3, bucket(output(1))), 6, 13),
    ('BAD_WATCH port', group_mod(0, 3, 3, bucket(port=0xfffffffa)), 6, 13),
    ('BAD_WATCH group', group_mod(0, 1, 3, bucket(weight=1, group=9)), 6, 13),
    ('BAD_OUT_PORT in a bucket', group_mod(0, 0, 3, bucket(output(0))), 2, 4),
    ('BAD_OUT_GROUP in a bucket', group_mod(0, 0, 3, bucket(h('0016 0008 00000009'))), 2, 9),
    ('BAD_OUT_GROUP in a packet-out', packet_out(h('0016 0008 00000009')), 2, 9),
    ('GROUP_MOD BAD_COMMAND', message(15, h('0003 00 00 00000001')), 6, 11),
    ('PORT_MOD BAD_PORT', message(16, struct.pack('!I4x6s2xIII4x', 77, bytes(6), 0, 0, 0)), 7, 0),
    ('PORT_MOD BAD_HW_ADDR',
     message(16, struct.pack('!I4x6s2xIII4x', 1, b'\xfe' * 6, 0, 0, 0)), 7, 1),
    ('PORT_MOD BAD_CONFIG',
     message(16, struct.pack('!I4x6s2xIII4x', 1, bytes(6), 2, 0xffffffff, 0)), 7, 2),
    ('PORT_MOD BAD_ADVERTISE',
     message(16, struct.pack('!I4x6s2xIII4x', 1, bytes(6), 0, 0, 1)), 7, 3),
    ('TABLE_MOD BAD_TABLE', message(17, h('fe 000000 00000000')), 8, 0),
    ('TABLE_MOD BAD_CONFIG', message(17, h('00 000000 00000008')), 8, 1),
    ('QUEUE_OP BAD_PORT', message(22, struct.pack('!II', 77, 0)), 9, 0),
    ('QUEUE_OP BAD_QUEUE', multipart(5, struct.pack('!II', 1, 3)), 9, 1),
    ('SWITCH_CONFIG BAD_FLAGS', message(9, h('0001 0080')), 10, 0),
    ('ROLE BAD_ROLE', message(24, struct.pack('!I4xQ', 4, 0)), 11, 2),
    ('ROLE STALE', role(2, 99), 11, 0),
    ('ROLE STALE slave', role(3, 0x8000000000000065), 11, 0),
    ('UNKNOWN_METER', flow_mod(instructions=h('0006 0008 00000001')), 12, 3),
    ('METER_MOD BAD_COMMAND', message(29, h('0003 0000 00000001')), 12, 4),
    ('METER_MOD UNKNOWN_METER', message(29, h('0001 0001 00000001')), 12, 3),
    ('METER_EXISTS', message(29, h('0000 0001 00000007') + band()), 12, 1),
    ('METER_MOD INVALID_METER', message(29, h('0000 0001 fffffffe')), 12, 2),
    ('METER_MOD INVALID_METER 0', message(29, h('0000 0001 00000000')), 12, 2),
    ('METER_MOD BAD_FLAGS', message(29, h('0000 0003 00000001')), 12, 5),
    ('METER_MOD BAD_FLAGS unknown', message(29, h('0000 0010 00000001')), 12, 5),
    ('METER_MOD BAD_RATE', message(29, h('0000 0001 00000001') + band(rate=0)), 12, 6),
    ('METER_MOD BAD_BURST', message(29, h('0000 0005 00000001') + band(burst=1000)), 12, 7),
    ('METER_MOD BAD_BAND', message(29, h('0000 0001 00000001') + band(kind=3)), 12, 8),
    ('METER_MOD BAD_BAND of an aggregate', message(29, h('0000 8001 00000001') + band(2, level=1)), 12, 8),
    ('METER_MOD BAD_BAND_VALUE', message(29, h('0000 0001 00000001') + band(2, level=3)), 12, 9),
    ('METER_MOD OUT_OF_BANDS', message(29, h('0000 0001 00000001') + 9 * band()), 12, 11),
    ('METER_MOD a short band', message(29, h('0000 0001 00000001') + h('0001 0008 00000001')), 1, 6),
    ('METER_STATS UNKNOWN_METER', multipart(9, h('00000005 00000000')), 12, 3),
    ('TABLE_FEATURES EPERM', multipart(12, features()), 13, 5),
    ('TABLE_FEATURES EPERM in parts',
     multipart(12, features(h('0000 0008 0001 0004')), 1) + multipart(12, features()), 13, 5),
    ('TABLE_FEATURES BAD_TABLE', multipart(12, features(table=200)), 13, 0),
    ('TABLE_FEATURES BAD_TYPE', multipart(12, features(h('0009 0008 00000000'))), 13, 2),
    ('TABLE_FEATURES BAD_TYPE experimenter', multipart(12, features(h('ffff 0008 00002320'))), 13, 2),
    ('TABLE_FEATURES BAD_LEN', multipart(12, bytes(64)), 13, 3),
    ('TABLE_FEATURES BAD_LEN short', multipart(12, bytes(9)), 13, 3),
    ('TABLE_FEATURES BAD_LEN beyond', multipart(12, features(length=72)), 13, 3),
    ('TABLE_FEATURES BAD_LEN property', multipart(12, features(h('0000 0010 00000000'))), 13, 3),
    ('TABLE_FEATURES BAD_LEN property short', multipart(12, features(h('0000 0003 00000000'))), 13, 3),
    ('TABLE_FEATURES BAD_LEN instruction', multipart(12, features(h('0000 0008 0001 0008'))), 13, 3),
    ('TABLE_FEATURES BAD_LEN field', multipart(12, features(h('0008 0006 8000 0000'))), 13, 3),
    ('TABLE_FEATURES BAD_ARGUMENT instruction', multipart(12, features(h('0000 0008 0009 0004'))), 13, 4),
    ('TABLE_FEATURES BAD_ARGUMENT action', multipart(12, features(h('0004 0008 0063 0004'))), 13, 4),
    ('TABLE_FEATURES BAD_ARGUMENT field', multipart(12, features(h('0008 0008 8000fe04'))), 13, 4),
    ('TABLE_FEATURES BAD_ARGUMENT next', multipart(12, features(h('0002 0005 00 000000'))), 13, 4),
    ('TABLE_FEATURES BAD_ARGUMENT config', multipart(12, features(config=8)), 13, 4),
    ('TABLE_FEATURES BAD_ARGUMENT entries', multipart(12, features(entries=0xffffffff)), 13, 4),
]

# OFPBFC_* of EXT-230: an experimenter's error.
BUNDLE_ROWS = [
    ('BUNDLE UNKNOWN', bundle(OPEN, 9, properties=h('0001 0008 00000000')), 0xffff, 2300),
    ('BUNDLE BAD_ID close', bundle(CLOSE, 9), 0xffff, 2302),
    ('BUNDLE BAD_ID commit', bundle(COMMIT, 9), 0xffff, 2302),
    ('BUNDLE BAD_ID discard', bundle(DISCARD, 9), 0xffff, 2302),
    ('BUNDLE_CLOSED', bundle(CLOSE, 2), 0xffff, 2304),
    ('BUNDLE BAD_ID of what was closed twice', bundle(COMMIT, 2), 0xffff, 2302),
    ('BUNDLE_CLOSED add', bundle_add(flow_mod(), 3), 0xffff, 2304),
    ('BUNDLE BAD_TYPE', bundle(1), 0xffff, 2306),
    ('BUNDLE BAD_FLAGS', bundle(OPEN, 9, 4), 0xffff, 2307),
    ('BUNDLE BAD_FLAGS commit', bundle(COMMIT, 4, 1), 0xffff, 2307),
    ('BUNDLE BAD_FLAGS add', bundle_add(flow_mod(), 5, 1), 0xffff, 2307),
    ('BUNDLE BAD_ID of what had other flags', bundle(COMMIT, 5), 0xffff, 2302),
    ('BUNDLE MSG_BAD_LEN', bundle_add(flow_mod()[:20]), 0xffff, 2308),
    ('BUNDLE MSG_BAD_XID', bundle_add(flow_mod()[:4] + bytes(4) + flow_mod()[8:]), 0xffff, 2309),
    ('BUNDLE MSG_UNSUP', bundle_add(message(20)), 0xffff, 2310),
    ('BUNDLE MSG_UNSUP of a buffer', bundle_add(packet_out(b'', b'', buffer=1)), 0xffff, 2310),
    ('BUNDLE MSG_UNSUP atomic port-mod', bundle_add(
        message(16, struct.pack('!I4x6s2xIII4x', 1, bytes(6), 1, 1, 0)), 9, 1), 0xffff, 2310),
    ('BUNDLE MSG_TOO_MANY', bundle_add(packet_out(output(1)), 6), 0xffff, 2312),
    ('BAD_EXP_TYPE of the ONF', onf(2302, bytes(8)), 1, 4),
    ('BAD_LEN of a bundle', onf(2300, bytes(4)), 1, 6),
    ('BAD_COMMAND in a bundle', bundle_add(flow_mod(command=5)), 5, 6),
    ('BAD_BUCKET in a bundle', bundle_add(group_mod(0, 0, 3, bucket(length=8))), 6, 12),
    ('BAD_LEN in a bundle', bundle_add(message(29, bytes(4))), 1, 6),
    ('BAD_PORT in a bundle',
     bundle_add(message(16, struct.pack('!I4x6s2xIII4x', 77, bytes(6), 0, 0, 0))), 7, 0),
    ('BUNDLE_EXIST', bundle(OPEN), 0xffff, 2303),
    ('BUNDLE BAD_ID of what was opened twice', bundle(COMMIT), 0xffff, 2302),
]


# As many masks as a table admits.
PREFIXES = [0xffffffff << 32 - n & 0xffffffff for n in range(1, 33)]
MASKS = [flow_mod(match(IPV4 + h('80001708') + struct.pack('!II', a, a)
                        + h('80001908') + struct.pack('!II', b, b)),
                  apply_actions(output(1)), table=1) for a in PREFIXES for b in PREFIXES]


class Judge:
    """A connection, a bystander that has to be answered all the while, and how many rows were
    right."""
    def __init__(self, path):
        self.peer, self.bystander = Peer(path), Peer(path)
        self.good = self.rows = 0

    def accepted(self, *messages):
        self.peer.send(b''.join(messages) + message(20))
        kind = None
        while kind != 21:
            kind, body = self.peer.receive()
            assert kind != 1, struct.unpack('!HH', body[:4])

    def row(self, name, peer, octets, errors, state):
        """`octets` are answered with the errors, each (type, code), of which the last quotes
        them."""
        self.rows += 1
        got = peer.errors(octets, len(errors))
        if got != errors:
            print('%s: %s instead of %s' % (name, got, errors))
        elif self.peer.state() != state:
            print('%s: it changed something' % name)
        elif self.bystander.ask(message(2, b'?')) != (3, b'?'):
            print('%s: the bystander is not answered' % name)
        else:
            self.good += 1

    def check(self, name, good):
        self.rows += 1
        self.good += good
        if not good:
            print(name)


def empty_a_buffer(peer):
    peer.send(packet_out(output(0xfffffffd, max_len=20)))
    kind, body = peer.receive()
    assert kind == 10 and body[:4] == h('00000001')
    peer.send(packet_out(output(1), b'', buffer=1))


def features_there_and_back(judge):
    """What the tables can do may be asked for as it is; our fields and conditions (60 to 63) are
    for those who have spoken of one."""
    peer = Peer(sys.argv[1])
    ours = [h('ffff %02x04 534c5543' % (number << 1)) for number in range(60, 64)]
    for extended in False, True:
        there = peer.ask(multipart(12))
        tables, parts = there[1][8:], b''
        back = peer.ask(multipart(12, tables))
        while tables:
            size = struct.unpack('!H', tables[:2])[0]
            parts += multipart(12, tables[:size], flags=1)
            tables = tables[size:]
        judge.check('table features differ%s' % (', extended' if extended else ''),
                    there[0] == 19 and back == there == peer.ask(parts + multipart(12))
                    and all((o in there[1]) == extended for o in ours))
        peer.ask(multipart(1, FLOW_REQUEST + match(h('ffff3208 534c5543 00001001'))))


def hellos(judge):
    """HELLO_FAILED, INCOMPATIBLE, in words, and goodbye."""
    other = socket.socket(socket.AF_UNIX)
    other.connect(sys.argv[1])
    other.settimeout(10)
    other.sendall(message(0, version=3))
    got = b''
    while octets := other.recv(4096):
        got += octets
    error = got[struct.unpack('!H', got[2:4])[0]:] # behind the switch's own hello
    judge.check('HELLO_FAILED INCOMPATIBLE', error[1] == 1 and error[8:12] == bytes(4)
                and b'no version in common' in error
                and judge.bystander.ask(message(2, b'?')) == (3, b'?'))


def one_of_a_bundle_fails(judge, peer, state):
    """The message's own error, and the commit's."""
    peer.send(bundle_add(flow_mod(match(IPV4), apply_actions(output(1))), 7)
              + bundle_add(group_mod(0, 0, 1), 7))
    judge.row('BUNDLE MSG_FAILED', peer, bundle(COMMIT, 7), [(6, 0), (0xffff, 2313)], state)


def without_room(judge, peer):
    """Until there is none."""
    for i in range(16):
        peer.ask(bundle(OPEN, 20 + i))
    judge.row('OUT_OF_BUNDLES', peer, bundle(OPEN, 99), [(0xffff, 2305)], peer.state())
    for i in range(16):
        peer.ask(bundle(DISCARD, 20 + i))
    for name, fills, octets, error in [
            ('TABLE_FULL', MASKS, flow_mod(match(IPV4 + TCP), apply_actions(output(1)), table=1),
             (5, 1)),
            ('OUT_OF_GROUPS', [group_mod(0, 0, 1000 + i) for i in range(16384 - 18)],
             group_mod(0, 0, 3), (6, 3)),
            ('OUT_OF_METERS',
             [message(29, struct.pack('!HHI', 0, 1, 1000 + i)) for i in range(16382)],
             message(29, h('0000 0001 00000008')), (12, 10))]:
        judge.accepted(*fills)
        judge.row(name, peer, octets, [error], peer.state())


def main():
    judge = Judge(sys.argv[1])
    peer, bystander = judge.peer, judge.bystander
    judge.accepted(*BEFORE)
    assert bystander.ask(role(3, 100))[0] == 25
    empty_a_buffer(peer)
    state = peer.state()
    for name, octets, kind, code in ROWS:
        judge.row(name, peer, octets, [(kind, code)], state)
    for name, octets in SLAVE_ROWS:
        judge.row('IS_SLAVE ' + name, bystander, octets, [(1, 10)], state)
    judge.accepted(*BEFORE_BUNDLES)
    for name, octets, kind, code in BUNDLE_ROWS:
        judge.row(name, peer, octets, [(kind, code)], state)
    one_of_a_bundle_fails(judge, peer, state)
    judge.accepted(bundle(DISCARD, 6))
    hellos(judge)
    features_there_and_back(judge)
    without_room(judge, peer)
    print('%d of %d' % (judge.good, judge.rows))


main()
