"""Opening the gate at once, whatever else is broken: neither ledger nor configuration nor lock is needed.

The table in the kernel goes first, by one message that needs no disk; then ufw's rules; then the mode is written, by which every
other monzen keeps it open; then it is looked whether somebody who had read the old mode closed it meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from typing import Final, NamedTuple

from monzen.gate.nftables import Nftables
from monzen.gate.target import GateError
from monzen.gate.ufw import ENVIRONMENT, Ufw
from monzen.mode import Mode, mark_opened, overwrite_mode, write_mode
from monzen.show.command import remedy
from monzen.show.words import _

NONE: Final = (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)  # no table, or no nf_tables at all
NFT: Final = "/usr/sbin/nft"


class Opened(NamedTuple):
    """What became of it."""

    open: bool  # nothing of ours stands in the kernel
    kept: bool  # the mode is written, so it stays so
    failed: tuple[str, ...]  # what could not be done, in words


def open_kernel() -> str:
    """Take our table away; empty, or why it could not be done. Errors: none."""
    try:
        nft = Nftables()
        try:
            nft.remove()
            return "" if not nft.state().present else _("the kernel still has the table inet monzen")
        finally:
            nft.close()
    except GateError as error:
        if error.errno in NONE:
            return ""
        if error.errno in (errno.EPERM, errno.EACCES):
            return _("cannot reach the firewall: no right to. {remedy}").format(remedy=remedy())
        said = str(error)
    except Exception as error:  # noqa: BLE001  # a fault of ours shall not keep the gate closed: nft is tried, and it is said
        said = repr(error)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = [NFT, "delete", "table", "inet", "monzen"]
        if subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=20, check=False).returncode == 0:
            return ""
    return _("the kernel refused to open: {detail}. By hand: nft delete table inet monzen").format(detail=said)


def open_ufw(root: str = "/") -> tuple[bool, list[str]]:
    """Take our rules of ufw away: whether they are gone, and what could not be done. Errors: none."""
    try:
        return Ufw(root).open()
    except Exception as error:  # noqa: BLE001  # as above
        said = _("ufw's rules could not be taken away: {detail}. See: ufw status")
        return False, [said.format(detail=str(error) if isinstance(error, GateError) else repr(error))]


def keep_open(mode: Mode, root: str = "/") -> str:
    """Write the mode, on a full disk over the old one; empty, or why it could not be done. Errors: none."""
    try:
        write_mode(mode, root)
        return ""
    except OSError as error:
        try:
            overwrite_mode(mode, root)
            return ""
        except OSError:
            said = _("it was not written down that the gate is open ({path}: {detail})")
            return said.format(path=os.path.join(root, "var/lib/monzen/mode"), detail=_(error.strerror or str(error)))


def open_all(mode: Mode, root: str = "/") -> Opened:
    """All of it. The caller holds monzen's lock, if it is to be had."""
    open_kernel()
    mark_opened(root)
    gone, failed = open_ufw(root)
    unwritten = keep_open(mode, root)
    left = open_kernel()  # who had the lock may have loaded the table anew; who loads it from now on sees the mode
    return Opened(gone and not left, not unwritten, tuple(words for words in (left, *failed, unwritten) if words))
