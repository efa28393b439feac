"""What Postfix, Dovecot and sshd say of their settings, as they say it, and what follows from it."""

import pytest

from monzen.survey import FAULT, GOOD, WARNING, mail, others, ssh
from monzen.survey.asking import pairs

POSTFIX = """mail_version = 3.7.11
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
syslog_name = ${multi_instance_name?{$multi_instance_name}:{postfix}}
syslog_facility = mail
maillog_file =
"""
MASTER = """smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd
pickup     unix  n       -       y       60      1       pickup
"""
SCREENED = """smtp       inet  n       -       y       -       1       postscreen
smtpd      pass  -       -       y       -       -       smtpd
smtps      inet  n       -       y       -       -       smtpd
"""
DOVECOT = """auth_verbose = no
auth_verbose_passwords = no
log_path = syslog
info_log_path =
syslog_facility = mail
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>
"""
SSHD = """port 22
port 2222
loglevel INFO
maxauthtries 6
syslogfacility AUTH
"""


def machine(postfix=None, master=MASTER, overrides="", dovecot=None, sshd=None):
    answers = {
        ("postconf", "-M"): master, ("postconf", "-P"): overrides, ("dovecot", "--version"): "2.3.19.1 (9b53102964)\n", ("sshd", "-T"): sshd
    }  # fmt: skip

    def ask(*command):
        if command in answers:
            return answers[command]
        return {"postconf": postfix, "doveconf": dovecot}.get(command[0])

    return ask


def bad(found):
    return [f for f in found if f.state != GOOD]


def test_passwords_on_port_25():
    (found,) = bad(mail.postfix_findings(machine(POSTFIX)))
    assert "port 25" in found.says
    assert found.fix == "postconf -P smtp/inet/smtpd_sasl_auth_enable=no; postfix reload"
    (found,) = bad(mail.postfix_findings(machine(POSTFIX, master=MASTER.replace("submission", "#submission"))))
    assert "open the port submission" in found.fix


@pytest.mark.parametrize(
    ("change", "master", "overrides", "open_"),
    [
        (("yes\n", "no\n"), MASTER, "", False),
        (("", ""), MASTER, "smtp/inet/smtpd_sasl_auth_enable = no\n", False),
        (("auth_enable = yes", "auth_enable = no"), MASTER, "smtp/inet/smtpd_sasl_auth_enable=yes\n", True),
        (("auth_enable = yes", "auth_enable = no"), MASTER, "submission/inet/smtpd_sasl_auth_enable = yes\n", False),
        (("", ""), SCREENED, "smtpd/pass/smtpd_sasl_auth_enable = no\n", False),
        (("", ""), SCREENED, "smtp/inet/smtpd_sasl_auth_enable = no\n", True),
    ],
)
def test_overrides_of_master_cf_count(change, master, overrides, open_):
    found = [f for f in bad(mail.postfix_findings(machine(POSTFIX.replace(*change), master, overrides))) if "port 25" in f.says]
    assert bool(found) is open_


def test_passwords_without_encryption():
    found = bad(mail.postfix_findings(machine(POSTFIX.replace("auth_only = yes", "auth_only = no"))))
    assert any("smtpd_tls_auth_only" in f.fix for f in found)


def test_postfix_that_writes_a_file_itself():
    ask = machine(POSTFIX.replace("maillog_file =", "maillog_file = /var/log/postfix.log"))
    assert mail.postfix(ask).files == ("/var/log/postfix.log",)
    assert "/var/log/postfix.log" in next(iter(mail.postfix_findings(ask))).says
    assert mail.postfix(machine(POSTFIX)).files == ()
    assert mail.postfix(machine(POSTFIX.replace("maillog_file =", "maillog_file = /dev/stdout"))).files == ()


