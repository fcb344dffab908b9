#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that are held for controllers, through a daemon (ONF TS-023, 7.3.4.2, 7.3.7 and 7.4.1).

    buffers.py SOCKET

Ports 1 and 2 exist.  A packet that a rule sends with max_len 20 is held; a packet-out and a
flow-mod get it whole, once.  Prints what port 2 has sent, and the errors.
"""
import struct
import sys

from wire import *

ARP = h('ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001',
        '000000000000 0a000002') + bytes(18)


def packet_in(peer):
    """Sends a packet through the tables; its packet-in."""
    peer.send(packet_out(output(0xfffffff9), ARP, in_port=1))
    kind, body = peer.receive()
    assert kind == 10, kind
    buffer, total = struct.unpack('!IH', body[:6])
    assert total == len(ARP)
    return buffer, body[-20:] == ARP[:20] and len(body) == 16 + 16 + 2 + 20


def port_2(peer):
    kind, body = peer.ask(multipart(4, struct.pack('!II', 2, 0)))
    assert kind == 19
    return 'port 2 has sent %d packets, %d octets' % (
        struct.unpack('!8xQ', body[16:32])[0], struct.unpack('!24xQ', body[16:48])[0])


def main():
    peer = Peer(sys.argv[1])
    peer.send(flow_mod(match(h('80000a02 0806')),
                       apply_actions(output(0xfffffffd, max_len=20))) + message(20))
    assert peer.receive()[0] == 21
    buffer, right = packet_in(peer)
    print('held: %s' % (buffer != NO_BUFFER and right))
    peer.send(packet_out(output(2), b'', in_port=1, buffer=buffer) + message(20))
    assert peer.receive()[0] == 21
    print(port_2(peer))
    print('again:', peer.error(packet_out(output(2), b'', in_port=1, buffer=buffer)))
    buffer, right = packet_in(peer)
    print('held: %s' % (buffer != NO_BUFFER and right))
    print('refused:', peer.error(flow_mod(match(h('80001a02 0050')), buffer=buffer)))
    peer.send(flow_mod(match(h('80000a02 0806')), apply_actions(output(2)), buffer=buffer)
              + message(20))
    assert peer.receive()[0] == 21
    print(port_2(peer))
    print('never was:', peer.error(flow_mod(match(h('80000a02 0806')), buffer=77777)))


main()
