#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same rule as FLOW and as a rule of iptables, ip6tables or nftables: the same packets arrive.

A few thousand packets, the same in every run, go two ways: through sluiced between two AF_XDP ports
(host=none), and through a namespace that forwards them by its kernel.  Each case puts a rule on both
ways; what arrives is told by the IPv4 identification or the IPv6 flow label, and compared packet by
packet.  Limits are compared by what they let through of the same paced packets.  By hand, as root:

    PATH=BUILD/utilities:$PATH tests/system/verdicts.py [CASE]

What is not there (a tool, a match of the kernel, a word of sluice) is said, and ends with 77.
"""
import os, random, socket, struct, subprocess, sys, tempfile, time

FLOW = "2001:db8:1::ffff"  # who says that everything before has arrived
GATE = bytes.fromhex("020000000001")
SENDER = bytes.fromhex("020000000099")
NAMES = ("sl-vg", "sl-vs", "sl-vk")


class Skip(Exception):
    pass


def sh(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done


def inside(ns, *words, **more):
    return sh("nsenter", f"--net=/run/netns/{ns}", *words, **more)


# ---- Packets ---------------------------------------------------------------------------------

def total(octets):
    octets += b"\0" * (len(octets) % 2)
    n = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


PORTS = (0, 22, 53, 79, 80, 81, 443, 999, 1000, 1500, 1999, 2000, 2001, 8080, 65535)


def transport(r, proto):
    """Its header, checksums left alone: nobody on the way looks at them."""
    if proto == 6:
        options = r.choice((b"", b"\2\4\5\xb4", b"\1" * 8))
        flags = r.choice((2, 18, 16, 24, 17, 4, r.randrange(256)))
        return struct.pack("!HHIIBBHHH", r.choice(PORTS), r.choice(PORTS), r.randrange(1 << 32), r.randrange(1 << 32),
                           (20 + len(options)) // 4 << 4, flags, 1000, 0, 0) + options
    if proto == 17:
        return struct.pack("!HHHH", r.choice(PORTS), r.choice(PORTS), 8, 0)
    if proto in (1, 58):
        return struct.pack("!BBHHH", r.choice((8, 0, 13) if proto == 1 else (128, 129)), 0, 0, 1, 1)
    return bytes(8)


def ttl(r):
    return r.choice((2, 3, 4, 5, 6, 32, 63, 64, 65, 128, 255))


def packet4(r, ident, **fixed):
    proto = fixed.get("proto") or r.choice((6, 6, 6, 17, 17, 1, 47, 50))
    fragment = r.choice((0,) * 7 + (0x2000, 0x2005, 0x0010)) if r.random() < 0.5 else r.choice((0, 0x4000))
    body = fixed.get("body") or (r.randbytes(r.randrange(8, 80)) if fragment & 0x1fff else transport(r, proto))
    body += r.randbytes(r.choice((0, 0, 1, 18, 40, 60, 100, r.randrange(300))))
    options = b"\1" * r.choice((0, 0, 0, 0, 0, 4, 8))
    src = fixed.get("src") or f"10.1.{r.randrange(3)}.{r.randrange(1, 40)}"
    dst = fixed.get("dst") or f"10.2.{r.randrange(3)}.{r.randrange(1, 40)}"
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, r.randrange(256), 20 + len(options) + len(body), ident,
                       0 if fixed else fragment, fixed.get("ttl") or ttl(r), proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    head += options
    head = head[:10] + struct.pack("!H", total(head)) + head[12:]
    return b"\x08\x00" + head + body


def packet6(r, ident, **fixed):
    proto = fixed.get("proto") or r.choice((6, 6, 17, 17, 58, 47))
    body = transport(r, proto) + r.randbytes(r.randrange(120))
    extra = fixed.get("extra", r.choice(("",) * 6 + ("options", "first", "later")))
    first = proto
    if extra == "options":
        body, first = struct.pack("!BBBB4x", proto, 0, 1, 4) + body, 60
    elif extra:
        body, first = struct.pack("!BBHI", proto, 0, 1 if extra == "first" else 0x28, ident) + body, 44
    src = fixed.get("src") or f"2001:db8:1:{r.randrange(3)}::{r.randrange(1, 40):x}"
    dst = fixed.get("dst") or f"2001:db8:2:{r.randrange(3)}::{r.randrange(1, 40):x}"
    return b"\x86\xdd" + struct.pack("!IHBB16s16s", 6 << 28 | r.randrange(256) << 20 | ident, len(body), first, ttl(r),
                                     socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)) + body


def ident_of(frame):
    """(family, number) of one of our packets; None: somebody else's."""
    if frame[12:14] == b"\x08\x00" and frame[26:28] == b"\x0a\x01":
        return 4, struct.unpack("!H", frame[18:20])[0]
    if frame[12:14] == b"\x86\xdd" and frame[22:28] == b"\x20\x01\x0d\xb8\x00\x01":
        return 6, struct.unpack("!I", frame[14:18])[0] & 0xfffff
    return None


