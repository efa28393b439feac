"""OpenSSH's sshd, sshd-session and sshd-auth, and PAM as sshd, Dovecot and saslauthd call it.

Source: openssh-portable 6.x to 10.x: auth.c (auth_log), auth2.c, packet.c (sshpkt_vfatal), sshd-session.c, srclimit.c; Linux-PAM
pam_unix/support.c. The client's words (the user name) come first, the address at the end: patterns are anchored there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from monzen.parse.address import addresses
from monzen.parse.declare import ADDRESS, CAP, WHOLE, Family, Reads
from monzen.types import Join, Kind, Service, Weight

END = rb"(?: \[preauth\])? *\Z"
FROM = ADDRESS + rb"(?: port \d{1,5})?"
WORDS = rb"(?:error: |fatal: )?"
OTHER_END = re.compile(rb" from ([0-9A-Fa-f:.]{2,45}) port \d{1,5} ssh[12]: ")


def _failed(m: re.Match[bytes]) -> Mapping[str, Any]:
    """Publickey and hostbased are weak (an agent offers all its keys); `none` is how a client asks what it may do."""
    method = m["method"].partition(b"/")[0]
    said: dict[str, Any] = {}
    if method in (b"publickey", b"hostbased"):
        said["weight"] = int(Weight.WEAK)
    elif method == b"none" and not m["invalid"]:
        said["weight"] = int(Weight.NONE)
    if method == b"none":
        said["detail"] = method  # a question, not a guess of its own: the password of the same session counts (parse/ssh_guesses.py)
    if m["invalid"]:
        said["account"] = False
    elif method == b"password":
        said["account"] = True
    if m["user"] in (b"<invalid username>", b"invalid user"):
        said["user"] = None
    others = set() if m.re.pattern == SSH1 else {addresses[a] for a in OTHER_END.findall(m[0])}
    if others - {addresses[m["address"]]}:
        said["client"] = b""  # `ssh2: KEY` ends a publickey line, and a name may imitate it: nobody is named
    return said


def _sole(m: re.Match[bytes]) -> Mapping[str, Any]:
    """The user's words stand on both sides of the address: only an address that is the only one is believed."""
    found = {addresses[a] for a in re.findall(rb" ([0-9A-Fa-f:.]{2,45}) port \d{1,5}:", m.string)}
    return {} if len(found) == 1 else {"client": b""}


def _penalty(m: re.Match[bytes]) -> Mapping[str, Any]:
    """Only a penalty for failed guesses stands for one; `without attempting authentication` and LoginGraceTime are anybody's."""
    why = m["why"] or m["why2"] or b""
    said: dict[str, Any] = {} if m["address"] else {"client": addresses[m["net"].partition(b"/")[0]]}
    if b"failed authentication" in why or b"invalid user" in why:
        return said
    return {**said, "kind": int(Kind.LIMITED), "weight": int(Weight.NONE), "join": int(Join.ALONE)}


PAM = (
    rb"(?:auth: )?(?:pam_(?P<detail>\w++)\((?P<door>[\w.-]++)(?::\w++)?\): |\(pam_\w++\) )?"
    rb"(?:authentication failure; |PAM (?P<attempts>\d{1,6}) more authentication failures?; )(?P<rest>logname=.*)\Z"
)
RHOST = re.compile(rb" rhost=([0-9A-Fa-f:.]{2,45})(?=\s|\Z)")


def _pam(m: re.Match[bytes]) -> Mapping[str, Any]:
    """`ruser=` and `user=` hold the client's words, `rhost=` between them the address: read so that neither can pose as it.

    sshd leaves ruser empty: there the first rhost is true, what follows is the name. Elsewhere ruser may be the client's name, blank
    and all: the only rhost, or the last where no name follows.
    """
    rest, door = m["rest"][:4000], m["door"] or b""
    said: dict[str, Any] = {"attempts": min(int(m["attempts"] or 1), CAP), "detail": None if m["detail"] == b"unix" else m["detail"]}
    services = {b"sshd": Service.SSH, b"smtp": Service.SMTP, b"imap": Service.IMAP, b"pop3": Service.POP3, b"pop": Service.POP3}
    if door:
        said["service"] = int(services.get(door, Service.OTHER))
    before, _, after = rest.partition(b" rhost=")
    found = RHOST.findall(rest)
    name = re.search(rb"\suser=(.*)\Z", rest)
    if b" ruser=" in before and before.endswith(b" ruser=") and ((name and door == b"sshd") or len(found) == 1):
        found = RHOST.findall(b" rhost=" + after.split(b" ", 1)[0])
    if not found or (len(set(found)) > 1 and name):
        return {**said, "client": b""}
    said["client"] = addresses[found[-1]]
    ruser = before.partition(b" ruser=")[2]
    said["user"] = (name[1] if name else ruser)[:255] or None
    return said


