"""A peer of the gate that says what it likes: the socket of `monzen gate serve`, and whoever one wants to be."""

import contextlib
import json
import os
import pwd
import socket
import time
from ipaddress import ip_network

from monzen.guard import wire
from monzen.guard.serve import SILENT

PATH = "/run/monzen/gate.sock"


@contextlib.contextmanager
def user(name):
    """This process acts for another user (and its own group alone) meanwhile."""
    account = pwd.getpwnam(name)
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


class Peer:
    """One connection, as user monzen unless somebody else is named."""

    def __init__(self, name="monzen", greet=True, buffer=0, timeout=60.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.number = 0
        self.news = []
        try:
            with user(name) if name else contextlib.nullcontext():
                self.socket.connect(PATH)
            if greet:
                self.say({"monzen": wire.PROTOCOL, "hello": "run", "version": "0"})
                while "mode" not in self.hear():
                    pass
        except BaseException:
            self.socket.close()
            raise

    def say(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.send(data)

    def hear(self):
        """The next message; EOFError where the gate closed the connection."""
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        self.news.append(json.loads(data))
        return self.news[-1]

    def ask(self, what, rows):
        """The answers to orders or alarms."""
        self.number += 1
        self.say({"id": self.number, what: rows})
        while True:
            message = self.hear()
            if message.get("id") == self.number:
                return message["answers"]

    def order(self, *networks, **values):
        """What became of orders for these networks, one message for each hundred."""
        rows = [row(network, **values) for network in networks]
        return [answer[0] for at in range(0, len(rows), 100) for answer in self.ask("orders", rows[at : at + 100])]

    def closed(self, message):
        """Whether the gate hangs up on this, and not only on who says nothing (guard/serve.py, SILENT)."""
        self.socket.settimeout(min(SILENT - 5.0, self.socket.gettimeout()))
        try:
            self.say(message)
            while True:
                self.hear()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def row(network, at=None, until=None, sentence=3600.0, rule="guesses", clients=1, attempts=9, names=3, note="", evidence=()):
    """An order as it goes over the wire; a network is text, or what stands in its place."""
    now = time.time()
    if isinstance(network, str):
        net = ip_network(network)
        network = (net.network_address.packed.hex(), net.prefixlen)
    until = now + 3600 if until is None else until
    return [*network, now if at is None else at, until, sentence, rule, clients, attempts, names, note, list(evidence)]
