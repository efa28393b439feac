"""Small texts: hostile bytes made harmless, names hidden, times, durations, networks, ports."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from functools import cache

from monzen.parse.address import text as address

HIDDEN = b"***"
PASSWORD = b"given password: "
# The services that scanners ask for; /etc/services has other names for some and none for others.
PORTS = {
    int(number): name
    for number, name in (
        entry.split(":")
        for entry in (
            "21:ftp 22:ssh 23:telnet 25:smtp 53:dns 80:http 110:pop3 111:rpcbind 135:msrpc 139:netbios 143:imap 161:snmp "
            "389:ldap 443:https 445:smb 465:smtps 587:submission 993:imaps 995:pop3s 1080:socks 1433:mssql 1521:oracle "
            "1723:pptp 1883:mqtt 2222:ssh-alt 2323:telnet-alt 2375:docker 3128:proxy 3306:mysql 3389:rdp 4190:sieve "
            "5060:sip 5432:postgresql 5555:adb 5900:vnc 5985:winrm 6379:redis 6443:kubernetes 7547:tr-069 8000:http-alt "
            "8080:http-alt 8081:http-alt 8443:https-alt 8728:mikrotik 8888:http-alt 9200:elasticsearch 10000:webmin "
            "11211:memcached 27017:mongodb"
        ).split()
    )
}


def safe(raw: bytes | str, limit: int = 300) -> str:
    """Text that a terminal can be given: what is not printable is escaped (`\\x1b`, `\\u202e`), what is too long is cut."""
    decoded = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in decoded[:limit])
    return shown + "…" if len(decoded) > limit else shown


@cache
def _obeyed() -> re.Pattern[str]:
    return re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def as_json(value: object) -> str:
    """One line of JSON; what a terminal would obey (control characters, also those of Unicode) is escaped, other text is not."""
    import json  # here and below imported when first needed: most reports need neither

    return _obeyed().sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value, ensure_ascii=False))


def json_pieces(value: object) -> Iterator[str]:
    """The same text in pieces, so that a long report is never one text in memory: the values of objects, the rows of lists.

    An iterator in an object is a list, whose rows are made as they are written.
    """
    if isinstance(value, dict):
        before = "{"
        for key, of in value.items():
            yield before + as_json(key) + ": "
            yield from json_pieces(of)
            before = ", "
        yield "}" if value else "{}"
    elif isinstance(value, (list, Iterator)):
        before = "["
        for row in value:
            yield before + as_json(row)
            before = ", "
        yield "]" if before == ", " else "[]"
    else:
        yield as_json(value)


# Where programs write names; what stands there is replaced unless the names were asked for.
@cache
def _names() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?P<a>user=<)[^>]*(?=>)"
        rb"|(?P<b>sasl_username=).*?(?=, |\Z)"
        rb"|(?P<c>\b(?:for (?:invalid user |illegal user )?|[Ii]nvalid user |authenticating user |User ))"
        rb"[^\n\[]*?(?= from | \d|:|\Z)"
        rb"|(?P<d>\b(?:pam|sql|ldap|passwd-file|static|auth(?:-worker)?|unix_user|shadow|oauth2|lua|imap|pop3|lmtp)\()[^,()]*(?=[,)])"
        rb"|(?P<e> r?user=)[^\s<]+"
        rb"|(?P<f>(?:from|to)=<)[^>]*(?=>)"
        rb"|(?P<g><)[^<>\s@]+@[^<>\s]+(?=>)"
    )


def without_password(line: bytes) -> bytes:
    """The line without the password or hash of Dovecot's auth_verbose_passwords: up to the end, for it may hold anything."""
    at = line.find(PASSWORD)
    if at < 0:
        return line
    return line[: at + len(PASSWORD)] + HIDDEN + (b")" if line.rstrip().endswith(b")") else b"")


def masked(line: bytes, names: bool = False) -> bytes:
    """The line as it may be shown: never with a password, with the names of users only if `names`, else `user=<***>`."""
    line = without_password(line)
    return line if names else _names().sub(lambda m: next(g for g in m.groups() if g is not None) + HIDDEN, line)


def network(target: bytes, bits: int) -> str:
    """`212.70.149.0/24`, `192.0.2.7`, `2001:db8::/64` of leading bytes and a prefix length."""
    full = target.ljust(4 if len(target) <= 4 and bits <= 32 else 16, b"\0")
    if len(full) == 4:
        shown = address(full)
    else:
        from ipaddress import IPv6Address

        shown = str(IPv6Address(full))
    return shown if bits == len(full) * 8 else f"{shown}/{bits}"


def client_name(key: bytes, addresses: list[bytes] | None) -> str:
    """A client as people look for it: its address; of an IPv6 /64 the one address that was seen, or the network."""
    if len(key) == 4:
        return address(key)
    if addresses and len(addresses) == 1:
        return address(addresses[0])
    return network(key, 64)


def stamp(time: float, zone: dt.tzinfo, *, seconds: bool = True) -> str:
    """`2026-09-04 16:59:45` in this zone."""
    return in_zone(time, zone).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def in_zone(time: float, zone: dt.tzinfo) -> dt.datetime:
    """A time in a zone; one that no calendar has is the nearest that it has."""
    try:
        return dt.datetime.fromtimestamp(time, zone)
    except (OverflowError, ValueError, OSError):
        year = dt.MINYEAR if time < 0 else dt.MAXYEAR
        return dt.datetime(year, 1, 2, tzinfo=zone)


def iso(time: float) -> str:
    """`2026-09-04T07:59:45Z`; a fraction, in microseconds, only where there is one."""
    moment = in_zone(round(time, 6), dt.UTC)
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def port(detail: bytes) -> str:
    """`23/tcp telnet` of `23/tcp`."""
    number = detail.partition(b"/")[0]
    name = PORTS.get(int(number)) if number.isdigit() and len(number) < 6 else None
    return f"{safe(detail, 20)} {name}" if name else safe(detail, 20)
