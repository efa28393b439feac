"""What an admin sees of the package, on a machine of its own: run by boot.sh as `inside.py OLD.deb NEW.deb`, systemd being pid 1.

Plain Python of the machine, no pytest: each step prints `ok` and its name, the first that fails ends it with what it saw.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

OLD, NEW = sys.argv[1:]
UNITS = ("monzen-gate.service", "monzen.service")
METRICS = "monzen-metrics.service"
MODE = Path("/var/lib/monzen/mode")
LOG = Path("/var/log/mail.log")
STATE = Path("/var/lib/monzen-run/status.json")
SAFE = {"monzen.service": 2.0, "monzen-gate.service": 3.0, METRICS: 2.0}  # systemd-analyze security, at most
SAFE |= {"monzen-tell.service": 3.5, "monzen-digest.service": 3.5}


def run(*command, good=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)
    said = done.stdout + done.stderr
    if good and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{said}")
    return said


def shows(unit, name):
    return run("systemctl", "show", "--value", "-p", name, unit).strip()


def until(what, seconds=20.0):
    """Wait until it is true; what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what.__doc__ or what}")
        time.sleep(0.05)


def table():
    return run("nft", "list", "table", "inet", "monzen", good=False)


def denied(address):
    return bool(re.search(rf"(?m)\b{re.escape(address)}\b.*expires|elements = .*\b{re.escape(address)}\b", table()))


def status():
    with contextlib.suppress(OSError, ValueError):
        return json.loads(STATE.read_text())
    return {}


def attack(network, hosts=6, guesses=6):
    """Guesses as Postfix writes them, of several hosts of a /24, now."""
    rows = []
    for i in range(guesses):
        for host in range(10, 10 + hosts):
            stamp = time.strftime("%b %e %H:%M:%S")
            rows.append(f"{stamp} mail postfix/smtpd[{2000 + i}]: warning: unknown[{network}.{host}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n")
            rows.append(f"{stamp} mail postfix/smtpd[{2000 + i}]: disconnect from unknown[{network}.{host}] ehlo=1 auth=0/1 commands=1/2\n")
    with LOG.open("a") as file:
        file.writelines(rows)


def running():
    """Both units are active, and said so themselves."""
    return all(shows(u, "ActiveState") == "active" and shows(u, "StatusText") for u in UNITS)


def pids():
    return [int(shows(u, "MainPID")) for u in UNITS]


def process(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def tried(unit, program):
    """What a Python program says that runs with all that holds for a unit."""
    lines = Path(f"/usr/lib/systemd/system/{unit}").read_text().split("[Install]")[0].splitlines()
    left = ("Type=", "NotifyAccess=", "WatchdogSec=", "Restart", "ExecReload=", "ExecStart=", "StateDirectory")
    kept = [line for line in lines if not line.startswith(left)]
    Path("/run/systemd/system/tried.service").write_text("\n".join([*kept, "Type=oneshot", "ExecStart=/usr/bin/python3 -I /usr/local/lib/tried.py", ""]))
    end = f"end of {time.monotonic_ns()}"  # the journal may be late
    begin = f"import atexit, sys; sys.path.insert(0, '/usr/share/monzen'); atexit.register(print, {end!r})\n"
    Path("/usr/local/lib/tried.py").write_text(begin + program)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "tried.service", good=False)

    def said():
        """Its words, once they are in the journal."""
        lines = run("journalctl", "-u", "tried.service", "-o", "cat", "--no-pager").splitlines()
        return lines[lines.index(end) - 1] if end in lines else None

    return until(said)


