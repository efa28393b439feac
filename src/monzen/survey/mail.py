"""Postfix and Dovecot: what of their settings hides failures, or leaves doors open; and where they write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from monzen.show.text import safe
from monzen.show.words import _
from monzen.survey.asking import Ask, pairs
from monzen.survey.finding import FAULT, GOOD, WARNING, Finding

POSTFIX: Final = (
    "mail_version", "smtpd_sasl_auth_enable", "smtpd_tls_auth_only", "smtpd_tls_security_level", "syslog_name", "syslog_facility",
    "maillog_file",
)  # fmt: skip
DOVECOT: Final = (
    "auth_verbose", "auth_verbose_passwords", "log_path", "info_log_path", "syslog_facility", "login_log_format_elements",
)  # fmt: skip
LOGGING: Final = ("/etc/dovecot/conf.d/10-logging.conf", "/etc/dovecot/dovecot.conf")  # of Debian and Ubuntu; of all others


class Server(NamedTuple):
    """Whether it is installed, which version, where it writes (empty: to syslog), and under which facility of syslog."""

    installed: bool
    version: str = ""
    files: tuple[str, ...] = ()
    facility: str = "mail"


def postfix(ask: Ask) -> Server:
    """Postfix, as postconf says."""
    values = pairs(ask("postconf", *POSTFIX))
    if not values:
        return Server(False)
    file = values.get("maillog_file", "")
    return Server(
        True, values.get("mail_version", ""), (file,) if file.startswith("/") and not file.startswith("/dev/") else (),
        values.get("syslog_facility", "mail"),
    )  # fmt: skip


def dovecot(ask: Ask) -> Server:
    """Dovecot, as doveconf says."""
    values = pairs(ask("doveconf", *DOVECOT))
    if not values:
        return Server(False)
    version = (ask("dovecot", "--version") or "").split(" ")[0].strip()
    log, info = values.get("log_path", "syslog"), values.get("info_log_path", "")
    file = info or log  # what logs in and what fails is written at level info
    return Server(
        True, version, (file,) if file.startswith("/") and not file.startswith("/dev/") else (),
        values.get("syslog_facility", "mail"),
    )  # fmt: skip


def postfix_findings(ask: Ask) -> Iterator[Finding]:
    """What is to be said of Postfix."""
    values = pairs(ask("postconf", *POSTFIX))
    if not values:
        return
    said = _("Postfix {version}").format(version=safe(values.get("mail_version", ""), 40))
    if values.get("maillog_file"):
        said += "; " + _("it writes {path} itself").format(path=safe(values["maillog_file"], 80))
    if values.get("syslog_name", "postfix") not in ("postfix", "${multi_instance_name?{$multi_instance_name}:{postfix}}"):
        said += "; " + _("under the name {name}").format(name=safe(values["syslog_name"], 60))
    yield Finding("mail", GOOD, said + ".")
    overrides = [line.replace(" ", "").strip() for line in (ask("postconf", "-P") or "").splitlines()]
    offered = values.get("smtpd_sasl_auth_enable") == "yes"
    services = [line.split()[:2] for line in (ask("postconf", "-M") or "").splitlines() if line.split()]
    door = "smtp/inet"
    if any(
        line.split()[0] == "smtp" and line.split()[-1] == "postscreen"
        for line in (ask("postconf", "-M") or "").splitlines()
        if line
    ):
        door = "smtpd/pass"  # postscreen stands at port 25, and hands on to this
    for value in ("yes", "no"):
        if f"{door}/smtpd_sasl_auth_enable={value}" in overrides:
            offered = value == "yes"
    if offered:
        others = [
            name for name, kind in services if kind == "inet" and name in ("submission", "submissions", "smtps", "587", "465")
        ]
        said = _("Postfix takes passwords on port 25 too, where only other servers need to come: most guesses go there.")
        if others:
            yield Finding("mail", WARNING, said, f"postconf -P {door}/smtpd_sasl_auth_enable=no; postfix reload")
        else:
            fix = _("open the port submission (587) for your users first, see master.cf; then: {command}")
            yield Finding(
                "mail", WARNING, said, fix.format(command=f"postconf -P {door}/smtpd_sasl_auth_enable=no; postfix reload")
            )
    else:
        yield Finding("mail", GOOD, _("Postfix takes no passwords on port 25."))
    if values.get("smtpd_tls_auth_only") == "no" and offered:
        said = _("Postfix takes passwords without encryption (smtpd_tls_auth_only = no).")
        yield Finding("mail", WARNING, said, "postconf -e smtpd_tls_auth_only=yes; postfix reload")


def dovecot_findings(ask: Ask) -> Iterator[Finding]:
    """What is to be said of Dovecot."""
    values = pairs(ask("doveconf", *DOVECOT))
    if not values:
        return
    yield Finding("mail", GOOD, _("Dovecot {version}").format(version=safe(dovecot(ask).version, 40)) + ".")
    if values.get("auth_verbose") == "no":
        said = _("Dovecot logs no reason of failed logins (auth_verbose = no): names without an account cannot be told.")
        yield Finding("mail", WARNING, said, _mend("auth_verbose = yes"))
    elif "auth_verbose" in values:
        yield Finding("mail", GOOD, _("Dovecot logs why logins fail (auth_verbose)."))
    if values.get("auth_verbose_passwords", "no").startswith("plain"):
        said = _("Dovecot writes wrong passwords into the log in clear text, which are often right ones elsewhere.")
        yield Finding("mail", WARNING, said, _mend("auth_verbose_passwords = sha1:6"))
    elements = values.get("login_log_format_elements", "rip=")
    if "rip=" not in elements:
        said = _("Dovecot's login lines do not tell who it is (login_log_format_elements has no rip=): nobody can be denied.")
        yield Finding("mail", FAULT, said, _("take login_log_format_elements out of its configuration; then: doveadm reload"))
    log, info = values.get("log_path", "syslog"), values.get("info_log_path", "")
    if re.match(r"/dev/(?:stderr|stdout|fd/)", info or log):
        said = _("Dovecot writes to {path}: what the journal gets from there does not say that it is mail, and is not read.")
        yield Finding("mail", FAULT, said.format(path=safe(info or log, 60)),
                      _mend("log_path = syslog"))  # fmt: skip
    if info and info != log:
        said = _("Dovecot writes logins and failures to {path} (info_log_path), and only faults to {other}.")
        yield Finding("mail", GOOD, said.format(path=safe(info, 80), other=safe(log, 80)))


def _mend(line: str) -> str:
    path = next((p for p in LOGGING if os.path.exists(p)), LOGGING[-1])
    return _("the line `{line}` in {path}; then: {command}").format(line=line, path=path, command="doveadm reload")
