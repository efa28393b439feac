"""One guess is one attempt, however many lines it left: each rule of joining, and random servers whose truth is known."""

import random

import pytest

from monzen.parse.details import HOLD, driver_of, session_id
from monzen.parse.join import Joiner
from monzen.parse.memory import SESSIONS
from monzen.types import Event, Fact, Join, Kind, Service, Weight
from tests.parse.lines import LOOPS, joined, read, strong, weak

IMAP = "method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, TLS, session=<S1>"
WARNING = "postfix/smtpd[9]: warning: unknown[192.0.2.7]: SASL"
SUB = "postfix/submission/smtpd[9]"

# ---- each rule by itself: a story, how many attempts, how many weak signs

RULES = {
    # Postfix
    "one failed AUTH leaves a warning and a summary": (
        f"""0 {WARNING} LOGIN authentication failed: UGFzc3dvcmQ6
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 rset=1 quit=1 commands=3/4""",
        1,
        0,
    ),
    "PLAIN, then LOGIN, is one person's one guess": (
        f"""0 {WARNING} PLAIN authentication failed: x
            2 {WARNING} LOGIN authentication failed: UGFzc3dvcmQ6
            2 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/2 quit=1 commands=2/4""",
        1,
        0,
    ),
    "PLAIN, then LOGIN, for another name are two": (
        f"""0 {WARNING} PLAIN authentication failed: x, sasl_username=a
            2 {WARNING} LOGIN authentication failed: x, sasl_username=b""",
        2,
        0,
    ),
    "PLAIN, and LOGIN a while later, are two": (
        f"""0 {WARNING} PLAIN authentication failed: x
            4 {WARNING} LOGIN authentication failed: x""",
        2,
        0,
    ),
    "PLAIN, PLAIN are two": (
        f"""0 {WARNING} PLAIN authentication failed: x
            2 {WARNING} PLAIN authentication failed: x""",
        2,
        0,
    ),
    "PLAIN, LOGIN in different sessions are two": (
        f"""0 {WARNING} PLAIN authentication failed: x
            2 {WARNING.replace("[9]", "[10]")} LOGIN authentication failed: x""",
        2,
        0,
    ),
    "the summary repeats what the session said": (
        "\n".join(f"{i * 3} {WARNING} LOGIN authentication failed: x" for i in range(20))
        + """
            60 postfix/smtpd[9]: too many errors after AUTH from unknown[192.0.2.7]
            60 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/20 commands=1/21""",
        20,
        0,
    ),
    "a session that shows nothing else counts its summary": (
        f"""0 {SUB}: connect from unknown[192.0.2.7]
            5 {SUB}: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/2 quit=1 commands=2/4""",
        2,
        0,
    ),
    "lost after AUTH, alone, is a weak sign": ("0 postfix/smtpd[9]: lost connection after AUTH from unknown[192.0.2.7]", 0, 1),
    "lost after AUTH, then the summary: its failures": (
        """0 postfix/smtpd[9]: lost connection after AUTH from unknown[192.0.2.7]
           0 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        1,
        0,
    ),
    "lost after AUTH where a failure was shown is nothing": (
        f"""0 {WARNING} LOGIN authentication failed: x
            1 postfix/smtpd[9]: lost connection after AUTH from unknown[192.0.2.7]
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        1,
        0,
    ),
    "too many errors after AUTH, alone, is one": ("0 postfix/smtpd[9]: too many errors after AUTH from unknown[192.0.2.7]", 1, 0),
    "too many errors after AUTH, then the summary": (
        """0 postfix/smtpd[9]: too many errors after AUTH from unknown[192.0.2.7]
           0 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/20 commands=1/21""",
        20,
        0,
    ),
    "a mechanism that we have not is no guess, nor is its summary": (
        f"""0 {WARNING} NTLM authentication failed: Invalid authentication mechanism
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 quit=1 commands=2/3""",
        0,
        0,
    ),
    "NTLM, then a wrong password, is one": (
        f"""0 {WARNING} NTLM authentication failed: Invalid authentication mechanism
            1 {WARNING} LOGIN authentication failed: x
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/2 quit=1 commands=2/4""",
        1,
        0,
    ),
    "an outage is nobody's, nor is its summary": (
        f"""0 {WARNING} PLAIN authentication failed: Connection lost to authentication server
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 quit=1 commands=2/3""",
        0,
        0,
    ),
    "a process serves the next client": (
        f"""0 {WARNING} LOGIN authentication failed: x
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2
            2 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2
            3 postfix/smtpd[9]: disconnect from unknown[192.0.2.8] ehlo=1 auth=0/3 commands=1/2""",
        5,
        0,
    ),
    "a process whose last line was lost serves the next client": (
        f"""0 {WARNING} LOGIN authentication failed: x
            1300 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        2,
        0,
    ),
    "the same process id on two servers": (
        f"""0 {WARNING} LOGIN authentication failed: x
            1 postfix/smtps/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        2,
        0,
    ),
    "interleaved sessions": (
        """0 postfix/smtpd[1]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x
           0 postfix/smtpd[2]: warning: unknown[192.0.2.8]: SASL LOGIN authentication failed: x
           1 postfix/smtpd[3]: lost connection after AUTH from unknown[192.0.2.9]
           1 postfix/smtpd[2]: disconnect from unknown[192.0.2.8] ehlo=1 auth=0/1 commands=1/2
           1 postfix/smtpd[3]: disconnect from unknown[192.0.2.9] ehlo=1 auth=0/1 commands=1/2
           2 postfix/smtpd[1]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        3,
        0,
    ),
    "rsyslog's `message repeated` multiplies, and its summary repeats": (
        f"""0 {WARNING} LOGIN authentication failed: x
            9 postfix/smtpd[9]: message repeated 2 times: [ warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: x]
            9 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/3 commands=1/4""",
        3,
        0,
    ),
    "syslogd's `last message repeated` multiplies, and its summary repeats": (
        f"""0 {WARNING} LOGIN authentication failed: x
            9 last message repeated 2 times
            9 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/3 commands=1/4""",
        3,
        0,
    ),
    # Dovecot's auth ahead of Postfix
    "what auth says belongs to the warning two seconds later": (
        f"""0 dovecot: auth: passwd-file(o,192.0.2.7): unknown user
            2 {WARNING} LOGIN authentication failed: x, sasl_username=o""",
        1,
        0,
    ),
    "what auth says may stand after the warning (auth_failure_delay = 0)": (
        f"""0 {WARNING} LOGIN authentication failed: x, sasl_username=o
            0 dovecot: auth: passwd-file(o,192.0.2.7): unknown user
            1 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/1 commands=1/2""",
        1,
        0,
    ),
    "of three guesses, in both orders": (
        f"""0 dovecot: auth: passwd-file(a,192.0.2.7): unknown user
            0 {WARNING} LOGIN authentication failed: x, sasl_username=a
            3 {WARNING} LOGIN authentication failed: x, sasl_username=b
            3 dovecot: auth: passwd-file(b,192.0.2.7): unknown user
            6 {WARNING} LOGIN authentication failed: x
            7 dovecot: auth: passwd-file(c,192.0.2.7): unknown user""",
        3,
        0,
    ),
    "what auth says counts where no other line does": ("0 dovecot: auth: passwd-file(o,192.0.2.7): unknown user", 1, 0),
    "what auth says and a summary alone": (
        "\n".join(f"{i * 5} dovecot: auth: passwd-file(o{i},192.0.2.7): unknown user" for i in range(20))
        + f"\n101 {SUB}: disconnect from unknown[192.0.2.7] ehlo=1 auth=0/20 commands=1/21",
        20,
        0,
    ),
    "a good login by mail takes back the other database's word": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            1 {SUB}: 4C3F12A0: client=unknown[192.0.2.7], sasl_method=PLAIN, sasl_username=o""",
        0,
        0,
    ),
    "a session whose AUTH all succeeded takes back the other database's word, though it sends nothing": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            2 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 starttls=1 auth=1 quit=1 commands=5""",
        0,
        0,
    ),
    "one typo, then success: the word of the other database about both is no second guess": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            0 dovecot: auth: passwd-file(o,192.0.2.7): Password mismatch
            2 {SUB}: warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: x, sasl_username=o
            6 dovecot: auth: ldap(o,192.0.2.7): unknown user
            7 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 starttls=1 auth=1/2 quit=1 commands=5/6""",
        1,
        0,
    ),
    "a session that only summed up: its failure stays, its success is none": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            3 dovecot: auth: ldap(p,192.0.2.7): unknown user
            4 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 auth=1/2 quit=1 commands=4/5""",
        0,
        1,
    ),
    "one success takes back one word, not all": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            3 dovecot: auth: ldap(p,192.0.2.7): unknown user
            4 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 auth=1 quit=1 commands=4""",
        1,
        0,
    ),
    "a session without a success takes back nothing": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            2 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 auth=0 quit=1 commands=4""",
        1,
        0,
    ),
    "a success by mail takes back no word about an IMAP session, nor of another client": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user
            0 dovecot: auth: ldap(o,192.0.2.8): unknown user
            2 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 auth=1 quit=1 commands=4""",
        2,
        0,
    ),
    "lost after AUTH that succeeded is still a weak sign": (
        f"""0 {SUB}: lost connection after AUTH from unknown[192.0.2.7]
            0 {SUB}: disconnect from unknown[192.0.2.7] ehlo=2 auth=1 commands=3""",
        0,
        1,
    ),
    "PLAIN, LOGIN with both details are one": (
        f"""0 dovecot: auth: passwd-file(o,192.0.2.7): Password mismatch
            0 {WARNING} PLAIN authentication failed: x
            2 dovecot: auth: passwd-file(o,192.0.2.7): Password mismatch
            2 {WARNING} LOGIN authentication failed: x""",
        1,
        0,
    ),
    # Dovecot by itself
    "auth and login line, by session": (
        f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            3 dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 3 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "auth and login line, 2.4": (
        f"""0 dovecot: auth(o,192.0.2.7,sasl:plain)<S1>: sql: Password mismatch
            3 dovecot: imap-login: Login aborted: Connection closed (auth failed, 1 attempts in 3 secs) (auth_failed): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "auth and login line, without sessions": (
        """0 dovecot: auth: sql(o,192.0.2.7): Password mismatch
           3 dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1""",
        1,
        0,
    ),
    "auth without and login line with a session": (
        f"""0 dovecot: auth: sql(o,192.0.2.7): Password mismatch
            3 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 3 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "three guesses of one connection": (
        "\n".join(f"{i * 3} dovecot: auth: sql(o{i},192.0.2.7,<S1>): unknown user" for i in range(3))
        + f"\n9 dovecot: imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 9 secs): user=<o2>, {IMAP}",
        3,
        0,
    ),
    "three guesses of one slow connection": (
        "\n".join(f"{i * 60} dovecot: auth: sql(o{i},192.0.2.7,<S1>): unknown user" for i in range(3))
        + f"\n180 dovecot: imap-login: Disconnected: Inactivity (auth failed, 3 attempts in 180 secs): user=<o2>, {IMAP}",
        3,
        0,
    ),
    "a connection that waits three minutes after its guess": (
        f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            180 dovecot: imap-login: Disconnected: Inactivity (auth failed, 1 attempts in 179 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "two slow connections of one client, each its own": (
        f"""0 dovecot: auth: sql(a,192.0.2.7,<S1>): Password mismatch
            1 dovecot: auth: sql(b,192.0.2.7,<S2>): Password mismatch
            170 dovecot: imap-login: Disconnected: Inactivity (auth failed, 1 attempts in 169 secs): user=<b>, {IMAP.replace("S1", "S2")}
            179 dovecot: imap-login: Disconnected: Inactivity (auth failed, 1 attempts in 179 secs): user=<a>, {IMAP}""",
        2,
        0,
    ),
    "the same guess twice in a second is two": (
        f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            1 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            3 dovecot: imap-login: Disconnected (auth failed, 2 attempts in 3 secs): user=<o>, {IMAP}""",
        2,
        0,
    ),
    "the login line says more than auth did": (
        f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            9 dovecot: imap-login: Disconnected (auth failed, 5 attempts in 9 secs): user=<o>, {IMAP}""",
        5,
        0,
    ),
    "who does not wait for the answer has guessed all the same": (
        f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            1 dovecot: imap-login: Disconnected (disconnected while authenticating, waited 1 secs): user=<>, {IMAP}""",
        1,
        0,
    ),
    "who does not wait and leaves no detail cannot be counted": (
        f"1 dovecot: imap-login: Disconnected (disconnected while authenticating, waited 1 secs): user=<>, {IMAP}",
        0,
        0,
    ),
    "an outage takes back what auth said": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user
            1 dovecot: imap-login: Disconnected (auth service reported temporary failure): user=<o>, {IMAP}""",
        0,
        0,
    ),
    "an outage of one session takes back nothing of another": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7,<S2>): unknown user
            1 dovecot: imap-login: Disconnected (auth service reported temporary failure): user=<o>, {IMAP}""",
        1,
        0,
    ),
    # two password databases
    "two databases, then success": (
        """0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user
            0 dovecot: imap-login: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=<S1>""",
        0,
        0,
    ),
    "two databases, then success, 2.4": (
        """0 dovecot: auth(o,192.0.2.7,sasl:plain)<S1>: ldap: unknown user
            0 dovecot: imap-login: Logged in: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=<S1>""",
        0,
        0,
    ),
    "success of one session excuses nothing of another": (
        """0 dovecot: auth: ldap(o,192.0.2.7,<S2>): unknown user
            0 dovecot: imap-login: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=<S1>""",
        1,
        0,
    ),
    "success excuses no other name": (
        """0 dovecot: auth: ldap(x,192.0.2.7,<S1>): unknown user
            0 dovecot: imap-login: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=<S1>""",
        1,
        0,
    ),
    "two databases, both fail": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user
            0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
            2 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "two databases, both fail, hashes shown": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user (SHA1 of given password: f638ff)
            0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch (SHA1 of given password: f638ff)
            2 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "two databases, both fail, 2.4": (
        f"""0 dovecot: auth(o,192.0.2.7,sasl:plain)<S1>: ldap: unknown user
            0 dovecot: auth(o,192.0.2.7,sasl:plain)<S1>: sql: Password mismatch
            2 dovecot: imap-login: Login aborted: x (auth failed, 1 attempts in 2 secs) (auth_failed): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "two databases, both fail, through Postfix": (
        f"""0 dovecot: auth: ldap(o,192.0.2.7): unknown user
            0 dovecot: auth: sql(o,192.0.2.7): Password mismatch
            2 {WARNING} PLAIN authentication failed: x, sasl_username=o""",
        1,
        0,
    ),
    "two databases, both fail, twice": (
        """0 dovecot: auth: ldap(o,192.0.2.7): unknown user
           0 dovecot: auth: sql(o,192.0.2.7): Password mismatch
           2 dovecot: auth: ldap(o,192.0.2.7): unknown user
           2 dovecot: auth: sql(o,192.0.2.7): Password mismatch""",
        2,
        0,
    ),
    # PAM behind Dovecot
    "PAM and auth-worker": (
        f"""0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            0 dovecot: auth-worker(9): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: pam(o,192.0.2.7,<S1>): pam_authenticate() failed: Authentication failure (Password mismatch?)
            2 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "PAM and auth-worker, which waits two seconds": (
        f"""0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            2 dovecot: auth-worker(9): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: pam(o,192.0.2.7,<S1>): pam_authenticate() failed: Authentication failure (Password mismatch?)
            4 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 4 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "PAM and auth-worker, 2.4": (
        f"""0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            2 dovecot: auth-worker(o,192.0.2.7)<1489164><S1>: request [393]: pam: pam_authenticate() failed: Authentication failure (Password mismatch?)
            4 dovecot: imap-login: Login aborted: x (auth failed, 1 attempts in 4 secs) (auth_failed): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "PAM and Postfix": (
        f"""0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            2 dovecot: auth-worker(9): pam(o,192.0.2.7): pam_authenticate() failed: Authentication failure (Password mismatch?)
            4 {WARNING} PLAIN authentication failed: x, sasl_username=o""",
        1,
        0,
    ),
    "PAM alone and the login line": (
        f"""0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            2 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<o>, {IMAP}""",
        1,
        0,
    ),
    "PAM first, then another database lets the user in": (
        """0 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=o rhost=192.0.2.7  user=o
            2 dovecot: imap-login: Login: user=<o>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=7140, TLS, session=<S1>""",
        0,
        0,
    ),
    # both doors at once
    "IMAP and SMTP at once, each its own": (
        f"""0 dovecot: auth: passwd-file(b,192.0.2.7): unknown user
            0 dovecot: auth: passwd-file(a,192.0.2.7,<S1>): unknown user
            1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 1 secs): user=<a>, {IMAP}
            2 {WARNING} PLAIN authentication failed: x, sasl_username=b""",
        2,
        0,
    ),
    "IMAP and SMTP at once, names hidden": (
        f"""0 dovecot: auth: passwd-file(a,192.0.2.7,<S1>): unknown user
            0 dovecot: auth: passwd-file(b,192.0.2.7): unknown user
            2 {WARNING} PLAIN authentication failed:
            3 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 3 secs): user=<a>, {IMAP}""",
        2,
        0,
    ),
    # sshd
    "Invalid user, PAM, Failed": (
        """0 sshd[7]: Invalid user a from 192.0.2.7 port 5
           0 sshd[7]: pam_unix(sshd:auth): check pass; user unknown
           0 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7
           2 sshd[7]: Failed password for invalid user a from 192.0.2.7 port 5 ssh2
           3 sshd[7]: Connection closed by invalid user a 192.0.2.7 port 5 [preauth]""",
        1,
        0,
    ),
    "Failed none is how the guess begins": (
        """0 sshd[7]: Invalid user a from 192.0.2.7 port 5
           0 sshd[7]: Failed none for invalid user a from 192.0.2.7 port 5 ssh2
           2 sshd[7]: Failed password for invalid user a from 192.0.2.7 port 5 ssh2""",
        1,
        0,
    ),
    "Failed none alone asks for a name that is none": ("0 sshd[7]: Failed none for invalid user a from 192.0.2.7 port 5 ssh2", 1, 0),
    "PAM knows N more": (
        """0 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
           2 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           5 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           8 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           9 sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]
           9 sshd[7]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root""",
        3,
        0,
    ),
    "`message repeated` and PAM's sum": (
        """0 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
           2 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           9 sshd[7]: message repeated 5 times: [ Failed password for root from 192.0.2.7 port 5 ssh2]
           9 sshd[7]: error: maximum authentication attempts exceeded for root from 192.0.2.7 port 5 ssh2 [preauth]
           9 sshd[7]: Disconnecting authenticating user root 192.0.2.7 port 5: Too many authentication failures [preauth]
           9 sshd[7]: PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root""",
        6,
        0,
    ),
    "too many guesses, alone": (
        """0 sshd[7]: error: maximum authentication attempts exceeded for root from 192.0.2.7 port 49940 ssh2 [preauth]
           0 sshd[7]: Disconnecting authenticating user root 192.0.2.7 port 49940: Too many authentication failures [preauth]""",
        1,
        0,
    ),
    "left while authenticating, alone": ("0 sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]", 0, 1),
    "a process id comes again": (
        """0 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           1 sshd[7]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]
           5 sshd[7]: Failed password for root from 192.0.2.7 port 6 ssh2
           1300 sshd[7]: Invalid user y from 192.0.2.7 port 7
           1301 sshd[7]: Failed password for invalid user y from 192.0.2.7 port 7 ssh2
           1302 sshd[7]: Invalid user y from 192.0.2.8 port 7""",
        4,
        0,
    ),
    "keys that do not fit are weak, a password after them is one": (
        """0 sshd[7]: Failed publickey for git from 192.0.2.7 port 5 ssh2: RSA SHA256:AAAA
           0 sshd[7]: Failed publickey for git from 192.0.2.7 port 5 ssh2: ECDSA SHA256:BBBB
           2 sshd[7]: Failed password for git from 192.0.2.7 port 5 ssh2""",
        1,
        2,
    ),
    "a penalty for what was seen is nothing more": (
        """0 sshd-session[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           9 sshd[1]: drop connection #0 from [192.0.2.7]:6 on [192.0.2.1]:22 penalty: failed authentication
           12 sshd[1]: drop connection #0 from [192.0.2.7]:7 on [192.0.2.1]:22 penalty: failed authentication""",
        1,
        0,
    ),
    "a penalty for what was not seen is one": (
        """9 sshd[1]: drop connection #0 from [192.0.2.7]:6 on [192.0.2.1]:22 penalty: failed authentication
           12 sshd[1]: drop connection #0 from [192.0.2.7]:7 on [192.0.2.1]:22 penalty: failed authentication""",
        1,
        0,
    ),
    "a penalty of another client is its own": (
        """0 sshd-session[7]: Failed password for root from 192.0.2.7 port 5 ssh2
           9 sshd[1]: drop connection #0 from [192.0.2.8]:6 on [192.0.2.1]:22 penalty: failed authentication""",
        2,
        0,
    ),
    "a good login after a wrong password": (
        """0 sshd[7]: Failed password for o from 192.0.2.7 port 5 ssh2
           3 sshd[7]: Accepted password for o from 192.0.2.7 port 5 ssh2""",
        1,
        0,
    ),
}