# ---- The two ways ----------------------------------------------------------------------------

class Way:
    """From a device to another, both in the sender's namespace; `mac` is whom frames are for."""

    def __init__(self, to, by, mac):
        self.out, self.back = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in range(2))
        self.out.bind((to, 0))
        self.back.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.back.bind((by, 3))
        self.back.settimeout(0.5)
        self.mac = mac
        self.came, self.marks = set(), 0

    def send(self, packet):
        self.out.send(self.mac + SENDER + packet)

    def wait(self):
        """Until all that was sent has arrived or is lost: the way keeps order."""
        self.marks = (self.marks + 1) & 0xfffff
        mark = packet6(random.Random(1), self.marks, src=FLOW, dst="2001:db8:2::1", proto=253, extra="")
        for _ in range(20):
            self.send(mark)
            try:
                while True:
                    frame = self.back.recv(4096)
                    ident = ident_of(frame)
                    if frame[22:38] == socket.inet_pton(socket.AF_INET6, FLOW):
                        if ident[1] == self.marks:
                            return
                    elif ident:
                        self.came.add(ident)
            except TimeoutError:
                pass
        raise RuntimeError("the way is broken: its mark does not arrive")

    def take(self):
        self.wait()
        came, self.came = self.came, set()
        return came


def build(folder):
    for ns in NAMES:
        sh("ip", "netns", "del", ns, check=False)
        sh("ip", "netns", "add", ns)
        inside(ns, "ip", "link", "set", "lo", "up")
        # Nobody says anything of their own accord.
        inside(ns, "sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.accept_dad=0")
    for one, there, other in (("x1", "sl-vs", "s1"), ("x2", "sl-vs", "s2"), ("y1", "sl-vk", "k1"), ("y2", "sl-vk", "k2")):
        sh("ip", "link", "add", one, "netns", "sl-vg", "type", "veth", "peer", "name", other, "netns", there)
        for ns, dev in (("sl-vg", one), (there, other)):
            inside(ns, "ethtool", "-K", dev, "tx", "off", "gro", "on")
            inside(ns, "ip", "link", "set", dev, "up")
    kernel = ("sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 "
              "net.ipv4.conf.k1.rp_filter=0 net.ipv4.conf.k2.rp_filter=0",
              "ip link set k1 down", "ip link set k1 address 02:00:00:00:00:01 up",
              "ip addr add 10.3.1.254/24 dev k1", "ip addr add 10.3.2.254/24 dev k2",
              "ip -6 addr add 2001:db8:3:1::fe/64 dev k1 nodad", "ip -6 addr add 2001:db8:3:2::fe/64 dev k2 nodad",
              "ip neigh add 10.3.2.1 lladdr 02:00:00:00:00:77 dev k2", "ip -6 neigh add 2001:db8:3:2::1 lladdr 02:00:00:00:00:77 dev k2",
              "ip route add 10.2.0.0/16 via 10.3.2.1", "ip -6 route add 2001:db8:2::/48 via 2001:db8:3:2::1",
              "ip route add 10.1.0.0/16 dev k1", "ip -6 route add 2001:db8:1::/48 dev k1")
    for line in kernel:
        inside("sl-vk", *line.split())
    # Frames for anybody are taken: the namespace's own stack stays silent.
    for dev in ("x2", "y2", "x1", "y1"):
        inside("sl-vg", "ip", "link", "set", dev, "promisc", "on")
    daemon = subprocess.Popen(["nsenter", "--net=/run/netns/sl-vs", "sluiced", "--run-dir", f"{folder}/run", "--db", ":memory:"],
                              stderr=open(f"{folder}/log", "w"))
    for _ in range(200):
        if ctl(folder, "show", check=False).returncode == 0:
            break
        time.sleep(0.05)
    for port in ("s1", "s2"):
        ctl(folder, "add-port", port, "type=afxdp", "host=none")
    return daemon


