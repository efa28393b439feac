"""Write samples/one_week.log: a made-up week of a small mail server, for `make try`, the documents and the tests.

    python -m samples.make_sample [FILE]

Lines have the shapes that Debian 12's Postfix 3.7, Dovecot 2.3, OpenSSH 9.2 and ufw write. All addresses are for documentation
(RFC 5737, RFC 3849), all names end in example.org, .com or .net. The same bytes every time; tests/test_samples.py holds the
file and this script together.

Who is who:
  own        anna, bernd (IPv6), carla, an office of three behind one address, akira (POP3), ops (ssh)
  carla      gets a new password on Wednesday; her phone tries the old one for two hours. Innocent
  outage     Thursday 09:12 to 09:15 the password service is down; everybody fails, nobody is to blame
  gang       five hosts of 203.0.113.128/25 take turns on port 25, on Monday, Wednesday and Saturday
  hopper     one IPv6 /64 over IMAP, another address each time
  breach     198.51.100.66 guesses info@ thirty times in the night to Friday, gets in, and sends spam
  others     an ssh guesser, a relay probe, a harvester of recipients, visitors who talk too early, knocks at closed ports,
             and one who writes an innocent address into the user name
The office is at 198.51.100.200: whoever denied that whole network would lock out three customers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from samples import visits
from samples.host import Client, Host
from samples.visits import SSH_NAMES

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ANNA, CARLA = Client("192.0.2.101", "dsl-101.example.net"), Client("192.0.2.44")
OFFICE, AKIRA, OPS = Client("198.51.100.200", "office.example.com"), Client("192.0.2.180"), Client("192.0.2.130")
SERVERS = [
    Client("192.0.2.210", "mx1.example.com"),
    Client("192.0.2.220", "mail.example.net"),
    Client("2001:db8:77::25", "smtp.example.net"),
    Client("192.0.2.233", "lists.example.com"),
]
GANG = [Client(f"203.0.113.{host}") for host in (141, 152, 187, 203, 219)]
BREAKER = Client("198.51.100.66", "vps66.example.net")

Visit = tuple[float, Callable[..., None], tuple[object, ...]]


def daily(r: Random, day: int) -> list[Visit]:
    """What happens every day: people read and send mail, servers bring it, the admin looks in."""
    begin, plan = day * DAY, list[Visit]()

    def at(hours: tuple[float, float], visit: Callable[..., None], *what: object) -> None:
        plan.append((begin + r.uniform(*hours) * HOUR, visit, what))

    bernd = Client(f"2001:db8:100:7::{r.randrange(0x1000, 0xFFFF):x}")  # another address every day, the same /64
    for hours in ((6.5, 8), (8, 12), (12, 13), (13, 17), (17, 19), (19, 22)):
        for user, client in (("anna", ANNA), ("bernd", bernd), ("carla", CARLA)):
            at(hours, visits.mailbox, f"{user}@example.org", client.address)
    at((7, 8), visits.mailbox, "akira@example.org", AKIRA.address, "pop3")
    at((20, 22), visits.mailbox, "akira@example.org", AKIRA.address, "pop3")
    at((18, 22), visits.submit, "anna@example.org", ANNA)
    at((9, 20), visits.submit, "bernd@example.org", bernd, "smtps")
    if day < 5:
        for user in ("eva", "frank", "greta", "info"):
            for hours in ((8.3, 9), (10, 12), (13, 15), (15, 17)):
                at(hours, visits.mailbox, f"{user}@example.org", OFFICE.address)
            at((9.5, 16.5), visits.submit, f"{user}@example.org", OFFICE)
    for _ in range(20 if day < 5 else 8):
        at((0, 24), visits.receive, r.choice(SERVERS))
    at((8, 23), visits.login_ssh, OPS.address)
    for _ in range(2):
        at((0, 24), visits.multicast)
    for _ in range(5):
        knocker = f"203.0.113.{r.randrange(2, 120)}"
        if r.random() < 0.3:
            knocker = f"2001:db8:5ca:{r.randrange(1, 99):x}::{r.randrange(1, 99):x}"
        at((0, 24), visits.knock, knocker, r.sample([23, 445, 3389, 5900, 8080, 3306, 1433], r.choice((1, 1, 2))))
    at((0, 24), visits.knock, f"203.0.113.{r.randrange(2, 120)}", [5060], True)
    return plan


def story() -> list[Visit]:
    """What happens once."""
    tuesday, wednesday, thursday, friday, saturday, sunday = (day * DAY for day in range(1, 7))
    plan: list[Visit] = [
        (9.1 * HOUR, visits.outlook, ("eva@example.org", OFFICE)),
        (16 * HOUR + 59 * MINUTE, visits.take_turns, (GANG[:3], 30)),
        (21 * HOUR, visits.knock, ("198.51.100.222", [23, 445, 3389, 5900, 8080, 2323, 1433, 3306, 6379])),
        (tuesday + 3 * HOUR, visits.hop, (60,)),
        (tuesday + 8.6 * HOUR, visits.mailbox_fails, (["frank@example.org"], OFFICE.address)),
        (tuesday + 8.6 * HOUR + 20, visits.mailbox_fails, (["frank@example.org"], OFFICE.address)),
        (tuesday + 8.6 * HOUR + 55, visits.mailbox, ("frank@example.org", OFFICE.address)),
        (tuesday + 13.3 * HOUR, visits.guess_ssh, ("198.51.100.33", [*SSH_NAMES, *SSH_NAMES[:25]])),
        (wednesday + 2.2 * HOUR, visits.take_turns, (GANG[1:], 34)),
        (wednesday + 11 * HOUR, visits.probe_relay, (Client("198.51.100.140"),)),
        (thursday + 7.9 * HOUR, visits.restart, ()),
        (thursday + 19.7 * HOUR, visits.harvest, (Client("198.51.100.156", "host156.example.net"),)),
        (friday + 1.3 * HOUR, visits.break_in, (BREAKER, "info@example.org")),
        (friday + 11.1 * HOUR, visits.probe_relay, (Client("198.51.100.140"),)),
        (friday + 15 * HOUR, visits.knock, ("198.51.100.222", [23, 445, 3389, 5900, 25, 587, 22])),
        (saturday + 6 * HOUR, visits.inject, (Client("198.51.100.91"), OPS.address)),
        (saturday + 14 * HOUR, visits.knock, (GANG[2].address, [23, 5900, 3389, 445])),
        (saturday + 23.4 * HOUR, visits.take_turns, (GANG, 40)),
        (sunday + 4 * HOUR, visits.guess_ssh, ("2001:db8:5e:1::22", SSH_NAMES[:14])),
    ]
    # Carla's phone: twice the old password every five minutes, from the address where her laptop gets in before and after.
    again = (["carla@example.org"] * 2, CARLA.address)
    plan += [(wednesday + 14 * HOUR + 300 * n, visits.mailbox_fails, again) for n in range(24)]
    plan.append((wednesday + 16.3 * HOUR, visits.mailbox, ("carla@example.org", CARLA.address)))
    # The outage: mail programs try again and again.
    for n in range(9):
        t = thursday + 9.2 * HOUR + 18 * n
        plan.append((t, visits.submit_fails, ("eva@example.org", OFFICE, "Connection lost to authentication server")))
        plan.append((t + 5, visits.mailbox_outage, ((OFFICE, ANNA, CARLA)[n % 3].address,)))
    early = ("198.51.100.9", "198.51.100.61", "2001:db8:90:4::7", "198.51.100.117", "2001:db8:91:2::1", "198.51.100.9")
    plan += [((0.4 + n * 1.13) * DAY, visits.too_early, (address,)) for n, address in enumerate(early)]
    return plan


def make() -> str:
    """The whole log."""
    host = Host()
    host.seen = {server.address for server in SERVERS}
    plan = [visit for day in range(7) for visit in daily(host.random, day)] + story()
    for t, visit, what in sorted(plan, key=lambda each: each[0]):
        visit(host, t, *what)
    return "".join(line for t, _, line in sorted(host.lines) if t < 7 * DAY)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("one_week.log")
    target.write_text(make(), encoding="ascii", newline="\n")