@pytest.mark.parametrize("compiled", LOOPS, ids=lambda c: "C" if c else "Python")
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, compiled):
    story, attempts, signs = RULES[rule]
    events = joined(story, compiled=compiled)
    assert (strong(events), weak(events)) == (attempts, signs), [(Kind(e.fact.kind).name, e.attempts, e.line) for e in events]


def test_what_auth_knows_is_kept():
    """Whether the name has an account comes from auth's line, the door from the login line."""
    (event,) = joined(f"""0 dovecot: auth: sql(o,192.0.2.7,<S1>): unknown user
        3 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 3 secs): user=<o>, {IMAP}""")
    assert (event.fact.account, event.fact.service, event.fact.user) == (False, Service.IMAP, b"o")
    (event,) = joined(f"""0 dovecot: auth: passwd-file(o,192.0.2.7): Password mismatch
        2 {WARNING} LOGIN authentication failed: UGFzc3dvcmQ6""")
    assert (event.fact.account, event.fact.service, event.fact.user) == (True, Service.SMTP, b"o")


def test_of_two_databases_the_one_that_knows_the_name_is_believed():
    (event,) = joined(f"""0 dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user
        0 dovecot: auth: sql(o,192.0.2.7,<S1>): Password mismatch
        3 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 3 secs): user=<o>, {IMAP}""")
    assert event.fact.account is True


