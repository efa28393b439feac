"""Reads the routing table that the admin brings: text, plain or .gz, or a MaxMind database of AS numbers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from monzen.config import ConfigError, unreadable
from monzen.judge.routes import Routes, RoutesError, asn_of, read
from monzen.show.text import safe
from monzen.show.words import N_, _

GZIP = b"\x1f\x8b"  # RFC 1952
WRONG = {
    "line": N_("{path}, line {number}: {words} is no route. Write 203.0.113.0/24 64500, or a range as iptoasn.com has it"),
    "prefix": N_("{path}, line {number}: {words} is no prefix. Write its first address and its length, such as 203.0.113.0/24"),
    "range": N_("{path}, line {number}: {words} is no range. Write its first and its last address, both IPv4 or both IPv6"),
    "asn": N_("{path}, line {number}: {words} is no AS number. Write one such as 64500 or AS64500"),
}


def load_routes(path: str) -> Routes:
    """The table at `path`. Raises ConfigError."""
    try:
        if path.endswith(".mmdb"):
            return _maxmind(path)
        with open(path, "rb") as plain:
            packed = plain.peek(2)[:2] == GZIP
            if not packed:
                return read(plain)
            with gzip.open(plain) as unpacked:
                return read(unpacked)
    except RoutesError as error:
        said = _(WRONG[error.what]).format(path=safe(path), number=f"{error.number:,}", words=safe(error.words, 60))
        raise ConfigError(said) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ConfigError(_("{path} is damaged. Fetch the file again").format(path=safe(path))) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _maxmind(path: str) -> Routes:
    try:
        import maxminddb
    except ImportError:
        said = _("cannot read {path}: that takes a library. Run pip install maxminddb, or bring the table as text")
        raise ConfigError(said.format(path=safe(path))) from None
    routes = Routes()
    try:
        with maxminddb.open_database(path) as database:
            for network, asn in _announced(database):
                if isinstance(network, IPv4Network):
                    routes.add4(int(network.network_address), network.prefixlen, asn)
                else:
                    routes.add6(int(network.network_address), network.prefixlen, asn)
    except maxminddb.InvalidDatabaseError:
        raise ConfigError(_("{path} is damaged. Fetch the file again").format(path=safe(path))) from None
    if not len(routes):
        raise ConfigError(_("{path} has no AS numbers. Bring a database of them, such as GeoLite2-ASN").format(path=safe(path)))
    return routes.sort()


def _announced(database: object) -> Iterator[tuple[IPv4Network | IPv6Network, int]]:
    """Networks and AS numbers. The key is `autonomous_system_number` in GeoLite2-ASN and `asn` (AS64500) in others."""
    for network, record in database:  # type: ignore[attr-defined]  # maxminddb, which may be missing
        if isinstance(record, dict):
            asn = asn_of(str(record.get("autonomous_system_number") or record.get("asn") or "").encode())
            if asn > 0:
                yield network, asn
