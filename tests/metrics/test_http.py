"""The real server, in a process of its own: what it answers, and what clients cannot do to it."""

import contextlib
import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monzen.metrics.address import place_of
from monzen.metrics.http import CONNECTIONS, REQUEST
from monzen.show.words import speak
from monzen.verbs.metrics import serve

SERVE = """
import sys
from monzen.metrics import http
from monzen.metrics.address import place_of
from monzen.metrics.exposition import expose
from tests.metrics.made import facts
http.SECONDS = float(sys.argv[2])
sys.exit(http.Server(place_of(sys.argv[1]), lambda accept: expose(facts(), accept)).run(lambda: print("ready", flush=True)))
"""


@pytest.fixture(name="free")
def _free():
    """Ports that are ours until the test ends: bound and not listening, so nobody else is given one meanwhile (SO_REUSEADDR lets our server in)."""
    with contextlib.ExitStack() as held:

        def free(family=socket.AF_INET):
            one = held.enter_context(socket.socket(family))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
            return one.getsockname()[1]

        yield free


@contextlib.contextmanager
def server(where, seconds=5.0):
    process = subprocess.Popen([sys.executable, "-c", SERVE, where, str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout.readline() == "ready\n", process.stdout.read()
        yield process
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()


def ask(port, method="GET", path="/metrics", host="127.0.0.1", **headers):
    link = http.client.HTTPConnection(host, port, timeout=60)
    link.request(method, path, headers=headers)
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer, body


def raw(port, data=b""):
    link = socket.create_connection(("127.0.0.1", port), timeout=60)
    try:
        link.sendall(data)
    except OSError:
        link.close()
        raise
    return link


def rest(link):
    """All that comes until the server ends it."""
    found = b""
    with link:
        while True:
            try:
                part = link.recv(65536)
            except ConnectionResetError:  # it left what we sent unread
                return found
            if not part:
                return found
            found += part


def test_what_it_answers(free):
    port = free()
    with server(f"127.0.0.1:{port}"):
        answer, body = ask(port)
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert b"\nmonzen_gate_up 1.0\n" in body
        assert int(answer.getheader("Content-Length")) == len(body)
        answer, body = ask(port, Accept="application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
        assert answer.getheader("Content-Type").startswith("application/openmetrics-text")
        assert body.endswith(b"# EOF\n")
        assert ask(port, path="/metrics?name[]=up")[0].status == 200
        head, _blank, body = rest(raw(port, b"HEAD /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")  # a client would not look for a body
        assert (head.startswith(b"HTTP/1.1 200 OK\r\n"), body) == (True, b"")
        assert re.search(rb"\r\nContent-Length: [1-9]\d{3}", head)
        for path in ("/", "/metricsx", "/metrics/", "//metrics", "/%6detrics"):
            assert ask(port, path=path)[0].status == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer, _body = ask(port, method)
            assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "data",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"get /metrics HTTP/1.1\r\n\r\n",
     b"GET http://example.net/metrics HTTP/1.1\r\n\r\n", b"GET /\x1b[2J HTTP/1.1\r\n\r\n", b"GET " + b"/" * 4000 + b" HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_request_is_told(free, data):
    port = free()
    with server(f"127.0.0.1:{port}"):
        assert rest(raw(port, data)).startswith(b"HTTP/1.1 400 ")
        assert ask(port)[0].status == 200


def test_what_is_too_long_is_ended(free):
    port = free()
    with server(f"127.0.0.1:{port}", 120.0):
        for end in (b"", b"\r\n\r\n"):  # whether it is whole or not
            with raw(port) as link:
                link.sendall(b"GET /metrics HTTP/1.1\r\nX: ".ljust(REQUEST, b"x"))
                if not end:
                    time.sleep(0.2)  # what is read meanwhile is no more than it may be: it waits for the rest
                link.sendall(b"x" + end)
                assert link.recv(13) == b"HTTP/1.1 431 ", end
        started = time.monotonic()
        with contextlib.suppress(OSError):
            rest(raw(port, b"A" * 5_000_000))
        assert time.monotonic() - started < 60, "not held until its time is over"
        assert ask(port)[0].status == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # one server for all of them
@given(st.lists(st.binary(max_size=300), max_size=4))
def test_noise_harms_nobody(noise_server, pieces):
    with raw(noise_server) as link, contextlib.suppress(OSError):
        for piece in pieces:
            link.sendall(piece)
    assert ask(noise_server)[0].status == 200


@pytest.fixture
def noise_server(free):
    port = free()
    with server(f"127.0.0.1:{port}"):
        yield port


def test_who_says_nothing_or_drips_is_sent_away(free):
    port = free()
    with server(f"127.0.0.1:{port}", 0.6):
        silent, dripping = raw(port), raw(port)
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 60:
                dripping.sendall(b"G")
                time.sleep(0.05)
        assert 0.5 < time.monotonic() - started < 60, "each byte does not begin its time anew"
        assert rest(silent) == b""
        assert ask(port)[0].status == 200
        dripping.close()


def test_many_clients_do_not_keep_a_scrape_out(free):
    port = free()
    with server(f"127.0.0.1:{port}", 600.0) as process:
        crowd = [raw(port, b"GET /metrics HTTP/1.1\r\n") for _ in range(4 * CONNECTIONS)]
        assert ask(port)[0].status == 200, "long before their time is over"
        assert len(os.listdir(f"/proc/{process.pid}/fd")) < CONNECTIONS + 16
        for link in crowd:
            link.close()


def sockets(process):
    folder = f"/proc/{process.pid}/fd"
    return sum(os.readlink(f"{folder}/{name}").startswith("socket:") for name in os.listdir(folder))


def test_who_does_not_read_is_sent_away(free):
    port = free()
    with server(f"127.0.0.1:{port}", 0.6) as process:
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        link.connect(("127.0.0.1", port))
        link.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert ask(port)[0].status == 200
        end = time.monotonic() + 60
        while sockets(process) > 1:  # the door
            assert time.monotonic() < end
            time.sleep(0.05)
        link.close()


def test_it_ends_when_told_to_and_leaves_nothing(tmp_path):
    path = tmp_path / "m.sock"
    with server(f"unix:{path}", 600.0) as process:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(path))
        link.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert rest(link).startswith(b"HTTP/1.1 200 OK\r\n")
        idle = socket.socket(socket.AF_UNIX)
        idle.connect(str(path))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "long before the time of the idle one is over"
        idle.close()
    assert not path.exists()


def test_a_socket_that_somebody_else_put_there_stays(tmp_path):
    path = tmp_path / "m.sock"
    with server(f"unix:{path}") as process:
        path.unlink()
        path.write_text("mine")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("where", "warned"), [
    ("127.0.0.1:9797", False), ("[::1]:9797", False), ("unix:/run/a.sock", False), ("0.0.0.0:9797", True), ("192.0.2.7:9797", True), ("[::]:9797", True),
])  # fmt: skip
def test_who_can_be_reached_by_others_is_told_so(monkeypatch, capsys, where, warned):
    """Before it serves anybody. Nothing listens here: it would be reached by others."""

    class Deaf:
        def __init__(self, place, _expose):
            self.place = place

        def run(self, _ready):
            return 0

    monkeypatch.setattr("monzen.metrics.http.Server", Deaf)
    speak("en")
    assert serve(None, place_of(where)) == 0
    speak()
    assert capsys.readouterr().err == (f"monzen: {where} can be reached from other machines: whoever reaches it reads the metrics. Close the port to others\n" * warned)


def test_a_socket_that_was_left_is_replaced_and_nothing_else(tmp_path):
    path = tmp_path / "m.sock"
    with server(f"unix:{path}") as process:
        process.kill()
        process.wait(60)
        assert path.exists()
    with server(f"unix:{path}"):
        done = monzen("--listen", f"unix:{path}")
        assert done.returncode == 2
        assert "another program does" in done.stderr
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(path))  # the first still serves
        link.close()
    path.unlink()
    path.write_text("mine")
    assert monzen("--listen", f"unix:{path}").returncode == 2
    assert path.read_text() == "mine"


def monzen(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "monzen", "metrics", *arguments], capture_output=True, text=True, timeout=120, check=False,
        env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip


def test_six_and_four_are_two(free):
    port = free(socket.AF_INET6)
    with server(f"[::1]:{port}"):
        assert ask(port, host="::1")[0].status == 200
        with server(f"127.0.0.1:{port}"):
            assert ask(port)[0].status == 200


def test_a_place_that_cannot_be_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for language, words in (("en", f"cannot listen at {where}: another program does"), ("ja", "待ち受けできません")):
            done = monzen("--listen", where, LANGUAGE=language)
            assert (done.returncode, done.stdout) == (2, "")
            assert words in done.stderr
    assert "no such address" in monzen("--listen", "192.0.2.1:9797").stderr
    assert "Permission denied" in monzen("--listen", "unix:/proc/x.sock").stderr or "cannot listen" in monzen("--listen", "unix:/proc/x.sock").stderr


@pytest.mark.parametrize(
    ("text", "place", "near"),
    [
        ("127.0.0.1:9797", "127.0.0.1:9797", True),
        ("127.9.9.9:1", "127.9.9.9:1", True),
        ("[::1]:9797", "[::1]:9797", True),
        ("[0:0::1]:65535", "[::1]:65535", True),
        ("unix:/run/a.sock", "unix:/run/a.sock", True),
        ("0.0.0.0:9797", "0.0.0.0:9797", False),
        ("[::]:9797", "[::]:9797", False),
        ("192.0.2.7:9797", "192.0.2.7:9797", False),
    ],
)
def test_places(text, place, near):
    found = place_of(text)
    assert (str(found), found.near) == (place, near)


WRONG = ["", "9797", ":9797", "localhost:9797", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "[::1]", "::1:9797", "[127.0.0.256]:1"]
WRONG += ["unix:run/a", "unix:/" + "a" * 108, "127.0.0.1:9797\n", "1.2.3.4.5.6:1", "[::1%lo]:1"]


@pytest.mark.parametrize("text", WRONG)
def test_no_places(text):
    assert place_of(text) is None