def test_failures_among_successes_are_said_again():
    """auth=8/14: material for an alarm (attempts 0: the warnings counted them), unless all of them were no guesses."""
    events = joined(f"""0 {WARNING} LOGIN authentication failed: x
        3 {WARNING} LOGIN authentication failed: x
        4 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=1/3 quit=1 commands=3/5""")
    assert [(e.attempts, e.fact.detail) for e in events] == [(1, b"LOGIN"), (1, b"LOGIN"), (0, b"mixed")]
    events = joined(f"""0 {WARNING} NTLM authentication failed: Invalid authentication mechanism
        4 postfix/smtpd[9]: disconnect from unknown[192.0.2.7] ehlo=1 auth=1/2 quit=1 commands=3/4""")
    assert [(e.attempts, e.fact.weight) for e in events] == [(1, Weight.NONE)]


def test_held_lines_come_with_their_own_time_as_soon_as_time_has_passed():
    joiner = Joiner()
    held = _event(100.0, join=Join.DETAIL, line=b"dovecot: auth: sql(o,192.0.2.7,<S1>): unknown user")
    assert joiner.join([held]) == []
    assert joiner.wait_until(100.0 + HOLD) == []
    assert joiner.wait_until(100.0 + HOLD + 0.1) == [held]
    assert joiner.wait_until(1e12) == []
    assert joiner.join([_event(200.0, join=Join.DETAIL, line=held.line)]) == []
    (first, second) = joiner.join([_event(300.0, join=Join.ALONE)])
    assert (first.time, second.time) == (200.0, 300.0)


