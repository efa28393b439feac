"""Further scenarios for the arena (`simulate.py --plugin bench/arena_lookalikes.py`).

Innocents that look like attackers, attacks that look like innocents. Names of scenarios begin with `x-`; see the
arena's README for what the functions may use.
"""

from __future__ import annotations

from collections.abc import Callable

import dovecot
import postfix
import sshd
from world import DAY, HOUR, Client, Scene, scenario


def user(scene: Scene, label: str, addr: str | None = None) -> Client:
    """An innocent client of its own."""
    return Client(addr or scene.world.home(f"{scene.name}/{label}", scene.rng), f"user/{scene.name}/{label}", "user")


def bad(scene: Scene, addr: str, group: str) -> Client:
    """An attacking client."""
    return Client(addr, f"{scene.name}/{group}", "attacker")


def every(scene: Scene, begin: float, end: float, gap: float, act: Callable[..., None], *args: object) -> None:
    """The same visit again and again."""
    t = begin
    while t < end:
        scene.at(t + scene.rng.uniform(0, gap / 20), act, *args)
        t += gap


# ---- innocents


@scenario("x-deleted")
def deleted(scene: Scene) -> None:
    """Devices that go on asking for accounts that are gone; one of two stands where somebody else logs in."""
    for n in range(4):
        client = user(scene, str(n))
        gone = f"left{n}.leaver@example.org"
        begin = scene.world.start + scene.rng.uniform(0.5, 4) * DAY
        if n % 2:
            every(scene, begin, begin + 3 * DAY, 300, dovecot.guess, client, [gone], "imap", scene.host(n))
            mail = scene.world.others(f"deleted{n}", 1)[0]
            every(scene, scene.world.start + 3 * HOUR, scene.world.end, 4 * HOUR, dovecot.login, client, mail)
        else:
            every(scene, begin, begin + 2 * DAY, 600, postfix.guess, client, [gone], "submission", "LOGIN", True)


@scenario("x-newdevice")
def newdevice(scene: Scene) -> None:
    """A wrong password in a new device at an address never seen, every five minutes for three hours; then the right one."""
    for n, mail in enumerate(scene.world.others("newdevice", 8)):
        client = user(scene, str(n))
        begin = scene.world.start + scene.rng.uniform(0, scene.world.days - 1) * DAY
        service = ("imap", "pop3")[n % 2]
        if n % 3 == 0:
            every(scene, begin, begin + 3 * HOUR, 300, postfix.guess, client, [mail], "submission", "PLAIN", True)
        every(scene, begin + 20, begin + 3 * HOUR, 300, dovecot.guess, client, [mail], service)
        every(scene, begin + 3.1 * HOUR, begin + 9 * HOUR, 1800, dovecot.login, client, mail, service)


@scenario("x-variants")
def variants(scene: Scene) -> None:
    """People who try their name in all ways before the right one."""
    for n, mail in enumerate(scene.world.others("variants", 8)):
        local, _, domain = mail.partition("@")
        first, _, last = local.partition(".")
        client = user(scene, str(n))
        t = scene.world.start + scene.rng.uniform(0, scene.world.days - 1) * DAY
        names = [first, local, f"{last}.{first}@{domain}", f"{first[0]}.{last}@{domain}", local, f"{first}@{domain}"]
        for name in names[: 3 + n % 4]:
            scene.at(t, dovecot.guess, client, [name])
            t += scene.rng.uniform(15, 90)
        every(scene, t + 30, t + DAY, 3 * HOUR, dovecot.login, client, mail)


@scenario("x-alias")
def alias(scene: Scene) -> None:
    """An alias as login name: no account, again and again, from where its owner reads mail in another program."""
    for n, mail in enumerate(scene.world.others("alias", 4)):
        client = user(scene, str(n))
        domain = mail.partition("@")[2]
        name = ("sales", "hello", "orders", "team")[n] + "@" + domain
        begin = scene.world.start + scene.rng.uniform(1, 5) * DAY
        every(scene, begin, begin + 2 * DAY, 900, dovecot.guess, client, [name])
        every(scene, scene.world.start + 2 * HOUR, scene.world.end, 5 * HOUR, dovecot.login, client, mail)