def test_dovecot_hides_why():
    (found,) = bad(mail.dovecot_findings(machine(dovecot=DOVECOT)))
    assert "auth_verbose = yes" in found.fix
    assert "doveadm reload" in found.fix
    assert bad(mail.dovecot_findings(machine(dovecot=DOVECOT.replace("verbose = no", "verbose = yes")))) == []


@pytest.mark.parametrize(
    ("old", "new", "state", "word"),
    [
        ("rip=%r", "", FAULT, "rip="),
        ("passwords = no", "passwords = plain:8", WARNING, "sha1:6"),
        ("log_path = syslog", "log_path = /dev/stderr", FAULT, "log_path = syslog"),
    ],
)
def test_dovecot_settings_that_hide_or_leak(old, new, state, word):
    found = bad(mail.dovecot_findings(machine(dovecot=DOVECOT.replace("verbose = no", "verbose = yes").replace(old, new))))
    assert [f.state for f in found] == [state]
    assert word in found[0].says + found[0].fix


def test_dovecot_2_4():
    """As Debian 13 has it: other words, the same keys."""
    new = DOVECOT.replace("<%u> method=%m rip=%r lip=%l mpid=%e %c", "<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured}")
    (found,) = bad(mail.dovecot_findings(machine(dovecot=new)))
    assert "auth_verbose = yes" in found.fix
    assert mail.dovecot(machine(dovecot=new)).files == ()


def test_where_dovecot_writes():
    assert mail.dovecot(machine(dovecot=DOVECOT)) == mail.Server(True, "2.3.19.1", (), "mail")
    own = DOVECOT.replace("log_path = syslog", "log_path = /var/log/dovecot.log")
    assert mail.dovecot(machine(dovecot=own)).files == ("/var/log/dovecot.log",)
    info = own.replace("info_log_path =", "info_log_path = /var/log/dovecot-info.log")
    assert mail.dovecot(machine(dovecot=info)).files == ("/var/log/dovecot-info.log",)
    assert mail.dovecot(machine(dovecot=DOVECOT.replace("= mail", "= local1"))).facility == "local1"
    assert mail.dovecot(machine()) == mail.Server(False)


def test_sshd():
    (found,) = ssh.findings(machine(sshd=SSHD))
    assert "22, 2222" in found.says
    for level, quiet in (("QUIET", True), ("FATAL", True), ("ERROR", True), ("INFO", False), ("VERBOSE", False), ("DEBUG3", False)):
        found = bad(ssh.findings(machine(sshd=SSHD.replace("INFO", level))))
        assert [f.state for f in found] == [FAULT] * quiet, level
    assert "SyslogFacility AUTH" in bad(ssh.findings(machine(sshd=SSHD.replace(" AUTH", " LOCAL3"))))[0].fix
    assert list(ssh.findings(machine())) == []


def test_others_that_deny():
    assert bad(others.findings({})) == []
    found = bad(others.findings({"fail2ban-server": [b"/usr/bin/python3\0/usr/bin/fail2ban-server\0-xf\0"], "crowdsec": [b"crowdsec\0"]}))
    assert [f.fix.rpartition(" ")[2] for f in found] == ["fail2ban", "crowdsec"]
    found = bad(others.findings({"python3": [b"python3\0/usr/sbin/denyhosts.py\0--daemon\0"]}))
    assert "denyhosts" in found[0].says


def test_docker_in_front():
    proxy = b"/usr/bin/docker-proxy\0-proto\0tcp\0-host-ip\x000.0.0.0\0-host-port\0%d\0-container-ip\x00172.17.0.2\0-container-port\x0025\0"
    (found,) = bad(others.findings({"docker-proxy": [proxy % 25, proxy % 993, proxy % 8080]}))
    assert "25 smtp, 993" in found.says
    assert "8080" not in found.says
    assert bad(others.findings({"docker-proxy": [proxy % 8080]})) == []


def test_pairs():
    assert pairs("a = b\nc =\nd = e = f\nnothing\n") == {"a": "b", "c": "", "d": "e = f"}
    assert pairs(None) == {}
