# SPDX-License-Identifier: Apache-2.0
"""Cases for os-ken's switch tester, from ONF TS-023: what each field matches, what each action, group and meter
makes of a packet (packets.py).

    cases.py [--quick] [--seconds N] FOLDER     a file per field, action, group and meter

A case installs rules, groups and meters, and says what becomes of a packet: it leaves by a port, comes to the
controller, or is no rule's.  N is how long a case about rates takes.
"""
import argparse
import collections
import json
import os

from packets import (ARP, FIELDS, IP, IP6, KINDS, LONG, MPLS, MPLS_M, PBB, PRESENT, SVLAN, TCPS, VALUES, VLAN, frame,
                     long_frame, masked, places, values)

TARGET_IN, TARGET_OUT, TARGET_OUT_2 = "target_recv_port", "target_send_port_1", "target_send_port_2"
ONE, TWO = "tester_recv_port_1", "tester_recv_port_2"
OTHER = "02:00:00:00:00:99"
FILES = collections.OrderedDict()
options = argparse.Namespace(seconds=10)


def act(name, **args):
    return {"OFPAction" + name: args}


def out(port=TARGET_OUT):
    return act("Output", port=port)


def ask():
    return act("Output", port=0xfffffffd, max_len=0xffff)


def set_field(field, value):
    return act("SetField", field=tlv(field, value))


def tlv(field, value, mask=None):
    return {"OXMTlv": {"field": field, "value": value} | ({} if mask is None else {"mask": mask})}


def apply(*actions):
    return {"OFPInstructionActions": {"type": 4, "actions": list(actions)}}


def write(*actions):
    return {"OFPInstructionActions": {"type": 3, "actions": list(actions)}}


def goto(table):
    return {"OFPInstructionGotoTable": {"table_id": table}}


def rule(match, *instructions, table=0):
    """MATCH: (field, value[, mask]) in the order of the standard's numbers."""
    return {"OFPFlowMod": {"table_id": table, "match": {"OFPMatch": {"oxm_fields": [tlv(*m) for m in match]}},
                           "instructions": list(instructions)}}


def case(file, text, rules, test):
    FILES.setdefault(file, []).append({"description": text, "prerequisite": rules, "tests": [test]})


def egress(came, left):
    return {"ingress": came, "egress": left}


def packet_in(came, left):
    return {"ingress": came, "PACKET_IN": left}


def miss(came, table=0):
    return {"ingress": came, "table-miss": [table]}


def words(carrier, kind):
    return f"{carrier}/{kind}".lstrip("/")


def opened(name, kind, carrier):
    """What is taken off before a field is seen: (rules that do it, table behind, what is left of the carrier)."""
    if carrier not in ("mpls", "itag") or name.startswith(("mpls_", "pbb_", "eth_")):
        return [], 0, carrier
    if carrier == "mpls":
        return [rule([("eth_type", MPLS)], apply(act("PopMpls", ethertype=KINDS[kind][0])), goto(1))], 1, ""
    return [rule([("eth_type", PBB)], apply(act("PopPbb")), goto(1))], 1, ""


# ---- Matches -----------------------------------------------------------------------------------


def matches():
    for name, f in FIELDS.items():
        field_matches(f"match: {name}", name, (name, f.value))
        if f.mask is not None:
            field_matches(f"match: {name} under a mask", name, (name, masked(f), f.mask))
    for kind in TCPS:
        for to, test in ((out(), egress), (ask(), packet_in)):
            bare_matches(kind, to, test)
        bare_misses(kind)
        tag_matches(kind)
        if KINDS[kind][1]:
            protocol_matches(kind)


