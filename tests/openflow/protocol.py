# SPDX-License-Identifier: Apache-2.0
"""docs/protocol.md, held against a switch: octets that go in, come out, or are refused.  There are
sets bad (ipv4) and pairs (ipv4+port), limiter slow and connection limit few."""
import struct
import sys

from extension import (BPF, PAIR, RANGE, SET, Client, action, collected, condition, ext, name,
                       oxm_headers)
from wire import IPV4, TCP, apply_actions, flow_mod, h, match, output

UDP = h('80001401 11')
OUT = output(2, max_len=0)
U64 = struct.Struct('!Q').pack

MATCHES = [
    ('a collected field', collected(12, h('2e'))),
    ('a collected field with a mask', h('ffff 19 06 534c5543 20 30')),
    ('a range', IPV4 + UDP + condition(RANGE, 16, h('03e8 07cf'))),
    ('a range, negated', IPV4 + UDP + condition(RANGE, 16, h('03e8 07cf'), flags=1)),
    ('a range of a collected field',
     condition(RANGE, 39, h('00000040 00000050'), oxm_class=0xffff)),
    ('a set', IPV4 + condition(SET, 11, b'bad')),
    ('a set, negated', IPV4 + condition(SET, 11, b'bad', flags=1)),
    ('a set of pairs', IPV4 + TCP + condition(PAIR, 11, h('8000 1c 02') + b'pairs')),
    ('a program', condition(BPF, 0, b'\0' + b'ip[8] < 5', oxm_class=0)),
]

ACTIONS = [
    ('limit, of bits', action(1, h('0001 00000000') + U64(10_000_000) + U64(0))),
    ('limit, of packets', action(1, h('0000 00000000') + U64(200) + U64(50))),
    ('sample', action(2, h('0000 00000040'))),
    ('limiter', action(3, name('slow', 30))),
    ('connlimit', action(4, name('few', 30))),
    ('set_add', action(5, h('20 00 0000ea60 80001604 00000000') + b'seen')),
    ('clamp_mss', action(6, h('0550 00000000'))),
]
REJECT = action(7, h('0000 00000000'))

REFUSED = [
    ('no such field', flow_mod(match(collected(59, h('00')))), 'bad-field'),
    ('a set that is not there', flow_mod(match(IPV4 + condition(SET, 11, b'none'))), 'not-found'),
    ('a range without an end', flow_mod(match(IPV4 + UDP + condition(RANGE, 16, h('03e8')))),
     'bad-match-length'),
    ('no such action', flow_mod(match(), apply_actions(action(99, bytes(6)))),
     'bad-action-experimenter-type'),
    ('version 0', ext(1, bytes(8)), 'bad-extension-value'),
    ('half a hello', ext(1, bytes(4)), 'bad-length'),
    ('no such message', ext(9999), 'bad-experimenter-type'),
]


def there_and_back(client):
    for what, oxm in MATCHES:
        why = client.change(flow_mod(match(oxm), apply_actions(OUT)))
        if why or oxm not in client.rules():
            print(what, why, client.rules().hex())
        client.change(flow_mod(command=3))
    tcp = match(IPV4 + TCP)
    for what, octets in ACTIONS + [('reject', REJECT)]:
        why = client.change(flow_mod(tcp, apply_actions(octets)))
        if why or octets not in client.rules():
            print(what, why, client.rules().hex())
        client.change(flow_mod(command=3))


def main():
    client = Client(sys.argv[1])
    print('hello: version %d, origin %d, flags %d' % client.hello(version=7))
    features = client.features()
    ours = [number for oxm_class, number, _ in oxm_headers(features[8]) if oxm_class == 0xffff]
    print('fields:', ours)
    print('actions:', features[6][-8:].hex())
    there_and_back(client)
    for what, octets, code in REFUSED:
        before = client.rules()
        why = client.change(octets)
        if not why or why[0] != code or client.rules() != before:
            print(what, why)
    client.hello(flags=0)
    print('without reasons:', client.error(ext(9999)))


main()