def ctl(folder, *words, **more):
    return sh("sluice-ctl", "-r", f"{folder}/run", *words, **more)


# ---- Cases -----------------------------------------------------------------------------------

# Name, family, FLOWs (match, or (priority, match, passes)), rules of the kernel (words behind the chain; ending in a
# verdict where it is not DROP), and what has to be made before on either side.
def bpf(*lines):
    return f"{len(lines)}," + ",".join(lines)


TTL_BELOW_5 = bpf("48 0 0 8", "53 1 0 5", "6 0 0 65535", "6 0 0 0")
# ld ip[9] == 6; not a later fragment; ldx 4 * (ip[0] & 15); ldh [x + 2] == 80
TCP_TO_80 = bpf("48 0 0 9", "21 0 6 6", "40 0 0 6", "69 4 0 8191", "177 0 0 0", "72 0 0 2", "21 0 1 80",
                "6 0 0 65535", "6 0 0 0")

# Without it this kernel's nftables takes what a later fragment begins with for a transport header.
FIRST = "ip frag-off & 0x1fff == 0"

CASES = [
    ("an address", 4, ["ip,nw_src=10.1.0.7"], ["-s 10.1.0.7"]),
    ("two prefixes", 4, ["ip,nw_src=10.1.0.16/28,nw_dst=10.2.1.0/24"], ["-s 10.1.0.16/28 -d 10.2.1.0/24"]),
    ("not a prefix", 4, ["ip,nw_dst=!10.2.0.0/23"], ["! -d 10.2.0.0/23"]),
    ("addresses from to", 4, ["ip,nw_src=10.1.0.5-10.1.1.9"], ["-m iprange --src-range 10.1.0.5-10.1.1.9"]),
    ("a protocol", 4, ["ip,nw_proto=47"], ["-p 47"]),
    ("all of TCP, fragments too", 4, ["tcp"], ["-p tcp"]),
    ("a port", 4, ["tcp,tp_dst=80"], ["-p tcp --dport 80"]),
    ("port 0", 4, ["udp,tp_src=0"], ["-p udp --sport 0"]),
    ("ports from to", 4, ["udp,udp_dst=1000-1999"], ["-p udp --dport 1000:1999"]),
    ("ports but one", 4, ["tcp,tcp_dst=!80"], ["-p tcp ! --dport 80"]),
    ("both ports from to", 4, ["tcp,tcp_src=80-443,tcp_dst=1000-65535"], ["-p tcp --sport 80:443 --dport 1000:65535"]),
    ("SYN without ACK", 4, ["tcp,tcp_flags=+syn-ack"], ["-p tcp --tcp-flags SYN,ACK SYN"]),
    ("FIN and SYN of four", 4, ["tcp,tcp_flags=0x3/0x17"], ["-p tcp --tcp-flags FIN,SYN,RST,ACK FIN,SYN"]),
    ("no flags", 4, ["tcp,tcp_flags=0/0x3f"], ["-p tcp --tcp-flags ALL NONE"]),
    ("later fragments", 4, ["ip,ip_frag=later"], ["-f"]),
    ("no later fragments", 4, ["ip,ip_frag=not_later"], ["! -f"]),
    ("an ICMP type", 4, ["icmp,icmp_type=8"], ["-p icmp --icmp-type 8"]),
    ("a low TTL", 4, ["ip,nw_ttl=0-4"], ["-m ttl --ttl-lt 5"]),
    ("a high TTL", 4, ["ip,nw_ttl=65-255"], ["-m ttl --ttl-gt 64"]),
    ("a TTL", 4, ["ip,nw_ttl=64"], ["-m ttl --ttl-eq 64"]),
    ("a DSCP", 4, ["ip,ip_dscp=10"], ["-m dscp --dscp 10"]),
    ("lengths", 4, ["ip,pkt_len=54-114"], ["-m length --length 40:100"]),
    ("a program: low TTL", 4, [f'ip,bpf="{TTL_BELOW_5}"'], [f"-m bpf --bytecode|{TTL_BELOW_5}"]),
    ("not a program: TCP to 80", 4, [f'ip,bpf=!"{TCP_TO_80}"'], [f"-m bpf -j ACCEPT --bytecode|{TCP_TO_80}", "-p all"]),
    ("a set of prefixes", 4, ["ip,nw_src=@bad"], ["-m set --match-set bad src"],
     [["add-set", "bad", "type=ipv4"], ["set-add", "bad", "10.1.0.3", "10.1.1.0/28", "10.1.2.32/29"]],
     ["ipset create bad hash:net", "ipset add bad 10.1.0.3", "ipset add bad 10.1.1.0/28", "ipset add bad 10.1.2.32/29"]),
    ("not in a set", 4, ["ip,nw_dst=!@good"], ["-m set ! --match-set good dst"],
     [["add-set", "good", "type=ipv4"], ["set-add", "good", "10.2.0.0/24", "10.2.1.7"]],
     ["ipset create good hash:net", "ipset add good 10.2.0.0/24", "ipset add good 10.2.1.7"]),
    ("a set of ports", 4, ["udp,udp_dst=@ports"], ["-p udp -m set --match-set ports dst"],
     [["add-set", "ports", "type=port"], ["set-add", "ports", "53", "80", "2000"]],
     ["ipset create ports bitmap:port range 0-65535"] + [f"ipset add ports {n}" for n in (53, 80, 2000)]),
    ("a set of pairs", 4, ["tcp,ipv4_dst+tcp_dst=@pairs"], ["-p tcp -m set --match-set pairs dst,dst"],
     [["add-set", "pairs", "type=ipv4+port"], ["set-add", "pairs"] + [f"10.2.0.{i}+{p}" for i in range(1, 20) for p in (80, 443)]],
     ["ipset create pairs hash:ip,port"] + [f"ipset add pairs 10.2.0.{i},tcp:{p}" for i in range(1, 20) for p in (80, 443)]),
    ("rules in order", 4,
     [(50, "ip,nw_src=10.1.0.7", 1), (40, "tcp,tp_dst=80", 0), (30, "udp", 1), (20, "ip,nw_src=10.1.0.0/24", 0),
      (10, "ip,nw_dst=10.2.2.0/24,nw_ttl=!0-63", 0)],
     ["-s 10.1.0.7 -j ACCEPT", "-p tcp --dport 80", "-p udp -j ACCEPT", "-s 10.1.0.0/24", "-d 10.2.2.0/24 -m ttl --ttl-gt 63"]),
    ("nft: ports in a set", 4, ["tcp,tcp_dst=80", "tcp,tcp_dst=1000-1999"], [f"nft {FIRST} tcp dport {{ 80, 1000-1999 }}"]),
    ("nft: flags and lengths", 4, ["tcp,tcp_flags=2/2,pkt_len=74-514"], [f"nft {FIRST} tcp flags & syn == syn ip length 60-500"]),
    ("nft: TTL and protocol", 4, ["ip,nw_proto=50,nw_ttl=5-64"], ["nft ip protocol esp ip ttl 5-64"]),
    ("IPv6: a prefix", 6, ["ipv6,ipv6_src=2001:db8:1:1::/64"], ["-s 2001:db8:1:1::/64"]),
    ("IPv6: a port", 6, ["tcp6,tp_dst=80"], ["-p tcp --dport 80"]),
    ("IPv6: ports from to", 6, ["udp6,udp_src=1000-2000"], ["-p udp --sport 1000:2000"]),
    ("IPv6: flags", 6, ["tcp6,tcp_flags=+syn-ack"], ["-p tcp --tcp-flags SYN,ACK SYN"]),
    ("IPv6: a hop limit", 6, ["ipv6,nw_ttl=0-4"], ["-m hl --hl-lt 5"]),
    ("IPv6: an ICMPv6 type", 6, ["icmp6,icmp_type=128"], ["-p icmpv6 --icmpv6-type 128"]),
]

