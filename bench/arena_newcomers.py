"""Newcomers for the arena, loaded with `--plugin`: first-seen people who mistype, and addresses that change."""

from __future__ import annotations

from collections.abc import Callable

import dovecot
import postfix
from world import DAY, HOUR, Client, Scene, scenario


def user(scene: Scene, label: str, addr: str | None = None) -> Client:
    """An innocent client of its own."""
    return Client(addr or scene.world.home(f"{scene.name}/{label}", scene.rng), f"user/{scene.name}/{label}", "user")


def every(scene: Scene, begin: float, end: float, gap: float, act: Callable[..., None], *args: object) -> None:
    """The same visit again and again."""
    t = begin
    while t < end:
        scene.at(t + scene.rng.uniform(0, gap / 20), act, *args)
        t += gap


@scenario("carrier6")
def carrier6(scene: Scene) -> None:
    """A mobile carrier over IPv6: another /64 of a /40 at each session, typos now and then."""
    net = scene.world.net6("carrier6", 40)
    for n, mail in enumerate(scene.world.others("carrier6", 20)):
        for _, begin in scene.days():
            for _ in range(scene.rng.randint(2, 4)):
                t = begin + scene.rng.uniform(6, 23) * HOUR
                client = Client(net.random6(scene.rng), f"user/{scene.name}/{n}", "user")
                slips = [mail] * scene.rng.randint(1, 2) if scene.rng.random() < 0.1 else None
                scene.at(t, dovecot.login, client, mail, "imap", None, (1.0, 900.0), slips)


@scenario("hotel")
def hotel(scene: Scene) -> None:
    """Guests of one hotel: each a first-seen user at one address, with typos; some give up for hours after one failure."""
    addr = scene.world.net4("hotel", 24).host(3)
    for n, mail in enumerate(scene.world.others("hotel", 14)):
        client = Client(addr, f"user/{scene.name}/{n}", "user")
        t = scene.world.start + scene.rng.uniform(0.2, scene.world.days - 0.5) * DAY
        scene.at(t, dovecot.guess, client, [mail])
        t += scene.rng.choice((20, 40, 4 * HOUR))
        every(scene, t, t + 10 * HOUR, 2 * HOUR, dovecot.login, client, mail)


@scenario("giveup")
def giveup(scene: Scene) -> None:
    """First-seen people with Outlook (LOGIN over TLS) who mistype once over SMTP, give up for hours, and get in later."""
    for n, mail in enumerate(scene.world.others("giveup", 8)):
        client = user(scene, str(n))
        t = scene.world.start + scene.rng.uniform(1, scene.world.days - 1) * DAY
        scene.at(t, dovecot.login, client, mail)
        scene.at(t + 15, postfix.guess, client, [mail], "submission", "LOGIN", True)
        every(scene, t + 4 * HOUR, t + DAY, 2 * HOUR, postfix.submit, client, mail)
