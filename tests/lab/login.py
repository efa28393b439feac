"""Real logins over SSH in the sandbox: a session is more than a connection."""

from ipaddress import ip_address

from monzen.sockets import ssh_logins
from tests.lab.net import SRV4, inside, ns, probe, run, spawn, until

HOST, KEY = "/etc/ssh/lab_key", "/etc/ssh/lab_user"
QUIET = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


def sshd():
    """sshd in srv that knows one key, for root and for alice, who is made."""
    run(f"mkdir -p /run/sshd && ssh-keygen -q -N '' -t ed25519 -f {HOST} && ssh-keygen -q -N '' -t ed25519 -f {KEY} && chmod 644 {KEY}.pub")
    run("useradd --home-dir /var --shell /bin/sh alice && usermod --password '*' alice")
    known = ["-o", f"AuthorizedKeysFile={KEY}.pub", "-o", "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "LoginGraceTime=120"]
    ns("srv", ["/usr/sbin/sshd", "-h", HOST, "-o", "UsePAM=no", *known])
    until(lambda: probe("good", 22) == "open", what="sshd")


def logged_in():
    """Who is, as the gate sees it."""
    with inside("srv"):
        return {str(ip_address(peer)) for peer in ssh_logins()}


def login(place, source, user="root", to=SRV4, meanwhile=lambda: None):
    """A session that lasts as long as its process; back when sshd shows it. `meanwhile` is done again and again until then."""
    client = spawn(place, ["ssh", "-N", "-b", source, "-i", KEY, *QUIET, f"{user}@{to}"])
    until(lambda: source in logged_in() or meanwhile(), what=f"{user} is logged in from {source}")
    return client
