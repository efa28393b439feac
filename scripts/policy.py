"""Writes docs/policy.md and docs/policy.toml from src/monzen/judge/policy.py; --check only says whether they are current.

    python scripts/policy.py [--check]
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

from monzen.judge.policy import Policy
from monzen.settings import KINDS, allowed, limits
from monzen.show.words import speak

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/monzen/judge/policy.py"
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
HEAD = """\
# The policy

Made by `make formats` from the comments in `src/monzen/judge/policy.py`. What each rule does: [judging.md](judging.md).

    monzen scan --policy policy.toml
    monzen why 203.0.113.7 --policy policy.toml

Without a policy file every number is the default below, and the defaults are what is tested; a file needs only the keys that it
changes. [policy.toml](policy.toml) has all keys as comments, to begin with. A key that does not exist, or a value that cannot
be, is said in one sentence, and nothing is read (exit status 2). Compare what a change does on your own logs: `monzen scan`
changes nothing.

A length of time is a number of seconds or text: `"90s"`, `"10m"`, `"36h"`, `"7d"`, `"2w"`; from one second to a year.
"""
TAIL = """\
## [shield]: whom never to deny

| key | default | what |
|---|---|---|
| `own` | `[]` | addresses and networks of this server, where the logs are read on another machine |
| `allow` | `[]` | addresses, networks and host names that are never denied: your office, your other servers, your monitoring |
| `private` | `false` | whether private addresses (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7) can be denied |

A network that holds one of these is never denied whole either, only its offenders, one by one. Loopback, link-local and
multicast addresses are never denied at all. Of an IPv6 address its /64 is shielded, because monzen counts a /64 as one client.

Host names are resolved once, when monzen starts, all together for no longer than three seconds; one that has no address then is
said and not allowed this time, so write an address where it matters. Names that stand in a log are never resolved.

Where no FILE is named, monzen reads this machine's own logs, and this machine's addresses, gateways and name servers are
shielded too.

## [networks]: what is one network

| key | default | what |
|---|---|---|
| `routes` | none | a routing table, named from the folder of the policy file; `--routes FILE` goes before it |

It says which prefixes are announced on the internet, and by which AS. Without one, monzen denies nothing wider than a /24 or a
/48. It is one of

- text, plain or .gz: `203.0.113.0/24 64500` in each line (or `AS64500`; what follows is ignored), `#` begins a comment;
- the table `ip2asn-combined.tsv.gz` of iptoasn.com, or of another who has its form: first address, last address, AS number, and
  what follows, with tabs between;
- a MaxMind database of AS numbers, `.mmdb` (GeoLite2-ASN and its kin), with the library `maxminddb` (`pip install maxminddb`).

A million prefixes are read in 1.7 s (compiled; 2.4 s without, 3.4 s where they are in no order) and take 12 MB; prefixes of
IPv6 longer than /56 are passed over. Renew the table every few weeks: monzen downloads nothing.
"""


class Key(NamedTuple):
    """One key: its name, its default as a person writes it, and why."""

    name: str
    default: str
    unit: str
    reason: str


def length(seconds: float) -> str:
    """`"36h"`: in the greatest unit that leaves no fraction, days from two on."""
    unit, size = next((u, s) for u, s in UNITS if seconds % s == 0 and (seconds >= s if u != "d" else seconds >= 2 * s))
    return f'"{seconds / size:g}{unit}"'


def comments(text: str) -> dict[int, tuple[str, bool]]:
    """By line: the comment in it, and whether the line is nothing else."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = (token.string.lstrip("# "), not token.line[: token.start[1]].strip())
    return found


def sections() -> list[tuple[str, list[Key]]]:
    """The keys in order, under the comments that stand alone."""
    text = SOURCE.read_text(encoding="utf-8")
    said = comments(text)
    body = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef)).body
    found: list[tuple[str, list[Key]]] = [("What is at once, and what is slow", [])]
    defaults = Policy()._asdict()
    last = body[0].lineno
    for node in body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        found += [(said[line][0], []) for line in range(last, node.lineno) if line in said and said[line][1]]
        last = (node.end_lineno or node.lineno) + 1
        name, value = node.target.id, defaults[node.target.id]
        kind = KINDS[name]
        shown = length(value) if kind == "float" else f"{value:_}" if kind == "int" else str(value).lower()
        reason = " ".join(said[n][0] for n in range(node.lineno, last) if n in said)
        if not reason:
            sys.exit(f"{SOURCE.name}: {name} has no reason beside it")
        low, high = limits(name)
        unit = "length of time" if kind == "float" else allowed(name) if kind == "bool" else f"{low:,.0f} to {high:,.0f}"
        found[-1][1].append(Key(name, shown, unit, reason))
    return found


def document() -> str:
    """docs/policy.md."""
    out = [HEAD, "## [policy]: from when on, and for how long", ""]
    for title, keys in sections():
        out += [f"### {title}", "", "| key | default | what it may be | what it counts, and why so many |", "|---|---|---|---|"]
        out += [f"| `{k.name}` | `{k.default}` | {k.unit} | {k.reason.replace('|', chr(92) + '|')} |" for k in keys]
        out.append("")
    return "\n".join([*out, TAIL])


def example() -> str:
    """docs/policy.toml: everything, commented out."""
    out = [
        "# A policy for `monzen scan --policy FILE`: every key with its default (docs/policy.md).",
        "# Take away the # before what you change; leave out the rest.",
        "",
        "[shield]",
        '# own = ["192.0.2.25", "2001:db8::25"]',
        '# allow = ["198.51.100.7", "203.0.113.0/24", "office.example.org"]',
        "# private = false",
        "",
        "[networks]",
        '# routes = "ip2asn-combined.tsv.gz"',
        "",
        "[policy]",
    ]
    for title, keys in sections():
        out += [f"## {title}", *(f"# {k.name} = {k.default}" for k in keys), ""]
    return "\n".join(out)


if __name__ == "__main__":
    speak("en")
    for name, text in (("docs/policy.md", document()), ("docs/policy.toml", example())):
        path = ROOT / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                sys.exit(f"{name} is not what the policy says: run make formats")
        else:
            path.write_text(text, encoding="utf-8")