PAM_READS = (
    Reads(
        "PAM: authentication failure",
        b"; logname=",
        PAM,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH,
        refine=_pam,
        examples={
            "sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root": {
                "client": "192.0.2.7",
                "user": "root",
                "service": "ssh",
            },
            "sshd[7]: PAM 4 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7": {"attempts": 4},
            "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=rhost=198.51.100.9 rhost=192.0.2.7": {
                "client": "192.0.2.7"
            },
            "sshd(pam_unix)[7]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.7  ": {"client": "192.0.2.7"},
            "sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=a.example.org  user=root": {
                "client": None
            },
        },
    ),
)

FAILED = WORDS + rb"(?:kernel: ?\[ *[\d.]++\]:? )?Failed (?P<method>[\w/-]++) for (?P<invalid>invalid user |illegal user )?"
SSH1 = FAILED + rb"(?P<user>.*?) from " + ADDRESS + rb" port \d{1,5} ssh1: ruser "


def _failure(pattern: bytes, examples: Mapping[str, Mapping[str, Any]]) -> Reads:
    return Reads("sshd: a failed guess", b"Failed ", pattern, Kind.AUTH_FAILURE, Weight.STRONG, join=Join.SSH, refine=_failed, examples=examples)


SSH_READS: tuple[Reads, ...] = (
    _failure(
        FAILED + rb"(?P<user>.*) from " + ADDRESS + rb" port \d{1,5} ssh2\Z",
        {
            "sshd[7]: Failed password for invalid user admin from 192.0.2.7 port 39065 ssh2": {"client": "192.0.2.7", "user": "admin", "service": "ssh"},
            "sshd-session[7]: Failed password for root from 2001:db8::7 port 40000 ssh2": {"client": "2001:db8::7"},
            "sshd[7]: Failed password for invalid user root from 198.51.100.9 port 22 ssh2 from 192.0.2.7 port 5555 ssh2": {"client": "192.0.2.7"},
            "sshd[7]: Failed password for root from victim.example.org port 22 ssh2": {"client": None, "kind": None},
            "sshd[7]: Failed none for invalid user 0 from 192.0.2.7 port 55419 ssh2": {"weight": "strong"},
            "sshd[7]: message repeated 2 times: [ Failed password for root from 192.0.2.7 port 58758 ssh2]": {"attempts": 2},
        },
    ),
    _failure(
        FAILED + rb"(?P<user>.*) from " + ADDRESS + rb" port \d{1,5} ssh2: [A-Z][\w-]*+ [^\s,]++(?:, client user .*)?\Z",
        {
            "sshd[7]: Failed publickey for git from 192.0.2.7 port 57904 ssh2: ECDSA SHA256:AAAAaaaaBBBB": {"weight": "weak", "user": "git"},
            'sshd[7]: Failed hostbased for dan from 192.0.2.7 port 45785 ssh2: RSA 8c:e3:aa, client user "dan", client host "a.example.org"': {
                "client": "192.0.2.7"
            },
        },
    ),
    _failure(SSH1, {"sshd[7]: Failed password for user from 192.0.2.7 port 20000 ssh1: ruser from 198.51.100.9": {"client": "192.0.2.7"}}),
    _failure(
        FAILED + rb"(?P<user>.*) from " + FROM + rb"(?: ssh\d?)?(?:: [A-Za-z0-9-]++ [A-Za-z0-9+/:=-]++)?" + END,
        {"sshd[7]: Failed password for invalid user ROOT from 192.0.2.7 port 12345": {"client": "192.0.2.7", "user": "ROOT"}},
    ),
    Reads(
        "sshd: a name without account",
        b"nvalid user ",
        rb"Invalid user (?P<user>.*) from " + FROM + END,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH,
        account=False,
        examples={
            "sshd[7]: Invalid user inexu from 192.0.2.7 port 37220": {"client": "192.0.2.7", "user": "inexu"},
            "sshd[7]: Invalid user  from 192.0.2.7 port 34916": {"client": "192.0.2.7", "user": None},
            "sshd[7]: Invalid user x from 198.51.100.9 port 1 from 2001:db8::7%eth0 port 4242": {"client": "2001:db8::7"},
        },
    ),
    Reads(
        "sshd: PAM refuses",
        b"PAM: ",
        WORDS + rb"PAM: [^:]{1,100}? for (?P<invalid>illegal user |invalid user )?(?P<user>.*) from " + ADDRESS + rb"(?: via \S++)?" + END,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH,
        refine=lambda m: {"account": False} if m["invalid"] else {},
        examples={
            "sshd[7]: error: PAM: Authentication failure for root from 192.0.2.7": {"client": "192.0.2.7", "user": "root"},
            "sshd[7]: error: PAM: authentication error for illegal user plop from 192.0.2.7 via 198.51.100.2": {"client": "192.0.2.7", "user": "plop"},
        },
    ),
    Reads(
        "sshd: a name that may not log in",
        b" not allowed because ",
        rb"User (?P<user>.*) from " + ADDRESS + rb" not allowed because .*\Z",
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH,
        examples={"sshd[7]: User root from 192.0.2.7 not allowed because not listed in AllowUsers": {"client": "192.0.2.7", "user": "root"}},
    ),
    Reads(
        "sshd: root may not log in",
        b"LOGIN REFUSED ",
        rb"ROOT LOGIN REFUSED FROM " + FROM + END,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH,
        refine=lambda m: {"user": b"root", "account": True},
        examples={"sshd[7]: ROOT LOGIN REFUSED FROM 192.0.2.7 port 14423 [preauth]": {"client": "192.0.2.7", "user": "root"}},
    ),
    Reads(
        "sshd: too many guesses in one connection",
        b"tion attempts",
        WORDS + rb"maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from " + FROM + rb"(?: ssh2)?" + END,
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH_LEFTOVER,
        examples={
            "sshd[7]: error: maximum authentication attempts exceeded for root from 192.0.2.7 port 49940 ssh2 [preauth]": {"client": "192.0.2.7"}
        },
    ),
    Reads(
        "sshd: cut off",
        (b"ting user ", b"nvalid user "),
        rb"Disconnecting (?:invalid|authenticating) user (?P<user>.*?) " + ADDRESS + rb" port \d{1,5}: (?P<why>Too many auth|Change of username)",
        Kind.AUTH_FAILURE,
        Weight.WEAK,
        join=Join.SSH_LEFTOVER,
        refine=lambda m: {**_sole(m), **({"weight": int(Weight.STRONG)} if m["why"][:1] == b"T" else {})},
        examples={
            "sshd[7]: Disconnecting invalid user xxx 192.0.2.7 port 49941: Too many authentication failures [preauth]": {"weight": "strong"},
            "sshd[7]: Disconnecting invalid user test 192.0.2.7 port 5: Change of username or service not allowed: (test,ssh-connection) -> "
            "(test1,ssh-connection) [preauth]": {"weight": "weak", "user": "test"},
            "sshd[7]: Disconnecting invalid user x 198.51.100.9 port 5: Too many authentication failures 192.0.2.7 port 49941: Too many authentication "
            "failures [preauth]": {"client": None},
        },
    ),
    Reads(
        "sshd: left while authenticating",
        (b"ting user ", b"nvalid user "),
        rb"(?:Connection (?:closed|reset) by|Disconnected from) (?:authenticating|invalid) user (?P<user>.*) " + ADDRESS + rb" port \d{1,5}" + END,
        Kind.LOST,
        Weight.WEAK,
        join=Join.SSH_LEFTOVER,
        examples={
            "sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 46038 [preauth]": {"client": "192.0.2.7", "weight": "weak"},
            "sshd[7]: Disconnected from invalid user test 198.51.100.9 192.0.2.7 port 46039 [preauth]": {"client": "192.0.2.7"},
        },
    ),
    Reads(
        "sshd: a user left",
        b" user ",
        rb"(?:Connection (?:closed|reset) by|Disconnected from) (?:[a-z]++ )?user (?P<user>.*) " + ADDRESS + rb" port \d{1,5}" + END,
        Kind.DISCONNECT,
        live=False,
        examples={"sshd[7]: Disconnected from user office 192.0.2.7 port 46038": {"client": "192.0.2.7", "weight": "none"}},
    ),
    Reads(
        "sshd: logged in",
        b"Accepted ",
        rb"Accepted (?P<detail>[\w/-]++) for (?P<user>.*) from " + ADDRESS + rb" port \d{1,5}(?: ssh\d?)?(?:: .*)?\Z",
        Kind.AUTH_SUCCESS,
        join=Join.SSH_END,
        examples={
            "sshd[7]: Accepted publickey for admin from 192.0.2.7 port 52406 ssh2: ED25519 SHA256:AAAAaaaa": {"client": "192.0.2.7", "user": "admin"},
            "sshd-session[7]: Accepted password for admin from 2001:db8::7 port 5 ssh2": {"client": "2001:db8::7"},
        },
    ),
    Reads(
        "sshd: a connection refused for what others of its address did",
        b" penalty: ",
        rb"(?:drop connection #\d++ from \[(?P<address>[^\s\]]++)\]:\d++ on \S++ penalty: (?P<why>.*)"
        rb"|srclimit_penalise: (?:ipv[46]: \w{1,20} )?(?P<net>[0-9A-Fa-f:.]{2,45}/\d{1,3})[: ](?P<why2>.*))\Z",
        Kind.AUTH_FAILURE,
        Weight.STRONG,
        join=Join.SSH_PENALTY,
        refine=_penalty,
        examples={
            "sshd[7]: drop connection #0 from [192.0.2.7]:46648 on [192.0.2.1]:22 penalty: failed authentication": {"client": "192.0.2.7"},
            "sshd[7]: drop connection #0 from [192.0.2.7]:1 on [192.0.2.1]:22 penalty: connections without attempting authentication": {
                "weight": "none"
            },
            "sshd[7]: srclimit_penalise: ipv4: new 192.0.2.7/32 deferred penalty of 5.000 seconds for penalty: failed authentication": {
                "client": "192.0.2.7"
            },
            "sshd[7]: srclimit_penalise: 192.0.2.7/32: activating ipv4 penalty of 19.811 seconds for penalty: attempted authentication by invalid "
            "user": {"client": "192.0.2.7"},
        },
    ),
    Reads(
        "sshd: the client does not speak SSH",
        (b"identification ", b"banner exchange: ", b"ssh_dispatch_run_fatal: "),
        WORDS + rb"(?:Did not receive identification string from " + FROM + END + rb"|(?:banner exchange|ssh_dispatch_run_fatal): Connection from "
        + ADDRESS.replace(b"address", b"address2") + rb" port \d{1,5}: .*\Z)",
        Kind.PROTOCOL_ABUSE,
        Weight.WEAK,
        refine=lambda m: {"client": addresses[m["address"] or m["address2"]]},
        examples={
            "sshd[7]: Did not receive identification string from 192.0.2.7 port 35836": {"client": "192.0.2.7"},
            "sshd[7]: banner exchange: Connection from 192.0.2.7 port 44105: invalid format": {"client": "192.0.2.7"},
            "sshd[7]: ssh_dispatch_run_fatal: Connection from 192.0.2.7 port 33738: message authentication code incorrect [preauth]": {},
        },
    ),
    Reads(
        "sshd: the client has no SSH version",
        (b"identification ", b"Magic value "),
        rb"(?:Bad protocol version identification|Magic value check failed) .* from " + FROM + END,
        Kind.PROTOCOL_ABUSE,
        Weight.WEAK,
        examples={
            "sshd[7]: Bad protocol version identification 'x' from 198.51.100.9 port 1' from 192.0.2.7 port 31778": {"client": "192.0.2.7"}
        },
    ),
    Reads(
        "sshd: no algorithm in common",
        b"Unable to negotiate with ",
        WORDS + rb"Unable to negotiate with " + ADDRESS + rb" port \d{1,5}: ",
        Kind.PROTOCOL_ABUSE,
        Weight.WEAK,
        examples={"sshd[7]: Unable to negotiate with 192.0.2.7 port 55419: no matching cipher found. Their offer: aes256-cbc [preauth]": {}},
    ),
    Reads(
        "sshd: no login within the grace time",
        b"Timeout before authentication ",
        WORDS + rb"Timeout before authentication for (?:connection from " + ADDRESS + rb" to |" + FROM.replace(b"address", b"address2") + rb")",
        Kind.LOST,
        live=False,
        refine=lambda m: {"client": addresses[m["address"] or m["address2"]]},
        examples={
            "sshd[7]: fatal: Timeout before authentication for 192.0.2.7 port 55555": {"client": "192.0.2.7", "weight": "none"},
            "sshd[7]: Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 29098": {"client": "192.0.2.7"},
        },
    ),
    Reads(
        "sshd: too busy",
        b"drop connection ",
        rb"drop connection #\d++ from \[(?P<address>[^\s\]]++)\]:\d++ on \S++ past MaxStartups",
        Kind.LIMITED,
        live=False,
        examples={"sshd[7]: drop connection #10 from [192.0.2.7]:46482 on [192.0.2.1]:22 past MaxStartups": {"client": "192.0.2.7"}},
    ),
    Reads(
        "sshd: connected",
        b"Connection from ",
        rb"Connection from " + FROM,
        Kind.CONNECT,
        live=False,
        examples={"sshd[7]: Connection from 192.0.2.7 port 62004 on 192.0.2.1 port 22": {"client": "192.0.2.7"}},
    ),
    Reads(
        "sshd: disconnected",
        b"onnect",
        WORDS + rb"(?:Received disconnect from |Disconnected from |Connection (?:closed|reset) by )" + ADDRESS + rb"(?=[\s:]|\Z)",
        Kind.DISCONNECT,
        live=False,
        examples={
            "sshd[7]: Received disconnect from 192.0.2.7 port 4000:11: Bye Bye [preauth]": {"client": "192.0.2.7", "weight": "none"},
            "sshd[7]: error: Received disconnect from 192.0.2.7: 3: com.jcraft.jsch.JSchException: Auth fail [preauth]": {"client": "192.0.2.7"},
            "sshd[7]: Connection closed by 192.0.2.7 port 5 [preauth]": {"client": "192.0.2.7"},
        },
    ),
    Reads(
        "sshd: names, keys and lists of a client",
        b" ",
        rb"(?:Postponed \S++ for (?:invalid user )?(?P<user>.*) from " + ADDRESS + rb" port \d{1,5} ssh2|reverse mapping checking getaddrinfo for \S++ \[(?P<a2>[^\s\]]++)\] failed"
        rb"|Address (?P<a3>[0-9A-Fa-f:.]++) maps to |refused connect from .* \((?P<a4>[0-9A-Fa-f:.]++)\)\Z)",
        Kind.OTHER,
        live=False,
        refine=lambda m: {"client": addresses[m["address"] or m["a2"] or m["a3"] or m["a4"]]},
        examples={
            "sshd[7]: Postponed publickey for git from 192.0.2.7 port 57904 ssh2 [preauth]": {"client": "192.0.2.7"},
            "sshd[7]: reverse mapping checking getaddrinfo for a.example.org [192.0.2.7] failed - POSSIBLE BREAK-IN ATTEMPT!": {"client": "192.0.2.7"},
            "sshd[7]: Address 192.0.2.7 maps to a.example.org, but this does not map back to the address": {"client": "192.0.2.7"},
            "sshd[7]: refused connect from a.example.org (192.0.2.7)": {"client": "192.0.2.7"},
        },
    ),
)

SSH_READS += (
    Reads(
        "sshd: something else about a client",
        b" from ",
        rb"(?!.*; logname=).* from " + ADDRESS + rb" port \d{1,5}" + END,
        Kind.OTHER,
        live=False,
        examples={"sshd[7]: warning: something new from 192.0.2.7 port 4 [preauth]": {"client": "192.0.2.7", "weight": "none"}},
    ),
)

SSHD = Family("sshd", tuple(r._replace(longest=WHOLE) for r in SSH_READS + PAM_READS))
DETAILS = tuple(r._replace(kind=Kind.AUTH_DETAIL, join=Join.DETAIL, longest=WHOLE, examples={}) for r in PAM_READS)  # Dovecot's PAM: a line of its own comes too
PAM_ONLY = Family("pam", DETAILS)
