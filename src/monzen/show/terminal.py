"""What `monzen scan` prints for people: the headline first, then who, whom it would turn away and why, the commands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from monzen.judge.client import Client, Sentence
from monzen.judge.judge import Alarm, Breach, Judge
from monzen.judge.proposals import proposals
from monzen.parse.address import text as address
from monzen.show import compared
from monzen.show.alarms import alarming, noticed
from monzen.show.alarms import spared as those_spared
from monzen.show.command import as_root
from monzen.show.deeds import deeds
from monzen.show.inputs import nothing, told_nothing, were_read
from monzen.show.page import Page, Table, Text
from monzen.show.pieces import Pieces
from monzen.show.reading import Reading
from monzen.show.reasons import reason, spared_as
from monzen.show.reasons import spared as why_spared
from monzen.show.report import account, commands, standing, users
from monzen.show.text import client_name, network, port, safe
from monzen.show.words import _, ngettext
from monzen.show.wrap import glued

if TYPE_CHECKING:
    from monzen.judge.compare import Row

EMULATED = ("fail2ban", "crowdsec", "sshguard")


def ufw_sleeps() -> str:
    """That the commands for ufw do nothing yet, in a sentence."""
    return _("ufw is not active here, so its rules turn nobody away yet. To turn it on safely: sudo monzen gate enable")


def policies(rows: Iterable[Mapping[str, Any]]) -> Table:
    """What each policy would have done, side by side."""
    table = Table(compared.headings(), set(range(1, 1 + len(compared.COUNTED))))
    for row in rows:
        table.add_row(*compared.cells(row))
    return table


class Terminal(Pieces):
    """Prints a reading to a console. `names`: user names are shown; `top`: rows of each table."""

    def __init__(
        self, zone: dt.tzinfo, *, names: bool = False, top: int = 10, console: Page | None = None, sleeps: bool = False
    ) -> None:
        super().__init__(zone, names=names, top=top, console=console)
        self.ufw_sleeps = sleeps  # ufw is there and not active
        self.standing: list[tuple[Sentence, float]] = []

    def print(self, reading: Reading) -> None:
        """Everything."""
        judge = reading.judge
        if not reading.lines:
            self.console.print(nothing([safe(i.path, 80) for i in reading.inputs], "monzen scan FILE"))
            return
        self._read(reading)
        self._headline(reading)
        self._breaches(judge.breaches)
        self._attackers(judge)
        self._users(judge)
        self._verdicts(judge)
        self._spared(judge)
        self._hurt(judge)
        if reading.comparison is not None:
            self._compared(reading.comparison.rows())
        self._alarms(judge)
        self._knocks(judge)
        self._proposals(judge)
        self._commands(judge)
        self._unread(reading)

    # ---- the sections

    def _read(self, reading: Reading) -> None:
        self.console.print(Text(were_read(reading, self.zone)))
        if reading.interrupted:
            self.console.print(Text(_("Interrupted: this is what was found so far."), style="yellow"))

    def _headline(self, reading: Reading) -> None:
        self.console.print()
        judge, outside = reading.judge, reading.outside
        if judge.first is None and (outside or not reading.understood):  # nothing was heard: no all-clear
            if outside:
                said = ngettext(
                    "Nothing of that time: {n} event lies outside of it.",
                    "Nothing of that time: {n} events lie outside of it.",
                    outside,
                )
            else:
                said = _("No line says anything about a client: is this the log of Postfix, Dovecot, sshd or ufw?")
            self.console.print(Text(said, style="bold yellow"))
            return
        if outside:
            left = ngettext(
                "{n} event outside of that time is not counted here.",
                "{n} events outside of that time are not counted here.",
                outside,
            )
            self.console.print(Text(left, style="yellow"))
        hidden = any(a.what == "hidden-clients" for a in judge.alarms.values())
        if not judge.offenders and hidden:  # no all-clear
            self.console.print(
                Text(_("Nobody can be told apart: failures come from behind one address (see below)."), style="bold yellow")
            )
            return
        if not judge.offenders:
            self.console.print(Text(_("Nobody attacked. None got in."), style="bold green"))
            return
        own = users(judge)
        who = ngettext("{n} client attacked", "{n} clients attacked", judge.offenders - len(own))
        tries = ngettext("{n} attempt", "{n} attempts", judge.attempts - sum(c.attempts for _k, c in own))
        got_in = {b.client for b in judge.breaches}
        end = ngettext("{n} OF THEM GOT IN.", "{n} OF THEM GOT IN.", len(got_in)) if got_in else _("None got in.")
        text = _("{who} ({tries}). {end}").format(who=who, tries=tries, end=end)
        self.console.print(Text(text, style="bold red" if got_in else "bold green"))
        if own:
            said = ngettext("{n} user of yours failed too, and got in.", "{n} users of yours failed too, and got in.", len(own))
            self.console.print(Text(said))

    def _breaches(self, breaches: list[Breach]) -> None:
        if not breaches:
            return
        self._title(_("Who got in"))
        reasons = {
            "guessed": _("logged in after guessing: take the password for known"),
            "denied": _("logged in while it would have been turned away for guessing"),
            "network": _("failed and got in while its network was denied: a break-in, or somebody new of yours. Ask that user"),
            "mixed": _("logins and failures in one session: some passwords are known"),
        }
        for b in breaches[: self.top]:
            who = (
                safe(b.user, 80)
                if b.user is not None and self.names
                else _("an account (--names shows which)")
                if b.user is not None
                else _("an account")
            )
            before = ngettext("after {n} attempt", "after {n} attempts", b.attempts)
            said = _("{before}: {why}").format(before=before, why=reasons[b.why])
            self._item(f"{address(b.client)}  {self._when(b.at)}  {who}  {said}", "red")
            self._line(b.line)
        self._more(len(breaches) - self.top)
        self._item(_("Change the passwords of these accounts now, and look at what they sent."), "bold red")

    def _attackers(self, judge: Judge) -> None:
        groups: dict[bytes, list[tuple[bytes, Client]]] = {}
        own = {key for key, _client in users(judge)}
        for key, client in judge.clients.items():
            if (client.attempts or client.weak) and key not in own:
                groups.setdefault(key[:3] if len(key) == 4 else key[:7], []).append((key, client))
        if not groups:
            return
        self._title(_("Who attacked"))
        table = self._table(_("network, client"), _("attempts"), _("first"), _("last"), _("what they did"), right=(1,))
        ordered = sorted(groups.items(), key=lambda g: (-sum(c.attempts for _k, c in g[1]), -sum(c.weak for _k, c in g[1]), g[0]))
        for prefix, members in ordered[: self.top]:
            members.sort(key=lambda m: (-m[1].attempts, -m[1].weak, m[0]))
            if len(members) > 1:
                table.add_row(
                    Text(network(prefix, 24 if len(prefix) == 3 else 56), style="bold"),
                    Text(f"{sum(c.attempts for _k, c in members):,}", style="bold"),
                    self._moment(min(c.first for _k, c in members)),
                    self._moment(max(c.last for _k, c in members)),
                    Text(ngettext("{n} client", "{n} clients", len(members)), style="bold"),
                )
            for key, client in members[: self.top]:
                name = client_name(key, client.addresses)
                table.add_row(
                    "  " + name if len(members) > 1 else name,
                    f"{client.attempts:,}",
                    self._moment(client.first),
                    self._moment(client.last),
                    Text(deeds(client, self.names)),
                )
            if len(members) > self.top:
                table.add_row("  …", "", "", "", ngettext("and {n} more", "and {n} more", len(members) - self.top))
        self._show(table)
        self._more(len(ordered) - self.top)

    def _users(self, judge: Judge) -> None:
        own = users(judge)
        if not own:
            return
        self._title(_("Your own users who failed"))
        table = self._table(_("client"), _("attempts"), _("logins"), _("last"), _("what they did"), right=(1, 2))
        own.sort(key=lambda m: (-m[1].attempts, -m[1].weak, m[0]))
        for key, client in own[: self.top]:
            table.add_row(
                client_name(key, client.addresses), f"{client.attempts:,}", f"{client.good:,}", self._moment(client.last),
                Text(deeds(client, self.names)),
            )  # fmt: skip
        self._show(table)
        self._more(len(own) - self.top)

    def _verdicts(self, judge: Judge) -> None:
        sentences = self.standing = standing(judge)
        if not sentences:
            return
        self._title(_("Whom monzen would turn away, and why"))
        table = self._table(_("target"), _("from"), _("until"), _("knocks since"), _("why"), right=(3,))
        for s, at in sentences[: self.top]:
            table.add_row(
                Text(network(s.target, s.bits), style="bold"),
                self._moment(at),
                self._moment(s.until),
                f"{s.knocks:,}",
                reason(s, judge.policy, _, ngettext),
            )
        self._show(table)
        self._more(len(sentences) - self.top)

    def _spared(self, judge: Judge) -> None:
        spared = those_spared(judge)
        if not spared:
            return
        self._title(_("Who was spared, and why"))
        table = self._table(_("who"), _("when"), _("attempts"), _("why"), right=(2,))
        for s in spared[: self.top]:
            table.add_row(network(s.target, s.bits), self._moment(s.at), f"{s.attempts:,}", why_spared(spared_as(s, judge), _))
        self._show(table)
        self._more(len(spared) - self.top)

    def _hurt(self, judge: Judge) -> None:
        hurt = [(s, k) for s in judge.sentences for k in sorted(s.hurt)]
        if not hurt:
            if judge.sentences and judge.logins:
                self.console.print()
                self.console.print(Text(_("None of your users would have been turned away."), style="green"))
            return
        self._title(_("Users who would have been turned away"))
        table = self._table(_("who"), _("by the denial of"), _("from"))
        for s, key in hurt[: self.top]:
            table.add_row(Text(client_name(key, None), style="yellow"), network(s.target, s.bits), self._moment(s.at))
        self._show(table)
        self._more(len(hurt) - self.top)
        self._item(_("They logged in while the denial lasted."), "yellow")

    def _compared(self, rows: list[Row]) -> None:
        self._title(_("What if: the same log under other policies"))
        self._show(policies(row._asdict() for row in rows))
        first = rows[0]
        tries = ngettext("{n} attempt", "{n} attempts", first.attempts)
        attackers = ngettext("{n} attacker", "{n} attackers", first.attackers)
        users = ngettext("{n} user", "{n} users", first.users)
        said = [
            _(
                "Of {tries} by {attackers}, beside {users}; in every row, attackers are the clients that monzen denied in the "
                "end or that failed and never logged in well or brought mail, users those with a good login that is no break-in."
            ).format(tries=tries, attackers=attackers, users=users)
        ]
        if any(row.policy in EMULATED for row in rows):
            said.append(_("fail2ban, CrowdSec and sshguard are emulated with their default settings (docs/compare.md)."))
        for sentence in said:
            self._item(sentence, "dim")

    def _account(self, alarm: Alarm, judge: Judge) -> str:
        name = account(judge, alarm, self.names)
        return " " + _("as {name}").format(name=safe(name, 80)) if name else ""

    def _alarms(self, judge: Judge) -> None:
        alarms = noticed(judge)
        if not alarms:
            return
        self._title(_("What you should look at"))
        for a in alarms[: self.top]:
            times = ngettext("{n} line", "{n} lines", a.times)
            when = self._when(a.at) if a.until - a.at < 1 else f"{self._when(a.at)} – {self._when(a.until)}"
            said = alarming(a, self._account(a, judge))
            line = _("{when}  {said} ({times})").format(when=when, said=said, times=times)
            self._item(line, "yellow")
        self._more(len(alarms) - self.top)

    def _knocks(self, judge: Judge) -> None:
        if not judge.knockers:
            return
        total = sum(k.count for k in judge.knockers.values())
        knocks = ngettext("{n} packet", "{n} packets", total)
        clients = ngettext("{n} client", "{n} clients", len(judge.knockers))
        self._title(_("Who knocked at the firewall: {packets} of {clients}").format(packets=knocks, clients=clients))
        table = self._table("SRC", _("packets"), _("first"), _("last"), "DPT", right=(1,))
        ordered = sorted(judge.knockers.items(), key=lambda k: (-k[1].count, k[0]))
        for key, k in ordered[: self.top]:
            ports = sorted(k.ports.items(), key=lambda p: (-p[1], p[0]))
            shown = ", ".join(glued(port(p)) for p, _n in ports[:5]) + (glued(" …") if len(ports) > 5 else "")
            table.add_row(network(key, len(key) * 8), f"{k.count:,}", self._moment(k.first), self._moment(k.last), shown)
        self._show(table)
        self._more(len(ordered) - self.top)
        ports = sorted(judge.ports.items(), key=lambda p: (-p[1], p[0]))[:8]
        if ports:
            self._item(_("Ports: ") + ", ".join(glued(f"{port(p)} {n:,}") for p, n in ports), "dim")

    def _proposals(self, judge: Judge) -> None:
        found = proposals(judge)
        if not found:
            return
        self._title(_("Networks you may want to deny for good: they came back, and nothing good ever came from them"))
        table = self._table(_("network"), _("days"), _("clients"), _("attempts"), _("first"), _("last"), right=(1, 2, 3))
        for p in found[: self.top]:
            table.add_row(
                network(p.target, p.bits),
                f"{p.days:,}",
                f"{p.clients:,}",
                f"{p.attempts:,}",
                self._moment(p.first),
                self._moment(p.last),
            )
        self._show(table)
        self._more(len(found) - self.top)
        for p in found[: self.top]:
            name = network(p.target, p.bits)
            self.console.command(f"sudo monzen deny {name}")
            self._item(_("or: {command}").format(command=f"sudo ufw prepend deny from {name}"), "")

    def _commands(self, judge: Judge) -> None:
        found = commands(judge, self.standing)
        if not found:
            return
        self._title(_("To do it by hand"))
        for command in found[: self.top]:
            self.console.command("sudo " + command)
        self._more(len(found) - self.top)
        self._item(_("They last at the end of the log. ufw ends no rule by itself: delete it when it is quiet."), "dim")
        if self.ufw_sleeps:
            self._item(ufw_sleeps(), "yellow")
        self.console.offer(_("monzen does, and asks first:"), as_root("--apply", without=("--dry-run",)), "dim")

    def _unread(self, reading: Reading) -> None:
        self.console.print()
        for sentence in told_nothing(reading):
            self.console.print(Text(sentence, style="dim"))
        if reading.suspects:
            doubts = ngettext(
                "{n} line looks like a failure but was not understood:",
                "{n} lines look like failures but were not understood:",
                reading.suspects,
            )
            self._samples(doubts, reading.samples)
        if reading.undated:
            undated = ngettext(
                "{n} line has no time stamp and was left out, so that nobody is blamed for it:",
                "{n} lines have no time stamp and were left out, so that nobody is blamed for them:",
                reading.undated,
            )
            self._samples(undated, reading.undated_samples)