class Screen:
    """A terminal of 80 columns and 24 lines, and a command on it."""

    ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^][^\x1b]*\x1b\\|[()][0-9A-B]|[=>78MDEc])")

    def __init__(self, *command):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=side, stdout=side, stderr=side, start_new_session=True, env=os.environ | {"TERM": "xterm-256color"}
        )
        os.close(side)
        self.raw = b""

    def read(self):
        while select.select([self.main], [], [], 0.1)[0]:
            try:
                data = os.read(self.main, 65536)
            except OSError:  # it is gone
                return
            if not data:
                return
            self.raw += data

    @property
    def text(self):
        return self.ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def until(self, words, seconds=20.0):
        end = time.monotonic() + seconds
        while words not in self.text:
            self.read()
            assert time.monotonic() < end, f"not within {seconds} s: {words!r}\n{self.text[-4000:]}"
            assert words in self.text or self.process.poll() is None, self.text[-4000:]

    def press(self, keys, words):
        """Press these, until it says that; what was written before is forgotten."""
        self.read()
        self.raw = b""
        os.write(self.main, keys.encode())
        self.until(words)

    def ended(self, seconds=10.0):
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            self.read()
            assert time.monotonic() < end, self.text[-4000:]
        os.close(self.main)
        return self.process.returncode


def asked(path, body=None, **headers):
    """What the page that is served here answers: status, text, headers."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_args):
            return None

    question = urllib.request.Request("http://127.0.0.1:8765" + path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.build_opener(Stay).open(question, timeout=20) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


# ---- the steps, in order


def installs_and_only_watches():
    LOG.touch()
    shutil.chown(LOG, "root", "adm")
    LOG.chmod(0o640)
    run("ufw", "--force", "enable")
    said = run("dpkg", "-i", OLD)
    assert "rror" not in said, said
    until(running)
    assert [shows(u, "UnitFileState") for u in UNITS] == ["enabled", "enabled"]
    assert not MODE.exists()
    assert [shows(METRICS, name) for name in ("UnitFileState", "ActiveState")] == ["disabled", "inactive"]
    assert shows("monzen-gate.service", "StatusText").startswith("watch")
    assert "monzen" in run("monzen", "--version")
    assert "systemd-journal" in run("id", "monzen")
    assert "adm" in run("id", "monzen")


def reads_the_log_and_the_journal():
    attack("203.0.113")
    until(lambda: status().get("events", 0) >= 12)
    subprocess.run(
        ["logger", "-t", "sshd", "-p", "auth.info", "Failed password for root from 198.51.100.9 port 4242 ssh2"], check=True
    )
    wanted = "journal"
    found = until(lambda: [s for s in status()["sources"] if s["path"] == wanted and s["lines"]], 30)
    assert found
    time.sleep(1.5)
    assert not denied("203.0.113.0"), table()
    assert "203.0.113.0/24" in run("monzen", "list", "--watched"), run("monzen", "list", "--watched")
    assert "No denial has ended yet" in run("monzen", "list", "--ended")


def denies_what_is_typed():
    run("monzen", "deny", "192.0.2.0/24", "--note", "typed")
    assert denied("192.0.2.0"), table()
    assert "192.0.2.0/24" in run("ufw", "status")


def denies_when_armed_in_kernel_and_ufw():
    run("monzen", "arm", "--yes")
    until(lambda: shows("monzen-gate.service", "StatusText").startswith("armed"))
    attack("198.51.100")
    until(lambda: denied("198.51.100.0"))
    until(lambda: "198.51.100.0/24" in run("ufw", "status"))  # written by the unit, below ProtectSystem=strict


def is_as_safe_as_it_says():
    numbers = {}
    for unit, most in SAFE.items():
        said = run("systemd-analyze", "security", "--no-pager", unit, env=os.environ | {"SYSTEMD_COLORS": "0"})
        numbers[unit] = float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])
        assert numbers[unit] <= most, said
    print("   exposure", numbers)
    gate, guard = map(process, pids())
    assert int(guard["CapBnd"], 16) == int(guard["CapEff"], 16) == 0
    # kill 5, setgid 6, setuid 7, net_admin 12, net_raw 13 (ufw is here), sys_ptrace 19
    assert int(gate["CapBnd"], 16) == sum(1 << n for n in (5, 6, 7, 12, 13, 19)), gate["CapBnd"]
    assert {guard["NoNewPrivs"], guard["Seccomp"], gate["NoNewPrivs"], gate["Seccomp"]} == {"1", "2"}
    internet = "import socket\ntry: socket.socket(); print('internet')\nexcept OSError as e: print(e.errno)"
    assert tried("monzen.service", internet) == "97"  # EAFNOSUPPORT
    writes = "try: open({!r}, 'a'); print('written')\nexcept OSError as e: print(e.errno)"
    for unit in UNITS:
        for path in ("/etc/passwd", "/usr/share/monzen/x", "/var/log/mail.log", "/root/x", "/run/x"):
            assert tried(unit, writes.format(path)) in ("30", "13", "2"), (unit, path)
        maps = "import mmap\ntry: mmap.mmap(-1, 4096, prot=7); print('mapped')\nexcept OSError as e: print(e.errno)"
        assert tried(unit, maps) in ("1", "13"), unit
    reads = "import subprocess; open('/var/log/mail.log').read(1); print(len(subprocess.run(['journalctl', '-n1'], capture_output=True).stdout) > 20)"
    assert tried("monzen.service", reads) == "True"
    seen = "import os\ntry: os.kill(1, 0); print('may')\nexcept OSError as e: print(e.errno)"
    assert tried("monzen.service", seen) in ("1", "3")


def tells_of_alarms():
    """The timers run, and what they start can do all that it needs: mail through Postfix, a hook, a digest of log and journal."""
    for timer in ("monzen-tell.timer", "monzen-digest.timer"):
        assert (shows(timer, "ActiveState"), shows(timer, "UnitFileState")) == ("active", "enabled"), timer
    out, hook, mailbox = Path("/var/lib/on-alarm"), Path("/usr/local/bin/on-alarm"), Path("/var/mail/root")
    out.mkdir()
    out.chmod(0o777)
    hook.write_text("#!/bin/sh\n{ id -un; grep -E '^(NoNewPrivs|CapEff|CapBnd)' /proc/self/status; cat; } >/var/lib/on-alarm/$1\n")
    hook.chmod(0o755)
    run("systemctl", "start", "monzen-tell.service")
    assert not mailbox.exists(), "nobody is told before somebody says whom"
    config = Path("/etc/monzen/monzen.toml")
    config.write_text('[tell]\nmail = "root"\nhook = ["/usr/local/bin/on-alarm"]\n')
    run("systemctl", "start", "monzen-tell.service")  # of the arming before
    said = (out / "mode").read_text()
    assert said.startswith("nobody\n"), said
    assert "CapEff:\t0000000000000000" in said, said
    assert "NoNewPrivs:\t1" in said, said
    until(lambda: mailbox.exists() and mailbox.read_text().count("\nSubject: [monzen] ") == 1)
    run("systemctl", "start", "monzen-digest.service")
    until(lambda: mailbox.read_text().count("\nSubject: [monzen] ") == 2)
    assert "could not be counted" not in mailbox.read_text()
    assert "198.51.100.0/24" in mailbox.read_text()
    writes = "try: open({!r}, 'a'); print('written')\nexcept OSError as e: print(e.errno)"
    for path in ("/etc/passwd", "/usr/share/monzen/x", "/root/x", "/run/x"):
        assert tried("monzen-tell.service", writes.format(path)) in ("30", "13", "2"), path
    config.unlink()


def resolves_names_as_nobody():
    program = "from monzen.resolver import resolve_apart; print(sorted(resolve_apart(('localhost',))))"
    assert tried("monzen-gate.service", program) == "['localhost']"


def sees_who_is_on_ssh_at_any_port():
    run("ip", "address", "add", "198.51.100.200/32", "dev", "lo")
    run("ip", "address", "add", "203.0.113.200/32", "dev", "lo")
    Path("/run/sshd").mkdir(exist_ok=True)
    run("ssh-keygen", "-A")
    run("systemd-run", "--unit=door", "/usr/sbin/sshd", "-D", "-p", "2222")
    import socket

    def connected():
        s = socket.socket()
        s.bind(("203.0.113.200", 0))
        try:
            s.connect(("198.51.100.200", 2222))
        except OSError:
            s.close()
            return None
        return s

    session = until(connected)
    program = "from monzen.sockets import ssh_peers, ssh_ports; print(ssh_ports(), [bytes(p).hex() for p in ssh_peers()])"
    assert tried("monzen-gate.service", program) == "[2222] ['cb0071c8']"
    session.close()
    run("systemctl", "stop", "door")
    run("ip", "address", "del", "198.51.100.200/32", "dev", "lo")
    run("ip", "address", "del", "203.0.113.200/32", "dev", "lo")


def is_started_again():
    before = pids()
    for pid in before:
        os.kill(pid, 9)
    until(lambda: all(b not in (0, a) for a, b in zip(before, pids(), strict=True)) and running(), 30)
    assert denied("192.0.2.0")
    assert denied("198.51.100.0")
    assert status()["clients"] >= 12, status()  # what it knew


def is_started_again_when_it_hangs():
    drop = Path("/run/systemd/system/monzen.service.d")
    gate = Path("/run/systemd/system/monzen-gate.service.d")
    for folder in (drop, gate):
        folder.mkdir()
        (folder / "watchdog.conf").write_text("[Service]\nWatchdogSec=3\nWatchdogSignal=SIGKILL\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", *UNITS)
    until(running)
    before = pids()
    time.sleep(7)
    assert pids() == before  # it says that it lives
    for pid in before:
        os.kill(pid, 19)  # SIGSTOP
    until(lambda: all(b not in (0, a) for a, b in zip(before, pids(), strict=True)) and running(), 40)
    said = run("journalctl", "-u", "monzen", "-u", "monzen-gate", "--no-pager", "-o", "cat")
    assert said.count("Watchdog timeout") >= 2, said
    for folder in (drop, gate):
        shutil.rmtree(folder)
    run("systemctl", "daemon-reload")


def obeys_systemctl():
    run("systemctl", "reload", *UNITS)
    time.sleep(1.5)
    said = run("journalctl", "-u", "monzen", "-u", "monzen-gate", "--no-pager", "-o", "cat")
    assert said.count("configuration reloaded") >= 2, said
    run("systemctl", "stop", *UNITS)
    assert [shows(u, "Result") for u in UNITS] == ["success", "success"]
    assert denied("198.51.100.0")
    run("systemctl", "start", *UNITS)
    until(running)


def scraped():
    """What the unit of the metrics says, by name and labels."""
    with urllib.request.urlopen("http://127.0.0.1:9797/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def gives_metrics_when_asked():
    run("systemctl", "enable", "--now", METRICS)
    rows = json.loads(run("monzen", "list", "--json"))["denied"]
    found = scraped()
    assert [found[f"monzen_{name}_up"] for name in ("ledger", "run", "gate")] == [1, 1, 1], found
    assert sum(value for name, value in found.items() if name.startswith("monzen_denials{")) == len(rows) > 0
    assert found['monzen_mode{mode="armed"}'] == 1
    assert found['monzen_source_lines_total{source="/var/log/mail.log"}'] >= 0
    folder = Path("/var/lib/prometheus/node-exporter")
    folder.mkdir(parents=True)
    run("monzen", "metrics", "--textfile", str(folder / "monzen.prom"))
    assert "monzen_gate_up 1.0" in (folder / "monzen.prom").read_text()
    shutil.rmtree(folder.parent)
    about = process(int(shows(METRICS, "MainPID")))
    assert int(about["CapBnd"], 16) == int(about["CapEff"], 16) == 1 << 2  # dac_read_search
    assert about["Seccomp"] == "2"
    reads = "try: open({!r}).close(); print('read')\nexcept OSError as e: print(e.errno)"
    for path in ("/etc/shadow", "/var/log/mail.log", "/root/.bashrc", "/etc/ssh/sshd_config"):
        assert tried(METRICS, reads.format(path)) in ("2", "13"), path
    assert tried(METRICS, reads.format("/var/lib/monzen/ledger.db")) == "read"
    writes = "try: open({!r}, 'a'); print('written')\nexcept OSError as e: print(e.errno)"
    for path in ("/etc/x", "/var/x", "/var/lib/monzen/ledger.db", "/var/lib/monzen-run/status.json", "/usr/share/monzen/x", "/run/x"):
        assert tried(METRICS, writes.format(path)) in ("30", "13"), path
    reaches = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ntry: s.sendto(b'x', ('192.0.2.77', 9)); print('sent')\nexcept OSError as e: print(e.errno)"
    assert tried(METRICS, reaches) in ("1", "101")
    run("systemctl", "stop", "monzen-gate.service")  # it goes on without, and the ledger is there all the same
    time.sleep(1.2)
    found = scraped()
    assert (found["monzen_gate_up"], found["monzen_ledger_up"]) == (0, 1), found
    run("systemctl", "start", *UNITS)
    until(running)
    time.sleep(1.2)
    assert scraped()["monzen_gate_up"] == 1


def shows_itself_with_keys():
    """By Debian's Textual; where there is none it is drawn without, and says how to have them."""
    late = f"{time.strftime('%b %e %H:%M:%S')} mail postfix/smtpd[77]: warning: unknown[2001:db8:7::1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"
    with LOG.open("a") as file:
        file.write(late)
    screen = Screen("monzen", "watch")
    screen.until("2001:db8:7::1")
    if importlib.util.find_spec("textual") is None:
        screen.until("apt install python3-textual (Debian 13)")
        os.kill(screen.process.pid, signal.SIGINT)
        assert screen.ended() == 0
        return
    screen.press("?", "the next list; Shift-Tab")
    screen.press("\x1b", "e explain")
    screen.press("e", "Esc: back")
    assert "2001:db8:7::" in screen.text, screen.text
    screen.press("\x1b", "e explain")
    screen.press("d", "Deny whom?")
    screen.press("1", "Deny 2001:db8:7::/64?")
    screen.press("y", "2001:db8:7::/64")
    until(lambda: screen.read() or "2001:db8:7::" in table())
    os.write(screen.main, b"q")
    if screen.process.poll() is None:
        time.sleep(0.5)  # it ends by itself, or is killed
        with contextlib.suppress(OSError):
            os.write(screen.main, b"q")  # the first one may have put an answer away
    assert screen.ended() == 0, screen.text
    run("monzen", "release", "2001:db8:7::/64")
    assert "2001:db8:7::" not in table()