def field_matches(file, name, wanted):
    f = FIELDS[name]
    for kind, first, carriers in places(name):
        for carrier in carriers:
            front, table, left = opened(name, kind, carrier)
            has, lacks = values(name, f.value), values(name, f.other)
            came, gone = frame(kind, carrier, **has), frame(kind, left, **has)
            to_port = front + [rule(first + [wanted], apply(out()), table=table)]
            to_controller = front + [rule(first + [wanted], apply(ask()), table=table)]
            text = words(carrier, kind)
            case(file, f"{text} to a port", to_port, egress(came, gone))
            case(file, f"{text} to the controller", to_controller, packet_in(came, gone))
            case(file, f"{text} is another's", to_port, miss(frame(kind, carrier, **lacks), table))


METADATA = [{"OFPInstructionWriteMetadata": {"metadata": 0xabcd1234, "metadata_mask": 0xffffffff}}, goto(1)]
TUNNEL = rule([("in_port", TARGET_IN)], apply(set_field("tunnel_id", 0x1234567890)), goto(1))


def bare_matches(kind, to, test):
    """What is not in a packet's octets; and ethertypes."""
    came, text = frame(kind), f"{kind} {test.__name__}"
    behind = lambda front, *match: [front, rule(match, apply(to), table=1)]
    alone = lambda *match: [rule(match, apply(to))]
    metadata = rule([], *METADATA)
    case("match: in_port", text, alone(("in_port", TARGET_IN)), test(came, came))
    case("match: eth_type", text, alone(("eth_type", KINDS[kind][0])), test(came, came))
    case("match: metadata", text, behind(metadata, ("metadata", 0xabcd1234)), test(came, came))
    case("match: metadata under a mask", text, behind(metadata, ("metadata", 0xab000030, 0xff0000f0)), test(came, came))
    case("match: tunnel_id", text, behind(TUNNEL, ("tunnel_id", 0x1234567890)), test(came, came))
    case("match: tunnel_id under a mask", text, behind(TUNNEL, ("tunnel_id", 0x1200000000, 0xff00000000)),
         test(came, came))


def bare_misses(kind):
    came, other = frame(kind), ARP if kind != "arp" else IP
    five = lambda field: rule([(field, 5)], apply(out()), table=1)
    case("match: in_port", f"{kind} at another", [rule([("in_port", TARGET_OUT)], apply(out()))], miss(came))
    case("match: eth_type", f"{kind} is another's", [rule([("eth_type", other)], apply(out()))], miss(came))
    case("match: metadata", f"{kind} with other", [rule([], *METADATA), five("metadata")], miss(came, 1))
    case("match: tunnel_id", f"{kind} with another", [TUNNEL, five("tunnel_id")], miss(came, 1))


def tag_matches(kind):
    bare, tagged = frame(kind), frame(kind, "vlan")
    vid = lambda *want: [rule([("vlan_vid", *want)], apply(out()))]
    case("match: vlan_vid", f"{kind} has no tag, as asked", vid(0), egress(bare, bare))
    case("match: vlan_vid", f"{kind} has one", vid(0), miss(tagged))
    case("match: vlan_vid under a mask", f"{kind} has any tag", vid(PRESENT, PRESENT), egress(tagged, tagged))
    case("match: vlan_vid under a mask", f"{kind} has bits of one", vid(0x020, 0x0f0), egress(tagged, tagged))


def protocol_matches(kind):
    eth_type, proto, _ = KINDS[kind]
    for carrier in ("", "vlan", "mpls", "itag"):
        front, table, left = opened("ip_proto", kind, carrier)
        want = lambda p: front + [rule([("eth_type", eth_type), ("ip_proto", p)], apply(out()), table=table)]
        case("match: ip_proto", words(carrier, kind), want(proto), egress(frame(kind, carrier), frame(kind, left)))
        case("match: ip_proto", f"{words(carrier, kind)} is another's", want(17), miss(frame(kind, carrier), table))


# ---- Actions -----------------------------------------------------------------------------------


