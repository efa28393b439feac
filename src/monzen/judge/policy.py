"""The numbers that decide. Durations in seconds. Each default has its reason beside it (docs/policy.md says more)."""

from __future__ import annotations

from typing import Final, NamedTuple

HOUR: Final = 3600.0
DAY: Final = 86400.0


class Policy(NamedTuple):
    """What is counted, for how long, and how long a denial lasts. The field names are the keys of the TOML table `[policy]`."""

    window: float = 600.0  # "at once": ten minutes, as fail2ban and its kin have it
    memory: float = 7 * DAY  # "slowly": what is older than a week is no longer counted

    # One client
    ghosts: int = 3  # unlike names without an account: two may be an old and a new address of one person, three are a list
    names: int = 4  # unlike names of any kind
    real_names: int = 5  # unlike names that all exist: a family of four at a new address mistypes all of theirs
    one_name: int = 20  # failures at once for one name: a device repeats one or two in ten minutes, a person gives up at ten
    one_name_hour: int = 30  # failures in an hour for one name, unless by the clock: two devices try 24 times
    nameless: int = 8  # failures at once where the log names nobody
    slow: int = 20  # failures in a week where the log names nobody, or of several names: 3 a day, every day
    slow_nameless: int = 60  # the same where the log names nobody and it may be a device: by the clock, or as users log in
    ssh: int = 6  # failures in a week over ssh: there are no phones there, and people use keys
    relay: int = 3  # unlike recipients elsewhere: a phone that sends without AUTH has one or two mails waiting
    recipients: int = 10  # unlike unknown recipients: a list of a new sender may have some members that left
    recipients_per_mail: int = 5  # so many more for each mail that was accepted
    abuse: int = 2  # signs of no mail software at all (HTTP, speaking early): one may be a broken proxy
    alarm: int = 5  # failures at once of a client that also logs in: it is told, not denied
    device: int = 12  # failures for one name at a pace that a device has: it is told
    knocks: int = 10  # packets at closed ports of a client that also offended; twice as many of one whose network has convicts
    known_ghosts: int = 6  # unlike names without account in a day from a client that also logs in

    # Networks
    crowd: int = 3  # clients of one network at once: two may be a couple at home
    crowd_points: int = (
        6  # two for a name without account, one for another failure: so that three people with one typo each are no crowd
    )
    offenders: int = 3  # strange clients of one network in a week: from then on one strange failure is enough there
    hop_after: float = 5 * HOUR  # convicts that do not come back for so long have moved on: to the next address of their network
    hop_members: int = 3  # convicts that moved on, of one network and for one deed: two may be chance
    hop6_56: int = 3  # /64s of one /56 in a day
    hop6_48: int = 5  # /64s of one /48 in a day

    # Routed prefixes, only with a routing table (`--routes`)
    wide_closed: int = 3  # closed /24 (IPv6: /48) of one AS at once, as with clients: two may be chance
    widest4: int = 20  # never wider: a /20 is a small hoster's, what is wider belongs to providers with people in it; 24: never
    widest6: int = 40  # never wider: 256 sites of a /48 each; 48: never

    # Campaigns: many hosts, few tries each
    campaign: bool = True  # whether the shape of a session counts at all
    hot: int = 4  # unrelated networks (/16, /32) that tried a name which never worked
    shape_networks: int = 20  # networks that fail with one shape of session
    shape_ratio: int = 5  # times as many as ever got in with it

    hot_wait: float = 300.0  # after a failure with a hot name in its shape: who took an alias for a name gets in by then
    silence: float = 1800.0  # after one failure without a name in its shape: a person tries again, and reads mail as well
    retry: float = 60.0  # what belongs to the same try
    silent_tries: int = 2  # more is somebody who tries
    sprayers: int = 4  # strangers of a /24 in which nobody lives, each with one guess for an account, in a week
    targeted: int = 4  # failures over as many hours, for one account that eight unrelated networks guess at: not its user

    # Sentences: each ends when the source was quiet for so long
    client_sentence: float = (
        36 * HOUR
    )  # dynamic addresses change hands: of twelve heirs of such an address none is hurt (docs/arena.md)
    network_sentence: float = HOUR  # newcomers may live there; the members' own denials are longer
    hop_sentence: float = 3 * DAY  # networks of hosters do not change hands
    knock_cap: float = 7 * DAY  # packets alone, which can be forged, prolong a denial no further than so long after the last line
    growth: int = 4  # each return makes it longer by this factor
    returning: int = 10  # attempts of a client before its returns count: one of a botnet makes fewer from its dynamic address
    longest: float = 30 * DAY  # no denial is longer: by then most addresses have another holder

    # Trust
    known_for: float = 30 * DAY  # after the last good login
    known_days: int = 2  # days with a good login: trust is not had at once
    guesses: int = 10  # failures before a first good login after which it is a break-in, not a bad memory
    outage_clients: int = 4  # users that fail within two minutes where nobody succeeds: the server is ill, not they

    # Bounds of memory: what did nothing lately is forgotten first
    clients: int = 1_000_000  # about 190 bytes each, 270 of one that was denied
    networks: int = 100_000  # in which more than one client offended: about 700 bytes each
    sentences: int = 100_000  # with their evidence
    name_table: int = 100_000  # names that were tried, and accounts
    knockers: int = 100_000  # clients that the firewall turned away


ROOMY: Final = 4  # tables of a report, beside those of a scan: it tells of every denial of a month


def frugal(policy: Policy, times: int = 1) -> Policy:
    """The policy of a scan, which stays below 60 MiB however long the log: smaller tables, where they were not set.

    `times`: so many times as large, and as much memory beyond the program's own 30 MiB.
    """
    usual = Policy()
    return policy._replace(
        clients=30_000 * times if policy.clients == usual.clients else policy.clients,
        networks=5_000 * times if policy.networks == usual.networks else policy.networks,
        sentences=15_000 * times if policy.sentences == usual.sentences else policy.sentences,
        name_table=20_000 * times if policy.name_table == usual.name_table else policy.name_table,
        knockers=10_000 * times if policy.knockers == usual.knockers else policy.knockers,
    )