def serves_a_page():
    """By Debian's Starlette and uvicorn: who has its token looks, denies, releases, allows; both halves end when they are told to."""
    log = Path("/run/serve.out")
    with log.open("w") as file:
        served = subprocess.Popen(["monzen", "serve"], stdout=file, stderr=subprocess.STDOUT)
    found = until(lambda: re.search(r"\?token=(\S+)", log.read_text()) or served.poll() is not None)
    assert found is not True, log.read_text()
    assert asked("/")[0] == 401
    status, _text, headers = asked(f"/?token={found[1]}")
    assert status == 303, status
    known = {"Cookie": headers["set-cookie"].partition(";")[0]}
    status, page, headers = asked("/", **known)
    assert (status, headers["server"]) == (200, None)
    assert "198.51.100.0/24" in page
    assert asked("/why?target=198.51.100.10", **known)[0] == 200
    order = {**known, "X-Monzen": re.search(r'"proof":"([^"]+)"', page)[1], "Origin": "http://127.0.0.1:8765", "Content-Type": "application/json"}
    for verb, there in (("deny", True), ("release", False), ("deny", True), ("allow", False)):
        status, said, _headers = asked("/do", json.dumps({"do": verb, "target": "2001:db8:8::/64", "for": "1h" if verb == "deny" else ""}).encode(), **order)
        assert (status, json.loads(said)["status"]) == (200, 0), said
        assert bool(re.search(r"2001:db8:8:: timeout", table())) == there, (verb, said, table())
    assert "2001:db8:8::/64" in run("monzen", "allow")
    run("monzen", "allow", "2001:db8:8::/64", "--remove")
    rows = run("ps", "-C", "monzen", "-ww", "-o", "user:20,pid,args").splitlines()
    halves = {row.split()[0]: int(row.split()[1]) for row in rows if " serve" in row}
    (reader,) = halves.keys() - {"root"}
    assert reader.isdigit(), rows  # a user without a name: nobody else's
    assert 61184 <= int(reader) <= 65519, rows
    stream = subprocess.Popen(["timeout", "20", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/8765; printf 'GET /events HTTP/1.1\\r\\nHost: 127.0.0.1:8765\\r\\nCookie: {known['Cookie']}\\r\\n\\r\\n' >&3; cat <&3"], stdout=subprocess.PIPE)  # fmt: skip
    assert stream.stdout.readline().startswith(b"HTTP/1.1 200")
    begun = time.monotonic()
    served.terminate()
    assert served.wait(20) == 0, log.read_text()
    assert not Path(f"/proc/{halves[reader]}").exists()
    assert stream.wait(20) == 0, "the open connection ended with it"
    print(f"   ended after {time.monotonic() - begun:.1f} s, with a page open")
    assert "Traceback" not in log.read_text(), log.read_text()


def reports_and_tells():
    page = Path("/run/report.html")
    run("monzen", "report", "--html", str(page))
    assert "198.51.100.0/24" in page.read_text()
    assert "echarts" in page.read_text()
    assert "198.51.100.0/24" in run("monzen", "digest", "--print")
    assert "monzen_gate_up 1.0" in run("monzen", "metrics")


def keeps_denials_through_an_upgrade():
    metrics = shows(METRICS, "MainPID")
    before, open_at, over = pids(), [], threading.Event()

    def watch():
        while not over.is_set():
            if not (denied("192.0.2.0") and denied("198.51.100.0")):
                open_at.append(time.time())
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run("dpkg", "-i", NEW)
        until(lambda: not set(before) & set(pids()) and running(), 30)
    finally:
        over.set()
        watcher.join()
    assert open_at == []
    assert shows(METRICS, "MainPID") not in ("0", metrics)
    assert run("monzen", "--version").split()[1] == NEW.split("_")[1]
    assert MODE.exists()
    run("systemctl", "disable", "--now", "monzen.service")
    run("dpkg", "-i", NEW)
    assert shows("monzen.service", "UnitFileState") == "disabled"
    run("systemctl", "enable", "--now", "monzen.service")
    until(running)


def follows_ufw_when_it_goes():
    link = Path("/etc/systemd/system/monzen-gate.service.d/ufw.conf")
    assert link.exists()
    shutil.move("/usr/sbin/ufw", "/usr/sbin/ufw.away")  # as its removal leaves it
    run("dpkg-trigger", "--by-package=ufw", "/usr/sbin/ufw")
    run("dpkg", "--triggers-only", "-a")
    assert not link.is_symlink()
    until(running)
    shutil.move("/usr/sbin/ufw.away", "/usr/sbin/ufw")
    run("dpkg-trigger", "--by-package=ufw", "/usr/sbin/ufw")
    run("dpkg", "--triggers-only", "-a")
    assert link.exists()
    until(running)


def has_manual_and_completion():
    page = run("man", "-l", "/usr/share/man/man1/monzen.1.gz", env=os.environ | {"MANWIDTH": "80", "PAGER": "cat"})
    assert "monzen gate status" in page
    done = run("bash", "-c", "source /usr/share/bash-completion/completions/monzen; COMP_WORDS=(monzen de); COMP_CWORD=1; _monzen; echo ${COMPREPLY[@]}")
    assert done.split() == ["deny"]


def leaves_the_firewall_to_the_machine_around_a_chroot():
    over = Path("/tmp/over")
    over.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", str(over))
    for name in ("upper", "work", "root"):
        (over / name).mkdir()
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={over}/upper,workdir={over}/work", "overlay", f"{over}/root")
    run("mount", "-t", "proc", "proc", f"{over}/root/proc")
    run("chroot", f"{over}/root", "dpkg", "-P", "monzen")
    assert not (over / "root/usr/bin/monzen").exists()
    assert denied("192.0.2.0")
    assert "192.0.2.0/24" in run("ufw", "status")
    assert running()
    for name in ("root/proc", "root", ""):
        run("umount", str(over / name))
    over.rmdir()


def opens_the_gate_when_removed():
    run("dpkg", "-r", "monzen")
    assert "No such file" in table(), table()
    said = run("ufw", "status")
    assert "192.0.2.0/24" not in said, said
    assert "198.51.100.0/24" not in said, said
    assert [shows(u, "ActiveState") for u in (*UNITS, METRICS)] == ["inactive"] * 3
    assert Path("/var/lib/monzen/ledger.db").exists()
    assert not Path("/usr/share/monzen").exists()


def denies_again_when_it_comes_back():
    run("dpkg", "-i", NEW)
    until(running)
    until(lambda: denied("192.0.2.0"))
    assert "192.0.2.0/24" in run("ufw", "status")


def leaves_nothing_when_purged():
    run("dpkg", "-P", "monzen")
    assert "No such file" in table(), table()
    assert "192.0.2.0/24" not in run("ufw", "status")
    assert "monzen" not in run("getent", "passwd") + run("getent", "group")
    assert "monzen" not in Path("/etc/ufw/user.rules").read_text()
    ours = re.compile(r"monzen-boot")  # of this test
    left = [
        path
        for path in run("find", "/", "-xdev", "(", "-path", "/srv", "-o", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o", "-name", "*monzen*", "-print").split("\n")
        if path and not ours.search(path)
    ]
    left += [str(p) for p in Path("/run").rglob("*monzen*") if not ours.search(str(p)) and "/run/systemd/" not in str(p) and "/run/log/" not in str(p)]
    assert left == [], left
    assert "monzen-gate" not in run("systemctl", "list-unit-files", "--no-pager")


STEPS = (
    installs_and_only_watches,
    reads_the_log_and_the_journal,
    denies_what_is_typed,
    denies_when_armed_in_kernel_and_ufw,
    is_as_safe_as_it_says,
    tells_of_alarms,
    resolves_names_as_nobody,
    sees_who_is_on_ssh_at_any_port,
    is_started_again,
    is_started_again_when_it_hangs,
    obeys_systemctl,
    gives_metrics_when_asked,
    shows_itself_with_keys,
    serves_a_page,
    reports_and_tells,
    keeps_denials_through_an_upgrade,
    follows_ufw_when_it_goes,
    has_manual_and_completion,
    leaves_the_firewall_to_the_machine_around_a_chroot,
    opens_the_gate_when_removed,
    denies_again_when_it_comes_back,
    leaves_nothing_when_purged,
)

print(run("systemctl", "--version").splitlines()[0], "/ Python", sys.version.split()[0], flush=True)
for step in STEPS:
    begun = time.monotonic()
    try:
        step()
    except BaseException:
        print("FAILED", step.__name__, flush=True)
        print(run("journalctl", "-u", "monzen", "-u", "monzen-gate", "-u", "monzen-tell", "-u", "monzen-digest", "--no-pager", "-n", "60", good=False), flush=True)
        raise
    print(f"ok {step.__name__} {time.monotonic() - begun:.1f} s", flush=True)
