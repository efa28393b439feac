"""Postfix's other programs that meet clients: postscreen, dnsblog, tlsproxy, anvil, cleanup's milters.

Source: postfix 3.7 to 3.10, src/postscreen, src/dnsblog, src/tlsproxy, src/anvil; 3.6 renamed the lists (ALLOWLISTED, DENYLISTED).
"""

from __future__ import annotations

import re

from monzen.parse.declare import PEER, Family, Reads
from monzen.parse.postfix import CODE, refusal
from monzen.types import Fact, Kind, Service, Weight

HERE = rb"\[(?P<address>[^\s\[\]]*+)\]:\d++"  # postscreen: [address]:port

REFUSED_ABOUT = "postscreen: refused a command"


def _refusal(m: re.Match[bytes], service: int) -> Fact:
    """What smtpd would have said; it was postscreen."""
    return refusal(m, service)._replace(about=REFUSED_ABOUT)


POSTSCREEN = Family(
    "postscreen",
    (
        Reads(
            "postscreen: spoke before the greeting",
            b"PREGREET ",
            rb"PREGREET \d++ after \S++ from " + HERE,
            Kind.PROTOCOL_ABUSE,
            Weight.STRONG,
            examples={
                "postfix/postscreen[7]: PREGREET 14 after 0.08 from [192.0.2.7]:59415: EHLO User\\r\\n": {"client": "192.0.2.7", "weight": "strong"},
                "postfix/postscreen[7]: PREGREET 186 after 0 from [2001:db8::7]:40782: GET / HTTP/1.1\\r\\nHost: 198.51.100.9:25\\r\\n": {
                    "client": "2001:db8::7"
                },
            },
        ),
        Reads(
            "postscreen: broke the protocol",
            (b"COMMAND ", b"BARE NEWLINE ", b" valid RCPT "),
            rb"(?:COMMAND (?:TIME|LENGTH|COUNT) LIMIT|COMMAND PIPELINING|NON-SMTP COMMAND|BARE NEWLINE|DATA without valid RCPT) from " + HERE,
            Kind.PROTOCOL_ABUSE,
            Weight.WEAK,
            examples={
                "postfix/postscreen[7]: COMMAND TIME LIMIT from [192.0.2.7]:3608 after CONNECT": {"client": "192.0.2.7"},
                "postfix/postscreen[7]: NON-SMTP COMMAND from [192.0.2.7]:1234 after CONNECT: GET / HTTP/1.1": {"client": "192.0.2.7"},
                "postfix/postscreen[7]: BARE NEWLINE from [192.0.2.7]:5 after EHLO x": {},
            },
        ),
        Reads(
            "postscreen: hung up",
            b"HANGUP after ",
            rb"HANGUP after \S++ from " + HERE,
            Kind.LOST,
            live=False,
            examples={"postfix/postscreen[7]: HANGUP after 16 from [192.0.2.7]:48119 in tests after SMTP handshake": {"client": "192.0.2.7"}},
        ),
        Reads(
            "postscreen: too busy",
            b"NOQUEUE: reject: CONNECT from ",
            rb"NOQUEUE: reject: CONNECT from " + HERE,
            Kind.LIMITED,
            live=False,
            examples={"postfix/postscreen[7]: NOQUEUE: reject: CONNECT from [192.0.2.7]:1337: too many connections": {"client": "192.0.2.7"}},
        ),
        Reads(
            REFUSED_ABOUT,
            b": reject: ",
            rb"NOQUEUE: reject: [A-Z]++ from " + HERE + CODE,
            Kind.REJECTED,
            build=_refusal,
            examples={
                "postfix/postscreen[7]: NOQUEUE: reject: RCPT from [192.0.2.7]:4984: 550 5.7.1 Service unavailable; client [192.0.2.7] blocked using "
                "zen.example.org; from=<a@example.org>, to=<o@example.net>, proto=ESMTP, helo=<x>": {"weight": "none"}
            },
        ),
        Reads(
            "postscreen: connected",
            b"CONNECT from [",
            rb"CONNECT from " + HERE,
            Kind.CONNECT,
            live=False,
            examples={"postfix/postscreen[7]: CONNECT from [192.0.2.7]:60382 to [198.51.100.2]:25": {"client": "192.0.2.7"}},
        ),
        Reads(
            "postscreen: disconnected",
            b"DISCONNECT [",
            rb"DISCONNECT " + HERE,
            Kind.DISCONNECT,
            live=False,
            examples={"postfix/postscreen[7]: DISCONNECT [192.0.2.7]:53434": {"client": "192.0.2.7"}},
        ),
        Reads(
            "postscreen: passed, or stands on a list",
            b"[",
            rb"(?:PASS (?:NEW|OLD)|(?:WHITE|ALLOW|BLACK|DENY)LISTED|(?:WHITE|ALLOW)LIST VETO|DNSBL rank \d++ for) " + HERE,
            Kind.OTHER,
            live=False,
            examples={
                "postfix/postscreen[7]: PASS OLD [2001:db8::7]:52237": {"client": "2001:db8::7"},
                "postfix/postscreen[7]: DENYLISTED [192.0.2.7]:48051": {"weight": "none"},
                "postfix/postscreen[7]: DNSBL rank 4 for [192.0.2.7]:59859": {"weight": "none"},
            },
        ),
    ),
)

