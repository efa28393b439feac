"""Further innocents for the arena, loaded by its `--plugin`: people and devices that its own scenarios do not have.

The arena's modules lie beside this one only while the arena runs; names are of example.*, addresses from its reserved blocks.
docs/arena.md says what each is for.
"""

from __future__ import annotations

from random import Random

import dovecot
import postfix
from innocents import awake, check, newcomer, retry, send
from servers import Host
from world import DAY, DOMAINS, FIRST, HOUR, LAST, Client, Person, Scene, SilentOutage, scenario

JAPAN = 9 * HOUR  # ahead of UTC, which the arena's days are in
DEVICES = ("imap", "submission")
NICKNAMES = "skipper gizmo bergfee kobold atlas nordlicht zephyr pumpkin marlin quokka tinker falcon drummer".split()


def people(scene: Scene, count: int) -> list[str]:
    """Mailboxes of people that are neither residents nor in the office, no two the same."""
    return scene.rng.sample(scene.world.mailboxes[2 * len(scene.world.residents) :], count)


def gone(scene: Scene) -> str:
    """The name of somebody who left: no account has it."""
    while True:
        name = f"{scene.rng.choice(FIRST)}.{scene.rng.choice(LAST)}@{scene.rng.choice(DOMAINS)}"
        if name not in scene.world.accounts:
            return name


def misspelt(rng: Random, name: str) -> str:
    """The name with two of its letters swapped."""
    at = rng.randrange(1, name.index("@") - 1)
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def seldom(scene: Scene, person: Person, per_day: int) -> None:
    """Somebody reads mail now and then, and sends some."""
    for _, begin in scene.days():
        for _ in range(per_day):
            scene.at(awake(scene.rng, begin), send if scene.rng.random() < 0.2 else check, person)


def fail(scene: Scene, t: float, person: Person, names: list[str], service: str) -> None:
    """One session with wrong logins of somebody's device."""
    if service == "submission":
        mech, tls = postfix.habits(scene, person.home, service)
        postfix.guess(scene, t, person.home, names, service, mech, tls, host=scene.host(person.host))
    else:
        dovecot.guess(scene, t, person.home, names, service, scene.host(person.host))


def deleted(scene: Scene, alone: bool) -> None:
    """A device knows an account that was deleted, and tries it every five minutes for days."""
    rng = scene.rng
    for number, mail in enumerate(people(scene, 6)):
        person = newcomer(scene, str(number), mail)
        if not alone:
            seldom(scene, person, 6)
        name = gone(scene)
        t = scene.world.start + rng.uniform(0.5, 3) * DAY
        end = t + rng.uniform(2, 5) * DAY
        while t < end:
            scene.at(t, fail, person, [name], DEVICES[number % 2])
            t += rng.uniform(296, 304)


@scenario("deleted")
def deleted_beside(scene: Scene) -> None:
    """As `deleted`, at an address from which somebody else gets in."""
    deleted(scene, alone=False)


@scenario("deletedalone")
def deleted_alone(scene: Scene) -> None:
    """As `deleted`, where nobody else is."""
    deleted(scene, alone=True)


@scenario("wrongphone")
def wrongphone(scene: Scene) -> None:
    """A new device at a never-seen address has a wrong password for three hours, then the right one."""
    rng = scene.rng
    for number, mail in enumerate(people(scene, 8)):
        person = newcomer(scene, str(number), mail)
        t = awake(rng, scene.world.start + rng.randrange(scene.world.days) * DAY)
        for turn in range(36):
            scene.at(t + turn * 300 + rng.uniform(0, 5), retry, person, DEVICES[number % 2])
        for hour in range(3, 27):
            scene.at(t + hour * HOUR + 120, check, person)


