"""nf_tables over raw netlink: attributes and messages as bytes (pure), and the one socket that carries them.

The `nft` program and libnftables read a whole set before they add one element to it; asked directly, the kernel does it in
10 µs at any size (FACTS E). Numbers are from linux/netfilter/nf_tables.h and nfnetlink.h, which are kernel ABI.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from monzen.gate.target import GateError

NFNL_BATCH_BEGIN: Final = 16
NFNL_BATCH_END: Final = 17
NFNL_SUBSYS_NFTABLES: Final = 10
NFPROTO: Final = {"inet": 1, "ip": 2, "ip6": 10}
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND, NLM_F_DUMP = 1, 4, 0x200, 0x400, 0x800, 0x300
NLM_F_DUMP_INTR: Final = 0x10
NETLINK_NETFILTER: Final = 12
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
NESTED: Final = 0x8000
MOST: Final = 0xFFFF - 4  # bytes in one attribute: its length has 16 bits
PATIENCE: Final = 60.0  # seconds for one answer: a million elements take 2.4 (FACTS E); a dead kernel must not hold us for ever

AGAIN: Final = 100  # dumps that were disturbed, a second or two, before we give up

NEWTABLE, GETTABLE, DELTABLE = 0, 1, 2
NEWCHAIN, GETCHAIN = 3, 4
NEWRULE, GETRULE = 6, 7
NEWSET, GETSET = 9, 10
NEWSETELEM, GETSETELEM, DELSETELEM = 12, 13, 14
GETGEN = 16

Asked = TypeVar("Asked")
Message = tuple[int, int, bytes]  # type, flags beside NLM_F_REQUEST, body


def attribute(number: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = len(payload) + 4
    return struct.pack("=HH", length, number) + payload + b"\0" * (-length % 4)


def nest(number: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(number | NESTED, b"".join(parts))


def text(number: int, value: str) -> bytes:
    """A string attribute, with its zero."""
    return attribute(number, value.encode() + b"\0")


def be32(number: int, value: int) -> bytes:
    """A 32-bit number in network byte order; negative ones as two's complement."""
    return attribute(number, struct.pack("!I", value & 0xFFFFFFFF))


def be64(number: int, value: int) -> bytes:
    """A 64-bit number in network byte order."""
    return attribute(number, struct.pack("!Q", value))


