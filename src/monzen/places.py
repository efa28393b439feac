"""Countries and owners of networks, by a table that the user brings: a MaxMind database, or lines of text."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, Final

from monzen.config import ConfigError, unreadable
from monzen.show.facts import Place
from monzen.show.text import safe
from monzen.show.words import _

LARGEST: Final = 5_000_000  # lines
LONGEST: Final = 1_000  # bytes of a line


def load_places(path: str) -> Callable[[bytes], Place | None]:
    """Whose an address (4 or 16 bytes) is. Raises ConfigError.

    `.mmdb`: a database with countries or owners, such as GeoLite2-Country, GeoLite2-ASN or DB-IP's. Else text, a line for a
    network: `203.0.113.0/24 JP Example Networks`, the country `-` where it is not known; `#` begins a comment.
    """
    return _maxmind(path) if path.endswith(".mmdb") else _text(path)


def _text(path: str) -> Callable[[bytes], Place | None]:
    spans: dict[int, list[tuple[int, int, Place]]] = {4: [], 16: []}
    known: dict[tuple[str, str], Place] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                words = line[:LONGEST].partition("#")[0].replace(",", " ").replace("\t", " ").split(None, 2)
                if not words:
                    continue
                if number > LARGEST:
                    raise ConfigError(_("{path} has more than {n:,} lines. Bring a .mmdb").format(path=safe(path), n=LARGEST))
                try:
                    network = ip_network(words[0], strict=False)
                except ValueError:
                    said = _("{path}, line {number}: {words} is no network. Write: 203.0.113.0/24 JP Example Networks")
                    raise ConfigError(said.format(path=safe(path), number=f"{number:,}", words=safe(words[0], 60))) from None
                country = words[1] if len(words) > 1 and words[1] != "-" else ""
                owner = words[2].strip() if len(words) > 2 else ""
                place = known.setdefault((country, owner), Place(country, owner))
                first = int(network.network_address)
                spans[4 if network.version == 4 else 16].append((first, first + network.num_addresses - 1, place))
    except OSError as error:
        raise unreadable(path, error) from None
    tables = {size: _narrowest(found) for size, found in spans.items()}

    def find(packed: bytes) -> Place | None:
        starts, places = tables[4 if len(packed) == 4 else 16]
        at = bisect.bisect_right(starts, int.from_bytes(packed, "big")) - 1
        return places[at] if at >= 0 else None

    return find


def _narrowest(spans: list[tuple[int, int, Place]]) -> tuple[list[int], list[Place | None]]:
    """Where each stretch of addresses begins and whose it is: of networks inside one another the narrowest says so."""
    starts: list[int] = []
    places: list[Place | None] = []
    around: list[tuple[int, Place]] = []  # those that reach further: last address, place

    def begin(at: int, place: Place | None) -> None:
        if starts and starts[-1] == at:
            places[-1] = place
        else:
            starts.append(at)
            places.append(place)

    def end(before: float) -> None:
        while around and around[-1][0] < before:
            last = around.pop()[0]
            begin(last + 1, around[-1][1] if around else None)

    for first, last, place in sorted(spans, key=lambda s: (s[0], -s[1])):
        end(first)
        around.append((last, place))
        begin(first, place)
    end(float("inf"))
    return starts, places


def _maxmind(path: str) -> Callable[[bytes], Place | None]:
    try:
        import maxminddb
    except ImportError:
        said = _("cannot read {path}: that takes a library. Run pip install maxminddb, or bring the table as text")
        raise ConfigError(said.format(path=safe(path))) from None
    try:
        database = maxminddb.open_database(path)
    except maxminddb.InvalidDatabaseError:
        raise ConfigError(_("{path} is damaged. Fetch the file again").format(path=safe(path))) from None
    except OSError as error:
        raise unreadable(path, error) from None

    def find(packed: bytes) -> Place | None:
        try:
            record = database.get(ip_address(packed))
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None
        return _place(record) if isinstance(record, dict) else None

    return find


def _place(record: dict[str, Any]) -> Place:
    """The keys of GeoLite2, DB-IP and ipinfo: country.iso_code, autonomous_system_organization; country, as_name, org."""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    owner = next(
        (record[key] for key in ("autonomous_system_organization", "as_name", "organization", "org") if key in record), ""
    )
    return Place(str(code or ""), str(owner or ""))