@scenario("x-scanner")
def scanner(scene: Scene) -> None:
    """Multifunction printers, LOGIN without TLS on the submission port, with a stale password for a day."""
    for n in range(3):
        client = user(scene, str(n))
        mail = scene.world.others(f"scanner{n}", 1)[0]
        begin = scene.world.start + scene.rng.uniform(2, 6) * DAY
        every(scene, scene.world.start + HOUR, begin, 7 * HOUR, postfix.submit, client, mail)
        every(scene, begin, begin + 10 * HOUR, 600, postfix.guess, client, [mail], "submission", "LOGIN", False)
        every(scene, begin + 11 * HOUR, scene.world.end, 7 * HOUR, postfix.submit, client, mail)


@scenario("x-family")
def family(scene: Scene) -> None:
    """Four people at a new address on one evening, each with one to three typos."""
    for n in range(4):
        addr = scene.world.home(f"family/{n}", scene.rng)
        begin = scene.world.start + scene.rng.uniform(0.5, scene.world.days - 1) * DAY
        for who, mail in enumerate(scene.world.others(f"family{n}", 4)):
            client = Client(addr, f"user/{scene.name}/{n}/{who}", "user")
            t = begin + who * scene.rng.uniform(60, 900)
            for _ in range(scene.rng.randint(1, 3)):
                scene.at(t, dovecot.guess, client, [mail])
                t += scene.rng.uniform(8, 40)
            every(scene, t, t + DAY, 2 * HOUR, dovecot.login, client, mail)


@scenario("x-carrier")
def carrier(scene: Scene) -> None:
    """A mobile carrier's /24: another address at each session, typos now and then."""
    net = scene.world.net4("x-carrier", 24)
    for n, mail in enumerate(scene.world.others("x-carrier", 25)):
        for _, begin in scene.days():
            for _ in range(scene.rng.randint(2, 5)):
                t = begin + scene.rng.uniform(6, 23) * HOUR
                client = Client(net.host(scene.rng.randint(1, 254)), f"user/{scene.name}/{n}", "user")
                slips = [mail] * scene.rng.randint(1, 2) if scene.rng.random() < 0.08 else None
                scene.at(t, dovecot.login, client, mail, "imap", None, (1.0, 900.0), slips)


@scenario("x-carrier6")
def carrier6(scene: Scene) -> None:
    """The same over IPv6: another /64 of a /40 at each session."""
    net = scene.world.net6("x-carrier6", 40)
    for n, mail in enumerate(scene.world.others("x-carrier6", 20)):
        for _, begin in scene.days():
            for _ in range(scene.rng.randint(2, 4)):
                t = begin + scene.rng.uniform(6, 23) * HOUR
                client = Client(net.random6(scene.rng), f"user/{scene.name}/{n}", "user")
                slips = [mail] * scene.rng.randint(1, 2) if scene.rng.random() < 0.1 else None
                scene.at(t, dovecot.login, client, mail, "imap", None, (1.0, 900.0), slips)


@scenario("x-company")
def company(scene: Scene) -> None:
    """Twelve new users behind one address on one morning; half of them mistype, one forgets the domain."""
    addr = scene.world.net4("x-company", 24).host(9)
    begin = scene.world.start + 3 * DAY + 8 * HOUR
    for n, mail in enumerate(scene.world.others("x-company", 12)):
        client = Client(addr, f"user/{scene.name}/{n}", "user")
        t = begin + scene.rng.uniform(0, 3600)
        if n % 2:
            for _ in range(scene.rng.randint(1, 3)):
                scene.at(t, dovecot.guess, client, [mail.partition("@")[0] if n == 3 else mail])
                t += scene.rng.uniform(10, 60)
        every(scene, t, scene.world.end, 3 * HOUR, dovecot.login, client, mail)


@scenario("x-noauth")
def noauth(scene: Scene) -> None:
    """A phone that sends without AUTH and tries again; it reads its mail from the same address, or from nowhere."""
    for n, mail in enumerate(scene.world.others("x-noauth", 6)):
        client = user(scene, str(n))
        t = scene.world.start + scene.rng.uniform(0.2, scene.world.days - 1) * DAY
        if n % 2:
            every(scene, t, t + DAY, 3 * HOUR, dovecot.login, client, mail)
        rcpts = [f"friend{k}@elsewhere.example" for k in range(1 + n % 2)]
        for k in range(8):
            scene.at(t + 60 + k * 400, postfix.refuse, client, "relay", mail, rcpts, "[192.168.1.5]")