def test_blocks_do_not_matter():
    events = [e for story, _, _ in RULES.values() for e in _events(story)]
    whole = Joiner()
    wanted = whole.join(events) + whole.wait_until(float("inf"))
    single = Joiner()
    assert [e for event in events for e in single.join([event])] + single.wait_until(float("inf")) == wanted


@pytest.mark.parametrize(("join", "line"), [(Join.SASL, b"x"), (Join.LEFTOVER, b"x"), (Join.DETAIL, b"auth: sql(o,1,<S>): unknown user"), (Join.SSH, b"x"), (Join.SSH_PENALTY, b"x")])
def test_all_tables_are_bounded(join, line):
    """A hundred thousand strangers within a second, and as many within days, leave no more behind than SESSIONS of them."""
    for step in (0.0, 60.0):
        joiner = Joiner()
        count = 0
        for i in range(SESSIONS * 3):
            event = _event(i * step, join=join, client=i.to_bytes(4, "big"), line=line, head=b" mail x[%d]" % i)
            count += sum(e.attempts for e in joiner.join([event]))
        for table in (joiner.smtp, joiner.sshd.sessions, joiner.details, joiner.counted, joiner.sshd.shown):
            assert len(table) <= SESSIONS
        count += sum(e.attempts for e in joiner.wait_until(float("inf")))
        assert count == SESSIONS * 3  # nobody is forgiven because there are many
        assert not joiner.held


