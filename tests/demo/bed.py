# SPDX-License-Identifier: Apache-2.0
"""The bed of the demo and of the unattended scenario: two sluiced, six namespaces (net.sh), real traffic.

Customer A: iperf3 (TCP), ping and pages by curl from nginx.  Customer B: a clean site with an iperf3
stream (UDP); an infected site floods with the same inner addresses, ports and lengths, at twice the
bottleneck.  What tells them apart is in none of the packets inside: the connection they came by.
"""
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NET = os.path.join(HERE, "net.sh")
BOTTLENECK = 20  # Mbit/s
STREAM = 4       # Mbit/s, B's clean site
LENGTH = 1200    # octets of payload, both of B's sites
TIMES = 3        # that a measurement may be taken: a machine may stand still for a moment
# What the environment or a file of the user's would add is none of the demo's affair: proxies above all.
CURL = ("curl", "-q", "-s", "--noproxy", "*", "-o", "/dev/null")
CONNS = [("a", 11, "A"), ("b-clean", 12, "B, clean site"), ("b-infected", 13, "B, infected site")]


class Failure(Exception):
    pass


class Bed:
    programs = ("agg", "gw")  # whose end is the bed's, and whose logs are looked at
    bottleneck = BOTTLENECK

    def __init__(self, work):
        self.work = work
        self.children = []
        self.pid = {}
        self.samples = []
        self.iperf_at = 0
        self.pages = []
        self.verdicts = []

    # ---- running things ------------------------------------------------------------------------

    def finish(self, *command, where=None, **kw):
        """What it did, however it ended."""
        if where:
            command = ("nsenter", f"--net=/run/netns/sl-{where}", "--", *command)
        try:
            return subprocess.run(command, stdin=None if "input" in kw else subprocess.DEVNULL, capture_output=True,
                                  text=True, check=False, **kw)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"waited {e.timeout:.0f} s in vain for the end of {' '.join(command)}\n{self.tails()}") from e

    def run(self, *command, check=True, **kw):
        done = self.finish(*command, **kw)
        if check and done.returncode:
            raise Failure(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, where, name, *command):
        log = open(os.path.join(self.work, name + ".log"), "ab")
        child = subprocess.Popen(("nsenter", f"--net=/run/netns/sl-{where}", "--", *command), stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=subprocess.STDOUT, cwd=self.work, start_new_session=True)
        log.close()
        self.children.append((name, child))
        self.pid[name] = child.pid
        return child

    def ctl(self, daemon, *words, check=True):
        return self.run("sluice-ctl", "-r", os.path.join(self.work, daemon), *words, check=check)

    def until(self, what, test, seconds=30.0):
        end = time.monotonic() + seconds
        while not test():
            if time.monotonic() > end:
                raise Failure(f"waited {seconds:.0f} s in vain for {what}\n{self.tails()}")
            for name, child in self.children:
                if name in self.programs and child.poll() is not None:
                    raise Failure(f"{name} ended with status {child.returncode}\n{self.tails()}")
            time.sleep(0.05)

    def tails(self):
        text = ""
        for name in (*self.programs, "nginx"):
            path = os.path.join(self.work, name + ".log")
            if os.path.exists(path) and os.path.getsize(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f"-- end of {name}.log\n" + "".join(f.readlines()[-15:])
        return text

    @staticmethod
    def going_on(what=""):
        """On a terminal, in the place of the line to come: what takes its time."""
        if sys.stdout.isatty():
            print(f"\r{what and '  … ' + what:<100}\r", end="", flush=True)

    # ---- setting up ----------------------------------------------------------------------------

    def configure(self):
        """One configuration a daemon, the same verbs as sluice-ctl's, keys in files beside them."""
        agg = ["add-port wan type=afxdp dev=wan"]
        gw = ["add-port wan type=afxdp dev=wan", "add-port net type=afxdp dev=net"]
        for i, (name, host, _) in enumerate(CONNS):
            keys = {}
            for way in ("up", "down"):
                keys[way] = os.path.join(self.work, f"{name}-{way}.key")
                with open(os.open(keys[way], os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as f:
                    f.write(secrets.token_hex(20) + "\n")
            up, down = 0x1000 + i, 0x2000 + i
            common = "type=iptfs cipher=aes128gcm esn=yes replay=1024"
            agg.append(f"add-conn {name} {common} local=198.51.100.{host} remote=203.0.113.1 spi-out={up} "
                       f"key-out=@{keys['up']} spi-in={down} key-in=@{keys['down']} kernel=to-{name}")
            gw.append(f"add-conn {name} {common} local=203.0.113.1 remote=198.51.100.{host} spi-in={up} "
                      f"key-in=@{keys['up']} spi-out={down} key-out=@{keys['down']}")
            agg.append(f"add-flow priority=10,in_port={name},actions=LOCAL")
        # Back to the customers by their connections; from them to the receiver by the kernel's routes (NORMAL,
        # the rule a daemon starts with).
        gw += ["add-flow priority=10,in_port=net,ip,nw_dst=10.1.0.0/24,actions=output:a",
               "add-flow priority=10,in_port=net,ip,nw_dst=10.2.0.0/24,actions=output:b-clean"]
        for name, lines in (("agg", agg), ("gw", gw)):
            with open(os.path.join(self.work, name + ".conf"), "w", encoding="ascii") as f:
                f.write("\n".join(lines) + "\n")

    def daemon(self, name, fresh=True):
        directory = os.path.join(self.work, name)
        os.makedirs(directory, exist_ok=True)
        config = ["--config", os.path.join(self.work, name + ".conf")] if fresh else []
        child = self.start(name, name, "sluiced", "--run-dir", directory, "--db", os.path.join(self.work, name + ".db"),
                           *config)

        def ready():
            if child.poll() is not None:
                raise Failure(f"sluiced in {name} ended with status {child.returncode}\n{self.tails()}")
            return os.path.exists(os.path.join(directory, "mgmt.sock")) and self.ctl(name, "show", check=False)
        self.until(f"sluiced in {name}", ready)

    def set_up(self):
        self.run(NET, "up", env={**os.environ, "RATE": f"{self.bottleneck}mbit"})
        self.configure()
        self.daemon("agg")
        self.daemon("gw")
        # Each customer's interface leads into its own connection.
        for i, (name, _, _) in enumerate(CONNS):
            device = ("a1", "b1", "i1")[i]
            self.run("ip", "link", "set", f"to-{name}", "up", where="agg")
            self.run("ip", "route", "add", "default", "dev", f"to-{name}", "table", str(201 + i), where="agg")
            self.run("ip", "rule", "add", "pref", str(20 + i), "iif", device, "lookup", str(201 + i), where="agg")
        self.run("nft", "-f", "-", where="rcv", input=f"""
table ip sink {{
    counter clean {{ }}
    counter infected {{ }}
    chain input {{
        type filter hook input priority 0
        udp dport 5202 @th,64,32 0x666c6f6f counter name infected drop
        udp dport 5202 counter name clean
    }}
}}""")

    def traffic(self):
        web = os.path.join(self.work, "web")
        os.makedirs(os.path.join(web, "logs"), exist_ok=True)
        with open(os.path.join(web, "page"), "wb") as f:
            f.write(os.urandom(50_000))
        with open(os.path.join(web, "nginx.conf"), "w", encoding="ascii") as f:
            f.write(f"""user root; worker_processes 1; daemon off; pid {web}/nginx.pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {web}; proxy_temp_path {web}; fastcgi_temp_path {web};
uwsgi_temp_path {web}; scgi_temp_path {web}; server {{ listen 10.1.0.2:80; root {web}; }} }}
""")
        self.start("src", "nginx", "nginx", "-p", web, "-e", "stderr", "-c", os.path.join(web, "nginx.conf"))
        self.start("rcv", "iperf-a", "iperf3", "-s", "-p", "5201", "-i", "1", "-f", "k", "--forceflush")
        self.start("rcv", "iperf-b", "iperf3", "-s", "-p", "5202", "-i", "1", "-f", "k", "--forceflush")
        self.until("the receiver's servers", lambda: len(re.findall(
            r":520[12]\b", self.run("ss", "-Hltn", where="rcv"))) == 2)
        self.until("nginx", lambda: "10.1.0.2:80 " in self.run("ss", "-Hltn", where="src"))
        self.start("src", "iperf-a-client", "iperf3", "-c", "10.9.0.2", "-p", "5201", "-B", "10.1.0.2", "-P", "4",
                   "-t", "86400")
        self.start("src", "iperf-b-client", "iperf3", "-c", "10.9.0.2", "-p", "5202", "-B", "10.2.0.2", "--cport",
                   "6202", "-u", "-b", f"{STREAM}M", "-l", str(LENGTH), "-t", "86400")

    def flood(self, on):
        if on:
            self.start("src", "flood", sys.executable, os.path.join(HERE, "flood.py"), "i0", str(2 * BOTTLENECK),
                       str(LENGTH))
        else:
            for name, child in self.children:
                if name == "flood" and child.poll() is None:
                    child.terminate()
                    child.wait()

    # ---- counting, at the receiver ---------------------------------------------------------------

    def counters(self):
        listed = json.loads(self.run("nft", "-j", "list", "counters", where="rcv"))
        return {c["counter"]["name"]: c["counter"]["packets"] for c in listed["nftables"] if "counter" in c}

    def cpu_seconds(self):
        with open(f"/proc/{self.pid['gw']}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def iperf_lines(self):
        """A's seconds since the last look, in Mbit/s, as its server reports them."""
        with open(os.path.join(self.work, "iperf-a.log"), encoding="ascii", errors="replace") as f:
            f.seek(self.iperf_at)
            text = f.read()
            end = text.rfind("\n") + 1
            self.iperf_at += end
        return [float(m) / 1000 for m in re.findall(r"^\[SUM\].* ([\d.]+) Kbits/sec", text[:end], flags=re.M)]

    def tick(self):
        """One second, as the receiver saw it."""
        before, cpu, t0 = self.counters(), self.cpu_seconds(), time.monotonic()
        self.iperf_lines()
        page = subprocess.Popen(["nsenter", "--net=/run/netns/sl-rcv", "--", *CURL, "-m", "1", "-w",
                                 "%{http_code} %{size_download} %{errormsg}", "http://10.1.0.2/page"],
                                stdout=subprocess.PIPE, text=True)
        a = []
        # iperf3 says each second what came, also nothing; when it says nothing at all it is not its turn.
        while time.monotonic() - t0 < (1 if a else 5):
            time.sleep(0.05)
            a += self.iperf_lines()
        now, t1 = self.counters(), time.monotonic()
        got = page.communicate()[0]
        rate = {k: (now[k] - before[k]) * LENGTH * 8 / (t1 - t0) / 1e6 for k in now}
        return {"a": sum(a) / len(a) if a else 0.0, "clean": rate["clean"], "infected": rate["infected"],
                "page": got.startswith("200 50000"), "said": got, "cpu": 100 * (self.cpu_seconds() - cpu) / (t1 - t0)}

    def measure(self, label, seconds):
        early = self.early()
        ticks = []
        for i in range(seconds):
            self.going_on(f"{label}: second {i + 1} of {seconds}")
            ticks.append(self.tick())
        self.going_on()
        row = {k: sum(t[k] for t in ticks) / len(ticks) for k in ("a", "clean", "infected", "cpu")}
        row.update(label=label, pages=sum(t["page"] for t in ticks), seconds=seconds, early=self.early() - early,
                   worst_a=min(t["a"] for t in ticks), worst_clean=min(t["clean"] for t in ticks),
                   no_page=[t["said"] for t in ticks if not t["page"]])
        self.samples.append(row)
        print(f"  {label:<38} {row['a']:7.1f} {row['clean']:9.1f} {row['infected']:11.1f} "
              f"{row['pages']:6d}/{seconds:<2d} {row['cpu']:7.0f} %", flush=True)
        return row

    def measured(self, label, seconds, wanted, before_again=lambda: None):
        """A row of which all is as wanted(row) says: [(what, is it so?)].  It is taken again when it is not, for a
        machine that stood still: what is so comes back and stays, what is not so is not so three times."""
        for i in range(TIMES):
            row = self.measure(label + (", again" if i else ""), seconds)
            verdicts = wanted(row)
            if i + 1 == TIMES or all(so for _, so in verdicts):
                break
            for what, so in verdicts:
                if not so:
                    print(f"    not this time: {what}", flush=True)
            before_again()
        for what, so in verdicts:
            self.expect(what, so)
        return row

    def settle(self, test, seconds=10):
        """Seconds until the receiver sees what is wanted; gives up quietly, the measurement tells."""
        t0 = time.monotonic()
        while time.monotonic() - t0 < seconds and not test(self.tick()):
            self.going_on(f"waiting, {time.monotonic() - t0:.0f} s")
        self.going_on()
        return time.monotonic() - t0

    def expect(self, what, so):
        self.verdicts.append(bool(so))
        print(f"    {'yes' if so else 'NO '}  {what}", flush=True)

    def early(self):
        """Aggregates that the gateway dropped before decryption."""
        def walk(node):
            if isinstance(node, dict):
                return sum(v if k == "n_early" and isinstance(v, int) else walk(v) for k, v in node.items())
            return sum(walk(n) for n in node) if isinstance(node, list) else 0
        return walk(json.loads(self.ctl("gw", "--json", "stats")))

    # ---- the end -------------------------------------------------------------------------------

    def tear_down(self):
        for _, child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for _, child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        subprocess.run([NET, "down"], check=False)

    def log_is_clean(self):
        bad = []
        for name in self.programs:
            with open(os.path.join(self.work, name + ".log"), encoding="utf-8", errors="replace") as f:
                bad += [f"{name}: {line.rstrip()}" for line in f if re.match(r"\S+ (WARN|ERR) |.*Sanitizer", line)]
        for line in bad[:10]:
            print("    " + line)
        return not bad


def in_bed(kind, play, keep):
    """A bed of `kind` in a working folder; play(bed), then its verdicts: the status to exit with."""
    work = tempfile.mkdtemp(prefix="sluice-demo.")
    bed = kind(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    try:
        t0 = time.monotonic()
        bed.set_up()
        play(bed)
        bed.expect("no daemon's log has a warning", bed.log_is_clean())
        print(f"\n{sum(bed.verdicts)} of {len(bed.verdicts)} as it should be, {time.monotonic() - t0:.0f} s")
        return 0 if all(bed.verdicts) else 1
    except Failure as f:
        print(f"{os.path.basename(sys.argv[0])}: {f}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        bed.tear_down()
        if keep:
            print("kept: " + work)
        else:
            shutil.rmtree(work, ignore_errors=True)
