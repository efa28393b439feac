"""Every table and key that the configuration may have: what each is where nothing is written, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass, fields

from monzen.addressees import Tell
from monzen.judge.policy import Policy
from monzen.ledger import Limits
from monzen.show.words import _

YEAR = 365 * 86400
KEPT = 64  # stamps, names and recipients kept of a client (judge/client.py): a limit above that is never reached
# What a key may be, where it is not any number from 1 up, or any length of time from a second to a year.
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("ghosts", "names", "real_names", "one_name", "nameless", "slow", "ssh", "relay", "recipients"), (1, KEPT)),
    **dict.fromkeys(("abuse", "alarm", "device", "known_ghosts", "guesses", "slow_nameless", "targeted"), (1, KEPT)),
    "sprayers": (1, 254),
    "one_name_hour": (3, KEPT),  # whether they come by the clock is told from two gaps
    "recipients_per_mail": (0, KEPT),
    "crowd": (2, 32),  # one is no crowd; 32 offences of a network are kept (judge/network.py)
    "crowd_points": (1, 192),  # 32 offences of at most 6
    "offenders": (1, 254),  # hosts of a /24
    "hop_members": (1, 254),
    "hop6_56": (2, 256),
    "hop6_48": (2, 256),
    "wide_closed": (2, 256),
    "widest4": (16, 24),
    "widest6": (36, 48),
    "hot": (2, 8),  # networks kept of a name (judge/names.py)
    "shape_networks": (2, 4096),  # networks kept of a shape (judge/campaign.py)
    "growth": (1, 100),
    "outage_clients": (2, 1000),
    **dict.fromkeys(("clients", "networks", "sentences", "name_table", "knockers"), (1000, 100_000_000)),
}
KINDS = {name: type(value).__name__ for name, value in Policy()._asdict().items()}
FIREWALLS = ("auto", "nftables", "ufw", "dry")


@dataclass(frozen=True, slots=True)
class GateConfig:
    """The table `[gate]`: how what should be denied becomes what the kernel denies (docs/gate.md)."""

    firewall: str = "auto"  # nftables where the kernel has it, else ufw, else dry
    mirror: bool = True  # also as rules of ufw, where ufw is active
    mirror_limit: int = 500  # rules: ufw walks them one after the other
    mirror_from: float = 3600.0  # seconds: a network denied for less is not shown in ufw
    log: bool = True  # a few of the packets that are dropped
    limit: int = 1_048_576  # denials in the kernel: 85 MiB there
    widest4: int = 8  # the widest network that a person may deny: nobody holds more than a /8
    widest6: int = 20  # the largest that registries hand out
    widest4_auto: int = 16  # the widest that monzen denies by itself: the largest that one operator announces as one
    widest6_auto: int = 32
    at_once: int = 10_000  # more in one go that nobody typed come from a poisoned source


GATE = tuple(f.name for f in fields(GateConfig))
GATE_RANGES: dict[str, tuple[float, float]] = {
    "mirror_limit": (0, 5_000),
    "mirror_from": (1, YEAR),
    "limit": (1, 4_194_304),
    "widest4": (1, 32),
    "widest6": (1, 128),
    "widest4_auto": (8, 32),
    "widest6_auto": (20, 128),
    "at_once": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class Sources:
    """The table `[sources]`: what `monzen run` follows (docs/guard.md)."""

    files: tuple[str, ...] = (
        "/var/log/mail.log",
        "/var/log/auth.log",
        "/var/log/ufw.log",
    )  # where rsyslog of Debian and Ubuntu writes
    journal: bool | None = None  # None ("auto"): unless mail.log and auth.log are there and one of them is fresh
    history: float = 30 * 86_400.0  # seconds that are read back at the first start: as long as a user stays known
    timezone: str = ""  # of stamps without an offset: as the machine has it


TABLES = {"policy": tuple(KINDS), "shield": ("own", "allow", "private"), "networks": ("routes",), "gate": GATE}
TABLES["ledger"] = Limits._fields
TABLES["sources"] = tuple(f.name for f in fields(Sources))
TABLES["tell"] = tuple(f.name for f in fields(Tell))
LEDGER_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("evidence_days", "ended_days", "knock_days"), (1, 3650)),
    "evidence_bytes": (1 << 20, 1 << 34),
    **dict.fromkeys(
        ("ended_most", "knocks_most", "knockers_most", "alarms_most", "releases_most", "past_most"), (1_000, 10_000_000)
    ),
}


def lengths() -> str:
    """What a length of time may be, in words."""
    return _("a length of time from one second to a year: a number of seconds, or text such as 10m, 36h, 7d in quotes")


def allowed(key: str) -> str:
    """What a key of `[policy]` may be, in words."""
    if KINDS[key] == "bool":
        return _("true or false")
    low, high = limits(key)
    if KINDS[key] == "float":
        return lengths()
    return _("a whole number from {low} to {high}").format(low=f"{low:.0f}", high=f"{high:.0f}")


def limits(key: str) -> tuple[float, float]:
    """The least and the greatest value of a key of `[policy]`."""
    return RANGES.get(key, (1, YEAR if KINDS[key] == "float" else 1_000_000))
