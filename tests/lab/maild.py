"""Real Postfix, Dovecot, rsyslog and sshd in srv, without systemd; on Debian 12 and 13, whose Dovecot is configured differently."""

import os
import re
import shutil
from pathlib import Path

from tests.lab.net import ns, probe, run, spawn, until

NEEDS = ("nft", "ss", "postfix", "doveadm", "rsyslogd", "sshd", "ssh-keygen", "openssl")
USERS = {"alice@example.net": "correct-horse", "bob@example.net": "battery-staple"}
PORTS = (25, 587, 143, 993, 110, 22)

RSYSLOG = """
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.Use="on")
input(type="imuxsock" Socket="/var/spool/postfix/dev/log" CreatePath="on")
$FileCreateMode 0640
$WorkDirectory /var/spool/rsyslog
mail.*             action(type="omfile" file="/var/log/mail.log" template="RSYSLOG_FileFormat")
auth,authpriv.*    action(type="omfile" file="/var/log/auth.log" template="RSYSLOG_FileFormat")
"""
MAIN = """
compatibility_level = 3.6
myhostname = mail.example.net
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8 [::1]/128
inet_protocols = all
alias_maps =
local_recipient_maps =
default_transport = error:no outside world in the lab
virtual_mailbox_domains = example.net
virtual_mailbox_base = /var/mail/vhosts
virtual_mailbox_maps = texthash:/etc/postfix/vmailbox
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
smtpd_tls_cert_file = /etc/ssl/lab.crt
smtpd_tls_key_file = /etc/ssl/private/lab.key
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_timeout = 60s
"""
SUBMISSION = """
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=may
"""
COMMON = """
protocols = imap pop3
log_path = syslog
ssl = yes
auth_verbose = yes
auth_mechanisms = plain login
first_valid_uid = 5000
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service stats {
  unix_listener stats-reader {
    mode = 0600
  }
}
"""
DOVECOT_23 = (
    COMMON
    + """
listen = *, ::
ssl_cert = </etc/ssl/lab.crt
ssl_key = </etc/ssl/private/lab.key
disable_plaintext_auth = no
mail_location = maildir:/var/mail/vhosts/%d/%n
passdb {
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/lab.passwd
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/var/mail/vhosts/%d/%n
}
"""
)
DOVECOT_24 = (
    """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
    + COMMON
    + """
listen = *, ::
ssl_server_cert_file = /etc/ssl/lab.crt
ssl_server_key_file = /etc/ssl/private/lab.key
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = /var/mail/vhosts/%{user | domain}/%{user | username}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/lab.passwd
}
userdb static {
  fields {
    uid = 5000
    gid = 5000
    home = /var/mail/vhosts/%{user | domain}/%{user | username}
  }
}
"""
)


def write(path, text, mode=0o644):
    """A file with its folders."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def start():
    """Configure and start everything; returns when each port answers."""
    run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mail.example.net"
        " -keyout /etc/ssl/private/lab.key -out /etc/ssl/lab.crt"
    )
    write("/etc/rsyslog.lab.conf", RSYSLOG)
    for folder in ("/var/spool/rsyslog", "/var/spool/postfix/dev", "/run/sshd"):
        os.makedirs(folder, exist_ok=True)
    for name in ("mail.log", "auth.log"):
        Path("/var/log", name).unlink(missing_ok=True)
        Path("/var/log", name).touch(0o640)
        shutil.chown(f"/var/log/{name}", "root", "adm")  # as Debian's rsyslog makes them: the guard is in that group
    spawn("srv", ["rsyslogd", "-n", "-f", "/etc/rsyslog.lab.conf", "-i", "/run/rsyslogd.lab.pid"])
    until(lambda: os.path.exists("/dev/log"), what="rsyslog")
    new = run(["dovecot", "--version"]).stdout.startswith("2.4")
    rows = [f"{user}:{run(['doveadm', '-O', 'pw', '-s', 'SHA512-CRYPT', '-p', word]).stdout.strip()}::::::" for user, word in USERS.items()]
    write("/etc/dovecot/lab.passwd", "\n".join(rows) + "\n")
    write("/etc/dovecot/lab.conf", DOVECOT_24 if new else DOVECOT_23)
    for user in USERS:
        name, domain = user.split("@")
        os.makedirs(f"/var/mail/vhosts/{domain}/{name}", exist_ok=True)
    run("chown -R 5000:5000 /var/mail/vhosts")
    write("/etc/postfix/main.cf", MAIN)
    write("/etc/postfix/vmailbox", "".join(f"{u} {u.split('@')[1]}/{u.split('@')[0]}/\n" for u in USERS))
    master = Path("/etc/postfix/master.cf").read_text()
    write("/etc/postfix/master.cf", re.sub(r"(?m)^submission\s.*\n(?:\s+.*\n)*", "", master) + SUBMISSION)
    write("/etc/mailname", "mail.example.net\n")
    run("/usr/lib/postfix/configure-instance.sh -", check=False)  # fills the chroot, as the systemd unit would
    ns("srv", "postfix check", check=False)  # makes its spool, where Dovecot has a socket
    spawn("srv", ["dovecot", "-F", "-c", "/etc/dovecot/lab.conf"])
    # an smtpd that finds none ends at once, and master(8) starts no other for a minute (service_throttle_time)
    until(lambda: os.path.exists("/var/spool/postfix/private/auth"), what="Dovecot's socket for Postfix")
    ns("srv", "postfix start", check=False)
    run("ssh-keygen -q -N '' -t ed25519 -f /etc/ssh/lab_key")
    spawn("srv", ["/usr/sbin/sshd", "-D", "-h", "/etc/ssh/lab_key", "-o", "UsePAM=no", "-o", "PermitRootLogin=no", "-o", "MaxStartups=100"])
    for port in PORTS:
        until(lambda port=port: probe("good", port) == "open", what=f"port {port}")
