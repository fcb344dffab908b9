#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether everybody read the same from one stretch of samples (sflow.sh): nfdump, tshark, the local socket, top,
why and a dry run against what the gateway counted.  Ends with 1 and the first thing that is not so."""
import json
import os
import struct
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pcap  # noqa: E402

SENT = int(os.environ["sent"])
AGENT, OUTER, RATE = "203.0.113.1", "198.51.100.13", 4
LENGTH = 428          # octets of each packet: 400 of payload, UDP, IP
CANARY = b"canary"


def expect(what, so, *seen):
    if not so:
        sys.exit(f"not so: {what}: {' '.join(map(str, seen))}")


def near(value, wanted):
    return 0.85 * wanted <= value <= 1.15 * wanted


def load(name):
    with open(name, encoding="utf-8") as f:
        return json.load(f)


def words(data, at, n):
    return struct.unpack_from(f">{n}I", data, at)


def flow_samples(datagram):
    """(input, output, rate, {format: octets}) of each flow sample, as docs/sflow.md has it."""
    version, kind = words(datagram, 0, 2)
    expect("version 5, an IPv4 agent", (version, kind) == (5, 1), version, kind)
    n, at = words(datagram, 24, 1)[0], 28
    for _ in range(n):
        tag, size = words(datagram, at, 2)
        if tag == 1:
            _, source, rate, _, _, into, out, records = words(datagram, at + 8, 8)
            expect("a worker's source", source == 0x02000001, hex(source))
            found, r = {}, at + 40
            for _ in range(records):
                form, length = words(datagram, r, 2)
                expect("whole words", length % 4 == 0, length)
                found[form] = datagram[r + 8:r + 8 + length]
                r += 8 + length
            expect("a sample's records fill it", r == at + 8 + size, r, at + 8 + size)
            yield into, out, rate, found
        at += 8 + size
    expect("samples fill the datagram", at == len(datagram), at, len(datagram))


def collected(record):
    fields, at = {}, 4
    while at < 4 + words(record, 0, 1)[0]:
        size = record[at + 3]
        fields[record[at + 2] >> 1] = record[at + 8:at + 4 + size]
        at += 4 + size
    return fields


def octets_of(address):
    return bytes(map(int, address.split(".")))


def check_nfdump():
    seen = {}
    with open("nfdump.txt", encoding="ascii") as f:
        for line in f:
            src, dst, _, port, proto, packets, size, into, out, _ = (c.strip() for c in line.split(";"))
            if dst == "10.9.0.2" and port in ("5202", "5299"):
                expect("nfdump's protocol, source, output", (proto, src) == ("UDP", "10.2.0.2"), line)
                n = seen.setdefault((port, into, out), [0, 0])
                n[0] += int(packets)
                n[1] += int(size)
    print("nfdump:", seen)
    expect("one way in, one fate for each port", len(seen) == 2, seen)
    for (port, into, out), (packets, size) in seen.items():
        expect("nfdump counts what was sent", near(packets, SENT / 2), port, packets, SENT)
        expect("… in octets", size == LENGTH * packets, size)
        expect("by the connection, dropped by no port", into == "4" and (out == "2") == (port == "5202"), into, out)


def check_tshark():
    n, agents, rates, outputs, sources = 0, set(), set(), set(), set()
    for _, el in ElementTree.iterparse("sflow.pdml"):
        if el.tag != "packet":
            continue
        n += 1
        for field in el.iter("field"):
            name, show = field.get("name"), field.get("show")
            if name == "sflow_245.agent":
                agents.add(show)
            elif name == "sflow.flow_sample.sampling_rate":
                rates.add(show)
            elif name == "sflow.flow_sample.output_interface":
                outputs.add(show)
            elif name == "ip.src":
                sources.add(show)
        for part in el.iter():
            expect("no fault that tshark finds", not (part.get("name") or "").startswith(("_ws.malformed", "_ws.expert")), n,
                   part.get("showname"))
        el.clear()
    print("tshark:", n, agents, rates, sorted(outputs))
    expect("tshark's agent", agents == {AGENT}, agents)
    expect("tshark's rate", rates == {str(RATE)}, rates)
    expect("tshark's sources", {"10.2.0.2", "127.0.0.1"} <= sources, sources)
    expect("sent by port 2, dropped by a rule", {"0x00000002", "0x40000102"} <= outputs, outputs)


def check_datagrams():
    """What went over UDP, by the documentation; the local socket heard the same."""
    sent = {}
    for _, _, frame in pcap.packets("sflow.pcap"):
        frame = bytes.fromhex(frame)
        expect("a datagram", frame[23] == 17 and len(frame) <= 42 + 1400, len(frame))
        sent[words(frame, 42 + 16, 1)[0]] = frame[42:]
    total = dropped = 0
    for datagram in sent.values():
        expect("no payload", CANARY not in datagram and CANARY[:4] not in datagram)
        expect("the agent", datagram[8:12] == octets_of(AGENT))
        for into, out, rate, records in flow_samples(datagram):
            if into != 4 or 3 not in records:  # what the kernel itself sends has no part in this
                continue
            fields = collected(records[0x07ed9001])
            expect("collected and tunnel say one address", fields[17] == octets_of(OUTER) == records[1024][8:12], fields)
            expect("SPI, connection, verified", (fields[25], fields[23], fields[24]) ==
                   (struct.pack(">I", 0x1003), struct.pack(">I", 4), b"\1"), fields)
            how, _, table, _, size = words(records[0x07ed9002], 0, 5)
            reason = records[0x07ed9002][20:20 + size]
            expect("end and output agree", (how, table, reason, out) in ((0, 0, b"", 2), (1, 0, b"rule", 0x40000102)),
                   how, table, reason, out)
            total += rate
            dropped += rate * how
    print("samples stand for", total, "dropped", dropped, "counted", SENT)
    expect("samples stand for what was counted", near(total, SENT) and near(dropped, SENT / 2), total, dropped)
    with open("local.sflow", "rb") as f:
        data = f.read()
    at = same = 0
    while at < len(data):
        size = words(data, at, 1)[0]
        datagram = data[at + 4:at + 4 + size]
        at += 4 + size
        expect("no payload", CANARY[:4] not in datagram)
        seq = words(datagram, 16, 1)[0]
        if seq in sent:
            expect("one datagram for all", datagram == sent[seq], seq)
            same += 1
    expect("the local socket hears all of it", same == len(sent) > 100, same, len(sent))


def check_verbs():
    rows = {r["values"]["dport"]: r for r in load("top.json")["rows"] if r["values"]["dst"] == "10.9.0.2"}
    for port, gone in (("5202", 0), ("5299", 1)):
        row = rows[port]
        expect("top", row["dropped"] == gone and near(row["share"], 0.5) and row["values"]["in_port"] == "i" and
               row["values"]["outer_ipv4_src"] == OUTER, row)
    why = load("why.json")
    expect("why counts", near(why["to"]["arrived"], SENT) and near(why["to"]["lost"], SENT / 2), why["to"])
    expect("why names the rule", "udp_dst=5299" in why["to"]["rules"][0]["flow"], why["to"]["rules"])
    expect("why names the aggregates' sender", why["outers"][0]["address"] == OUTER, why["outers"])
    dry = load("dry.json")
    expect("the dry run", dry["evidence"] and near(dry["share"], 0.5) and dry["sources"] == 1 and
           dry["already_dropped"] == 0, dry)
    sflow = load("stats.json")["sflow"]
    collector, = sflow["collectors"]
    expect("counters", sflow["watched"] and sflow["local_lost"] == 0 and collector["failed"] == 0 and
           collector["agent"] == AGENT and collector["sent"] > 100, sflow)


check_nfdump()
check_tshark()
check_datagrams()
check_verbs()
