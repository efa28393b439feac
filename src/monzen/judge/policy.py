"""The numbers that decide. Durations in seconds. Each default has its reason beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """A burst rule for clients and a network rule; what a client must do to be known; how long a denial lasts."""

    burst: int = 5  # attempts of one client; people mistype up to four times before they look at what they type
    window: float = 600.0  # the ten minutes of both rules
    crowd: int = 3  # clients of one network: two may be a couple at home, three that all fail within ten minutes are not
    crowd_attempts: int = 6  # so that three people with one typo each are not a crowd
    names: int = 4  # different names from one client are guessing, known client or not
    guesses: int = 10  # failures before a first good login after which it is taken for a break-in, not for a bad memory
    known_after: float = 3600.0  # a good login makes a client known when it is this old: trust is not had at once
    known_for: float = 30 * 86400.0
    address_sentence: float = 3600.0
    network_sentence: float = 86400.0
    growth: int = 4  # each return makes the sentence longer by this factor
    longest: float = 30 * 86400.0
    clients: int = 7_000  # remembered at most, a tenth more for a moment, and as many networks
    sentences: int = 2_000  # remembered at most, the ended ones forgotten first
    knockers: int = 10_000
