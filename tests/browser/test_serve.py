"""The live page in a real browser, over a real gate: look, filter, explain, deny, release, allow; and who is refused."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.browser.chromium import PATIENCE, browser, page_of
from tests.browser.hostile import lines
from tests.lab import live
from tests.lab.net import run, until

LOG = Path("/var/log/mail.log")
PORT = 8765
WEEK = Path(__file__).parents[2] / "samples/one_week.log"
NEEDS = ("nft", "ss", "setpriv", "useradd", "chromium")


class Served:
    """`monzen serve` as root, in the sandbox, and what it printed."""

    def __init__(self, *options, user=None, language="en"):
        self.out = Path("/run/serve.out")
        before = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        command = [*before, sys.executable, "-m", "monzen", "serve", *map(str, options)]
        given = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": language, "TZ": "UTC"}
        self.process = subprocess.Popen(command, stdout=self.out.open("w"), stderr=subprocess.STDOUT, env=given)

    def address(self):
        found = until(lambda: re.search(r"(?:Open|Listening at) (\S+?)(?: in|\. From)|(http://\S+)", self.out.read_text()) or self.ended(), what="the address")
        assert found is not True, self.out.read_text()
        return found[1] or found[2]

    def ended(self):
        return self.process.poll() is not None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)


def machine(text=""):
    run("ip link set lo up", check=False)
    run("getent passwd monzen || useradd --system --user-group --groups adm monzen")
    LOG.write_text(text)
    run(["chown", "root:adm", str(LOG)])
    LOG.chmod(0o640)
    Path("/etc/monzen").mkdir(exist_ok=True)
    Path("/etc/monzen/monzen.toml").write_text(f'[sources]\nfiles = ["{LOG}"]\njournal = false\n')


def halves():
    """Uid and pid of each process of `monzen serve`."""
    rows = [line.split(None, 2) for line in run("ps -ww -eo uid,pid,args").stdout.splitlines() if " -m monzen serve" in line]
    return [(int(uid), int(pid)) for uid, pid, _args in rows]


def monzen(*arguments, status=0):
    """What it prints; its exit status must be `status`."""
    done = run([sys.executable, "-m", "monzen", *arguments], check=False)
    assert done.returncode == status, (arguments, done.stdout)
    return done.stdout


def shown(page, selector, words):
    """Until a place of the page says so."""
    page.wait_for_function(
        "([s, w]) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(w))", arg=[selector, words], timeout=PATIENCE
    )


def guess(client, name, at):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))
    return f"{stamp} mail postfix/smtpd[9]: warning: unknown[{client}]: SASL LOGIN authentication failed: x, sasl_username={name}\n"


def everything(language):
    """As an admin would use it, in one language."""
    words = {
        "en": {"deny": "Deny", "release": "Release", "allow": "Allow", "why": "Explain", "denied": "203.0.113.0/24 IS DENIED since", "away": "Turn 203.0.113.0/24 away?", "nobody": "Nobody is denied", "address": "This is no address", "host": "or a host name"},
        "ja": {"deny": "拒否", "release": "解除", "allow": "許可", "why": "説明", "denied": "から拒否しています", "away": "203.0.113.0/24 を拒否しますか", "nobody": "拒否されているものはありません", "address": "アドレスではありません", "host": "ホスト名"},
    }[language]
    now = time.time()
    machine("".join(guess(f"203.0.113.{n}", f"n{n}x{k}", now - 600 + 5 * n + k) for n in range(1, 7) for k in range(4)))
    with Served() as served, browser() as running:
        page, seen = page_of(running, language={"en": "en-US", "ja": "ja-JP"}[language])
        page.goto(served.address())
        assert "token" not in page.url, "it is not left in the history"
        assert page.evaluate("document.documentElement.lang") == language
        shown(page, "#targets-table", "203.0.113")
        # ---- filter
        page.locator("#find").fill("203.0.113.0/24")
        assert page.locator("#targets-table tbody tr button").first.inner_text() == "203.0.113.0/24"
        page.locator("#find").fill("")
        # ---- deny, after being asked, for a time
        page.locator("#act input").fill("203.0.113.77/24")  # it is asked about what would be denied
        page.get_by_role("button", name=words["deny"], exact=True).click()
        assert words["away"] in page.locator("#sure").inner_text()
        page.keyboard.press("Escape")
        assert "203.0.113.0/24" not in monzen("list"), "thought better of it"
        page.get_by_role("button", name=words["deny"], exact=True).click()
        page.locator("#sure select").select_option("7d")
        page.locator("#sure").get_by_role("button", name=words["deny"], exact=True).click()
        shown(page, "#told pre", "203.0.113.0/24")
        assert "203.0.113.0/24" in monzen("list")
        assert "203.0.113.0" in run("nft list table inet monzen").stdout
        page.keyboard.press("Escape")
        page.locator("#act input").fill("")
        shown(page, "#denied", "203.0.113.0/24")
        # ---- explain
        page.locator("#act input").fill("203.0.113.3")
        page.get_by_role("button", name=words["why"], exact=True).click()
        shown(page, "#told pre", "203.0.113.3")
        assert words["denied"] in page.locator("#told pre").inner_text(), "what the ledger says, as monzen why has it"
        page.keyboard.press("Escape")
        page.locator("#act input").fill("")
        # ---- what comes in while somebody looks
        with LOG.open("a") as file:
            file.write(guess("198.51.100.77", "late", time.time()))
        shown(page, "#latest-table", "198.51.100.77")
        # ---- release, by the button of its row
        page.locator("#denied [data-do=release]").first.click()
        page.locator("#sure").get_by_role("button", name=words["release"], exact=True).click()
        shown(page, "#told pre", "203.0.113.0/24")
        assert "203.0.113.0/24" not in monzen("list")
        page.keyboard.press("Escape")
        # ---- allow, from the details of a target
        page.locator("#targets-table [data-target]").first.click()
        name = page.locator("#detail h2").inner_text()
        page.locator("#detail").get_by_role("button", name=words["allow"], exact=True).click()
        page.locator("#sure").get_by_role("button", name=words["allow"], exact=True).click()
        shown(page, "#told pre", name.partition("/")[0])
        assert name.partition("/")[0] in monzen("allow")
        page.keyboard.press("Escape")
        # ---- what is no address is refused before anybody is asked
        for verb, text, said in (("deny", "hello", words["address"]), ("release", "hello", "monzen list"), ("allow", "-x", words["host"])):
            page.locator("#act input").fill(text)
            page.get_by_role("button", name=words[verb], exact=True).click()
            shown(page, "#told pre", said)
            assert page.locator("#sure").count() == 0
            page.keyboard.press("Escape")
        # ---- a refusal is said
        page.locator("#act input").fill("127.0.0.1")
        page.get_by_role("button", name=words["deny"], exact=True).click()
        page.locator("#sure").get_by_role("button", name=words["deny"], exact=True).click()
        shown(page, "#told pre", "127.0.0.1")
        assert "127.0.0.1" not in monzen("list")
        assert seen.said == []
        assert {url.split("/")[2] for url in seen.asked if url.startswith("http")} == {f"127.0.0.1:{PORT}"}


@live(needs=NEEDS, seconds=150, net=False)
def test_everything_in_english():
    everything("en")


@live(needs=NEEDS, seconds=150, net=False)
def test_everything_in_japanese():
    everything("ja")


def asked(method, path, headers=(), body=None):
    link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in dict(headers).items():
        link.putheader(name, value)
    if body is not None:
        link.putheader("Content-Length", str(len(body)))
    link.endheaders(body)
    answer = link.getresponse()
    text = answer.read()
    link.close()
    return answer.status, text, dict(answer.getheaders())


def session(served):
    """The headers of a browser that has opened the address."""
    ours = {"Host": f"127.0.0.1:{PORT}"}
    token = served.address().partition("token=")[2]
    return {**ours, "Cookie": asked("GET", f"/?token={token}", ours)[2]["set-cookie"].partition(";")[0]}


@live(needs=("nft", "useradd"), seconds=120, net=False)
def test_the_page_speaks_the_language_of_its_reader():
    """Also what the ledger keeps, and what root's half says: whatever language the process has, and though both read at once."""
    now = time.time()
    machine("".join(guess(f"203.0.113.{n}", f"n{n}x{k}", now - 600 + 5 * n + k) for n in range(1, 7) for k in range(4)))
    assert "203.0.113.0/24" in monzen("scan", "--apply", "--yes")
    monzen("deny", "198.51.100.9", "--port", "25/tcp", "--note", "seen before")
    said = {
        "en": ("typed by hand; seen before", "198.51.100.9 port 25/tcp", " of one network"),
        "ja": ("手動　seen before", "198.51.100.9 ポート25/tcp", "同一ネットワークの"),
    }
    wrong = {"en": "This is no address", "ja": "アドレスではありません"}
    accepted = {"en": ("en-GB,en;q=0.9", "fr, en;q=0.5, ja;q=0.1", "", "*"), "ja": ("ja", "ja-JP,ja;q=0.9,en;q=0.8", "en;q=0.3, JA;q=0.7")}
    for process in ("en", "ja"):
        with Served(language=process) as served:
            known = session(served)
            until(lambda known=known: b"198.51.100.9" in asked("GET", "/", known)[1], what="the gate on the page")
            for header, language in [(text, code) for code, texts in accepted.items() for text in texts] * 2:
                spoken = {**known, "Accept-Language": header}
                page = asked("GET", "/", spoken)[1].decode()
                assert f'<html lang="{language}"' in page, header
                for code, texts in said.items():
                    assert [t in page for t in texts] == [code == language] * 3, (process, header, code)
                assert wrong[language] in json.loads(asked("GET", "/check?do=deny&target=hello", spoken)[1])["text"]
                proof = re.search(r'"proof":"([^"]+)"', page)[1]
                order = {"do": "deny", "target": "hello"}
                good = {**spoken, "X-Monzen": proof, "Origin": f"http://127.0.0.1:{PORT}", "Content-Type": "application/json"}
                assert wrong[language] in json.loads(asked("POST", "/do", good, json.dumps(order).encode())[1])["text"]
            for path, target in (("check?do=release&target=017", "17"), ("check?do=deny&target=203.0.113.77/24", "203.0.113.0/24"), ("check?do=why&target=2001:DB8::1", "2001:db8::1"), ("why?target=2001:DB8::1", "2001:db8::1")):
                answer = json.loads(asked("GET", f"/{path}", known)[1])
                assert answer["target"] == target
                assert "check" not in path or answer["text"] == ""
            for path in ("check?do=deny&target=203.0.113.80%25%1b[31mX", "check?do=why&target=%ed%a0%80", "why?target=203.0.113.80%25%1b[31mX"):
                assert set(json.loads(asked("GET", f"/{path}", known)[1])) == {"text"}
            for value in (b"null", b"1e999", b"[]", b'"' + b"x" * 256 + b'"'):
                assert asked("POST", "/do", good, b'{"do": "allow", "target": %s}' % value)[0] == 400
            assert asked("POST", "/do", good, b'{"do": "allow", "target": "203.0.113.9%\\ud800"}')[1].decode().count("203.0.113.0/24") == 1, "how to write it"


