"""The kernel's lines about packets that ufw logs, and those of monzen's own table (gate/layout.py), which look alike.

Source: ufw 0.36, /etc/ufw/*.rules (prefixes [UFW BLOCK], [UFW LIMIT BLOCK], [UFW AUDIT], [UFW ALLOW]); Linux
net/netfilter/nf_log_syslog.c. The dmesg stamp is optional, IPv6 addresses are written in full, UDP has two LEN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from monzen.parse.declare import Family, Reads
from monzen.pattern import search
from monzen.types import Kind, Service, Weight

DMESG = rb"(?:\[ *[\d.]++\] )?"
PACKET = (
    rb"IN=(?P<into>\S*+) OUT=(?P<out>\S*+) (?:(?:PHYSIN|PHYSOUT|MAC)=\S*+ )*SRC=(?P<address>[0-9A-Fa-f:.]++) DST=(?P<to>[0-9A-Fa-f:.]++) "
    rb"(?P<rest>.*)"
)
PROTO = search(rb"(?:^| )PROTO=(\S+)(?: SPT=\d+ DPT=(\d+))?")
FLAGS = search(rb" RES=0x[0-9a-f]+ ((?:[A-Z]+ )*)URGP=")


def _packet(m: re.Match[bytes]) -> Mapping[str, Any]:
    """Only a refused inbound TCP SYN is a knock; `detail` is the port it knocked at, `25/tcp`.

    UDP answers, late ACK and RST, multicast and our own packets are noise (FACTS table A); ufw cannot tell them from attacks.
    """
    rest = m["rest"][:500]
    proto = PROTO(rest)
    name = proto[1].lower() if proto else b""
    said: dict[str, Any] = {}
    if proto and proto[2]:
        said["detail"] = proto[2] + b"/" + name
    flags = FLAGS(rest)
    if m["into"] and name == b"tcp" and flags and flags[1] == b"SYN ":
        said["weight"] = int(Weight.WEAK)
    elif not m["into"]:
        said["kind"] = int(Kind.OTHER)
    return said


KERNEL = Family(
    "kernel",
    (
        Reads(
            "ufw: a packet turned away",
            b" BLOCK] ",
            DMESG + rb"\[(?:UFW (?:LIMIT )?|MONZEN )BLOCK\] " + PACKET,
            Kind.BLOCKED,
            service=Service.FIREWALL,
            refine=_packet,
            examples={
                "kernel: [ 2191.645946] [UFW BLOCK] IN=eth0 OUT= MAC=00:16:3e:31:b6:c7:00:23:9c:16:ca:01:08:00 SRC=192.0.2.7 DST=198.51.100.2 LEN=40 "
                "TOS=0x08 PREC=0x20 TTL=50 ID=13432 PROTO=TCP SPT=14960 DPT=23 WINDOW=10850 RES=0x00 SYN URGP=0 ": {
                    "client": "192.0.2.7",
                    "weight": "weak",
                    "service": "firewall",
                },
                "kernel: [UFW BLOCK] IN=eth0 OUT= MAC= SRC=2001:0db8:0000:0000:0000:0000:0000:0007 DST=2001:0db8:0000:0000:0000:0000:0000:0001 LEN=80 "
                "TC=0 HOPLIMIT=64 FLOWLBL=307753 PROTO=TCP SPT=33227 DPT=993 WINDOW=64800 RES=0x00 SYN URGP=0 ": {"client": "2001:db8::7"},
                "kernel: [UFW BLOCK] IN=eth0 OUT= MAC=00:16:3e:31:b6:c7:00:23:9c:16:ca:01:08:00 SRC=192.0.2.7 DST=198.51.100.2 LEN=439 TOS=0x08 "
                "PREC=0x20 TTL=54 ID=50976 DF PROTO=UDP SPT=5084 DPT=5060 LEN=419 ": {"weight": "none"},
                "kernel: [UFW BLOCK] IN=eth0 OUT= MAC=x SRC=192.0.2.7 DST=198.51.100.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=8080 "
                "DPT=52380 WINDOW=65160 RES=0x00 ACK SYN URGP=0 ": {"weight": "none"},
                "kernel: [  318.512690] [MONZEN BLOCK] IN=eth0 OUT= MAC=00:16:3e:31:b6:c7:00:23:9c:16:ca:01:08:00 SRC=192.0.2.7 DST=198.51.100.2 "
                "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=30381 DF PROTO=TCP SPT=41932 DPT=25 WINDOW=64240 RES=0x00 SYN URGP=0 ": {
                    "client": "192.0.2.7",
                    "weight": "weak",
                },
            },
        ),
        Reads(
            "ufw: a packet noted",
            b"SRC=",
            DMESG + rb"(?:\[UFW [A-Z ]++\] |[\w.-]{1,30}: ?)?" + PACKET,
            Kind.OTHER,
            service=Service.FIREWALL,
            live=False,
            refine=lambda m: {k: v for k, v in _packet(m).items() if k == "detail"},
            examples={
                "kernel: [UFW AUDIT] IN=eth0 OUT= MAC=x SRC=192.0.2.7 DST=198.51.100.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=5 DPT=25 "
                "WINDOW=64240 RES=0x00 SYN URGP=0 ": {"client": "192.0.2.7", "weight": "none"},
            },
        ),
    ),
)
