# SPDX-License-Identifier: Apache-2.0
"""docs/protocol.md, held against a switch: octets that go in, come out, or are refused.  There are
sets bad (ipv4) and pairs (ipv4+port), limiter slow and connection limit few."""
import struct
import sys

from extension import (ADD, BPF, COUNTERS, DELETE, EMPTY, ETH_SET, IPV4_PORT_SET, IPV4_SET,
                       IPV6_SET, MEMBERS, PAIR, PORT_SET, PROTECTED, RANGE, SET, SWAP, TIMEOUTS,
                       Client, action, collected, condition, ext, member, members_mod, name,
                       oxm_headers, rule_mod, set_mod,
                       CONFIRM, FOREVER, IN_GUARD, SLOW, limiter_mod, request)
from wire import IPV4, TCP, apply_actions, flow_mod, h, match, message, output, packet_out

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
    ('a set without a name', set_mod(ADD, ''), 'bad-value'),
    ('a set that is there', set_mod(ADD, 'bad'), 'exists'),
    ('a set of no type', set_mod(ADD, 'x', kind=9), 'bad-extension-value'),
    ('a set with flags that are none', set_mod(ADD, 'x', flags=8), 'bad-extension-value'),
    ('no such command of sets', set_mod(3, 'bad'), 'bad-extension-value'),
    ('a name without an end', ext(6, bytes(16) + b'x' * 32 + bytes(32)), 'bad-extension-value'),
    ('a set that is not there, deleted', set_mod(DELETE, 'none'), 'not-found'),
    ('a swap of two types', set_mod(SWAP, 'bad', other='pairs'), 'bad-value'),
    ('a swap with itself', set_mod(SWAP, 'bad', other='bad'), 'bad-value'),
    ('members of no set', members_mod(ADD, 'none', member(bytes(8))), 'not-found'),
    ('no members', members_mod(ADD, 'bad'), 'bad-extension-value'),
    ('too many members', members_mod(ADD, 'bad', *[member(h('0a000001 00000000'), 32)] * 513),
     'bad-extension-value'),
    ('half a member', members_mod(ADD, 'bad', member(b'')), 'bad-length'),
    ('no such command of members', members_mod(2, 'bad', member(h('0a000001 00000000'), 32)),
     'bad-extension-value'),
    ('a prefix of 33', members_mod(ADD, 'bad', member(h('0a000001 00000000'), 33)),
     'bad-extension-value'),
    ('bits behind a prefix', members_mod(ADD, 'bad', member(h('0a000001 00000000'), 8)),
     'bad-extension-value'),
    ('octets behind an address', members_mod(ADD, 'bad', member(h('0a000001 00000001'), 32)),
     'bad-extension-value'),
    ('a timeout where there are none',
     members_mod(ADD, 'bad', member(h('0a000001 00000000'), 32, 5000)), 'bad-value'),
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


def sets(client):
    """What went in by octets, as it is listed."""
    host, net = h('0a000001 00000000'), h('c0000200 00000000')
    kinds = [
        ('b', IPV4_SET, TIMEOUTS | COUNTERS, [member(host, 32), member(net, 24, 0)]),
        ('c', IPV6_SET, 0, [member(h('20010db8 00000000 00000000 00000000'), 32)]),
        ('d', PORT_SET, 0, [member(h('00000000 000001bb'))]),
        ('e', ETH_SET, 0, [member(h('0000 020000000001'))]),
        ('f', IPV4_PORT_SET, 0, [member(h('0000 0a000001 0050'))]),
    ]
    for which, kind, flags, members in kinds:
        for octets in (set_mod(ADD, which, kind, flags, 60000, 500), members_mod(ADD, which, *members)):
            why = client.change(octets)
            if why:
                print(which, why)
        print(which, client.sets()[which],
              [(prefix, left > 0, value.hex()) for prefix, left, value in client.members(which)])
    print('deleted:', client.change(members_mod(DELETE, 'b', member(host, 32))), len(client.members('b')))
    for octets in (set_mod(ADD, 'g', IPV4_SET), members_mod(ADD, 'g', member(host, 32)),
                   set_mod(SWAP, 'g', other='bad')):
        print('swap:', client.change(octets))
    print('bad:', len(client.members('bad')), 'g:', len(client.members('g')))
    asks = match(IPV4 + condition(SET, 11, b'bad'))
    client.change(flow_mod(asks, apply_actions(OUT)))
    for one, other in (('bad', 'g'), ('g', 'bad')):
        print('empty:', client.change(set_mod(SWAP, one, other=other))[0], len(client.members('bad')))
    print('meant:', client.change(set_mod(SWAP, 'g', flags=EMPTY, other='bad')), len(client.members('bad')))
    print('filled:', client.change(set_mod(SWAP, 'g', other='bad')), len(client.members('bad')))
    client.change(flow_mod(command=3))
    print('gone:', client.change(set_mod(DELETE, 'g')), client.entries(MEMBERS, name('g')))


