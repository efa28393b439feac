"""One round: what is new, who of it is to be told now, handing it over, and writing down what really was."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.ledger import LEDGER, Ledger, LedgerError
from monzen.show.text import stamp
from monzen.show.words import _
from monzen.tell.apart import Rights
from monzen.tell.hook import check_program, run_hook
from monzen.tell.mail import check_sendmail, compose, hand_over
from monzen.tell.memory import Memory, Trouble, save
from monzen.tell.message import Message, Row, TellError, as_data, body, host_name, subject
from monzen.tell.post import post
from monzen.tell.topics import topic_of

HOUR: Final = 3600.0
DAY: Final = 86_400.0
LASTING: Final = 55.0  # seconds that something must be wrong: it is seen in two rounds, so a restart is no alarm
MOST: Final = 10_000  # alarms looked at: more the ledger does not keep ([ledger] alarms_most)
RETRY: Final = {"mail": 50.0, "hook": HOUR, "post": HOUR}  # the longest wait: the MTA is ours, others may be down for long
FIRST: Final = 50.0  # seconds to the second try, doubled each time: a little less than a minute, so that the next round does it

Send = Callable[[Message], None]


class Sent(NamedTuple):
    """What became of a message by one way; empty `error`: it was handed over."""

    way: str
    message: Message
    error: str


def ways(config: Config) -> dict[str, Send]:
    """How each way that is set sends a message. Each raises TellError."""
    tell = config.tell

    def mail(message: Message) -> None:
        text = body(message, local_zone())
        hand_over(compose(tell.mail, subject(message), text, host=message.host, now=message.at), tell.mail)

    every: dict[str, Send] = {
        "mail": mail,
        "hook": lambda message: run_hook(tell.hook, tell.hook_user, message.topic, as_data(message)),
        "post": lambda message: post(tell.post, tell.hook_user, as_data(message)),
    }
    return {way: every[way] for way in tell.ways}


def obstacles(config: Config) -> list[str]:
    """What stands in the way of each way, as far as that can be told without sending anything."""
    tell, found = config.tell, []
    checks: dict[str, Sequence[Callable[[], object]]] = {
        "mail": [check_sendmail],
        "hook": [lambda: check_program(tell.hook[0]), lambda: Rights.of(tell.hook_user)],
        "post": [lambda: Rights.of(tell.hook_user)],
    }
    for way in tell.ways:
        for check in checks[way]:
            try:
                check()
            except TellError as error:
                found.append(str(error))
    return list(dict.fromkeys(found))


class Round:
    """The ledger and the memory, at one time. `root` is the folder that /run and /var hang below."""

    def __init__(self, memory: Memory, now: float, root: str = "/") -> None:
        self.memory, self.now, self.root = memory, now, root
        self.path = os.path.join(root, LEDGER)
        self.rows: list[Row] = []  # the newest first
        self.old: list[Row] = []  # older than a day, and nobody was told

    def look(self, wrong: Sequence[tuple[str, str]], *, dry: bool = False) -> None:
        """What there is to tell: untold alarms of the ledger, and what is wrong, which becomes an alarm when it lasts.

        `dry`: nothing is written, so what is wrong is none yet.
        """
        found = list(wrong)
        rows: list[Row] = []
        if os.path.exists(self.path):
            try:
                with Ledger.open(self.path, readonly=True) as ledger:
                    rows = [
                        Row(f"{a.number}@{a.at:.3f}", a.at, a.kind, a.text, a.number)
                        for a in ledger.alarms(self.now - 2 * DAY, MOST, untold=True)
                    ]
            except LedgerError as error:
                found.append(("no-ledger", str(error)))
        rows += [] if dry else self._lasting(found)
        own = self.memory.rows
        for name in [name for name, row in own.items() if not 0 <= self.now - row[0] < DAY]:
            del own[name]
        rows += [Row(name, *row) for name, row in own.items() if name not in {r.id for r in rows}]
        rows.sort(key=lambda row: -row.at)
        self.rows = [row for row in rows if row.at >= self.now - DAY]
        self.old = [row for row in rows if row.at < self.now - DAY]

    def _lasting(self, wrong: Sequence[tuple[str, str]]) -> list[Row]:
        """What is wrong since a minute, and what is over since then, as alarms: each kind once an hour at most."""
        now, known = self.now, self.memory.troubles
        texts: dict[str, str] = {}
        for kind, text in wrong:
            if topic_of(kind) and text not in texts.get(kind, ""):
                texts[kind] = f"{texts[kind]}; {text}" if kind in texts else text
        new: list[Row] = []
        for kind, text in texts.items():
            trouble = known.get(kind)
            if trouble is None or trouble.over or now < trouble.since:
                trouble = known[kind] = Trouble(now, now, text, trouble.written if trouble is not None else 0.0)
            trouble.seen, trouble.text = now, text
            quiet = DAY if trouble.written >= trouble.since else HOUR  # again each day for as long as it lasts
            if now - trouble.since >= LASTING and not now - quiet < trouble.written <= now:
                trouble.written = now
                new.append(self._write(kind, text))
        for kind, trouble in list(known.items()):
            if kind in texts:
                continue
            if not trouble.over:
                trouble.over = now
                if trouble.written >= trouble.since:
                    said = _("over since {time}: {what}")
                    new.append(self._write(kind, said.format(time=stamp(now, local_zone(), seconds=False), what=trouble.text)))
            elif now - trouble.over > HOUR:
                del known[kind]
        return new

    def _write(self, kind: str, text: str) -> Row:
        """An alarm of our own: in the ledger, so that it is found later; where that cannot be, remembered here."""
        if os.path.exists(self.path):
            try:
                with Ledger.open(self.path) as ledger:
                    number = ledger.alarm(kind, text, self.now)
                return Row(f"{number}@{self.now:.3f}", self.now, kind, text, number)
            except LedgerError:
                pass
        name = f"{kind}@{self.now:.3f}"
        self.memory.rows[name] = (self.now, kind, text)
        return Row(name, self.now, kind, text)

    def due(self, way: str) -> list[Message]:
        """What is to be sent by this way now: of each topic all that is new, unless there was a message within the hour."""
        known = self.memory.way(way)
        if self.now < known.next <= self.now + HOUR:  # one further off is of a clock that was put right
            return []
        topics: dict[str, list[Row]] = {}
        for row in self.rows:
            topic = topic_of(row.kind)
            if topic and row.id not in known.given and not 0 <= self.now - known.sent.get(topic, -HOUR) < HOUR:
                topics.setdefault(topic, []).append(row)
        host = host_name()
        return [Message(topic, tuple(rows), self.now, host) for topic, rows in topics.items()]

    def send(self, senders: Mapping[str, Send]) -> list[Sent]:
        """Hand over what is due. Each is written down before, and its outcome behind. Raises TellError where that cannot be."""
        for gone in self.memory.ways.keys() - senders.keys():
            del self.memory.ways[gone]
        out: list[Sent] = []
        save(self.memory, self.root)
        for name, sender in senders.items():
            way = self.memory.way(name)
            way.given = {key: at for key, at in way.given.items() if at > self.now - 3 * DAY}
            for message in self.due(name):
                before = way.sent.get(message.topic)
                way.sent[message.topic] = self.now
                save(self.memory, self.root)
                error = ""
                try:
                    sender(message)
                except TellError as problem:
                    error = str(problem)
                out.append(Sent(name, message, error))
                if error:
                    way.since = way.since if way.error else self.now
                    way.next = self.now + min(RETRY[name], FIRST * 2 ** min(way.failures, 20))
                    way.failures, way.error = way.failures + 1, error
                    del way.sent[message.topic]
                    if before is not None:
                        way.sent[message.topic] = before
                else:
                    way.given.update((row.id, self.now) for row in message.rows)
                    way.failures, way.error, way.next, way.since = 0, "", 0.0, 0.0
                save(self.memory, self.root)
                if error:
                    break
        self._told(senders)
        return out

    def _told(self, senders: Mapping[str, Send]) -> None:
        """Write into the ledger who was told by every way; of what is older than a day, by one of them."""
        given = [self.memory.way(name).given for name in senders]
        if not given:
            return
        numbers = [row.number for row in self.rows if row.number and all(row.id in way for way in given)]
        numbers += [row.number for row in self.old if row.number and any(row.id in way for way in given)]
        if numbers and os.path.exists(self.path):
            try:
                with Ledger.open(self.path) as ledger:
                    ledger.told(numbers, self.now)
            except LedgerError:
                return  # busy: what was given is remembered, and written by the next round