def settings():
    for name, f in FIELDS.items():
        for kind, first, carriers in places(name) if f.settable else ():
            for carrier in carriers:
                set_one(name, kind, carrier, first + [(name, f.value)], f.other, {name: f.other})
    for kind in TCPS:
        eth_type, proto, _ = KINDS[kind]
        for carrier in ("", "vlan"):
            set_one("eth_type", kind, carrier, [("eth_type", eth_type)], 0x88b5, {"eth_type": 0x88b5})
        for carrier in ("", "vlan", "mpls", "itag") if proto else ():
            set_one("ip_proto", kind, carrier, [("eth_type", eth_type), ("ip_proto", proto)], 17, {"proto": 17})
        case("set_field: by the action set, at the end", kind,
             [rule([], write(set_field("eth_dst", OTHER)), goto(1)),
              rule([("eth_dst", VALUES["eth_dst"])], write(out()), table=1)],
             egress(frame(kind), frame(kind, eth_dst=OTHER)))
    set_one("icmpv6_type", "ipv6/icmpv6", "", [("eth_type", IP6), ("ip_proto", 58), ("icmpv6_type", 128)], 135,
            {"icmpv6_type": 135})


def set_one(name, kind, carrier, match, value, changes):
    front, table, left = opened(name, kind, carrier)
    case(f"set_field: {name}", f"{words(carrier, kind)} gets {value}",
         front + [rule(match, apply(set_field(name, value), out()), table=table)],
         egress(frame(kind, carrier), frame(kind, left, **changes)))


def one(name, kind, came, left, *todo, match=None, instruction=apply, **changes):
    """A packet of KIND in the carrier CAME leaves in LEFT, with CHANGES."""
    if match is None:
        is_pbb, is_mpls = came.startswith("itag"), "mpls" in came or "outer" in came
        match = [("eth_type", PBB if is_pbb else MPLS if is_mpls else KINDS[kind][0])]
    case(f"action: {name}", f"{words(came, kind)} becomes {words(left, kind)}",
         [rule(match, instruction(*todo, out()))], egress(frame(kind, came), frame(kind, left, **changes)))


def actions():
    for kind in TCPS:
        one("output", kind, "", "", match=[])
        one("output by the action set", kind, "", "", match=[], instruction=write)
        one("output to two ports", kind, "", "", out(TARGET_OUT_2), match=[])
        tag_actions(kind)
        label_actions(kind)
        one("push_pbb", kind, "", "itag0", act("PushPbb", ethertype=PBB))
        one("push_pbb", kind, "", "itag0/itag0", act("PushPbb", ethertype=PBB), act("PushPbb", ethertype=PBB))
        one("push_pbb", kind, "vlan", "itagp/vlan", act("PushPbb", ethertype=PBB))
        one("pop_pbb", kind, "itag", "", act("PopPbb"))
        one("pop_pbb", kind, "itag/svlan/inner", "svlan/inner", act("PopPbb"))
        if KINDS[kind][1]:
            ttl_actions(kind)


def tag_actions(kind):
    tagged = [("vlan_vid", PRESENT, PRESENT)]
    one("push_vlan", kind, "", "zero", act("PushVlan", ethertype=VLAN))
    one("push_vlan", kind, "", "szero", act("PushVlan", ethertype=SVLAN))
    one("push_vlan", kind, "vlan", "svlan/vlan", act("PushVlan", ethertype=SVLAN))
    one("push_vlan", kind, "vlan", "vlan/vlan", act("PushVlan", ethertype=VLAN))
    one("push_vlan", kind, "vlan/inner", "svlan/vlan/inner", act("PushVlan", ethertype=SVLAN))
    one("pop_vlan", kind, "vlan", "", act("PopVlan"), match=[("eth_type", KINDS[kind][0])] + tagged)
    one("pop_vlan", kind, "svlan/inner", "inner", act("PopVlan"), match=tagged)
    one("pop_vlan", kind, "svlan/inner", "", act("PopVlan"), act("PopVlan"), match=tagged)