@scenario("variants")
def variants(scene: Scene) -> None:
    """Somebody does not know how the login name is written and tries five forms of it before the right one."""
    rng = scene.rng
    for number, mail in enumerate(people(scene, 10)):
        person = newcomer(scene, str(number), mail)
        local, _, domain = mail.partition("@")
        first, _, last = local.partition(".")
        forms = [first, local, last or local, f"{first[0]}.{last}@{domain}", f"{first}@{domain}", mail]
        t = awake(rng, scene.world.start + rng.randrange(scene.world.days) * DAY)
        for name in forms[: rng.randint(3, 6)]:
            scene.at(t, fail, person, [name], DEVICES[number % 2])
            t += rng.uniform(20, 150)
        for hour in range(24):
            scene.at(t + hour * HOUR, check, person)


@scenario("alias")
def alias(scene: Scene) -> None:
    """Somebody takes an alias for the login name, over two services, then the right one; two of four try a second alias.

    Of half of them the first alias is a role name at their domain, as the boss of a small firm has it, which botnets try too.
    """
    rng = scene.rng
    nicknames = rng.sample(NICKNAMES, len(NICKNAMES))
    for number, mail in enumerate(people(scene, 8)):
        person = newcomer(scene, str(number), mail)
        domain = mail.partition("@")[2]
        roles = [r for r in ("contact", "sales", "hello", "kontakt", "rechnung") if f"{r}@{domain}" not in scene.world.accounts]
        aliases = [f"{rng.choice(roles) if number % 2 else nicknames.pop()}@{domain}", f"{nicknames.pop()}@{domain}"]
        t = awake(rng, scene.world.start + rng.randrange(scene.world.days) * DAY)
        for name in aliases[: 1 + number // 2 % 2]:
            for service in rng.sample(DEVICES, 2):
                for _ in range(2):
                    scene.at(t, fail, person, [name], service)
                    t += rng.uniform(30, 120)
        for hour in range(24):
            scene.at(t + hour * HOUR, check, person)


@scenario("scanner")
def scanner(scene: Scene) -> None:
    """A scanner without TLS keeps an old password for three days: three tries a job, up to ten jobs a day.

    It got in before, or a user does from the same address, or neither.
    """
    rng = scene.rng
    for number, mail in enumerate(people(scene, 6)):
        person = newcomer(scene, str(number), mail)
        host = scene.host(number)
        stale = scene.world.start + rng.uniform(2, max(2.1, scene.world.days - 4)) * DAY
        if number % 3 == 1:
            seldom(scene, person, 4)
        for _, begin in scene.days():
            jobs = rng.sample(range(7 * 12, 18 * 12), rng.randint(4, 10))  # one at a time: not two in the same five minutes
            for t in (begin + job * 300 + rng.uniform(0, 120) for job in jobs):
                if stale < t < stale + 3 * DAY:
                    for turn in range(3):
                        scene.at(t + turn * 61, scan_job, person, mail, host)
                elif number % 3 == 0 or t >= stale + 3 * DAY:
                    scene.at(t, scan_good, person, mail, host)


def scan_job(scene: Scene, t: float, person: Person, mail: str, host: Host) -> None:
    """One refused login of a scanner."""
    postfix.guess(scene, t, person.home, [mail], "submission", "LOGIN", tls=False, hang_up=False, host=host)


def scan_good(scene: Scene, t: float, person: Person, mail: str, host: Host) -> None:
    """One mail of a scanner."""
    postfix.submit(scene, t, person.home, mail, "submission", host)


@scenario("family")
def family(scene: Scene) -> None:
    """Four people set up their devices at a new address within an hour, each after one to three typos."""
    for number in range(6):
        household(scene, f"home{number}", people(scene, 4), awake(scene.rng, scene.world.start + number * DAY), 2700, 1.0)


@scenario("company")
def company(scene: Scene) -> None:
    """Twelve new users of a company behind one never-seen address, all on one morning."""
    for number in range(3):
        begin = scene.world.start + (2 * number + 1) * DAY + scene.rng.uniform(7, 9) * HOUR
        household(scene, f"firm{number}", people(scene, 12), begin, 2400, 0.7)


def household(scene: Scene, label: str, mails: list[str], begin: float, span: float, slips: float) -> None:
    """People behind one new address: a share of them fail first, some without the domain or with a misspelt name."""
    rng = scene.rng
    addr = scene.world.home(f"{scene.name}/{label}", rng)
    for number, mail in enumerate(mails):
        person = newcomer(scene, f"{label}/{number}", mail, addr)
        t = begin + rng.uniform(0, span)
        if rng.random() < slips:
            wrong = rng.choice((mail, mail, mail, mail.partition("@")[0], misspelt(rng, mail)))
            for _ in range(rng.randint(1, 3)):
                scene.at(t, fail, person, [wrong], DEVICES[rng.random() < 0.3])
                t += rng.uniform(8, 60)
        for hour in range(36):
            scene.at(t + hour * HOUR, send if rng.random() < 0.2 else check, person)


def roam(scene: Scene, label: str, person: Person, addr: str) -> Person:
    """The same person at another address."""
    return Person(person.mailbox, Client(addr, f"user/{scene.name}/{label}", "user"), person.host, person.service)


@scenario("carrier")
def carrier(scene: Scene) -> None:
    """Thirty customers of a carrier, who have another address of one /24 in each session, the one after a typo included."""
    rng = scene.rng
    net = scene.world.net4("carrier", 24)
    for number, mail in enumerate(people(scene, 30)):
        home = newcomer(scene, str(number), mail)
        for _, begin in scene.days():
            for _ in range(rng.randint(3, 5)):
                t = awake(rng, begin)
                if rng.random() < 0.04:
                    wrong = rng.choice((mail, mail, mail.partition("@")[0], misspelt(rng, mail)))
                    for addr in net.pick(rng, rng.randint(1, 2)):
                        scene.at(t, fail, roam(scene, str(number), home, addr), [wrong], "imap")
                        t += rng.uniform(10, 60)
                scene.at(t, check, roam(scene, str(number), home, net.pick(rng, 1)[0]))


@scenario("commuter")
def commuter(scene: Scene) -> None:
    """Twelve people in Japan: each hour of their day from home or another address of a mobile /22, with a typo now and then."""
    rng = scene.rng
    mobile = scene.world.net4("commuter/mobile", 22)
    for number, mail in enumerate(people(scene, 12)):
        home = newcomer(scene, str(number), mail)
        for _, begin in scene.days():
            for hour in range(7, 24):
                t = begin + hour * HOUR - JAPAN + rng.uniform(0, HOUR)
                here = home if hour % 2 else roam(scene, str(number), home, mobile.pick(rng, 1)[0])
                fails = [mail] * rng.randint(1, 3) if rng.random() < 0.04 else None
                scene.at(t, send if rng.random() < 0.15 else check, here, fails)


@scenario("webmail")
def webmail(scene: Scene) -> None:
    """A webmail host elsewhere: everybody's logins and typos come from its one address."""
    rng = scene.rng
    addr = scene.world.net4("webmail", 24).host(80)
    for mail in scene.world.mailboxes:
        client = Client(addr, "webmail", "user", "webmail.example")
        person = Person(mail, client, rng.randrange(len(scene.world.hosts)), "imap")
        for _, begin in scene.days():
            for _ in range(rng.randint(2, 5)):
                t = awake(rng, begin)
                if rng.random() < 0.05:
                    wrong = rng.choice((mail, mail, mail.partition("@")[0], misspelt(rng, mail)))
                    for _ in range(rng.randint(1, 3)):
                        scene.at(t, fail, person, [wrong], "imap")
                        t += rng.uniform(5, 20)
                scene.at(t, check, person)


@scenario("noauth")
def noauth(scene: Scene) -> None:
    """A phone sends without a login: one or two recipients are refused, again and again, until its owner finds the box to tick.

    Every other one reads mail from the same address before.
    """
    rng = scene.rng
    for number, mail in enumerate(people(scene, 8)):
        person = newcomer(scene, str(number), mail)
        t = awake(rng, scene.world.start + rng.randrange(1, scene.world.days) * DAY)
        rcpts = [f"friend{rng.randrange(99)}@webpost.example" for _ in range(rng.randint(1, 2))]
        if number % 2:
            seldom(scene, person, 5)
        for _ in range(rng.randint(4, 10)):
            for rcpt in rcpts:
                scene.at(t, postfix.refuse, person.home, "relay", mail, [rcpt], "[10.0.0.7]", scene.host(person.host), True)
                t += rng.uniform(2, 20)
            t += rng.uniform(60, 900)
        for hour in range(24):
            scene.at(t + hour * HOUR, send if hour % 4 == 0 else check, person)


@scenario("newlist")
def newlist(scene: Scene) -> None:
    """Mailing lists that move to a new server: of their members here up to half have left; three mailings, a day apart.

    One server brings each copy by itself, the next asks for the dead members of a mailing in one session first.
    """
    rng = scene.rng
    for number in range(6):
        addr = scene.world.net4(f"newlist/{number}", 24).host(rng.randint(1, 254))
        client = Client(addr, f"peer/list{number}", "peer", f"lists.club{number}.example")
        many = rng.randint(3, 9) if number % 2 else rng.randint(8, 14)
        dead = [f"member{number}{i}@{rng.choice(DOMAINS)}" for i in range(many)]
        alive = rng.sample(scene.world.mailboxes, rng.randint(14, 24))
        start = scene.world.start + rng.uniform(0.3, 2) * DAY
        for mailing in range(3):
            t = start + mailing * DAY
            sender = f"club-bounces@club{number}.example"
            if number % 2:
                scene.at(t, postfix.refuse, client, "rcpt", sender, dead, client.name)
            copies = [(True, m) for m in alive] + ([] if number % 2 else [(False, m) for m in dead])
            rng.shuffle(copies)
            for good, member in copies:
                t += rng.uniform(2, 20)
                if good:
                    scene.at(t, postfix.deliver, client, sender, member)
                else:
                    scene.at(t, postfix.refuse, client, "rcpt", sender, [member], client.name)


@scenario("loginmonitor")
def loginmonitor(scene: Scene) -> None:
    """Monitoring that logs in each minute with a wrong password or a name without account: it expects the refusal."""
    rng = scene.rng
    for number in range(4):
        addr = scene.world.net4(f"loginmonitor/{number}", 24).host(rng.randint(1, 254))
        client = Client(addr, f"monitor/{number}", "monitor", "watch.example.net")
        name = people(scene, 1)[0] if number < 2 else f"probe{number}@example.org"
        person = Person(name, client, number + 1, "imap")
        begin = scene.world.start + number * 0.4 * DAY + 7
        for minute in range(3 * 1440):
            scene.at(begin + 60 * minute, fail, person, [name], DEVICES[number % 2])


@scenario("verboseoutage")
def verboseoutage(scene: Scene) -> None:
    """Nine minutes in which a server with auth_verbose calls every password wrong: somebody restored old hashes."""
    rng = scene.rng
    world = scene.world
    for number, host in enumerate(h for h in world.hosts if h.auth_verbose):
        begin = world.start + (world.days * (2 + number) // 5 + 0.3) * DAY + rng.uniform(4, 8) * HOUR
        window = SilentOutage(host.name, begin, begin + 540)
        world.silent.append(window)
        for person in world.residents + world.colleagues:
            if world.hosts[person.host] is host:
                t = begin + rng.uniform(0, 60)
                while t < begin + 660:
                    scene.at(t, mismatch if t < begin + 540 else check, person, *([window] if t < begin + 540 else []))
                    t += rng.uniform(60, 130)


def mismatch(scene: Scene, t: float, person: Person, window: SilentOutage) -> None:
    """One login that is right and called wrong: written as any wrong one, which the arena's silent outage is not."""
    scene.world.silent.remove(window)
    fail(scene, t, person, [person.mailbox], "submission" if scene.rng.random() < 0.35 else "imap")
    scene.world.silent.append(window)