@pytest.mark.parametrize(
    ("line", "session"),
    [
        (b"auth: sql(o,192.0.2.7,<abc>): unknown user", b"abc"),
        (b"auth(o,192.0.2.7,sasl:login)<abc>: sql: unknown user", b"abc"),
        (b"auth-worker(o,192.0.2.7)<1489164><abc>: request [393]: unix_user: x: <y>: ", b"abc"),
        (b"imap-login: Login: user=<session=<x>, rip=1>, rip=192.0.2.7, TLS, session=<abc>", b"abc"),
        (b"imap-login: Login: user=<o>, rip=192.0.2.7, TLS", b""),
        (b"auth: sql(o,192.0.2.7): unknown user", b""),
        (b"auth: sql(o,192.0.2.7,<" + b"a" * 65 + b">): unknown user", b""),
        (b"", b""),
    ],
)
def test_session_of_a_line(line, session):
    assert session_id(line) == session


@pytest.mark.parametrize(
    ("line", "driver"),
    [
        (b"dovecot: auth: ldap(o,192.0.2.7,<S1>): unknown user (SHA1 of given password: f638ff)", b"ldap"),
        (b"dovecot: auth: Info: sql(o,192.0.2.7): Password mismatch", b"sql"),
        (b"dovecot: auth-worker(9): conn unix:auth-worker (pid=5,uid=109): auth-worker<5>: pam(o,192.0.2.7): pam_authenticate() failed: x (y)", b"pam"),
        (b"dovecot: auth(o,192.0.2.7,sasl:plain)<S1>: passwd-file: unknown user", b"passwd-file"),
        (b"dovecot: auth-worker(o,192.0.2.7)<148><S1>: request [393]: unix_user: pam_authenticate() failed: x", b"unix_user"),
        (b"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 rhost=192.0.2.7", b"pam_unix"),
        (b"nothing of the kind", b""),
    ],
)
def test_driver_of_a_detail(line, driver):
    assert driver_of(line) == driver