MISSING = ("unknown-word", "did you mean", "No such file", "no such", "Couldn't load", "not supported", "No chain/target/match",
           "bad-field", "Protocol not supported", "cannot be used")


class Bed:
    def __init__(self, folder):
        self.folder = folder
        self.sluice, self.kernel = Way("x1", "x2", GATE), Way("y1", "y2", GATE)

    def flows(self, flows):
        """Puts these rules in place of all."""
        lines = [f"priority=60000,ipv6,ipv6_src={FLOW},actions=output:s2", "priority=1,in_port=s1,actions=output:s2"]
        for f in flows:
            priority, match, passes = f if isinstance(f, tuple) else (10, f, 0)
            action = passes if isinstance(passes, str) else "output:s2" if passes else "drop"
            lines.append(f"priority={priority},in_port=s1,{match},actions={action}")
        with open(f"{self.folder}/flows", "w") as file:
            file.write("\n".join(lines) + "\n")
        ctl(self.folder, "del-flows", "--all")
        ctl(self.folder, "add-flows", f"{self.folder}/flows")

    def chain(self, family, rules, place=("mangle", "PREROUTING")):
        table, chain = place
        for tool in ("iptables-legacy", "ip6tables-legacy"):
            for t in ("mangle", "filter"):
                inside("sl-vk", tool, "-t", t, "-F")
        inside("sl-vk", "nft", "delete", "table", "inet", "verdicts", check=False)
        inside("sl-vk", "ip6tables-legacy", "-t", table, "-A", chain, "-s", FLOW, "-j", "ACCEPT")
        for rule in rules:
            if rule.startswith("nft "):
                inside("sl-vk", "nft", "add table inet verdicts; add chain inet verdicts c { type filter hook prerouting "
                       f"priority -150; }}; add rule inet verdicts c {rule[4:]} drop")
                continue
            head, *last = rule.split("|")
            words = head.split() + last + ([] if " -j " in rule else ["-j", "DROP"])
            inside("sl-vk", "iptables-legacy" if family == 4 else "ip6tables-legacy", "-t", table, "-A", chain, *words)

    def both(self, packets):
        """What arrives by either way."""
        for i in range(0, len(packets), 64):
            for way in (self.sluice, self.kernel):
                for p in packets[i:i + 64]:
                    way.send(p)
            for way in (self.sluice, self.kernel):
                way.wait()
        return self.sluice.take(), self.kernel.take()


