"""Further attackers for the arena, loaded by its `--plugin`, beside those of its own; docs/arena.md says what each is for."""

from __future__ import annotations

import dovecot
import postfix
import sshd
from attacks import NAMES, SPAM_SENDERS, attacker, try_once
from world import DAY, DOMAINS, FIRST, HOUR, ROLES, Client, Scene, scenario

# first and last names that the arena's own people do not have
GIVEN = "aaron bella carlos dina erik fatima george helen ivan julia kevin laura mike nina oscar paula robert sofia".split()
FAMILY = "anderson baker carter diaz evans foster gray hughes irwin jones king lopez miller nelson ortiz parker".split()


def human(scene: Scene) -> str:
    """A first and a last name as spammers collect them: no account here, though one in four shares a part with one."""
    rng = scene.rng
    while True:
        first = rng.choice(FIRST) if rng.random() < 0.25 else rng.choice(GIVEN)
        name = f"{first}.{rng.choice(FAMILY)}@{rng.choice(DOMAINS)}"
        if name not in scene.world.accounts:
            return name


@scenario("spray")
def spray(scene: Scene) -> None:
    """One guess for each account in turn, from ten hosts of each of three /24s, each with one or two tries a day."""
    rng = scene.rng
    turns: list[tuple[float, Client]] = []
    for net in range(3):
        for addr in scene.world.seats(f"spray/{net}", 24)[:10]:
            client = attacker(scene, addr, f"net{net}")
            turns += [(begin + rng.uniform(0, DAY), client) for _, begin in scene.days() for _ in range(rng.randint(1, 2))]
    for turn, (t, client) in enumerate(sorted(turns, key=lambda pair: pair[0])):
        scene.at(t, guess_one, client, scene.world.mailboxes[turn % len(scene.world.mailboxes)])


def guess_one(scene: Scene, t: float, client: Client, name: str) -> None:
    """One guess for one name, over IMAP or submission."""
    if scene.rng.random() < 0.5:
        dovecot.guess(scene, t, client, [name])
    else:
        postfix.guess(scene, t, client, [name], mech=scene.rng.choice(("LOGIN", "PLAIN")))


def many(scene: Scene, names: list[str], imap: bool) -> None:
    """500 hosts in distinct /24s; each is awake on a seventh of the days and then tries one to three times."""
    rng = scene.rng
    for number in range(500):
        client = attacker(scene, scene.world.seats(f"{scene.name}/{number}", 24)[0], f"{number:03d}")
        for _, begin in scene.days():
            if rng.random() < 1 / 7:
                for _ in range(rng.randint(1, 3)):
                    t = begin + rng.uniform(0, DAY)
                    if imap:
                        scene.at(t, dovecot.guess, client, [rng.choice(names)])
                    else:
                        scene.at(t, postfix.guess, client, [rng.choice(names)], "submission", "PLAIN", True)


@scenario("imapcampaign")
def imapcampaign(scene: Scene) -> None:
    """A botnet with a list of forty role names over IMAP, which everybody uses too."""
    many(scene, [f"{scene.rng.choice(ROLES)}@{scene.rng.choice(DOMAINS)}" for _ in range(40)], imap=True)


@scenario("humannames")
def humannames(scene: Scene) -> None:
    """A botnet with 300 names of people over submission with PLAIN, as most users have it."""
    many(scene, [human(scene) for _ in range(300)], imap=False)


@scenario("slowone")
def slowone(scene: Scene) -> None:
    """Sixty unrelated hosts guess the password of one account, one try in twenty minutes, in turn."""
    rng = scene.rng
    victim = rng.choice(scene.world.mailboxes)
    clients = [attacker(scene, scene.world.seats(f"slowone/{n}", 24)[0], f"{n:02d}", rng.choice(NAMES)) for n in range(60)]
    t, turn = scene.world.start + rng.uniform(0, DAY), 0
    while t < scene.world.end:
        scene.at(t, guess_one, clients[turn % 60], victim)
        turn += 1
        t += rng.uniform(15, 25) * 60