def _event(time, *, join=Join.ALONE, client=b"\xc0\x00\x02\x07", line=b"", head=b" mail x[1]"):
    kind = Kind.LOST if join == Join.LEFTOVER else Kind.AUTH_FAILURE
    fact = Fact(int(kind), int(Weight.STRONG), client, None, int(Service.SMTP), 1, None, None, int(join), "test")
    return Event(time, fact, 1, line.ljust(60), head)


def _events(story):
    return read(b"".join(b"Sep  4 10:00:00 mail " + line.strip().partition(" ")[2].encode() + b"\n" for line in story.split("\n") if line.strip()))


# ---- random servers: the truth is known because the sessions are ours


class Server:
    """A server of one configuration, and the lines of its sessions: (second, message). Each session knows how many guesses it was."""

    def __init__(self, chance, late=False):
        self.chance = chance
        self.new = chance.random() < 0.5  # Dovecot 2.4
        self.verbose = chance.random() < 0.7
        self.hashes = chance.random() < 0.3
        self.databases = chance.choice((["sql"], ["ldap", "sql"], ["pam"], ["passwd-file", "pam"]))
        self.delay = chance.choice((0.0, 2.0))
        if late:  # no auth_failure_delay, and Dovecot's log process is slower than Postfix
            self.delay, self.verbose, self.databases = 0.0, True, ["sql"]
        self.late = late
        self.names = chance.random() < 0.5
        self.warns = chance.random() < 0.8  # whether Postfix warns of each failure
        self.pid = 100

    def auth(self, t, user, client, session):
        """What auth and PAM say of one wrong password."""
        lines = []
        for driver in self.databases:
            if driver == "pam":
                lines.append((t, f"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={client}  user={user}"))
                t += self.chance.choice((0, 2)) if self.delay else 0
            if not self.verbose:
                continue
            why = "pam_authenticate() failed: Authentication failure (Password mismatch?)" if driver == "pam" else self.chance.choice(("unknown user", "Password mismatch"))
            if self.hashes and driver != "pam":
                why += " (SHA1 of given password: 5baa61)"
            if self.new:
                tail = f"<{session}>" if session else ""
                lines.append((t, f"dovecot: auth({user},{client},sasl:plain){tail}: {driver}: {why}"))
            else:
                who = f"{user},{client},<{session}>" if session else f"{user},{client}"
                lines.append((t, f"dovecot: auth: {driver}({who}): {why}"))
        return lines, t + self.delay

    def smtp(self, t, client, guesses):
        self.pid += 1
        program = f"postfix/{self.chance.choice(('smtpd', 'submission/smtpd', 'smtps/smtpd'))}[{self.pid}]"
        lines = []
        for i in range(guesses):
            user = f"u{i}"
            said, t = self.auth(t, user, client, "")
            name = f", sasl_username={user}" if self.names else ""
            warning = [(t, f"{program}: warning: unknown[{client}]: SASL LOGIN authentication failed: x{name}")] if self.warns else []
            lines += warning + said if self.late else said + warning
            t += self.chance.uniform(1.0, 8.0)
        if self.chance.random() < 0.4:
            lines.append((t, f"{program}: lost connection after AUTH from unknown[{client}]"))
        lines.append((t, f"{program}: disconnect from unknown[{client}] ehlo=1 auth=0/{guesses} commands=1/{guesses + 1}"))
        return lines

    def imap(self, t, client, guesses):
        self.pid += 1
        session = f"s{self.pid}"
        begin = t
        lines = []
        for i in range(guesses):
            said, t = self.auth(t, f"u{i}", client, session)
            lines += said
            t += self.chance.choice((0.5, 3.0, 20.0, 60.0))
        t = max(t, begin + self.chance.choice((0, 179)))
        rest = f"user=<u{guesses - 1}>, method=PLAIN, rip={client}, lip=192.0.2.1, TLS, session=<{session}>"
        word = "Login aborted: Connection closed" if self.new else "Disconnected: Inactivity"
        code = " (auth_failed)" if self.new else ""
        lines.append((t, f"dovecot: imap-login: {word} (auth failed, {guesses} attempts in {int(t - begin)} secs){code}: {rest}"))
        return lines

    def ssh(self, t, client, guesses):
        self.pid += 1
        program, where = f"sshd[{self.pid}]", f"{client} port {self.pid}"
        known = self.chance.random() < 0.5
        word = "" if known else "invalid user "
        lines = [] if known else [(t, f"{program}: Invalid user x from {where}")]
        if not known and self.chance.random() < 0.3:
            lines.append((t, f"{program}: Failed none for invalid user x from {where} ssh2"))
        pam = self.chance.random() < 0.8
        name = "  user=x" if known else ""
        tail = f"logname= uid=0 euid=0 tty=ssh ruser= rhost={client}{name}"
        if pam:
            lines.append((t, f"{program}: pam_unix(sshd:auth): authentication failure; {tail}"))
        t += 2
        failed = f"Failed password for {word}x from {where} ssh2"
        lines.append((t, f"{program}: {failed}"))
        if guesses > 1:
            t += 3 * (guesses - 1)
            if self.chance.random() < 0.5:
                lines.append((t, f"{program}: message repeated {guesses - 1} times: [ {failed}]"))
            else:
                lines += [(t - 3 * i, f"{program}: {failed}") for i in reversed(range(guesses - 1))]
        if guesses == 6:
            lines.append((t, f"{program}: error: maximum authentication attempts exceeded for {word}x from {where} ssh2 [preauth]"))
        lines.append((t, f"{program}: Connection closed by {'authenticating' if known else 'invalid'} user x {where} [preauth]"))
        if pam and guesses > 1:
            more = guesses - 1
            lines.append((t, f"{program}: PAM {more} more authentication failure{'s' if more > 1 else ''}; {tail}"))
        return lines


