"""Mail through the MTA of this machine: headers that nobody can break, a body in UTF-8, attachments where there are any."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final, NamedTuple

from monzen.show.text import safe
from monzen.show.words import _
from monzen.tell.apart import Rights, execute
from monzen.tell.message import TellError

SENDMAIL: Final = "/usr/sbin/sendmail"  # the interface that Postfix, Exim, Sendmail and msmtp have. Source: LSB 5.0, sendmail
PATIENCE: Final = 30.0  # seconds: Postfix needs 0.05, and more when its disk is busy
SUBJECT: Final = 200  # letters
POLICY: Final = SMTP.clone(linesep="\n")  # a program's standard input is text of this system; the MTA makes CRLF of it


class Attachment(NamedTuple):
    """A file beside the text."""

    name: str  # as it is offered to be saved
    kind: str  # its MIME type, such as text/html
    data: bytes


def compose(to: str, subject: str, text: str, *, host: str, now: float, attachments: Iterable[Attachment] = ()) -> EmailMessage:
    """A mail of ours. With attachments it is multipart/mixed, the text first."""
    mail = EmailMessage(policy=POLICY)
    # without a domain, which the MTA adds as it does for cron: it alone knows which one is ours
    mail["From"] = Address("monzen", "root")
    mail["To"] = to
    mail["Subject"] = safe(subject, SUBJECT)
    mail["Date"] = format_datetime(dt.datetime.fromtimestamp(now, dt.UTC))
    mail["Message-ID"] = make_msgid("monzen", host or "localhost")  # named, or it would ask a name server
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday note answers it
    mail["Precedence"] = "bulk"
    mail.set_content(text)
    for attached in attachments:
        main, _slash, sub = attached.kind.partition("/")
        mail.add_attachment(attached.data, maintype=main, subtype=sub, filename=attached.name)
    return mail


def check_sendmail() -> None:
    """That there is an MTA. Raises TellError."""
    if not os.path.exists(SENDMAIL):
        said = _("no mail was sent: there is no {path}. Install a mail server, or take `mail` out of [tell]")
        raise TellError(said.format(path=SENDMAIL))


def hand_over(mail: EmailMessage, to: str) -> None:
    """Give it to the MTA: when this returns, the mail is in its queue. Raises TellError."""
    check_sendmail()
    done = execute([SENDMAIL, "-i", "-f", "root", "--", to], mail.as_bytes(), Rights.ours(), PATIENCE)
    if done.status == 0:
        return
    said = _("the mail server did not take the mail ({why}). It is tried again each minute. See: {command}")
    raise TellError(said.format(why=done.why(PATIENCE), command="journalctl -t postfix/sendmail -t postfix/postdrop"))