def tell(packets, idents, what, came):
    """Of packets that went one way and not the other: the first few."""
    for ident in sorted(came)[:5]:
        print(f"    {what}: {ident[1]} {packets[ident].hex()}")


def compare(bed, case, packets):
    name, family, flows, rules, *before = case
    for words in before[0] if before else ():
        ctl(bed.folder, *words)
    for line in before[1] if before else ():
        inside("sl-vk", *line.split())
    bed.flows(flows)
    bed.chain(family, rules)
    by_ident = {ident_of(bytes(12) + p): p for p in packets[family]}
    sluice, kernel = bed.both(packets[family])
    if sluice != kernel:
        print(f"FAILED: {name}: {len(sluice - kernel)} by sluice alone, {len(kernel - sluice)} by the kernel alone")
        tell(by_ident, sluice, "passed by sluice, dropped by the kernel", sluice - kernel)
        tell(by_ident, sluice, "dropped by sluice, passed by the kernel", kernel - sluice)
        return False
    if not 0 < len(sluice) < len(packets[family]):
        print(f"FAILED: {name}: {len(sluice)} of {len(packets[family])} pass: the rule says nothing")
        return False
    print(f"ok: {name}: {len(sluice)} of {len(packets[family])} pass both ways")
    return True


# ---- Limits ----------------------------------------------------------------------------------

def limiter(bed):
    """Four sources, one of them slow, for 2.5 s: tokens are those of time, so a few packets' difference may be."""
    name = "a rate for each source (hashlimit)"
    ctl(bed.folder, "add-limiter", "each", "by=ipv4_src", "rate=50pps", "burst=10p")
    bed.flows([(10, "udp", "limiter:each,output:s2")])
    bed.chain(4, ["-p udp -m hashlimit --hashlimit-above 50/sec --hashlimit-burst 10 --hashlimit-mode srcip --hashlimit-name each"])
    r, sent, start = random.Random(9), {}, time.monotonic()
    rates = {"10.1.0.1": 400, "10.1.0.2": 200, "10.1.0.3": 100, "10.1.0.4": 20}
    due = sorted((n / rate, src) for src, rate in rates.items() for n in range(int(rate * 2.5)))
    for ident, (at, src) in enumerate(due, 1):
        time.sleep(max(0, start + at - time.monotonic()))
        packet = packet4(r, ident, proto=17, src=src, ttl=64)
        sent[4, ident] = src
        bed.sluice.send(packet)
        bed.kernel.send(packet)
    ways = [bed.sluice.take(), bed.kernel.take()]
    counts = [{src: sum(sent[i] == src for i in came) for src in rates} for came in ways]
    ok = counts[0]["10.1.0.4"] == counts[1]["10.1.0.4"] == 50
    for src in rates:
        ok &= abs(counts[0][src] - counts[1][src]) <= 3 + 0.08 * counts[1][src]
    print(f"{'ok' if ok else 'FAILED'}: {name}: {list(counts[0].values())} pass sluice, {list(counts[1].values())} the kernel")
    return ok