def play(seed, late=False):
    """Many sessions of several clients at once on a server of some configuration: (the truth, what was counted)."""
    chance = random.Random(seed)
    server = Server(chance, late)
    # PAM names no session: whose line is whose cannot be told where one client has several connections at once
    shared = seed % 3 == 0 and "pam" not in server.databases
    truth, lines = {}, []
    for i in range(40):
        client = f"192.0.2.{chance.randrange(10, 60) if shared else 10 + i}"
        kind = chance.choice((server.smtp, server.imap, server.ssh))
        guesses = chance.choice((1, 1, 1, 2, 3, 6))
        lines += kind(chance.uniform(0, 1500), client, guesses)
        truth[client] = truth.get(client, 0) + guesses
    lines.sort(key=lambda line: line[0])  # stable: as the programs wrote them within a moment
    story = "\n".join(f"{t:.6f} {message}" for t, message in lines)
    counted = {}
    for event in joined(story):
        if event.fact.weight == Weight.STRONG:
            client = ".".join(str(b) for b in event.fact.client)
            counted[client] = counted.get(client, 0) + event.attempts
    return truth, counted


@pytest.mark.parametrize("seed", range(60))
def test_random_sessions_count_what_they_were(seed):
    truth, counted = play(seed)
    assert counted == truth


@pytest.mark.parametrize("seed", range(10))
def test_random_sessions_whose_details_come_late(seed):
    """Dovecot's line stands behind Postfix's within the same moment."""
    truth, counted = play(seed, late=True)
    assert counted == truth