DNSBLOG = Family(
    "dnsblog",
    (
        Reads(
            "dnsblog: stands on a list",
            b"addr ",
            rb"addr (?P<address>\S++) listed by domain ",
            Kind.OTHER,
            live=False,
            examples={"postfix/dnsblog[7]: addr 192.0.2.7 listed by domain zen.example.org as 127.0.0.2": {"client": "192.0.2.7"}},
        ),
    ),
)

TLSPROXY = Family(
    "tlsproxy",
    (
        Reads(
            "tlsproxy: TLS handshake failed",
            b"TLS handshake failed for ",
            rb"TLS handshake failed for service=\S++ peer=" + HERE,
            Kind.TLS_ERROR,
            live=False,
            examples={"postfix/tlsproxy[7]: TLS handshake failed for service=smtpd peer=[192.0.2.7]:49773": {"client": "192.0.2.7"}},
        ),
        Reads(
            "tlsproxy: connected",
            b" from [",
            rb"(?:CONNECT|(?:Anonymous|Untrusted|Trusted|Verified) TLS connection established) from " + HERE,
            Kind.CONNECT,
            live=False,
            examples={"postfix/tlsproxy[7]: CONNECT from [192.0.2.7]:49773": {"client": "192.0.2.7"}},
        ),
        Reads(
            "tlsproxy: disconnected",
            b"DISCONNECT [",
            rb"DISCONNECT " + HERE,
            Kind.DISCONNECT,
            live=False,
            examples={"postfix/tlsproxy[7]: DISCONNECT [192.0.2.7]:49773": {"client": "192.0.2.7"}},
        ),
    ),
)

ANVIL = Family(
    "anvil",
    (
        Reads(
            "anvil: peak of a client",
            b"statistics: max ",
            rb"statistics: max [a-z ]{1,40} \d++(?:/\w++)? for \((?P<detail>[^():]++):(?P<address>[0-9A-Fa-f:.]++)\)",
            Kind.LIMITED,
            service=Service.OTHER,
            live=False,
            examples={
                "postfix/anvil[7]: statistics: max connection rate 8/60s for (smtp:192.0.2.7) at Dec 15 07:58:40": {"client": "192.0.2.7"},
                "postfix/anvil[7]: statistics: max connection rate 1/5m for (smtpd:2001:db8::7) at Oct 26 17:46:59": {"client": "2001:db8::7"},
            },
        ),
    ),
)

CLEANUP = Family(
    "cleanup",
    (
        Reads(
            "Postfix: a milter refused the message",
            b": milter-reject: ",
            rb"[0-9A-Za-z]++: milter-reject: END-OF-MESSAGE from " + PEER,
            Kind.REJECTED,
            live=False,
            examples={"postfix/cleanup[7]: 4104E3D: milter-reject: END-OF-MESSAGE from a.example[192.0.2.7]: 5.7.1 spam; from=<a@example.org>": {}},
        ),
    ),
)
