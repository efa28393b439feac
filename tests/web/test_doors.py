"""Who may ask, door by door: each refusal with all else as it should be."""

import asyncio

import pytest

pytest.importorskip("starlette", reason="starlette is not installed (the extra serve)")

from monzen.web.doors import COOKIE, LONGEST, SPOKEN, Doors
from monzen.web.seats import PROVEN

HOST, TOKEN = "127.0.0.1:8765", "t" * 32


async def inside(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inside", b"yes")]})
    await send({"type": "http.response.body", "body": b"inside"})


DOORS = Doors(inside, TOKEN, frozenset((HOST, "localhost:8765", "monzen.example.net")))
LOCAL = Doors(inside, TOKEN, frozenset(), local=True)


def knock(method="GET", query="", *, doors=DOORS, host=HOST, more=(), **headers):
    """Status and headers of the answer to one who is known; a header of None is left out, `more` come twice or last."""
    known = {"host": host, "cookie": f"{COOKIE}={doors.session}"}
    if method == "POST":
        known |= {"origin": f"http://{host}", "x-monzen": doors.proof, "content-length": "9"}
    known |= {name.replace("_", "-"): value for name, value in headers.items()}
    rows = [(name.encode(), value.encode("latin-1")) for name, value in known.items() if value is not None]
    said, proven = [], []

    async def send(message):
        said.append(message)

    scope = {"type": "http", "method": method, "path": "/", "query_string": query.encode(), PROVEN: lambda: proven.append(True)}
    scope["headers"] = [*rows, *((name.encode(), value.encode()) for name, value in more)]
    asyncio.run(doors(scope, None, send))
    start, body = said
    assert (start["status"] in (200, 303)) == bool(proven), "who is refused holds no seat"
    assert (body["body"] == b"inside") == (start["status"] == 200)
    return start["status"], start["headers"]


def test_who_is_known_comes_in():
    for method in ("GET", "HEAD", "POST"):
        assert knock(method)[0] == 200
    assert knock(host="LOCALHOST:8765")[0] == 200
    assert knock("POST", origin="https://monzen.example.net", host="monzen.example.net")[0] == 200, "behind a proxy that speaks TLS"
    assert knock("POST", sec_fetch_site="same-origin")[0] == 200
    assert knock(cookie=f"other=1; {COOKIE}={DOORS.session}; x=2")[0] == 200


@pytest.mark.parametrize("host", [
    None, "", "evil.example", "127.0.0.1", "127.0.0.1:8766", "localhost:1", "localhost", "[::1]:8765", "127.0.0.1:8765.evil.example",
    "evil.example:8765", "127.0.0.1:8765@evil.example", "monzen.example.net.", "x.monzen.example.net",
])  # fmt: skip
def test_another_name_is_somebody_elses_page(host):
    assert knock(host=host)[0] == 421
    assert knock("POST", host=host, origin=f"http://{host}")[0] == 421


@pytest.mark.parametrize(("host", "status"), [
    ("localhost:9000", 200), ("127.0.0.1:1", 200), ("[::1]:8765", 200), ("evil.example:8765", 421), ("localhost", 421), ("localhost:x", 421),
    ("localhost.evil.example:8765", 421), ("evil.example:localhost:1", 421),
])  # fmt: skip
def test_a_socket_is_reached_through_any_port_of_ones_own(host, status):
    assert knock(doors=LOCAL, host=host)[0] == status


@pytest.mark.parametrize("cookie", [
    None, "", "monzen", "monzen=", "monzen=x", "xmonzen={session}", "monzen={session}x", "monzen={short}", "monzen={token}", "monzen={proof}",
    "x={session}", "{session}", "monzen={others}",
])  # fmt: skip
def test_another_cookie_is_none(cookie):
    if cookie is not None:
        secrets = {"session": DOORS.session, "short": DOORS.session[:-1], "token": TOKEN, "proof": DOORS.proof, "others": LOCAL.session}
        cookie = cookie.format(**secrets)  # here, for pytest-xdist wants tests of the same names each time
    assert knock(cookie=cookie)[0] == 401
    assert knock("POST", cookie=cookie)[0] == 401


@pytest.mark.parametrize("origin", [
    "http://evil.example", "null", "", f"http://{HOST}.evil.example", f"http://{HOST}/", f"http://{HOST}@evil.example", f"ftp://{HOST}", HOST,
    f"http://x.{HOST}", "http://localhost:8765", "http://127.0.0.1:9000", "http://127.0.0.1", f"http://evil.example http://{HOST}",
])  # fmt: skip
def test_another_origin_changes_nothing_and_reads_nothing(origin):
    assert knock("POST", origin=origin)[0] == 403
    assert knock("GET", origin=origin)[0] == 403


def test_what_changes_something_comes_from_the_page_itself():
    assert knock("POST", origin=None)[0] == 403
    for site in ("cross-site", "same-site", "", "x"):
        assert knock("POST", sec_fetch_site=site)[0] == 403, site
    for proof in (None, "", "x", DOORS.proof[:-1], DOORS.proof + "x", DOORS.session, TOKEN, LOCAL.proof):
        assert knock("POST", x_monzen=proof)[0] == 403, proof
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", ""):
        assert knock(method, origin=f"http://{HOST}", x_monzen=DOORS.proof)[0] == 405, method
    for length in (None, "", "-1", "+9", " 9", "9 ", "9,9", "0x9", "\xb2", str(LONGEST + 1), "0" * 6):
        assert knock("POST", content_length=length)[0] == 413, length
    assert knock("POST", content_length=str(LONGEST))[0] == 200
    assert knock("POST", transfer_encoding="chunked")[0] == 413
    assert knock("GET", transfer_encoding="chunked")[0] == 413


@pytest.mark.parametrize("name", ["host", "origin", "cookie", "content-length"])
def test_what_stands_there_twice_is_refused(name):
    """One of the two would be looked at here, and the other one by whoever stands behind or before us."""
    twice = {"host": HOST, "origin": f"http://{HOST}", "cookie": f"{COOKIE}={DOORS.session}", "content-length": "9"}[name]
    assert knock("POST", more=[(name, twice)])[0] == 400


def test_the_token_is_good_for_a_cookie_and_nothing_else():
    status, headers = knock(query=f"token={TOKEN}&lang=ja", cookie=None)
    told = dict(headers)
    assert (status, told[b"location"]) == (303, b"/?lang=ja")
    assert told[b"set-cookie"].decode() == f"{COOKIE}={DOORS.session}; HttpOnly; SameSite=Strict; Path=/"
    assert set(SPOKEN) <= set(headers)
    for query in ("", "token=", f"token={TOKEN}x", f"token={TOKEN[:-1]}", f"token=x&token={TOKEN}", f"Token={TOKEN}", f"token={DOORS.session}", f"token={DOORS.proof}"):
        assert knock(query=query, cookie=None)[0] == 401, query
    assert knock("POST", query=f"token={TOKEN}", cookie=None)[0] == 401
    assert knock(query=f"token={TOKEN}", cookie=None, host="evil.example")[0] == 421
    assert len({TOKEN, DOORS.session, DOORS.proof, LOCAL.session, LOCAL.proof}) == 5
    assert dict(knock(query=f"token={TOKEN}&x=%0d%0aset-cookie:a", cookie=None)[1])[b"location"] == b"/?x=%0D%0Aset-cookie%3Aa"


def test_every_answer_says_how_it_may_be_used():
    wanted = {
        b"cache-control": b"no-store", b"x-content-type-options": b"nosniff", b"referrer-policy": b"no-referrer", b"x-frame-options": b"DENY",
        b"cross-origin-opener-policy": b"same-origin", b"cross-origin-resource-policy": b"same-origin",
    }  # fmt: skip
    for status, headers in (knock(), knock(cookie=None), knock(host="evil.example"), knock("POST"), knock(query=f"token={TOKEN}", cookie=None)):
        assert {name: dict(headers).get(name) for name in wanted} == wanted, status
