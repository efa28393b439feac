"""Where rsyslog writes, told from its configuration: as distributions bring it, and as admins write it."""

from pathlib import Path

import pytest

from monzen.survey.rsyslog import config_of, rules, selected, written_to

DEBIAN = """
module(load="imuxsock") # provides support for local system logging
$FileOwner root
$WorkDirectory /var/spool/rsyslog
$IncludeConfig /etc/rsyslog.d/*.conf
*.*;auth,authpriv.none\t\t-/var/log/syslog
auth,authpriv.*\t\t\t/var/log/auth.log
kern.*\t\t\t\t-/var/log/kern.log
mail.*\t\t\t\t-/var/log/mail.log
*.emerg\t\t\t\t:omusrmsg:*
"""
UBUNTU = """
auth,authpriv.*         /var/log/auth.log
*.*;auth,authpriv.none      -/var/log/syslog
kern.*              -/var/log/kern.log
mail.*              -/var/log/mail.log
mail.err            /var/log/mail.err
"""
OLD = """
mail.info   -/var/log/mail.info
mail.warn   -/var/log/mail.warn
mail.err    /var/log/mail.err
"""
RED_HAT = """
*.info;mail.none;authpriv.none;cron.none   /var/log/messages
authpriv.*                                 /var/log/secure
mail.*                                     -/var/log/maillog
"""
UFW = ':msg,contains,"[UFW " /var/log/ufw.log\n#& stop\n'


def tree(tmp_path, main, **included):
    folder = tmp_path / "etc/rsyslog.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/rsyslog.conf").write_text(main)
    for name, text in included.items():
        (folder / f"{name}.conf").write_text(text)
    return rules(str(tmp_path))


def where(found):
    return [written_to(found, f) for f in ("mail", "auth", "authpriv", "kern")]


def test_debian(tmp_path):
    assert where(tree(tmp_path, DEBIAN, ufw=UFW)) == ["/var/log/mail.log", "/var/log/auth.log", "/var/log/auth.log", "/var/log/ufw.log"]


def test_ubuntu_has_its_rules_in_an_included_file(tmp_path):
    found = tree(tmp_path, "$IncludeConfig /etc/rsyslog.d/*.conf\n", **{"50-default": UBUNTU})
    assert where(found) == ["/var/log/mail.log", "/var/log/auth.log", "/var/log/auth.log", "/var/log/kern.log"]


def test_what_takes_warnings_only_is_not_enough(tmp_path):
    assert written_to(tree(tmp_path, OLD), "mail") == "/var/log/mail.info"


def test_red_hat(tmp_path):
    found = tree(tmp_path, RED_HAT)
    assert [written_to(found, f) for f in ("mail", "authpriv", "auth", "local1")] == [
        "/var/log/maillog", "/var/log/secure", "/var/log/messages", "/var/log/messages",
    ]  # fmt: skip


def test_all_in_one_file(tmp_path):
    assert where(tree(tmp_path, "*.* /var/log/all.log\n")) == ["/var/log/all.log"] * 4


@pytest.mark.parametrize(
    "text",
    [
        'mail.* action(type="omfile" file="/srv/log/mail" template="RSYSLOG_FileFormat")',
        'mail.* action(type="omfile"\n    file="/srv/log/mail" # here\n    fileOwner="root")',
        "mail.* -/srv/log/mail;RSYSLOG_FileFormat",
        'if $syslogfacility-text == "mail" then /srv/log/mail',
        "if ($programname == 'dovecot') or ($programname startswith 'postfix') then {\n  action(type=\"omfile\" file=\"/srv/log/mail\")\n  stop\n}",
        ':programname, startswith, "postfix" /srv/log/mail\n& stop',
        'include(file="/etc/rsyslog.d/mail.conf")',
        "news.*;\\\nmail.* /srv/log/mail",
    ],
)
def test_ways_to_say_it(tmp_path, text):
    found = tree(tmp_path, f"*.* -/var/log/syslog\n{text}\nuser.* /var/log/user\n", mail="mail.info /srv/log/mail\n")
    assert written_to(found, "mail") == "/srv/log/mail"
    assert written_to(found, "auth") == "/var/log/syslog"


@pytest.mark.parametrize(
    "text", ["mail.* @loghost", "mail.* ~", "mail.* stop", "#mail.* /x", "mail.none /x", "mail.err /x", "mail.=debug /x", 'mail.* action(type="omfwd" target="x")']
)
def test_what_is_no_file_of_all_that_matters(tmp_path, text):
    assert written_to(tree(tmp_path, text + "\n"), "mail") is None


def test_selectors():
    assert selected("*.*;mail.none").get("mail") is None
    assert selected("mail.info")["mail"] == frozenset(range(7))
    assert selected("mail.=info")["mail"] == {6}
    assert selected("mail.*;mail.!err")["mail"] == {4, 5, 6, 7}
    assert selected("mail,auth.warn")["auth"] == frozenset(range(5))
    assert selected("nothing.nowhere") == {}


def test_a_configuration_that_includes_itself_ends(tmp_path):
    found = tree(tmp_path, "$IncludeConfig /etc/rsyslog.conf\nmail.* /x\n")
    assert {r.path for r in found} == {"/x"}


def test_without_rsyslog(tmp_path):
    assert rules(str(tmp_path)) is None


def test_the_configuration_of_the_one_that_runs():
    assert config_of([]) == "etc/rsyslog.conf"
    assert config_of([b"/usr/sbin/rsyslogd\0-n\0-iNONE\0"]) == "etc/rsyslog.conf"
    assert config_of([b"rsyslogd\0-n\0-f\0/etc/lab.conf\0"]) == "/etc/lab.conf"
    assert config_of([b"rsyslogd\0-f/etc/lab.conf\0"]) == "/etc/lab.conf"


def test_this_machine_s_own(tmp_path):
    if Path("/etc/rsyslog.conf").exists():
        assert rules() is not None