@scenario("twin24")
def twin24(scene: Scene) -> None:
    """Four hosts in each of two neighbouring /24s take turns every 20 to 40 seconds, half an hour on five days."""
    rng = scene.rng
    net = scene.world.net4("twin24", 23)
    clients = [attacker(scene, net.host(256 * (n % 2) + rng.randint(1, 254)), "net") for n in range(8)]
    for day, begin in scene.days():
        t = begin + rng.uniform(1, 22) * HOUR
        end = t + 1800 if day < 5 else t
        turn = 0
        while t < end:
            scene.at(t, try_once, clients[turn % 8], "submission")
            turn += 1
            t += rng.uniform(20, 40)


@scenario("v6hop56")
def v6hop56(scene: Scene) -> None:
    """A new /64 of one /56 at each try, on three of four days."""
    net = scene.world.net6("v6hop56", 56)
    for day, begin in scene.days():
        t = begin + scene.rng.uniform(0, 4) * HOUR
        for _ in range(60 if day % 4 != 3 else 0):
            scene.at(t, try_once, attacker(scene, net.random6(scene.rng), "net"), "submission")
            t += scene.rng.expovariate(60 / (18 * HOUR))


@scenario("harvest24")
def harvest24(scene: Scene) -> None:
    """Ten hosts of one /24 that ask for three unknown recipients each, once a day."""
    rng = scene.rng
    for addr in scene.world.seats("harvest24", 24)[:10]:
        client = attacker(scene, addr, "net", NAMES[-1])
        for _, begin in scene.days():
            rcpts = [f"{rng.choice(ROLES)}{rng.randrange(99)}@{rng.choice(DOMAINS)}" for _ in range(3)]
            t = begin + rng.uniform(0, DAY)
            scene.at(t, postfix.refuse, client, "rcpt", rng.choice(SPAM_SENDERS), rcpts, "mail.list.example")


@scenario("sshpool22")
def sshpool22(scene: Scene) -> None:
    """Forty hosts of one /22 guess over ssh, two tries a day each."""
    rng = scene.rng
    for addr in scene.world.seats("sshpool22", 22)[:40]:
        client = attacker(scene, addr, "net")
        for _, begin in scene.days():
            for _ in range(2):
                scene.at(begin + rng.uniform(0, DAY), sshd.guess, client, [rng.choice(sshd.GUESSES)])


@scenario("breach")
def breach(scene: Scene) -> None:
    """Gets in at the sixteenth try, sends a mail every hour and goes on guessing: every 40 s, 20 minutes or 2 hours."""
    rng = scene.rng
    for number, (gap, mail) in enumerate(zip((40, 1200, 7200), rng.sample(scene.world.mailboxes, 3), strict=True)):
        client = attacker(scene, scene.world.seats(f"breach/{number}", 24)[0], f"host{number}")
        t = scene.world.start + rng.uniform(0.5, 2) * DAY
        for _ in range(15):
            scene.at(t, guess_one, client, mail)
            t += rng.uniform(0.8, 1.2) * gap
        for hour in range(72):
            scene.at(t + hour * HOUR, postfix.submit, client, mail)
        end = t + 3 * DAY
        while t < end:
            t += rng.uniform(0.8, 1.2) * max(gap, 300)
            scene.at(t, try_once, client, "submission")


@scenario("relaydrip")
def relaydrip(scene: Scene) -> None:
    """Eight unrelated hosts that ask for one relay every ten hours; half of them always for the same recipient."""
    rng = scene.rng
    for number in range(8):
        client = attacker(scene, scene.world.seats(f"relaydrip/{number}", 24)[0], f"host{number}", rng.choice(NAMES))
        t = scene.world.start + rng.uniform(0, 10) * HOUR
        while t < scene.world.end:
            rcpt = f"target{number if number % 2 else rng.randrange(99)}@elsewhere.example"
            scene.at(t, postfix.refuse, client, "relay", rng.choice(SPAM_SENDERS), [rcpt], "win-7")
            t += rng.uniform(8, 12) * HOUR