def label_actions(kind):
    eth_type, proto, _ = KINDS[kind]
    fresh = "fresh" if proto else "fresh0"
    one("push_mpls", kind, "", fresh, act("PushMpls", ethertype=MPLS))
    if proto:
        one("push_mpls", kind, "", "multi", act("PushMpls", ethertype=MPLS_M))
    one("push_mpls", kind, "mpls", "outer/mpls", act("PushMpls", ethertype=MPLS))
    one("push_mpls", kind, "vlan", f"{fresh}/tagged", act("PushMpls", ethertype=MPLS))
    one("pop_mpls", kind, "mpls", "", act("PopMpls", ethertype=eth_type))
    one("pop_mpls", kind, "vlan/mpls", "vlan", act("PopMpls", ethertype=eth_type))
    one("pop_mpls", kind, "outer/under", "under", act("PopMpls", ethertype=MPLS))
    one("pop_mpls", kind, "outer/under", "", act("PopMpls", ethertype=MPLS), act("PopMpls", ethertype=eth_type))
    one("set_mpls_ttl", kind, "mpls", "mpls", act("SetMplsTtl", mpls_ttl=7), mpls_ttl=7)
    one("dec_mpls_ttl", kind, "mpls", "mpls", act("DecMplsTtl"), mpls_ttl=47)
    one("copy_ttl_out", kind, "outer/under", "outer/under", act("CopyTtlOut"), mpls_ttl=33)


def ttl_actions(kind):
    one("copy_ttl_in", kind, "mpls", "mpls", act("CopyTtlIn"), ttl=48)
    one("copy_ttl_out", kind, "mpls", "mpls", act("CopyTtlOut"), mpls_ttl=64)
    one("set_nw_ttl", kind, "", "", act("SetNwTtl", nw_ttl=31), ttl=31)
    one("set_nw_ttl", kind, "vlan", "vlan", act("SetNwTtl", nw_ttl=31), ttl=31)
    one("dec_nw_ttl", kind, "", "", act("DecNwTtl"), ttl=63)
    one("dec_nw_ttl", kind, "vlan", "vlan", act("DecNwTtl"), ttl=63)
    # The action set runs in the standard's order, whatever the order it was written in.
    one("the action set's order", kind, "mpls", "zero", set_field("vlan_vid", PRESENT), act("PushVlan", ethertype=VLAN),
        act("DecNwTtl"), act("PopMpls", ethertype=KINDS[kind][0]), instruction=write, ttl=63)


# ---- Groups and meters -------------------------------------------------------------------------
# The tester counts on 100 handfuls of packets a second and sends 90 to 98: a little more than what is to arrive
# is asked of it.


def bucket(*todo, **more):
    return {"OFPBucket": {"actions": list(todo)} | more}


def group(type, *buckets):
    return {"OFPGroupMod": {"group_id": 0, "type": type, "buckets": list(buckets)}}


def stream(kind, pktps, **what):
    return {"packets": {"data": long_frame(kind, **what), "pktps": pktps, "duration_time": options.seconds}}


def flows(*rates):
    """RATES: (port of the tester's, rest of a match, unit, rate)"""
    return {"throughput": [{"OFPMatch": {"oxm_fields": [tlv("in_port", port)] + [tlv(*m) for m in more]}, unit: rate}
                           for port, more, unit, rate in rates]}


ALL, SELECT, INDIRECT, FAILOVER = range(4)