def attributes(data: bytes | memoryview, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and payload of each attribute from `start` on; ends where they end or make no sense."""
    at, end = start, len(data)
    while at + 4 <= end:
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > end:
            return
        yield number & 0x3FFF, bytes(data[at + 4 : at + length])
        at += (length + 3) & ~3


def message(kind: int, flags: int, sequence: int, family: int, body: bytes, resource: int = 0) -> bytes:
    """One netlink message with its nfgenmsg header."""
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, sequence, 0)
    return head + struct.pack("!BBH", family, 0, resource) + body


class Netlink:
    """A connection to nf_tables of the network namespace it was opened in.

    Raises GateError with the kernel's errno: EPERM without CAP_NET_ADMIN, EPROTONOSUPPORT or EOPNOTSUPP without nf_tables,
    ENOENT for what is not there, ENFILE for a full set. What one `change` says is done wholly or not at all.
    """

    def __init__(self, family: str = "inet") -> None:
        self.family = NFPROTO[family]
        self.sequence = 0
        self.room = 0
        try:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        except OSError as error:
            raise GateError(error.strerror or str(error), error.errno or 0) from None
        self.socket.bind((0, 0))
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)  # errors come without a copy of what was sent
        self._grow(1 << 20)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the socket; what was changed stays."""
        self.socket.close()

    def change(self, messages: Iterable[Message]) -> None:
        """All messages as one transaction. An error undoes all of them."""
        listed = list(messages)
        if not listed:
            return
        first = self.sequence + 1
        self.sequence += len(listed) + 2
        last = self.sequence - 1
        out = [message(NFNL_BATCH_BEGIN, NLM_F_REQUEST, first, 0, b"", NFNL_SUBSYS_NFTABLES)]
        for sequence, (kind, flags, body) in enumerate(listed, first + 1):
            # Before Linux 6.10 the end of a batch is not answered: the last message is. Answers come after the commit, in order;
            # what fails as a whole (no rights, the commit) is answered with the number of the beginning.
            flags |= NLM_F_REQUEST | (NLM_F_ACK if sequence == last else 0)
            out.append(message(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, sequence, self.family, body))
        out.append(message(NFNL_BATCH_END, NLM_F_REQUEST, self.sequence, 0, b"", NFNL_SUBSYS_NFTABLES))
        data = b"".join(out)
        self._grow(2 * len(data) + 4096)
        self._send(data)
        done = False
        while not done:
            for kind, had, sequence, body in self._receive():
                if kind != NLMSG_ERROR or not first <= sequence <= last:
                    continue  # left of an earlier change
                code, words = _error(body, had)
                if code:
                    self._drain()
                    raise GateError(words, code)
                done = done or sequence == last

    def ask(self, kind: int, body: bytes, *, dump: bool = False) -> Iterator[bytes]:
        """The bodies (without nfgenmsg) of what the kernel answers. A dump that changed meanwhile raises GateError EINTR."""
        self.sequence += 1
        mine = self.sequence
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        self._send(message(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, mine, self.family, body))
        torn = False
        while True:
            for answer, had, sequence, data in self._receive():
                if sequence != mine:
                    continue
                torn = torn or bool(had & NLM_F_DUMP_INTR)
                if answer == NLMSG_ERROR:
                    code, words = _error(data, had)
                    if code:
                        raise GateError(words, code)
                    return
                if answer == NLMSG_DONE:
                    if torn:
                        raise GateError(os.strerror(errno.EINTR), errno.EINTR)
                    return
                yield data[4:]

    def _grow(self, size: int) -> None:
        """Room for `size` bytes in one send: a transaction is one send. Needs CAP_NET_ADMIN above the system's limit."""
        if size > self.room:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, size)
                self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, max(size // 8, 1 << 20))
            except PermissionError:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
            self.room = size

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError as error:
            raise GateError(error.strerror or str(error), error.errno or 0) from None

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Type, flags, sequence and payload of each message of one datagram."""
        try:
            data = self.socket.recv(1 << 20)
        except TimeoutError:
            raise GateError(os.strerror(errno.ETIMEDOUT), errno.ETIMEDOUT) from None
        except OSError as error:
            raise GateError(error.strerror or str(error), error.errno or 0) from None
        at = 0
        while at + 16 <= len(data):
            length, kind, flags, sequence, _port = struct.unpack_from("=IHHII", data, at)
            if length < 16:
                return
            yield kind, flags, sequence, data[at + 16 : at + length]
            at += (length + 3) & ~3

    def _drain(self) -> None:
        """Forget what else came: one error for each failed message of a batch."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise GateError(error.strerror or str(error), error.errno or 0) from None
        finally:
            self.socket.settimeout(PATIENCE)


def _error(body: bytes, flags: int) -> tuple[int, str]:
    """The errno of an error message (0: an acknowledgement), and the kernel's words for it."""
    code = -struct.unpack_from("=i", body)[0]
    words = os.strerror(code)
    if code and flags & 0x200:  # NLM_F_ACK_TLVS: after the header of what was sent (NETLINK_CAP_ACK)
        for number, value in attributes(body, 20):
            if number == 1:  # NLMSGERR_ATTR_MSG
                words += f" ({value.rstrip(bytes(1)).decode('ascii', 'replace')})"
    return code, words


def undisturbed(read: Callable[[], Asked]) -> Asked:
    """What a dump says. One during which a table was changed is asked for again: in a flood of denials that happens often."""
    for attempt in range(AGAIN):
        try:
            return read()
        except GateError as error:
            if error.errno != errno.EINTR:
                raise
            time.sleep(min(0.02, 0.0005 * attempt))
    return read()
