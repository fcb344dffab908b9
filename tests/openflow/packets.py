# SPDX-License-Identifier: Apache-2.0
"""Packets for os-ken's switch tester, as the texts that it makes octets of.

A packet is a kind (what is in it, from the network layer on), a carrier (what headers are in front of that) and
the values of its fields.  What a case expects is the same packet with other values or another carrier, so octets
and checksums of both are os-ken's own.
"""
import collections
import ipaddress
import struct

IP, ARP, IP6, VLAN, MPLS, MPLS_M, SVLAN, PBB = 0x0800, 0x0806, 0x86dd, 0x8100, 0x8847, 0x8848, 0x88a8, 0x88e7
PRESENT = 0x1000
DATA = b"thirty-six octets of what is carried"

# Of every field what a packet has, what another has, and a mask under which they differ.
Field = collections.namedtuple("Field", "value other mask settable", defaults=(None, True))
FIELDS = {
    "eth_dst": Field("02:00:00:00:0a:22", "02:00:00:00:f5:22", "ff:ff:ff:ff:ff:00"),
    "eth_src": Field("02:00:00:00:0a:11", "02:00:00:00:f5:11", "00:00:00:00:ff:00"),
    "vlan_vid": Field(PRESENT | 0x123, PRESENT | 0x3f5, PRESENT | 0x0f0),
    "vlan_pcp": Field(5, 2),
    "ip_dscp": Field(10, 46), "ip_ecn": Field(1, 2),
    "ipv4_src": Field("192.0.2.17", "198.51.100.200", "255.255.255.0"),
    "ipv4_dst": Field("203.0.113.99", "192.0.2.1", "0.0.255.0"),
    "tcp_src": Field(40001, 3), "tcp_dst": Field(443, 65535),
    "udp_src": Field(40002, 4), "udp_dst": Field(53, 65534),
    "sctp_src": Field(40003, 5), "sctp_dst": Field(2905, 65533),
    "icmpv4_type": Field(8, 0), "icmpv4_code": Field(0, 7),
    "arp_op": Field(1, 2),
    "arp_spa": Field("192.0.2.18", "198.51.100.201", "255.255.255.192"),
    "arp_tpa": Field("203.0.113.98", "192.0.2.2", "0.0.0.254"),
    "arp_sha": Field("02:00:00:00:0a:33", "02:00:00:00:f5:33", "ff:ff:ff:ff:f0:00"),
    "arp_tha": Field("02:00:00:00:0a:44", "02:00:00:00:f5:44", "00:00:00:00:f0:00"),
    "ipv6_src": Field("2001:db8:1::a", "2001:db8:2::b", "ffff:ffff:ffff::"),
    "ipv6_dst": Field("2001:db8:3::c", "2001:db8:4::d", "::ff"),
    "ipv6_flabel": Field(0xabcde, 0x12345, 0xff000),
    "icmpv6_type": Field(128, 129), "icmpv6_code": Field(0, 9),
    "ipv6_nd_target": Field("2001:db8:5::e", "2001:db8:6::f"),
    "ipv6_nd_sll": Field("02:00:00:00:0a:55", "02:00:00:00:f5:55"),
    "ipv6_nd_tll": Field("02:00:00:00:0a:66", "02:00:00:00:f5:66"),
    "mpls_label": Field(0x54321, 0x12345), "mpls_tc": Field(3, 4), "mpls_bos": Field(1, 0),
    "pbb_isid": Field(0xabcdef, 0x123456, 0xf0000f),
    "ipv6_exthdr": Field(0x44, 0x08, 0x0c, False),
}
VALUES = {name: f.value for name, f in FIELDS.items()} | {
    "ttl": 64, "mpls_ttl": 48, "proto": None, "eth_type": None, "exthdr": "[]", "first": None}

# Kinds: ethertype, protocol, texts.
V4 = "ipv4(tos={tos}, proto={proto}, src='{ipv4_src}', dst='{ipv4_dst}', ttl={ttl})"
V6 = ("ipv6(traffic_class={tos}, flow_label={ipv6_flabel}, nxt={first}, src='{ipv6_src}', dst='{ipv6_dst}', "
      "hop_limit={ttl}, ext_hdrs={exthdr})")
