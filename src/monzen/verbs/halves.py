"""What the two halves of the guard say of themselves: `monzen gate serve` when it is asked, `monzen run` in its file."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import Any, Final

from monzen.gate.target import GateError
from monzen.guard import wire
from monzen.guard.run import STATE
from monzen.show.command import remedy
from monzen.show.words import _

STALE: Final = 45.0  # seconds after which `run` has missed its turn to say that it lives
LARGEST: Final = 1 << 20  # bytes read of what run says of itself


def asked(root: str = "/", patience: float = 2.0) -> dict[str, Any] | str:
    """What `monzen gate serve` says of itself; why it does not, where it does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as link:
        link.settimeout(patience)
        try:
            link.connect(os.path.join(root, wire.SOCKET))
            link.send(wire.packed({"status": True}))
            found = wire.unpacked(link.recv(wire.MESSAGE)).get("status")
        except (OSError, wire.WireError) as error:
            return getattr(error, "strerror", None) or str(error)
    return found if isinstance(found, dict) else "?"


def reader(root: str = "/") -> dict[str, Any] | None:
    """What `monzen run` wrote of itself, checked word by word: it reads hostile text all day. None where there is nothing sound.

    Its folder is its own, so the file may be a link or a pipe: root opens neither.
    """
    try:
        descriptor = os.open(os.path.join(root, STATE, "status.json"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        said = _("cannot read what monzen run says of itself: no right to. {remedy}")
        raise GateError(said.format(remedy=remedy())) from None
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return sound(json.loads(os.read(descriptor, LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    finally:
        os.close(descriptor)


def sound(found: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
    """A status with all that is shown of it, each of its type. Raises KeyError, TypeError, ValueError for another."""

    def number(value: Any) -> float:  # noqa: ANN401  # as above
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            raise ValueError("no number")
        return float(value)

    gate, state = found["gate"], found["state"]
    return {
        **{key: number(found[key]) for key in ("at", "started")},
        **{
            key: int(number(found[key]))
            for key in ("pid", "lines", "events", "suspects", "clients", "sentences", "twice", "waiting")
        },
        "version": str(found["version"])[:64],
        "samples": [str(sample)[:300] for sample in found["samples"][:20]],
        "stopped": found["stopped"] is True,
        "history": found["history"] is True,
        "sources": [
            {
                "path": str(source["path"])[:400],
                "caught_up": source["caught_up"] is True,
                "last": number(source["last"]) if source["last"] is not None else None,
                "lines": int(number(source["lines"])),
                "late": max(-1e7, min(1e7, float(source["late"]))),
                "error": str(source["error"])[:400],
            }
            for source in found["sources"][:100]
        ],
        "gate": {"connected": gate["connected"] is True, "mode": str(gate["mode"])[:32], "error": str(gate["error"])[:200]},
        "state": {
            "records": int(number(state["records"])),
            "snapshot": int(number(state["snapshot"])),
            "behind": state["behind"] is True,
        },
    }