CROWD = """
import select, socket, sys, time
held, opened = [], 0
while not select.select([sys.stdin], [], [], 0)[0]:
    link = socket.socket()
    link.setblocking(False)
    link.connect_ex(("127.0.0.1", 8765))
    held.append(link)
    opened += 1
    if opened == 1000:
        print("at it", flush=True)
    if len(held) > 400:
        held.pop(0).close()
    time.sleep(0.001)  # some 1,000 a second, and a core for those who are attacked
"""


def slowly(known):
    """The page for one who comes through a tunnel: the seconds it took, without those in which he says nothing."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", PORT), timeout=60) as link:
        time.sleep(0.5)  # through ssh, a moment passes before it asks
        link.sendall("".join(["GET /page HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in known.items()), "Connection: close\r\n\r\n"]).encode())
        with link.makefile("rb") as answer:
            text = answer.read()
    assert text.startswith(b"HTTP/1.1 200"), text[:100]
    return time.monotonic() - begun - 0.5


@live(needs=("nft", "setpriv", "useradd"), seconds=120, net=False)
def test_nobody_keeps_out_another_user_of_this_machine():
    """A user who takes every seat, and takes it again as soon as it is free, is in his own way only."""
    machine(WEEK.read_text())
    with Served() as served:
        known = session(served)
        until(lambda: asked("GET", "/", known)[0] == 200, what="the page")
        alone = max(slowly(known) for _ in range(3))
        crowd = subprocess.Popen(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", CROWD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert crowd.stdout.readline() == "at it\n", "all seats are taken, and taken again"
        end, took = time.monotonic() + 8, []
        while time.monotonic() < end or len(took) < 3:
            took.append(slowly(known))
        assert crowd.poll() is None, "it was there all the time"
        crowd.communicate("enough")
        assert max(took) < max(4, 20 * alone), (alone, took)
        held = [socket.create_connection(("127.0.0.1", PORT), timeout=60) for _ in range(5)]
        assert all(link.recv(10) == b"" for link in held), "who asks for nothing is sent away"
        assert asked("GET", "/", known)[0] == 200


@live(needs=("nft", "setpriv", "useradd"), seconds=120, net=False)
def test_who_is_refused():
    machine(WEEK.read_text())
    with Served() as served:
        token = served.address().partition("token=")[2]
        ours = {"Host": f"127.0.0.1:{PORT}"}
        assert asked("GET", "/", ours)[0] == 401, "without a token"
        assert asked("GET", "/?token=wrong", ours)[0] == 401
        assert asked("GET", f"/?token={token}", {"Host": "evil.example:8765"})[0] == 421, "a name that was pointed at us"
        assert asked("GET", f"/?token={token}", {})[0] in (400, 421)
        status, _text, headers = asked("GET", f"/?token={token}", ours)
        cookie = headers["set-cookie"]
        assert (status, headers["location"]) == (303, "/")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        known = {**ours, "Cookie": cookie.partition(";")[0]}
        status, text, headers = asked("GET", "/", known)
        assert status == 200
        assert "script-src 'sha256-" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        proof = re.search(rb'"proof":"([^"]+)"', text)[1].decode()
        order = b'{"do": "deny", "target": "203.0.113.9", "for": "1h"}'
        good = {**known, "X-Monzen": proof, "Origin": f"http://127.0.0.1:{PORT}", "Content-Type": "application/json"}
        for missing in ("X-Monzen", "Origin", "Cookie"):
            assert asked("POST", "/do", {k: v for k, v in good.items() if k != missing}, order)[0] in (401, 403), missing
        for wrong in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"X-Monzen": "x"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": f"localhost.evil.example:{PORT}"}):
            assert asked("POST", "/do", {**good, **wrong}, order)[0] in (403, 421), wrong
        assert asked("PUT", "/do", good, order)[0] == 405
        assert asked("POST", "/do", {**good, "Transfer-Encoding": "chunked"}, order)[0] == 413
        assert asked("GET", "/?" + "&".join(f"a{n}=1" for n in range(12)), ours)[0] == 401
        assert asked("POST", "/do", good, b"x" * 5000)[0] == 413
        for body in (b"[]", b"{", b"\xff", b"[" * 4000):
            assert asked("POST", "/do", good, body)[0] in (400, 403), body[:9]
        for hostile in ("; reboot", "--help", "203.0.113.9 --keep-shielded", "$(id)", "0.0.0.0/0", "../x", "\\u0000"):
            said = asked("POST", "/do", good, b'{"do": "deny", "target": "%s"}' % hostile.encode())
            assert b"203.0.113.9" not in monzen("list").encode(), hostile
            assert said[0] == 200
        for verb in ("panic", "gate", "arm", "", "deny --for", "forget"):
            assert b"refused" in asked("POST", "/do", good, b'{"do": "%s", "target": "203.0.113.9"}' % verb.encode())[1], verb
        assert "203.0.113.9" not in monzen("list")
        assert b"203.0.113.9" in asked("POST", "/do", good, order)[1]
        assert "203.0.113.9" in monzen("list")
        # the half that speaks HTTP has no rights
        (reader,) = [pid for uid, pid in halves() if uid]
        status = Path(f"/proc/{reader}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        assert os.readlink(f"/proc/{reader}/fd/0") == "/dev/null"
        assert os.getsid(reader) == reader != os.getsid(served.process.pid), "a session of its own, and so no terminal of root's"
        assert not [n for n in os.listdir(f"/proc/{reader}/fd") if "tty" in os.readlink(f"/proc/{reader}/fd/{n}") or "pts" in os.readlink(f"/proc/{reader}/fd/{n}")]
        # a folder of somebody else's, with a package of our name in it, is not where root's half looks
        slow = [http.client.HTTPConnection("127.0.0.1", PORT, timeout=60) for _ in range(5)]
        for link in slow:
            link.connect()
            link.sock.sendall(b"GET / HTTP/1.1\r\n")
        assert all(link.sock.recv(10) == b"" for link in slow), "who asks for nothing is sent away"
    assert until(served.ended, what="its end")


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_a_socket_for_the_same_user_only():
    machine()
    with Served("--listen", "unix:/run/monzen-serve.sock") as served:
        served.address()
        path = Path("/run/monzen-serve.sock")
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            link.sendall(b"GET / HTTP/1.1\r\nHost: evil.example:8765\r\nConnection: close\r\n\r\n")
            assert link.recv(100).startswith(b"HTTP/1.1 421")
        token = re.search(r"token=(\S+)", served.out.read_text())[1]
        for asked_for, status in (("/", b"401"), (f"/?token={token}", b"303")):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(path))
                link.sendall(f"GET {asked_for} HTTP/1.1\r\nHost: localhost:9000\r\nConnection: close\r\n\r\n".encode())
                assert link.recv(100).startswith(b"HTTP/1.1 " + status), "who reaches it through a port of the admin's computer"
        assert "Address already in use" in monzen("serve", "--listen", f"unix:{path}", status=2), "one that is served is not taken away"
        assert path.exists()
    assert not path.exists()


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_what_does_not_work_is_said():
    machine()
    with Served() as served:
        served.address()
        assert "cannot listen at 127.0.0.1:8765: Address already in use. Choose another: --listen" in monzen("serve", status=2)
    Path("/run/token").write_text("easy")
    assert "can be read by others" in monzen("serve", "--token-file", "/run/token", status=2)
    Path("/run/token").chmod(0o600)
    os.chown("/run/token", 65534, 0)
    assert "can be read by others" in monzen("serve", "--token-file", "/run/token", status=2), "whose it is"
    os.chown("/run/token", 0, 0)
    assert "too easy" in monzen("serve", "--token-file", "/run/token", status=2)
    assert "is no address to listen at" in monzen("serve", "--listen", "everywhere", status=2)
    assert "can be reached by others" in monzen("serve", "--listen", "0.0.0.0:8765", status=2)
    with Served("/var/log/missing.log", "--listen", "127.0.0.1:0") as served:
        assert served.address().startswith("http://127.0.0.1:")


@live(needs=("nft", "useradd", "chromium"), seconds=90, net=False)
def test_hostile_words_are_words_here_too():
    machine(lines())
    with Served("--names", "--since", "all") as served, browser() as running:
        page, seen = page_of(running)
        page.goto(served.address())
        shown(page, "main", "window.hit")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        with LOG.open("a") as file:
            file.write(guess("198.51.100.78", "<script>window.hit=1</script>", time.time()))
        shown(page, "#latest-table", "198.51.100.78")
        page.locator("#targets-table [data-target]").first.click()
        page.locator("#detail").get_by_role("button", name="Explain").click()
        shown(page, "#told pre", ".")
        assert page.evaluate("window.hit ?? null") is None
        assert page.evaluate("document.querySelectorAll('img, iframe, object, embed, [onload], [onerror]').length") == 0
        assert seen.said == []


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_neither_half_stays_when_the_other_is_killed():
    machine()
    for root in (True, False):
        with Served() as served:
            served.address()
            os.kill(next(pid for uid, pid in halves() if (uid == 0) == root), signal.SIGKILL)
            until(lambda: " monzen serve" not in run("ps -ww -eo stat,args | grep -v '^Z'").stdout.replace("ps -ww", ""), what="both have ended")


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_the_folder_that_root_stands_in_is_not_asked():
    """Whoever may write there could have put a package of our name into it."""
    machine()
    trap = Path("/run/trap/monzen")
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("")
    (trap / "__main__.py").write_text("open('/run/caught', 'w')")
    from monzen.web.broker import Broker

    os.chdir(trap.parent)
    answer = Broker(None, None).answer({"do": "deny", "target": "203.0.113.9"})
    assert "203.0.113.9" in answer["text"]
    assert answer["status"] == 0
    assert not Path("/run/caught").exists()
