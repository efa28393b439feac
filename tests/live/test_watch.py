"""The live screen on a real terminal, as root: its keys change the kernel, exactly as asked, and nothing that is never denied."""

import datetime as dt
import time
from pathlib import Path

from monzen.mode import Mode, write_mode
from tests.lab import live
from tests.lab.net import ADMIN4, probe, until
from tests.lab.server import listen, monzen, told
from tests.lab.terminal import Terminal
from tests.test_looking import failed

LOG = Path("/var/log/watched.log")
CONFIG = Path("/etc/monzen/monzen.toml")


def write(*said):
    """Lines of this moment."""
    with LOG.open("a") as file:
        for text in said:
            file.write(f"{dt.datetime.now(dt.UTC).isoformat()} mail {text}\n")


def is_denied(address):
    return probe("atk", 25, address) == "silence"


@live(needs=("nft", "ss"))
def test_the_keys_change_the_kernel():
    listen(25)
    CONFIG.parent.mkdir(mode=0o755, exist_ok=True)
    CONFIG.write_text(f'[sources]\nfiles = ["{LOG}"]\njournal = false\n')
    write_mode(Mode("armed", None, time.time(), "lab"))
    monzen("deny", "198.51.100.200")
    write(failed("info", "203.0.113.7"))
    screen = Terminal("watch", place="srv")
    try:
        screen.until("203.0.113.7")
        screen.until("198.51.100.200")
        screen.until("1 denied")
        # no is no
        screen.press("d")
        screen.until("Deny whom?")
        screen.press("2")
        screen.until("Deny 203.0.113.0/24?")
        screen.press("n")
        screen.until("Nothing was changed.")
        assert not is_denied("203.0.113.7")
        # the address, and nobody beside it
        screen.press("d")
        screen.until("Deny whom?")
        screen.press("1")
        screen.until("Deny 203.0.113.7?")
        screen.press("y")
        screen.until("denied 203.0.113.7")
        assert is_denied("203.0.113.7")
        assert not is_denied("203.0.113.8")
        # the network, from the same row
        screen.press("d2y")
        until(lambda: is_denied("203.0.113.8"), what="the network is denied")
        # released by its row in the list of denials, where the newest stands first
        screen.until(lambda: {r["target"] for r in told("list")["denied"]} >= {"203.0.113.0/24"})
        screen.until(f"{len(told('list')['denied'])} denied")
        screen.press("\t")
        screen.press("r")
        screen.until("Release 203.0.113.0/24")
        screen.press("y")
        until(lambda: not is_denied("203.0.113.8"), what="the network is released")
        # never again: what is denied of it is released
        screen.press("\x1b[Z")
        screen.press("a")
        screen.until("Never deny 203.0.113.7")
        screen.press("y")
        until(lambda: not is_denied("203.0.113.7"), what="the address is allowed")
        assert [a["text"] for a in told("allow")["allowed"]] == ["203.0.113.7"]
        screen.until("released 203.0.113.7")
        screen.press("\x1b")
        screen.until("Near a denial")
        # whom the Keeper refuses stays, and why is said
        screen.press("d1y")
        screen.until("203.0.113.7 is never denied")
        screen.press("\x1b")
        screen.until("Near a denial")
        screen.press("d2y")
        screen.until("203.0.113.0/24 is not denied, for in it is 203.0.113.7")
        assert not is_denied("203.0.113.8")
        screen.press("\x1b")
        time.sleep(0.5)
        # an address of ours
        write(failed("info", ADMIN4))
        screen.until(ADMIN4)
        screen.press("q")
        assert screen.ended() == 0
        assert {r["target"] for r in told("list")["denied"]} == {"198.51.100.200"}
    finally:
        screen.close()
