"""What the half without rights says reaches the terminal: not for ever, and what is missing is counted."""

import os
import socket
import threading
import time

from monzen.web.relay import MINUTE, SAYS, Relay, relay
from tests.browser.test_serve import PORT, Served, asked, machine, session
from tests.lab import live


def test_what_is_too_much_is_counted_and_the_next_minute_has_room_again():
    through = Relay()
    said = [text for n in range(SAYS + 30) for text in through.hear(b"line %d\n" % n, 7.0)]
    assert said == [f"line {n}" for n in range(SAYS)]
    assert through.hear(b"late\n", 7.0 + MINUTE - 0.1) == []
    counted, again = through.hear(b"again\n", 7.0 + MINUTE)
    assert counted.startswith("31 lines were left out here")
    assert again == "again"
    assert sum(len(through.hear(b"x\n", 8.0 + MINUTE)) for _ in range(5 * SAYS)) == SAYS - 1
    assert through.rest()[0].startswith(f"{4 * SAYS + 1} lines")
    assert through.rest() == []


def test_a_pipe_is_relayed_to_its_end(capsys):
    there, here = os.pipe()
    speaking = threading.Thread(target=relay, args=(there, lambda: 1.0))
    speaking.start()
    os.write(here, b"\x1b]0;title\x07 hostile\n" + b"x\n" * SAYS)
    os.close(here)
    speaking.join(60)
    first, *_rest, last = capsys.readouterr().out.splitlines()
    assert "\x1b" not in first
    assert "hostile" in first
    assert last.startswith("1 line was left out here")


@live(needs=("nft", "useradd"), seconds=60, net=False)
def test_nothing_is_said_of_what_strangers_send():
    machine()
    with Served() as served:
        known = session(served)
        before = served.out.read_text()
        ours = f"Host: 127.0.0.1:{PORT}\r\n".encode()
        for broken in (b"\x00\r\n\r\n", b"\x16\x03\x01" + b"\0" * 50, b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000,
                       b"GET / HTTP/1.1\r\n" + ours + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                       b"GET / HTTP/1.1\r\n" + ours + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") * 40:  # fmt: skip
            with socket.create_connection(("127.0.0.1", PORT), timeout=60) as link:
                try:
                    link.sendall(broken)
                    link.recv(300)
                except (ConnectionError, TimeoutError):
                    continue
        assert asked("GET", "/", known)[0] == 200
        time.sleep(0.3)  # nothing is to be waited for: what must not come would come by then
        assert served.out.read_text() == before
