"""Names of rotated logs: which belong together, and which of them is older. Pure."""

from __future__ import annotations

import re
from time import gmtime, strftime
from typing import NamedTuple

_PACKED = re.compile(r"\.(?:gz|xz|bz2|zst)\Z")
# logrotate, savelog and newsyslog: mail.log.1, maillog.0. But rsyslog servers name a log after the host that sent it.
_NUMBER = re.compile(r"(?P<stem>.+)\.(?P<number>\d{1,5})\Z", re.DOTALL)
_ADDRESS = re.compile(r"(?:\A|[^\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\Z")
# logrotate's dateext is -%Y%m%d; dateformat can have dashes, hours or more, %s, and -%Y%m or -%Y (logrotate(8)).
# With `extension .log` the date stands before it.
_DATE = re.compile(
    r"""(?P<stem>.+?)
        (?: [-._] (?P<date> (?:19|20)\d\d (?P<dash>-?) (?:0[1-9]|1[0-2]) (?P=dash) (?:0[1-9]|[12]\d|3[01]) )
            (?P<time> [-_T]? \d\d (?: [-_:]? \d\d ){0,2} | [-_] 1\d{9} )?
          | [-_] (?P<month> (?:19|20)\d\d (?: -? (?:0[1-9]|1[0-2]) )? )
          | [-.] (?P<epoch> 1\d{9} )
        )
        (?P<tail>\.log)? \Z""",
    re.VERBOSE | re.DOTALL,
)


class Age(NamedTuple):
    """Where a file stands in its rotated set: `date` is digits, comparable as text; "" and -1 where the name has none."""

    stem: str
    date: str
    number: int


def age(name: str) -> Age:
    """What the suffixes of rotation say, and `name` without them and without those of compression."""
    name = _PACKED.sub("", name)
    number = -1
    if (found := _NUMBER.match(name)) and not _ADDRESS.search(name):
        name, number = found["stem"], int(found["number"])
    found = _DATE.match(name)
    if not found:
        return Age(name, "", number)
    if found["epoch"]:
        date = strftime("%Y%m%d%H%M%S", gmtime(int(found["epoch"])))
    else:
        date = re.sub(r"\D", "", (found["date"] or found["month"]) + (found["time"] or ""))
    return Age(found["stem"] + (found["tail"] or ""), date, number)
