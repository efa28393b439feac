"""The report that goes beside a digest: made by a child with the rights of `monzen run`, who may read logs and no more."""

from __future__ import annotations

import datetime as dt
from typing import Final

from monzen.config import Config
from monzen.show.facts import Gate
from monzen.show.words import language
from monzen.tell.apart import Rights, ask_apart
from monzen.tell.mail import Attachment
from monzen.tell.message import TellError
from monzen.tell.users import USER, sources_since

PATIENCE: Final = 300.0  # seconds: as for counting the users
LARGEST: Final = 1_200_000  # bytes: as base64 in a mail a third more, and MTAs take 10 MB (Postfix, message_size_limit)


def report_since(config: Config, gate: Gate | None, since: float, now: float, zone: dt.tzinfo) -> list[Attachment]:
    """The page of that time, or nothing where it cannot be made. Its names of users are hidden: a mail is read by many."""
    # loaded here, because the child may not be able to
    from monzen.judge import Judge, Shield
    from monzen.judge.policy import ROOMY, frugal
    from monzen.scan import Options, scan_sets
    from monzen.show.chronicle import Chronicle
    from monzen.show.facts import gather
    from monzen.show.html.page import part, report
    from monzen.sources import plan
    from monzen.sources.journal import command

    for name in ("charts.min.js", "page.js", "page.css"):
        part(name)
    speaks = language()

    def work() -> bytes:
        judge = Judge(frugal(config.policy, ROOMY), Shield(config.own, config.allow, config.private))
        chronicle = Chronicle(judge, since)
        sets, errors = plan(sources_since(config, since, command), now=now)
        found = scan_sets(sets, errors, Options(now, zone, None, since), judge, watch=chronicle.see)
        return report(gather(found, chronicle, names=False, gate=gate), zone, language=speaks, largest=LARGEST).encode()

    try:
        page = ask_apart(work, Rights.of(USER, groups=True), PATIENCE, 2 * LARGEST)
    except TellError:
        return []
    return [Attachment("monzen.html", "text/html", page)] if page and page.endswith(b"</html>\n") else []