def rules(client):
    rule = flow_mod(match(IPV4), apply_actions(OUT))
    before = client.rules()
    print('dry run:', client.dry_run(rule)[:2], client.rules() == before)
    print('dry run, refused:', client.dry_run(flow_mod(match(collected(39, h('0001868b'))))))
    print('expiring:', client.change(rule_mod(rule, expire=3600000)))
    print([(origin, 3500000 < left <= 3600000) for origin, left, _, _ in client.listed()])
    print('to be confirmed:', client.change(rule_mod(rule, confirm=60000)))
    print([0 < left <= 60000 for _, left, _, _ in client.listed()])
    print("another's:", Client(sys.argv[1]).change(ext(CONFIRM))[0])
    print('confirmed:', client.change(ext(CONFIRM)))
    print([left for _, left, _, _ in client.listed()])
    print('nothing waits:', client.change(ext(CONFIRM))[0])
    old = client.rules()
    other = flow_mod(match(IPV4), apply_actions(output(1, max_len=0)))
    print('not confirmed:', client.change(rule_mod(other, confirm=300)), client.rules() == old)
    while client.rules() != old:
        pass
    print('nothing waits:', client.change(ext(CONFIRM))[0])
    waiting = [rule_mod(flow_mod(match(IPV4), apply_actions(OUT), priority=n), confirm=60000)
               for n in range(1025)]
    print('as many as may wait:', client.change(b''.join(waiting[:1024])))
    print('one more:', client.change(waiting[1024])[0], len(client.listed()))
    print('all:', client.change(ext(CONFIRM)), {left for _, left, _, _ in client.listed()})
    client.change(flow_mod(command=3))


def guard(client, path):
    host = IPV4 + h('80001604 0a000001')
    rule, gone = flow_mod(match(host)), flow_mod(match(host), command=4)
    print('no place:', client.change(rule_mod(rule, IN_GUARD, reason='a flood'))[0])
    watch = Client(path)
    print('origin:', watch.origin)
    for what, octets in [
            ('no reason', rule_mod(rule, IN_GUARD)),
            ('a reason of two lines', rule_mod(rule, IN_GUARD, reason='a\nb')),
            ('a reason too long', rule_mod(rule, IN_GUARD, reason='x' * 256)),
            ('for ever', rule_mod(rule, IN_GUARD | FOREVER, reason='a flood')),
            ('more than a week', rule_mod(rule, IN_GUARD, 604800001, reason='a flood')),
            ('to be confirmed', rule_mod(rule, IN_GUARD, confirm=5000, reason='a flood')),
            ('another table', rule_mod(flow_mod(match(host), table=1), IN_GUARD, reason='a flood')),
            ('another command', rule_mod(flow_mod(match(host), command=3), IN_GUARD)),
            ('flags', rule_mod(rule, 32)),
            ('half a flow-mod', rule_mod(rule[:48], reason='x' * 8))]:
        print('%s: %s' % (what, watch.change(octets)[0]), len(watch.listed(True)))
    print('drop:', watch.change(rule_mod(rule, IN_GUARD, reason='a flood')))
    for origin, left, reason, stats in watch.listed(guard=True):
        print(origin, 3500000 < left <= 3600000, reason, host in stats)
    print('renewed:', watch.change(rule_mod(rule, IN_GUARD, 7200000, reason='still')))
    print([(3600000 < left, reason) for _, left, reason, _ in watch.listed(True)])
    print('a sweep:', client.change(flow_mod(command=3)), len(watch.listed(True)))
    print('gone:', watch.change(rule_mod(gone, IN_GUARD)), watch.listed(True))