def connlimit(bed):
    """Ten connections each of three sources, SYN and ACK: how many SYNs pass."""
    name = "connections for each source (connlimit)"
    ctl(bed.folder, "add-connlimit", "few", "by=ipv4_src", "conns=4")
    bed.flows([(10, "tcp", "connlimit:few,output:s2")])
    bed.chain(4, ["-p tcp --syn -m connlimit --connlimit-above 4 --connlimit-mask 32"], ("filter", "FORWARD"))
    inside("sl-vk", "sysctl", "-q", "-w", "net.netfilter.nf_conntrack_checksum=0")
    r, syns, ident = random.Random(10), {}, 0
    for n in range(10):
        for src in ("10.1.0.1", "10.1.0.2", "10.1.1.3"):
            for flags in (2, 16):
                ident += 1
                tcp = struct.pack("!HHIIBBHHH", 3000 + n, 80, 1000 + (flags == 16), 5, 0x50, flags, 1000, 0, 0)
                packet = bytearray(packet4(r, ident, proto=6, src=src, dst="10.2.0.1", ttl=64, body=tcp))
                if flags == 2:
                    syns[4, ident] = src
                for way in (bed.sluice, bed.kernel):
                    way.send(bytes(packet))
                    way.wait()
    ways = [bed.sluice.take() & syns.keys(), bed.kernel.take() & syns.keys()]
    ok = ways[0] == ways[1] and len(ways[0]) == 12
    print(f"{'ok' if ok else 'FAILED'}: {name}: {len(ways[0])} SYNs pass sluice, {len(ways[1])} the kernel")
    return ok


# ---- All of it -------------------------------------------------------------------------------

def run_one(bed, name, run):
    """True, False, or None: not there."""
    try:
        return run(bed)
    except RuntimeError as error:
        if any(word in str(error) for word in MISSING):
            print(f"SKIP: {name} is not there: {str(error).strip()}")
            return None
        print(f"FAILED: {name}: {error}")
        return False


def all_cases(bed, only):
    r = random.Random(20260701)
    packets = {4: [packet4(r, i) for i in range(1, 3001)], 6: [packet6(r, i) for i in range(1, 2001)]}
    bed.flows([])
    bed.chain(4, [])
    bed.sluice.take()
    bed.kernel.take()
    for family in (4, 6):
        ways = bed.both(packets[family])
        want = {ident_of(bytes(12) + p) for p in packets[family]}
        for what, came in zip(("sluice", "the kernel"), ways):
            if came != want:
                raise RuntimeError(f"without rules, IPv{family}: {len(want - came)} packets do not pass {what}")
    results = [run_one(bed, c[0], lambda b, c=c: compare(b, c, packets)) for c in CASES if only in c[0]]
    for name, run in (("hashlimit", limiter), ("connlimit", connlimit)):
        if only in name:
            results.append(run_one(bed, name, run))
    print(f"{results.count(True)} equal, {results.count(False)} different, {results.count(None)} not there")
    return 1 if False in results else 77 if None in results else 0


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    if os.geteuid():
        raise Skip("needs root")
    for tool in ("sluiced", "iptables-legacy", "ip6tables-legacy", "ipset", "nft", "ethtool", "nsenter"):
        if sh("which", tool, check=False).returncode:
            raise Skip(f"needs {tool}")
    with tempfile.TemporaryDirectory() as folder:
        daemon = None
        try:
            daemon = build(folder)
            here = os.open("/run/netns/sl-vg", os.O_RDONLY)
            if libc().setns(here, 0):
                raise RuntimeError("no way into sl-vg")
            return all_cases(Bed(folder), only)
        finally:
            if daemon:
                daemon.terminate()
                status = daemon.wait()
                log = open(f"{folder}/log").read()
                if status or " ERR " in log or " WARN " in log:
                    print(f"FAILED: sluiced ended with {status}; its log:\n{log}")
                    raise SystemExit(1)
            for ns in NAMES:
                sh("ip", "netns", "del", ns, check=False)


def libc():
    import ctypes
    return ctypes.CDLL(None, use_errno=True)


try:
    sys.exit(main())
except Skip as why:
    print(f"SKIP: {why}", file=sys.stderr)
    sys.exit(77)
