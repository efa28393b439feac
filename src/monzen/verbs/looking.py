"""What the verbs that look on share: the logs that the guard follows, or FILEs, judged as the guard judges them."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from collections.abc import Callable
from functools import partial

from monzen.arguments import local_zone
from monzen.config import Config
from monzen.judge.policy import ROOMY
from monzen.looking import Live, followable
from monzen.settings import Sources
from monzen.verbs.common import configuration
from monzen.verbs.judging import CONFIG, bounds_of, complain
from monzen.verbs.report import since_of


def live_of(options: argparse.Namespace, *, ledger: bool) -> Callable[[], Live] | None:
    """What opens a Live of what the options say; `ledger`: what the gate did is read by ourselves. None: it was said why not.

    The configuration is read here, the logs by whoever opens it. Raises ConfigError.
    """
    zone: dt.tzinfo = local_zone()
    since = since_of(options, time.time(), zone)
    if isinstance(since, str):
        complain(since)
        return None
    config = configuration(options, privileged=False) if not options.files else Config()
    if options.policy is None and not options.files and os.path.lexists(options.config or CONFIG):
        options.policy = options.config or CONFIG  # as the guard
    bounds = bounds_of(options, ROOMY)
    if bounds is None:
        return None
    if config.sources.timezone:
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(config.sources.timezone)
    sources = Sources(followable(options.files), False) if options.files else config.sources
    return partial(
        Live, bounds.policy, sources, zone, own=bounds.own, allow=bounds.allow, private=bounds.private, routes=bounds.routes,
        since=since, ledger=ledger and not options.files,
    )  # fmt: skip