def requests(client, path):
    host, net = match(IPV4 + h('80001604 0a000001')), match(IPV4 + h('80001708 0a000000 ff000000'))
    peer, before = Client(path), client.rules()
    client.change(set_mod(ADD, 'home', IPV4_SET, PROTECTED) + members_mod(ADD, 'home', member(
        h('c0000209 00000000'), 32)))
    print('origin:', peer.origin)
    for what, octets in [
            ('nobody', request(host, lifetime=5000, reason='a flood')),
            ('no reason', request(host, lifetime=5000)),
            ('more than a week', request(host, lifetime=604800001, reason='a flood')),
            ('what', request(host, 2, lifetime=5000, reason='a flood')),
            ('unit', request(host, SLOW, 2, lifetime=5000, rate=5, reason='a flood')),
            ('no rate', request(host, SLOW, lifetime=5000, reason='a flood')),
            ('everything', request(match(), lifetime=5000, reason='a flood')),
            ('what is protected', request(match(IPV4 + h('80001804 c0000209')), lifetime=5000,
                                          reason='a flood')),
            ('half a match', request(host[:4], lifetime=5000, reason='a flood'))]:
        print('%s: %s' % (what, (client if what == 'nobody' else peer).change(octets)[0]),
              len(client.listed(True)))
    for what, octets in [('a rule', flow_mod(match(IPV4))), ('of the guard', rule_mod(
            flow_mod(host), IN_GUARD, reason='a flood')), ('a role', message(24, bytes(16))),
            ('a look', message(18, h('0001 0000 00000000') + bytes(40)))]:
        print('%s: %s' % (what, peer.change(octets)[0]), client.rules() == before)
    print('stop:', peer.change(request(host, lifetime=60000, reason='a flood')))
    print('slow:', peer.change(request(net, SLOW, 1, 7, 60000, 1000000, 'too much')))
    for origin, left, reason, stats in client.listed(guard=True):
        print(origin, 50000 < left <= 60000, reason, len(stats))
    print('renewed:', peer.change(request(host, SLOW, 0, lifetime=90000, rate=100, reason='still')))
    print(sorted((60000 < left, reason) for _, left, reason, _ in client.listed(True)))
    print('taken back:', peer.change(request(host)), len(client.listed(True)))
    print('taken back:', peer.change(request(net, priority=7)), len(client.listed(True)))
    client.send(packet_out(output(0xfffffffd)))
    print('a packet-in:', client.receive()[0], peer.ask(message(2))[0])


def limiters(client):
    slow = flow_mod(match(IPV4), apply_actions(action(3, name('l', 30)), OUT))
    for what, octets in [
            ('made', limiter_mod(ADD, 'l', 0, 1, 2048, 8000000, 1600000, by='src/24/64,tcp_dst')),
            ('named', slow),
            ('changed', limiter_mod(1, 'l', 0, 1, rate=4000000)),
            ('connections', limiter_mod(ADD, 'n', 1, 0, 1024, 20, 40, 5, 60000, by='ipv4_src')),
            ('one bound less', limiter_mod(1, 'n', 1, 0, conns=7)),
            ('in use', limiter_mod(2, 'l')),
            ('no fields', limiter_mod(ADD, 'm', rate=500)),
            ('unknown', limiter_mod(1, 'm', rate=500)),
            ('command', limiter_mod(3, 'l')),
            ('fields without an end', limiter_mod(ADD, 'm', rate=500, by='src,' * 64))]:
        why = client.change(octets)
        print('%s: %s' % (what, why and why[0]))
    print(client.limiters()['l'], client.limiters()['n'])
    client.change(flow_mod(command=3))
    print('deleted:', client.change(limiter_mod(2, 'l')), client.change(limiter_mod(2, 'n', 1)),
          sorted(client.limiters()))


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
    sets(client)
    rules(client)
    limiters(client)
    guard(client, sys.argv[2])
    requests(client, sys.argv[3])
    for which, (port, number, local, remote, counters, readings) in client.conns().items():
        print(which, port, hex(number), local.hex(), remote.hex(), sum(counters), len(readings) > 5)
    client.hello(flags=0)
    print('without reasons:', client.error(ext(9999)))


main()