TCP = ["tcp(src_port={tcp_src}, dst_port={tcp_dst}, seq=9, option=[TCPOptionMaximumSegmentSize(1460)])", repr(DATA)]
UDP = ["udp(src_port={udp_src}, dst_port={udp_dst})", repr(DATA)]
SCTP = [f"sctp(src_port={{sctp_src}}, dst_port={{sctp_dst}}, csum={{crc}}, chunks=[chunk_data(payload_data={DATA})])"]
ECHO = f"icmpv6(type_={{icmpv6_type}}, code={{icmpv6_code}}, data=icmpv6echo(7, 8, {DATA}))"
NEIGHBOUR = "icmpv6(type_=%d, data=nd_neighbor(dst='{ipv6_nd_target}', option=nd_option_%s(hw_src='{ipv6_nd_%s}')))"
KINDS = {
    "ipv4/tcp": (IP, 6, [V4] + TCP), "ipv6/tcp": (IP6, 6, [V6] + TCP),
    "ipv4/udp": (IP, 17, [V4] + UDP), "ipv6/udp": (IP6, 17, [V6] + UDP),
    "ipv4/sctp": (IP, 132, [V4] + SCTP), "ipv6/sctp": (IP6, 132, [V6] + SCTP),
    "ipv4/icmp": (IP, 1, [V4, f"icmp(type_={{icmpv4_type}}, code={{icmpv4_code}}, data=echo(7, 8, {DATA}))"]),
    "ipv6/icmpv6": (IP6, 58, [V6, ECHO]),
    "ipv6/ns": (IP6, 58, [V6, NEIGHBOUR % (135, "sla", "sll")]),
    "ipv6/na": (IP6, 58, [V6, NEIGHBOUR % (136, "tla", "tll")]),
    "arp": (ARP, None, ["arp(opcode={arp_op}, src_mac='{arp_sha}', src_ip='{arp_spa}', dst_mac='{arp_tha}', "
                        "dst_ip='{arp_tpa}')", "bytes(b'\\x00' * 18)"]),
}
TCPS = ["ipv4/tcp", "ipv6/tcp", "arp"]

# Headers in front: the ethertype that leads to each, its text.
ETH = "ethernet(dst='{eth_dst}', src='{eth_src}', ethertype={next})"
TAG = "vlan(pcp={vlan_pcp}, vid={vid}, ethertype={next})"
HEADERS = {
    "vlan": (VLAN, TAG), "svlan": (SVLAN, "s" + TAG),
    "tagged": (0, TAG),  # behind MPLS nothing says that it is one
    "inner": (VLAN, "vlan(pcp=1, vid=77, ethertype={next})"),
    "zero": (VLAN, "vlan(pcp=0, vid=0, ethertype={next})"),
    "szero": (SVLAN, "svlan(pcp=0, vid=0, ethertype={next})"),
    "mpls": (MPLS, "mpls(label={mpls_label}, exp={mpls_tc}, bsb={mpls_bos}, ttl={mpls_ttl})"),
    "outer": (MPLS, "mpls(label={mpls_label}, exp={mpls_tc}, bsb=0, ttl={mpls_ttl})"),
    "under": (MPLS, "mpls(label=99, exp=1, bsb=1, ttl=33)"),
    "fresh": (MPLS, "mpls(label=0, exp=0, bsb=1, ttl={ttl})"),
    "fresh0": (MPLS, "mpls(label=0, exp=0, bsb=1, ttl=0)"),
    "multi": (MPLS_M, "mpls(label=0, exp=0, bsb=1, ttl={ttl})"),
    "itag": (PBB, "itag(sid={pbb_isid})"), "itag0": (PBB, "itag(sid=0)"),
    "itagp": (PBB, "itag(pcp={vlan_pcp}, sid=0)"),
}


def sctp_crc(v):
    """CRC32c (RFC 9260, appendix A) of what SCTP makes of it.  Left to itself, and under Python 3, os-ken sums the
    octets' text."""
    data = struct.pack("!HHII", v["sctp_src"], v["sctp_dst"], 0, 0)
    data += struct.pack("!BBHIHHI", 0, 0, 16 + len(DATA), 0, 0, 0, 0) + DATA
    crc = 0xffffffff
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return int.from_bytes((crc ^ 0xffffffff).to_bytes(4, "little"), "big")


def frame(kind, carrier="", **changes):
    """The texts of a packet, headers of `carrier` (separated by /) in front of it."""
    kind_type, proto, inner = KINDS[kind]
    v = VALUES | changes
    v["tos"], v["vid"] = v["ip_dscp"] << 2 | v["ip_ecn"], v["vlan_vid"] & 0xfff
    v["proto"], v["crc"] = v["proto"] or proto, sctp_crc(v) if proto == 132 else 0
    v["first"] = v["proto"] if v["first"] is None else v["first"]
    names = [n for n in carrier.split("/") if n]
    types = [HEADERS[n][0] for n in names] + [v["eth_type"] or kind_type]
    texts = [ETH.format(next=types[0], **v)]
    for i, name in enumerate(names):
        texts.append(HEADERS[name][1].format(next=types[i + 1], **v))
        if HEADERS[name][0] == PBB:
            texts.append(ETH.format(next=types[i + 1], **v))
    return texts + [layer.format(**v) for layer in inner]


def values(name, value):
    """The values of a packet in which a field has one: extension headers are headers."""
    if name != "ipv6_exthdr":
        return {name: value}
    if value == FIELDS[name].value:
        return {"exthdr": "[hop_opts(nxt=51), auth(nxt=6)]", "first": 0}
    return {"exthdr": "[dst_opts(nxt=6)]", "first": 60}