def groups():
    to_group = rule([("in_port", TARGET_IN)], apply(act("Group", group_id=0)))
    other, second = set_field("eth_dst", OTHER), out(TARGET_OUT_2)
    for kind in TCPS:
        came = frame(kind)
        same, changed = egress(came, came), egress(came, frame(kind, eth_dst=OTHER))
        case("group: indirect", kind, [group(INDIRECT, bucket(out())), to_group], same)
        case("group: indirect", f"{kind} changed", [group(INDIRECT, bucket(other, out())), to_group], changed)
        case("group: all", f"{kind} changed for one",
             [group(ALL, bucket(other, second), bucket(out())), to_group], same)
        case("group: fast failover", kind,
             [group(FAILOVER, bucket(out(), watch_port=2), bucket(second, watch_port=3)), to_group], same)
        case("group: fast failover", f"{kind} has no other way",
             [group(FAILOVER, bucket(second, watch_port=77), bucket(out(), watch_port=2)), to_group], same)
        case("group: of the action set", kind,
             [group(INDIRECT, bucket(out())), rule([], write(act("Group", group_id=0), second))], same)
    for kind in LONG:
        case("group: all, rates", kind, [group(ALL, bucket(out()), bucket(second)), to_group],
             {"ingress": stream(kind, 183), "egress": flows((ONE, [], "kbps", 2000), (TWO, [], "kbps", 2000))})
        for random in ("links", "addresses"):
            even = group(SELECT, bucket(out(), weight=1), bucket(second, weight=1))
            uneven = group(SELECT, bucket(out(), weight=1), bucket(second, weight=2))
            case("group: select, rates", f"{kind}, random {random}", [even, to_group],
                 {"ingress": stream(kind, 183, random=random),
                  "egress": flows((ONE, [], "kbps", 1000), (TWO, [], "kbps", 1000))})
            case("group: select by weight, rates", f"{kind}, random {random}", [uneven, to_group],
                 {"ingress": stream(kind, 229, random=random),
                  "egress": flows((ONE, [], "pktps", 70), (TWO, [], "pktps", 140))})


def meters():
    """Twice the rate comes; what is above it is dropped, or raised from AF21 to AF22."""
    through = rule([("in_port", TARGET_IN)], {"OFPInstructionMeter": {"meter_id": 1}}, apply(out()))
    meter = lambda flags, band, **args: {"OFPMeterMod": {"meter_id": 1, "flags": flags,
                                                         "bands": [{"OFPMeterBand" + band: args}]}}
    for unit, flags, rate in (("kbps", 1, 1000), ("kbps", 1, 10000), ("pktps", 2, 100), ("pktps", 2, 1000)):
        pktps = rate * 207 // 100 if unit == "pktps" else rate * 175 // 1000
        for kind, eth_type in (("ipv4", IP), ("ipv6", IP6), ("arp", ARP)):
            case(f"meter: drop, {rate} {unit}", kind, [meter(flags, "Drop", rate=rate), through],
                 {"ingress": stream(kind, pktps), "egress": flows((ONE, [], unit, rate))})
            marked = [(ONE, [("eth_type", eth_type), ("ip_dscp", dscp)], unit, rate) for dscp in (18, 20)]
            case(f"meter: dscp_remark, {rate} {unit}", kind,
                 [meter(flags, "DscpRemark", rate=rate, prec_level=1), through],
                 {"ingress": stream(kind, pktps, tos=18 << 2),
                  "egress": flows(*marked) if kind != "arp" else flows((ONE, [], unit, 2 * rate))})


# ---- Files -------------------------------------------------------------------------------------


def quick(files):
    """Of each file a few that take no seconds, and a miss now and then."""
    kept = collections.OrderedDict()
    for n, (file, cases) in enumerate(files.items()):
        short = [c for c in cases if isinstance(c["tests"][0].get("egress"), list)]
        asked = [c for c in cases if "PACKET_IN" in c["tests"][0]]
        missed = [c for c in cases if "table-miss" in c["tests"][0]]
        kept[file] = short[n % 3::6] + asked[:1] + missed[:n % 9 == 0]
    return {file: cases for file, cases in kept.items() if cases}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=int, default=options.seconds)
    parser.add_argument("folder")
    parser.parse_args(namespace=options)
    for part in (matches, settings, actions, groups, meters):
        part()
    os.makedirs(options.folder, exist_ok=True)
    files = quick(FILES) if options.quick else FILES
    for file, cases in files.items():
        name = file.replace(": ", "-").replace(" ", "_") + ".json"
        with open(os.path.join(options.folder, name), "w", encoding="ascii") as f:
            json.dump([file] + cases, f, indent=1)
    print(sum(map(len, files.values())), "cases in", len(files), "files")


if __name__ == "__main__":
    main()
