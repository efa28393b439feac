"""The configuration: TOML, tables [policy], [shield], [networks], [gate], [ledger], [sources], [tell]; no key must be there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monzen.addressees import Tell, tell_value
from monzen.judge.policy import Policy
from monzen.judge.shield import Prefix
from monzen.ledger import Limits
from monzen.notation import HOST, prefix_of, seconds_of
from monzen.settings import (
    FIREWALLS,
    GATE_RANGES,
    KINDS,
    LEDGER_RANGES,
    TABLES,
    YEAR,
    GateConfig,
    Sources,
    allowed,
    lengths,
    limits,
)
from monzen.show.text import safe
from monzen.show.words import _

HEADING = re.compile(r"""\s*\[\s*["']?([^]"']+?)["']?\s*\]""").match
KEY = re.compile(r"""\s*["']?([^="'\s]+)["']?\s*=""").match


class ConfigError(Exception):
    """What is wrong with a file that the admin wrote: one sentence in the reader's language; which key of which table, if one."""

    def __init__(self, words: str, table: str = "", key: str = "") -> None:
        super().__init__(words)
        self.table, self.key = table, key


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. `names` are the allowed host names: whoever reads the file resolves them; `routes` is a path."""

    policy: Policy = field(default_factory=Policy)
    own: tuple[Prefix, ...] = ()
    allow: tuple[Prefix, ...] = ()
    names: tuple[str, ...] = ()
    private: bool = False
    routes: str | None = None
    gate: GateConfig = field(default_factory=GateConfig)
    ledger: Limits = field(default_factory=Limits)
    sources: Sources = field(default_factory=Sources)
    tell: Tell = field(default_factory=Tell)
    broken: str = ""  # why the file could not be read, where what lets somebody in goes on without it


def load(path: str) -> Config:
    """The file at `path`. Raises ConfigError."""
    from tomllib import TOMLDecodeError, loads

    text = ""
    try:
        text = Path(path).read_bytes().decode("utf-8")
        tables = loads(text)
        try:
            return config(tables, path)
        except ConfigError as error:
            line = _line_of(text, error.table, error.key) if error.table or error.key else 0
            if not line:
                raise
            place = _("{path}, line {line}").format(path=safe(path), line=line)
            raise ConfigError(str(error).replace(safe(path), place, 1), error.table, error.key) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise ConfigError(_("{path} is not TOML: it is not UTF-8 text").format(path=safe(path))) from None
    except TOMLDecodeError as error:
        where = re.search(r"line (\d+), column (\d+)", str(error), re.ASCII)
        if where is None:
            said = _("{path} is not TOML: what begins in line {line} is never closed. Close every quote and bracket").format(
                path=safe(path), line=_unclosed(text)
            )
        else:
            said = _(
                "{path} is not TOML in line {line}, column {column}. Each line is a [table], a key = value or a # comment"
            ).format(path=safe(path), line=where[1], column=where[2])
        raise ConfigError(said) from None


def _line_of(text: str, table: str, key: str) -> int:
    """The line in which a key of a table stands, or the table itself where there is no key; 0 where that cannot be told."""
    here = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := HEADING(line):
            here = found[1]
            if not key and here == table:
                return number
        elif key and here == table and (found := KEY(line)) and found[1] == key:
            return number
    return 0


def _unclosed(text: str) -> int:
    """The line in which something begins that never ends: behind the longest beginning of the file that is TOML."""
    from tomllib import TOMLDecodeError, loads

    lines = text.splitlines(keepends=True)
    for count in range(len(lines) - 1, 0, -1):
        try:
            loads("".join(lines[:count]))
            return count + 1
        except TOMLDecodeError:
            continue
    return 1


def unreadable(path: str, error: OSError) -> ConfigError:
    """The ConfigError for what the operating system answered."""
    detail = _(error.strerror) if error.strerror else str(error)
    return ConfigError(
        _("cannot read {path}: {detail}. Check the name and who may read it").format(path=safe(path), detail=detail)
    )


def config(tables: dict[str, Any], path: str) -> Config:
    """The same of tables already read; `path` is for the errors, and for what the file names."""
    for name, table in tables.items():
        if name not in TABLES:
            raise _unknown(path, name, [*TABLES, *(f"{t}.{k}" for t, keys in TABLES.items() for k in keys)])
        if not isinstance(table, dict):
            raise ConfigError(
                _("{path}: {key} is a table. Write [{key}] in a line of its own, and its keys below").format(
                    path=safe(path), key=name
                )
            )
        for key in table:
            if key not in TABLES[name]:
                raise _unknown(path, key, list(TABLES[name]), name)
    values: dict[str, Any] = {
        key: _value(path, key, value) for key, value in tables.get("policy", {}).items()
    }  # of as many types as there are keys
    policy = Policy(**values)
    _check(path, policy)
    shield = tables.get("shield", {})
    own, named = _addresses(path, "own", shield.get("own", []))
    if named:
        raise _wrong(path, "shield.own", named[0], _("an address or a network such as 192.0.2.0/24"))
    allow, names = _addresses(path, "allow", shield.get("allow", []))
    private = shield.get("private", False)
    if not isinstance(private, bool):
        raise _wrong(path, "shield.private", private, _("true or false"))
    routes = tables.get("networks", {}).get("routes")
    if routes is not None:
        if not isinstance(routes, str) or not routes or "\0" in routes:
            raise _wrong(path, "networks.routes", routes, _("the name of a file, in quotes"))
        routes = str(Path(path).parent / routes)
    gate: dict[str, Any] = {key: _gate_value(path, key, value) for key, value in tables.get("gate", {}).items()}
    kept = {key: _ledger_value(path, key, value) for key, value in tables.get("ledger", {}).items()}
    limits = Limits()._replace(**kept)
    follow: dict[str, Any] = {key: _source_value(path, key, value) for key, value in tables.get("sources", {}).items()}
    sources = replace(Sources(), **follow)
    told: dict[str, Any] = {key: _tell_value(path, key, value) for key, value in tables.get("tell", {}).items()}
    tell = replace(Tell(), **told)
    return Config(policy, own, allow, names, private, routes, replace(GateConfig(), **gate), limits, sources, tell)


def _tell_value(path: str, key: str, value: object) -> str | tuple[str, ...]:
    """A value of `[tell]`."""
    try:
        return tell_value(key, value)
    except ValueError as error:
        raise _wrong(path, f"tell.{key}", value, str(error)) from None


def _source_value(path: str, key: str, value: object) -> bool | float | str | tuple[str, ...] | None:
    """A value of `[sources]`."""
    if key == "files":
        if (
            isinstance(value, list)
            and len(value) <= 100
            and all(isinstance(v, str) and v.startswith("/") and "\0" not in v for v in value)
        ):
            return tuple(dict.fromkeys(value))
        raise _wrong(path, "sources.files", value, _("a list of files with their whole paths, each in quotes"))
    if key == "journal":
        if value == "auto":
            return None
        if isinstance(value, bool):
            return value
        raise _wrong(path, "sources.journal", value, _('"auto", true or false'))
    if key == "timezone":
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            if isinstance(value, str) and value:
                ZoneInfo(value)
                return value
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
        raise _wrong(path, "sources.timezone", value, _("the name of a time zone, such as Asia/Tokyo or UTC"))
    seconds = seconds_of(value)
    if seconds is not None and 0 <= seconds <= YEAR:
        return seconds
    raise _wrong(
        path, "sources.history", value, _("a length of time up to a year: a number of seconds, or text such as 7d, 30d in quotes")
    )


def _ledger_value(path: str, key: str, value: object) -> Any:  # noqa: ANN401  # a day is a float, a count an int
    """A value of `[ledger]`: a whole number."""
    low, high = LEDGER_RANGES[key]
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    said = _("a whole number from {low} to {high}").format(low=f"{low:.0f}", high=f"{high:.0f}")
    raise _wrong(path, f"ledger.{key}", value, said)


def _gate_value(path: str, key: str, value: object) -> bool | int | float | str:
    """A value of `[gate]` as the gate has it."""
    if key == "firewall":
        if isinstance(value, str) and value in FIREWALLS:
            return value
        raise _wrong(path, "gate.firewall", value, ", ".join(FIREWALLS))
    if isinstance(getattr(GateConfig(), key), bool):
        if isinstance(value, bool):
            return value
        raise _wrong(path, f"gate.{key}", value, _("true or false"))
    low, high = GATE_RANGES[key]
    if key == "mirror_from":
        seconds = seconds_of(value)
        if seconds is not None and low <= seconds <= high:
            return seconds
        raise _wrong(path, f"gate.{key}", value, lengths())
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _wrong(
        path, f"gate.{key}", value, _("a whole number from {low} to {high}").format(low=f"{low:.0f}", high=f"{high:.0f}")
    )


def _value(path: str, key: str, value: object) -> bool | int | float:
    """A value of `[policy]` as the policy has it."""
    low, high = limits(key)
    if KINDS[key] == "bool":
        if isinstance(value, bool):
            return value
    elif KINDS[key] == "float":
        seconds = seconds_of(value)
        if seconds is not None and low <= seconds <= high:
            return seconds
    elif isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _wrong(path, f"policy.{key}", value, allowed(key))


def _check(path: str, policy: Policy) -> None:
    """What only goes together."""
    if policy.memory < policy.window:
        raise _wrong(path, "policy.memory", policy.memory, _("no less than {key}").format(key="window"))
    for key in ("client_sentence", "network_sentence", "hop_sentence"):
        if policy.longest < getattr(policy, key):
            raise _wrong(path, "policy.longest", policy.longest, _("no less than {key}").format(key=key))


def _addresses(path: str, key: str, values: object) -> tuple[tuple[Prefix, ...], tuple[str, ...]]:
    """A list of addresses and networks, and the host names among them."""
    what = _("a list of addresses, networks and host names, each in quotes")
    if key == "own":
        what = _("a list of addresses and networks, each in quotes")
    if not isinstance(values, list):
        raise _wrong(path, f"shield.{key}", values, what)
    found: list[Prefix] = []
    names: list[str] = []
    for value in values:
        prefix = prefix_of(value) if isinstance(value, str) else None
        if prefix is not None:
            found.append(prefix)
        elif isinstance(value, str) and HOST(value):
            names.append(value)
        else:
            raise _wrong(path, f"shield.{key}", value, what)
    return tuple(found), tuple(names)


NEAR = 0.6  # as difflib has it: below, a key looks like another by accident
MANY = 12  # keys that are named where none is near


def _unknown(path: str, key: str, keys: list[str], table: str = "") -> ConfigError:
    """An unknown key or table, and the nearest there is."""
    from difflib import get_close_matches

    whole = [k for k in keys if k.partition(".")[2] == key]  # right, but outside of its table
    near = (whole or get_close_matches(key, keys, 1, NEAR) or [""])[0]
    said = {
        (False, False): _("{path}: there is no {key}. There are the tables {all}"),
        (False, True): _("{path}: there is no {key}. The nearest is {near}"),
        (True, False): _("{path}: there is no key {key} in [{table}]. There are {all}"),
        (True, True): _("{path}: there is no key {key} in [{table}]. The nearest is {near}"),
    }[bool(table), bool(near)]
    some = [k for k in keys if "." not in k]
    every = ", ".join(some[:MANY]) + (", ..." if len(some) > MANY else "")
    words = said.format(path=safe(path), key=safe(key, 60), table=table, near=near, all=every)
    return ConfigError(words, table or key, key if table else "")


def _wrong(path: str, key: str, value: object, what: str) -> ConfigError:
    """A value that cannot be."""
    shown = ("true" if value else "false") if isinstance(value, bool) else safe(f"{value!r}", 60)
    words = _("{path}: {key} cannot be {value}. Use {allowed}").format(path=safe(path), key=key, value=shown, allowed=what)
    table, _dot, name = key.partition(".")
    return ConfigError(words, table, name)
