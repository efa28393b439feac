"""Ledgers and orders for tests."""

import sqlite3

from monzen.ledger import Knocked, Ledger, Order

NOW = 1_788_534_000.0  # 2026-09-04 15:00 UTC
DAY = 86_400
A, B, C = bytes((192, 0, 2, 7)), bytes((198, 51, 100, 0)), bytes.fromhex("20010db8") + bytes(12)
LINE = b"Sep  4 16:59:45 mail postfix/smtpd[28414]: warning: unknown[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"


def order(network=A, bits=None, **more):
    return Order(network, 8 * len(network) if bits is None else bits, **{"until": NOW + DAY, "origin": "scan", "rule": "burst", **more})


def fill(path, many=300, now=NOW):
    """A ledger in which every table has rows; returns what `everything` says of it."""
    with Ledger.open(str(path)) as ledger:
        ledger.impose([order(A, until=now - 450 * DAY)], now - 500 * DAY)
        ledger.settle([], now - 440 * DAY)
        ledger.thin(now)
        orders = [order(bytes((10, 0, n >> 8, n & 255)), evidence=(LINE + b" %d" % n, b"\xff\x00 %d" % n), names=n) for n in range(many)]
        entries = ledger.impose(orders, now, "root")
        ledger.impose([order(B, 24, origin="hand", until=None, note="gang"), order(C, 48, port=25, protocol=6)], now, "alice")
        ledger.settle([Knocked(e.number, 25, 6, 3, 180, now + 5, e.network) for e in entries[: many // 2]], now + 10)
        ledger.release([entries[0].number], now + 20, "root", "a customer", [(B, 16)])
        ledger.end([entries[1].number], now + 20, "replaced")
        for text, prefixes in {"192.0.2.99": [(bytes((192, 0, 2, 99)), 32)], "mail.example.org": [(A, 32), (C, 128)]}.items():
            ledger.allow(text, prefixes, now, name=text.endswith("org"), actor="root", note="office")
        ledger.allow("203.0.113.0/24", [(bytes((203, 0, 113, 0)), 24)], now)
        ledger.unallow("203.0.113.0/24", now + 30, "root")
        ledger.told([ledger.alarm("gate", "the table was lost", now, {"denials": 3})], now + 1)
        ledger.alarm("full", "no room", now + 2)
        ledger.note("reconciled", str(now))
    return everything(path)


def everything(path):
    """All rows of all tables."""
    database = sqlite3.connect(path)
    try:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}
    finally:
        database.close()
