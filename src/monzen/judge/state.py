"""The judge's state as plain tables, and back: the verdicts are the same whether it was saved in between or not.

A table is a list of rows, a row is a tuple of numbers, bytes, text, None and tuples of these: what SQLite and marshal take.
Names and sentences have a table of their own; others refer to them by row.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Generic, TypeVar

from monzen.judge.campaign import Shape
from monzen.judge.client import NAMELESS, NEVER, NOBODY, NOTHING, Client, Past, Record, Sentence, Trust
from monzen.judge.findings import Alarm, Breach, Spared
from monzen.judge.judge import Judge
from monzen.judge.names import NOWHERE, Name
from monzen.judge.network import NOTHING as NO_PARTS
from monzen.judge.network import Network
from monzen.judge.outage import Server
from monzen.judge.policy import DAY, Policy
from monzen.judge.routes import Routes
from monzen.judge.shield import Shield
from monzen.judge.tables import Knocker

VERSION = 1
T = TypeVar("T")
Row = tuple[Any, ...]
State = dict[str, list[Row]]
NOT_THERE = -1


class Rows(Generic[T]):
    """Objects in the order in which they were met, each once."""

    def __init__(self) -> None:
        self.objects: list[T] = []
        self.number: dict[int, int] = {}

    def row(self, thing: T | None) -> int:
        """The row of an object; -1 of none."""
        if thing is None:
            return NOT_THERE
        number = self.number.get(id(thing))
        if number is None:
            number = self.number[id(thing)] = len(self.objects)
            self.objects.append(thing)
        return number


def save(judge: Judge) -> State:
    """All that a judge remembers."""
    names: Rows[Name] = Rows()
    sentences: Rows[Sentence] = Rows()
    for name in judge.names.table.values():
        names.row(name)
    listed = len(names.objects)
    for sentence in judge.sentences:
        sentences.row(sentence)
    imposed = len(sentences.objects)
    clients: list[Row] = []
    pasts: list[Row] = []
    records: list[Row] = []
    trusts: list[Row] = []
    for key, c in judge.clients.items():
        s = c.sentence
        listed_as = NOT_THERE
        if isinstance(s, Sentence):
            listed_as = sentences.row(s)
        elif s is not None:
            pasts.append((key, s.at, s.length, s.rule, s.until, s.last_knock, s.shape, s.returns))
        returns = s.returns if s is not None else 0
        clients.append((key, c.first, c.last, c.attempts, c.weak, c.what, returns, names.row(c.name), listed_as))
        if c.record is not None:
            r = c.record
            tried = tuple(names.row(n) for n in r.names)
            stamps = (tuple(r.stamps), tried, tuple(r.named), tuple(r.nameless), tuple(r.recipients), tuple(r.signs))
            records.append((key, *stamps, tuple(r.did), tuple(r.evidence), tuple(r.addresses), r.asked, tuple(r.texts)))
        if c.trust is not None:
            t = c.trust
            trusts.append(
                (key, t.logins, t.days, t.first, t.last, t.mails, t.mail_days, t.mail_last, t.day, t.name, tuple(t.names))
            )
    state: State = {
        "judge": [
            (
                VERSION,
                judge.first,
                judge.last,
                judge.now,
                judge.events,
                judge.attempts,
                judge.forgotten,
                judge.logins,
                judge.offenders,
                judge.full,
                judge.listen,
                judge.around,
                judge.outages.last,
                judge.names.accounts,
                listed,
                imposed,
            )
        ],
        "clients": clients,
        "pasts": pasts,
        "records": records,
        "trusts": trusts,
    }
    for table in ("networks", "wide", "groups"):
        state[table] = [
            (
                key,
                tuple(n.members),
                tuple(n.recent),
                sentences.row(n.sentence),
                tuple(sentences.row(p) for p in n.parts),
                n.convicted,
                n.returns,
                n.last,
            )
            for key, n in getattr(judge, table).items()
        ]
    state["routed"] = [(block, tuple(sentences.row(s) for s in lasting)) for block, lasting in judge.routed.items()]
    state["alone"] = [(number.to_bytes(3, "big"), host) for number, host in judge.alone.items()]
    for table in ("firsts", "ports"):
        state[table] = list(getattr(judge, table).items())
    for table in ("users", "users6", "senders", "senders6"):
        state[table] = [(key, tuple(keys)) for key, keys in getattr(judge, table).items()]
    state["silent"] = [(key, *row) for key, row in judge.silent.items()]
    state["hot"] = [(key, *row) for key, row in judge.hot.items()]
    state["knockers"] = [
        (key, k.count, k.first, k.last, k.since, k.lately, tuple(k.ports.items())) for key, k in judge.knockers.items()
    ]
    state["spared"] = [tuple(s) for s in judge.spared.values()]
    state["breaches"] = [tuple(b) for b in judge.breaches]
    state["alarms"] = [tuple(a) for a in judge.alarms.values()]
    state["told"] = [tuple(a) for a in judge.told]
    state["shapes"] = [
        (number, tuple(s.bad.items()), tuple(s.good.items()), tuple(s.waiting.items()))
        for number, s in judge.campaigns.shapes.items()
    ]
    state["servers"] = [(host, s.down, s.began, tuple(s.failed.items())) for host, s in judge.outages.servers.items()]
    state["kin"] = [(token,) for token in judge.names.kin]
    state["near"] = [(slip,) for slip in sorted(judge.names.near)]
    state["names"] = [(n.text, n.exists, n.ghost, n.good, n.last, tuple(n.networks)) for n in names.objects]
    state["sentences"] = [
        (
            s.target,
            s.bits,
            s.at,
            s.length,
            s.rule,
            s.clients,
            s.attempts,
            s.evidence,
            s.until,
            s.last_knock,
            s.knocks,
            s.detail,
            s.days,
            s.shape,
            tuple(sorted(s.hurt)),
        )
        for s in sentences.objects
    ]
    return state


def restore(state: State, policy: Policy | None = None, shield: Shield | None = None, routes: Routes | None = None) -> Judge:
    """A judge that goes on where the saved one was. Raises ValueError for the state of another version."""
    (head,) = state["judge"]
    if head[0] != VERSION:
        raise ValueError(f"a state of version {head[0]}; this is version {VERSION}")
    judge = Judge(policy, shield, routes)
    (
        judge.first,
        judge.last,
        judge.now,
        judge.events,
        judge.attempts,
        judge.forgotten,
        judge.logins,
        judge.offenders,
        judge.full,
        judge.listen,
        judge.around,
        judge.outages.last,
        judge.names.accounts,
        listed,
        imposed,
    ) = head[1:]
    judge.midnight = judge.now // DAY * DAY
    names = [_name(row) for row in state["names"]]
    judge.names.table = {n.text: n for n in names[:listed]}
    judge.names.kin = {token: 1 for (token,) in state["kin"]}
    judge.names.near = {slip for (slip,) in state["near"]}
    sentences = [_sentence(row) for row in state["sentences"]]
    for number, s in enumerate(sentences):
        s.number = number
    judge.sentences = sentences[:imposed]
    for key, first, last, attempts, weak, what, returns, name, sentence in state["clients"]:
        c = judge.clients[key] = Client(first)
        c.last, c.attempts, c.weak, c.what = last, attempts, weak, what
        c.name = names[name] if name >= 0 else None
        if sentence >= 0:
            c.sentence = sentences[sentence]
            c.sentence.returns = returns
    for key, at, length, rule, until, last_knock, shape_number, returns in state.get("pasts", []):
        past = judge.clients[key].sentence = Past(at, length, rule)
        past.until, past.last_knock, past.shape, past.returns = until, last_knock, shape_number, returns
    for key, *row in state["records"]:
        judge.clients[key].record = _record(row, names)
    for key, *row in state["trusts"]:
        judge.clients[key].trust = _trust(row)
    for table in ("networks", "wide", "groups"):
        setattr(judge, table, {key: _network(row, sentences) for key, *row in state[table]})
    judge.routed = {block: [sentences[n] for n in rows] for block, rows in state.get("routed", [])}
    judge.count_convicts()
    judge.alone = {int.from_bytes(where, "big"): host for where, host in state["alone"]}
    judge.firsts = dict(state["firsts"])
    judge.ports = dict(state["ports"])
    for table in ("users", "users6", "senders", "senders6"):
        setattr(judge, table, {key: list(keys) for key, keys in state[table]})
    judge.silent = OrderedDict((key, tuple(row)) for key, *row in state["silent"])
    judge.hot = OrderedDict((key, tuple(row)) for key, *row in state["hot"])
    for key, count, first, last, since, lately, ports in state["knockers"]:
        k = judge.knockers[key] = Knocker(first)
        k.count, k.last, k.since, k.lately, k.ports = count, last, since, lately, dict(ports)
    judge.spared = {(s.target, s.rule): s for s in (Spared(*row) for row in state["spared"])}
    judge.breaches = [Breach(*row) for row in state["breaches"]]
    judge.told = [Alarm(*row) for row in state["told"]]
    judge.alarms = {(a.what, a.client): a for a in (Alarm(*row) for row in state["alarms"])}
    for number, bad, good, waiting in state["shapes"]:
        shape = judge.campaigns.shapes[number] = Shape()
        shape.bad, shape.good, shape.waiting = OrderedDict(bad), OrderedDict(good), dict(waiting)
    for host, down, began, failed in state["servers"]:
        server = judge.outages.servers[host] = Server()
        server.down, server.began, server.failed = down, began, OrderedDict(failed)
    return judge


def _name(row: Row) -> Name:
    name = Name(row[0], row[4])
    name.exists, name.ghost, name.good = row[1], row[2], row[3]
    name.networks = list(row[5]) or NOWHERE
    return name


def _sentence(row: Row) -> Sentence:
    s = Sentence(*row[:8])
    s.until, s.last_knock, s.knocks, s.detail, s.days, s.shape = row[8:14]
    for key in row[14]:
        s.hurt_by(key)
    return s


def _record(row: list[Any], names: list[Name]) -> Record:
    stamps, tried, named, nameless, recipients, signs, did, evidence, addresses, asked, texts = row
    r = Record()
    r.stamps = list(stamps)
    r.names = [names[n] for n in tried] or NAMELESS
    r.named = list(named) or NEVER
    r.nameless = list(nameless) or NEVER
    r.recipients = list(recipients) or NOTHING
    r.signs = list(signs) or NEVER
    r.did = list(did) or NOTHING
    r.evidence = list(evidence) or NOBODY
    r.addresses = list(addresses) or NOBODY
    r.asked = asked
    r.texts = list(texts) or NOTHING
    return r


def _trust(row: list[Any]) -> Trust:
    t = Trust()
    t.logins, t.days, t.first, t.last, t.mails, t.mail_days, t.mail_last, t.day, t.name = row[:9]
    t.names = list(row[9]) or NOBODY
    return t


def _network(row: list[Any], sentences: list[Sentence]) -> Network:
    members, recent, sentence, parts, convicted, returns, last = row
    n = Network()
    n.members, n.recent = list(members), [tuple(r) for r in recent]
    n.sentence = sentences[sentence] if sentence >= 0 else None
    n.parts = [sentences[p] for p in parts] or NO_PARTS
    n.convicted, n.returns, n.last = convicted, returns, last
    return n