@scenario("x-newlist")
def newlist(scene: Scene) -> None:
    """A list server never seen before, some of whose members have left."""
    for n in range(4):
        addr = scene.world.net4(f"x-newlist/{n}", 24).host(25)
        client = Client(addr, f"peer/{scene.name}/{n}", "peer", f"lists.club{n}.example")
        t = scene.world.start + scene.rng.uniform(0.3, scene.world.days - 1) * DAY
        for mail in range(6):
            gone = [f"gone{n}{k}{mail}@example.org" for k in range(scene.rng.randint(2, 7))]
            rcpt = scene.rng.choice(scene.world.mailboxes)
            scene.at(t, postfix.deliver, client, "list@club.example", rcpt)
            scene.at(t + 30, postfix.refuse, client, "rcpt", "list-bounces@club.example", gone, client.name)
            t += scene.rng.uniform(300, 40_000)


@scenario("x-monitor")
def monitor(scene: Scene) -> None:
    """A monitor that logs in with a wrong password each minute, by the clock."""
    client = Client(scene.world.net4("x-monitor", 24).host(7), "monitor/x", "monitor", "watch.example.net")
    every(scene, scene.world.start + 2 * DAY, scene.world.start + 4 * DAY, 60, dovecot.guess, client, ["probe@example.org"])


@scenario("x-webmail")
def webmail(scene: Scene) -> None:
    """Web mail on another host: all users behind one address, with typos."""
    addr = scene.world.net4("x-webmail", 24).host(80)
    for n, mail in enumerate(scene.world.others("x-webmail", 40)):
        client = Client(addr, f"user/{scene.name}/{n}", "user")
        for _, begin in scene.days():
            t = begin + scene.rng.uniform(6, 23) * HOUR
            slips = [mail] * scene.rng.randint(1, 3) if scene.rng.random() < 0.06 else None
            scene.at(t, dovecot.login, client, mail, "imap", None, (1.0, 900.0), slips)


@scenario("x-hotel")
def hotel(scene: Scene) -> None:
    """Guests of one hotel: each a first-seen user at one address, with typos; some give up for hours after one failure."""
    addr = scene.world.net4("x-hotel", 24).host(3)
    for n, mail in enumerate(scene.world.others("x-hotel", 14)):
        client = Client(addr, f"user/{scene.name}/{n}", "user")
        t = scene.world.start + scene.rng.uniform(0.2, scene.world.days - 0.5) * DAY
        scene.at(t, dovecot.guess, client, [mail])
        t += scene.rng.choice((20, 40, 4 * HOUR))
        every(scene, t, t + 10 * HOUR, 2 * HOUR, dovecot.login, client, mail)


@scenario("x-giveup")
def giveup(scene: Scene) -> None:
    """First-seen people with Outlook (LOGIN over TLS) who mistype once over SMTP, give up for hours, and get in later."""
    for n, mail in enumerate(scene.world.others("x-giveup", 8)):
        client = user(scene, str(n))
        t = scene.world.start + scene.rng.uniform(1, scene.world.days - 1) * DAY
        scene.at(t, dovecot.login, client, mail)
        scene.at(t + 15, postfix.guess, client, [mail], "submission", "LOGIN", True)
        every(scene, t + 4 * HOUR, t + DAY, 2 * HOUR, postfix.submit, client, mail)


# ---- attacks


@scenario("x-spray")
def spray(scene: Scene) -> None:
    """One guess per existing account in turn, from ten hosts in each of three networks, a try or two a day each."""
    turn = 0
    for net in range(3):
        for addr in scene.world.seats(f"x-spray/{net}", 24)[:10]:
            client = bad(scene, addr, f"net{net}")
            for _, begin in scene.days():
                for _ in range(scene.rng.randint(1, 2)):
                    name = scene.world.mailboxes[turn % len(scene.world.mailboxes)]
                    turn += 1
                    scene.at(begin + scene.rng.uniform(0, DAY), dovecot.guess, client, [name])


@scenario("x-campaign-imap")
def campaign_imap(scene: Scene) -> None:
    """Five hundred hosts over IMAP, a list of forty role names, one to three tries on one day of five."""
    names = [scene.guess() for _ in range(40)]
    for n in range(500):
        client = bad(scene, scene.world.seats(f"x-campaign-imap/{n}", 24)[0], f"{n:03d}")
        for _, begin in scene.days():
            if scene.rng.random() < 0.2:
                for _ in range(scene.rng.randint(1, 3)):
                    scene.at(begin + scene.rng.uniform(0, DAY), dovecot.guess, client, [scene.rng.choice(names)])