def masked(f):
    """A field's value under its mask, as a match has to give it."""
    if isinstance(f.value, int):
        return f.value & f.mask
    if "::" in f.value + f.mask:
        return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(f.value)) & int(ipaddress.IPv6Address(f.mask))))
    sep, base, text = (".", 10, "{}") if "." in f.value else (":", 16, "{:02x}")
    pairs = zip(f.value.split(sep), f.mask.split(sep))
    return sep.join(text.format(int(x, base) & int(y, base)) for x, y in pairs)


def places(name):
    """Where a field is: (kind, what a match on it asks for first, carriers it has to be found in)."""
    ip, ip6, arp = [("eth_type", IP)], [("eth_type", IP6)], [("eth_type", ARP)]
    any_carrier = ["", "vlan", "mpls", "itag"]
    family, _, rest = name.partition("_")
    if family in ("tcp", "udp", "sctp"):
        proto = {"tcp": 6, "udp": 17, "sctp": 132}[family]
        return [(f"{v}/{family}", t + [("ip_proto", proto)], any_carrier) for v, t in (("ipv4", ip), ("ipv6", ip6))]
    if family == "eth":
        return [(k, [], ["", "vlan"]) for k in TCPS]
    if family == "vlan":
        first = [("vlan_vid", PRESENT, PRESENT)] if rest == "pcp" else []
        return [(k, first, ["vlan", "svlan", "vlan/inner"]) for k in TCPS]
    if family == "ip":
        return [("ipv4/tcp", ip, any_carrier), ("ipv6/tcp", ip6, any_carrier)]
    if family == "ipv4":
        return [("ipv4/tcp", ip, any_carrier), ("ipv4/udp", ip, [""]), ("ipv4/sctp", ip, [""])]
    if family == "icmpv4":
        return [("ipv4/icmp", ip + [("ip_proto", 1)], any_carrier)]
    if family == "icmpv6":
        return [("ipv6/icmpv6", ip6 + [("ip_proto", 58)], any_carrier)]
    if family == "arp":
        return [("arp", arp, any_carrier)]
    if rest.startswith("nd_"):
        kinds = {"nd_sll": ["ns"], "nd_tll": ["na"], "nd_target": ["ns", "na"]}[rest]
        types = {"ns": 135, "na": 136}
        return [(f"ipv6/{k}", ip6 + [("ip_proto", 58), ("icmpv6_type", types[k])], any_carrier) for k in kinds]
    if family == "ipv6":
        more = ["ipv6/udp", "ipv6/icmpv6"] if rest in ("src", "dst") else []
        return [("ipv6/tcp", ip6, any_carrier)] + [(k, ip6, [""]) for k in more]
    if family == "mpls":
        stacks = ["mpls", "vlan/mpls"] + (["outer/under"] if rest != "bos" else [])
        return [(k, [("eth_type", MPLS)], stacks) for k in TCPS]
    return [(k, [("eth_type", PBB)], ["itag", "svlan/itag", "svlan/itag/vlan"]) for k in TCPS]


# Packets of 1,500 octets; of some parts no two are the same.
LONG = {
    "ipv4": ("ethertype=2048", "ipv4(proto=6, tos={tos}{ipv4})", "tcp({ports})", 54),
    "ipv6": ("ethertype=34525", "ipv6(nxt=6, traffic_class={tos}{ipv6})", "tcp({ports})", 74),
    "arp": ("ethertype=2054", "arp(src_mac='02:00:00:00:0a:33', dst_mac='02:00:00:00:0a:44'{arp})", None, 42),
}
ANY4 = "netaddr.IPAddress(randint(1, 2 ** 32 - 1))"
ANY6 = "netaddr.IPAddress(randint(2 ** 125, 2 ** 126), 6)"
ANY_LINK = "netaddr.EUI(randint(1, 2 ** 46) * 4 & 0xfeffffffffff)"
ADDRESSES = {
    "ipv4": f", src={ANY4}, dst={ANY4}", "ipv6": f", src={ANY6}, dst={ANY6}", "arp": f", src_ip={ANY4}, dst_ip={ANY4}",
    "ports": "src_port=randint(1, 65535), dst_port=randint(1, 65535)",
}


def long_frame(kind, random="", tos=0):
    """RANDOM: `links`, `addresses` or nothing."""
    eth_type, network, transport, headers = LONG[kind]
    parts = ADDRESSES if random == "addresses" else dict.fromkeys(ADDRESSES, "")
    link = (ANY_LINK, ANY_LINK) if random == "links" else ("'02:00:00:00:0a:22'", "'02:00:00:00:0a:11'")
    texts = ["ethernet(dst=%s, src=%s, %s)" % (*link, eth_type), network.format(tos=tos, **parts)]
    texts += [transport.format(**parts)] if transport else []
    return texts + [f"bytes(b'\\x11' * {1500 - headers})"]