@scenario("x-campaign-people")
def campaign_people(scene: Scene) -> None:
    """Four hundred hosts with human names that have no account, PLAIN over submission."""
    last = ("stone", "river", "field", "hill", "brook")
    names = [f"{a}.{b}@example.org" for a in ("greg", "hank", "irma", "joan", "kurt") for b in last]
    for n in range(400):
        client = bad(scene, scene.world.seats(f"x-campaign-people/{n}", 24)[0], f"{n:03d}")
        for _, begin in scene.days():
            if scene.rng.random() < 0.2:
                for _ in range(scene.rng.randint(1, 3)):
                    name = scene.rng.choice(names)
                    scene.at(begin + scene.rng.uniform(0, DAY), postfix.guess, client, [name], "submission", "PLAIN", True)


@scenario("x-one-account")
def one_account(scene: Scene) -> None:
    """Sixty unrelated hosts guess at one existing account, three tries a day each."""
    name = scene.world.mailboxes[0]
    for n in range(60):
        client = bad(scene, scene.world.seats(f"x-one-account/{n}", 24)[0], f"{n:02d}")
        for _, begin in scene.days():
            for _ in range(3):
                scene.at(begin + scene.rng.uniform(0, DAY), dovecot.guess, client, [name])


@scenario("x-gang23")
def gang23(scene: Scene) -> None:
    """Eight hosts in two adjacent /24 take turns, a try in twenty seconds, one hour a day."""
    seats = scene.world.seats("x-gang23", 23)[:8]
    clients = [bad(scene, addr, "net") for addr in seats]
    for _, begin in scene.days():
        t, turn = begin + scene.rng.uniform(1, 20) * HOUR, 0
        end = t + HOUR
        while t < end:
            scene.at(t, postfix.guess, clients[turn % 8], [scene.guess()], "submission")
            turn += 1
            t += scene.rng.uniform(15, 25)


@scenario("x-hop56")
def hop56(scene: Scene) -> None:
    """A new /64 of one /56 at each try."""
    net = scene.world.net6("x-hop56", 56)
    for _, begin in scene.days():
        for _ in range(40):
            client = bad(scene, net.random6(scene.rng), "net")
            scene.at(begin + scene.rng.uniform(0, DAY), dovecot.guess, client, [scene.guess()])


@scenario("x-harvest24")
def harvest24(scene: Scene) -> None:
    """Ten hosts of one /24, each with three unknown recipients twice a day."""
    for addr in scene.world.seats("x-harvest24", 24)[:10]:
        client = bad(scene, addr, "net")
        for _, begin in scene.days():
            for _ in range(2):
                rcpts = [f"user{scene.rng.randrange(999)}@example.org" for _ in range(3)]
                scene.at(begin + scene.rng.uniform(0, DAY), postfix.refuse, client, "rcpt", "a@offer.example", rcpts, "mx")


@scenario("x-ssh22")
def ssh22(scene: Scene) -> None:
    """Forty hosts of a /22 guess over ssh, two tries a day each."""
    for addr in scene.world.seats("x-ssh22", 22)[:40]:
        client = bad(scene, addr, "net")
        for _, begin in scene.days():
            for _ in range(2):
                scene.at(begin + scene.rng.uniform(0, DAY), sshd.guess, client, [scene.rng.choice(sshd.GUESSES)])


@scenario("x-breach")
def breach(scene: Scene) -> None:
    """Guesses fifteen times at one account within an hour, gets in, and comes back every few hours."""
    for n in range(3):
        client = bad(scene, scene.world.seats(f"x-breach/{n}", 24)[0], f"host{n}")
        mail = scene.world.others(f"x-breach{n}", 1)[0]
        t = scene.world.start + scene.rng.uniform(1, 8) * DAY
        for _ in range(15):
            scene.at(t, dovecot.guess, client, [mail])
            t += scene.rng.uniform(120, 300)
        every(scene, t, scene.world.end, 5 * HOUR, dovecot.login, client, mail)


@scenario("x-slow-relay")
def slow_relay(scene: Scene) -> None:
    """One relay probe every two days from each of twenty hosts of one /24."""
    for addr in scene.world.seats("x-slow-relay", 24)[:20]:
        client = bad(scene, addr, "net")
        for day, begin in scene.days():
            if day % 2:
                rcpt = f"t{scene.rng.randrange(99)}@elsewhere.example"
                scene.at(begin + scene.rng.uniform(0, DAY), postfix.refuse, client, "relay", "x@scan.example", [rcpt], "User")
