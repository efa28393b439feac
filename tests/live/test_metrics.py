"""Metrics of a real guard, over HTTP, beside what `monzen status` and `monzen list` say; then everything that can be wrong."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from monzen.ledger import Ledger, Order
from tests.lab import live
from tests.lab.guard import Guard, account, denied
from tests.lab.net import inside, ns, probe, run, spawn, until
from tests.lab.server import listen, monzen, told
from tests.metrics.test_grafana import RULES, expressions
from tests.metrics.tools import WANTED, tool

SOURCES = 'files = ["/var/log/mail.log", "/var/log/auth.log"]\njournal = false'
LOG, LEDGER = Path("/var/log/mail.log"), Path("/var/lib/monzen/ledger.db")
PORT = 9797
AS_UNIT = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--bounding-set=-all,+dac_read_search", "--securebits=+no_setuid_fixup", "--no-new-privs"]


def guess(source, user):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    with LOG.open("a") as file:
        file.write(f"{stamp} mail postfix/smtpd[28414]: warning: unknown[{source}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}\n")


def gang(network):
    for number in range(4):
        for host in (83, 52, 20):
            guess(f"{network}.{host}", f"nobody{number}{host}@example.net")


def samples(text):
    return {(s.name, *s.labels.values()): s.value for family in parse(text) for s in family.samples}


def scrape(port=PORT):
    with inside("srv"), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return samples(answer.read().decode())


def fresh(port=PORT):
    """A scrape that looked anew."""
    time.sleep(1.1)
    return scrape(port)


def serve(user="root", port=PORT):
    command = [sys.executable, "-m", "monzen", "metrics", "--listen", f"127.0.0.1:{port}"]
    if user != "root":
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *AS_UNIT, *command]
    process = spawn("srv", command)
    until(lambda: probe("srv", port, to="127.0.0.1") == "open" or process.poll() is not None, what="metrics are served")
    assert process.poll() is None
    return process


def agree():
    """What is scraped is what is said."""
    end = time.monotonic() + 120
    while time.monotonic() < end:  # all three are asked one after the other, and the guard goes on
        status, rows, found = told_status(), told("list")["denied"], fresh()
        gates = [status["gate"]] if isinstance(status["gate"], dict) else []  # which on a busy machine is late once
        kinds = {
            (family, kind): sum((":" in r["target"]) == (family == "ipv6") and ("/" in r["target"]) == (kind == "network") for r in rows)
            for family in ("ipv4", "ipv6")
            for kind in ("address", "network")
        }
        pairs = [
            (found["monzen_denials", *key], number) for key, number in kinds.items()
        ] + [
            (sum(v for k, v in found.items() if k[0] == "monzen_denials"), status["denied"]),
            (found["monzen_watched_targets",], status["would_deny"]),
            (found["monzen_mode", status["mode"]], 1),
            (found["monzen_lines_total",], status["run"]["lines"]),
            (found["monzen_events_total",], status["run"]["events"]),
            (found["monzen_clients",], status["run"]["clients"]),
            *((found.get(("monzen_gate_orders_total", "denied")), gate["denied"]) for gate in gates),
            *((found.get(("monzen_gate_start_time_seconds",)), gate["started"]) for gate in gates),
            (len(gates), 1),
            (found["monzen_knocks_total",], status["packets_24h"]),
            *((found["monzen_source_lines_total", s["path"]], s["lines"]) for s in status["run"]["sources"]),
        ]  # fmt: skip
        if all(a == b for a, b in pairs):
            return found
    raise AssertionError([pair for pair in pairs if pair[0] != pair[1]])


def told_status():
    said = ns("srv", [sys.executable, "-m", "monzen", "status", "--json"], check=False).stdout
    return json.loads(said[said.find("{") :])


@live(needs=("nft",), seconds=240)
def test_a_day_of_it():
    LOG.write_text("")
    listen(25)
    with Guard(SOURCES).start() as guard:
        process = serve()
        found = agree()
        assert found["monzen_denials_imposed_total", "run"] == 0
        gang("203.0.113")
        until(lambda: "203.0.113.0/24" in denied(), what="the gang is denied")
        monzen("deny", "198.51.100.200", "--for", "1h")
        monzen("deny", "2001:db8:bad:7::/64")
        for _knock in range(3):
            assert probe("atk", 25, "203.0.113.99") == "silence"
        monzen("gate", "apply")  # what knocked is counted
        until(lambda: told_status()["run"]["events"] >= 12, what="run has said so")
        found = agree()
        assert found["monzen_denials", "ipv4", "network"] == found["monzen_denials", "ipv6", "network"] == 1
        assert found["monzen_denials", "ipv4", "address"] >= 1
        assert found["monzen_denials_imposed_total", "run"] >= 1
        assert found["monzen_denials_imposed_total", "hand"] == 2
        assert found["monzen_knocks_total",] >= 3
        assert found["monzen_knock_bytes_total",] >= 120
        assert [found[f"monzen_{name}_up",] for name in ("ledger", "run", "gate")] == [1, 1, 1]
        assert found["monzen_gate_firewall", "nftables"] == 1
        assert time.time() - found["monzen_source_last_line_timestamp_seconds", str(LOG)] < 120
        assert not [key for key in found if "203.0.113" in str(key) or "nobody" in str(key)]

        # the same printed, in a file, and to promtool
        until(lambda: samples(monzen("metrics")).keys() == found.keys(), what="all of it, the gate's own too")
        folder = Path("/var/lib/prometheus/node-exporter")
        folder.mkdir(parents=True)

        def written():
            assert monzen("metrics", "--textfile", folder / "monzen.prom") == ""
            return samples((folder / "monzen.prom").read_text())

        until(lambda: written().keys() == found.keys(), what="all of it in the file")
        assert stat.S_IMODE((folder / "monzen.prom").stat().st_mode) == 0o644
        if tool("promtool"):
            assert run([tool("promtool"), "check", "metrics"], input=monzen("metrics")).stdout == ""

        # a release ends; a pause is a mode; nothing that is a counter falls
        monzen("release", "2001:db8:bad:7::/64")
        monzen("pause", "--for", "1h")
        after = agree()
        assert after["monzen_denials", "ipv6", "network"] == 0
        assert after["monzen_denials_ended_total", "released"] == 1
        assert after["monzen_mode", "paused"] == 1
        assert abs(after["monzen_mode_until_timestamp_seconds",] - time.time() - 3600) < 60
        assert after["monzen_alarms_total", "mode"] >= 0
        assert [key for key in found if key[0].endswith("_total") and after[key] < found[key]] == []

        # each half dies
        guard.kill("run")
        status = Path("/var/lib/monzen-run/status.json")
        said = json.loads(status.read_text())
        status.write_text(json.dumps({**said, "at": time.time() - 60}))  # so long ago
        until(lambda: fresh()["monzen_gate_up",] == 1, what="the gate answers")
        found = fresh()
        assert found["monzen_run_up",] == 0
        assert found["monzen_lines_total",] == said["lines"]
        guard.kill("serve")
        found = fresh()
        assert found["monzen_gate_up",] == 0
        assert not [key for key in found if key[0].startswith("monzen_gate_") and key[0] != "monzen_gate_up"]
        assert found["monzen_denials", "ipv4", "network"] == 1, "the ledger still knows"
        guard.start("serve")
        until(lambda: fresh()["monzen_gate_up",] == 1, what="the gate is back")

        # run is taken over, and lies
        words = {**said, "at": time.time(), "sources": [{**said["sources"][0], "path": f"/x{n}\n"} for n in range(99)], "version": "\x1b[2J"}
        for text in (json.dumps(words), "[]", "", "\0" * 99, json.dumps({**said, "lines": float("inf")})):
            status.write_text(text)
            assert not [key for key in fresh() if key[0].startswith("monzen_source_")]
        status.unlink()
        os.mkfifo(status)
        assert fresh()["monzen_run_up",] == 0

        # the gate hangs: it is not waited for long
        os.kill(guard.processes["serve"].pid, signal.SIGSTOP)
        started = time.monotonic()
        assert fresh()["monzen_gate_up",] == 0
        assert time.monotonic() - started < 30, "it hangs for ever"
        os.kill(guard.processes["serve"].pid, signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def asked(path, **query):
    """What Prometheus answers."""
    with inside("srv"), urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}?{urlencode(query)}", timeout=60) as answer:
        found = json.loads(answer.read())
    assert found["status"] == "success"
    return found["data"]


@live(needs=("nft",), seconds=120)
def test_prometheus_scrapes_it_answers_each_panel_and_fires_an_alert():
    if not tool("prometheus"):
        pytest.skip(WANTED.format(name="prometheus"))
    for log in (LOG, Path("/var/log/auth.log")):
        log.write_text("")
    folder = Path("/var/prometheus")
    folder.mkdir()
    rules = RULES.read_text(encoding="utf-8")
    (folder / "alerts.yml").write_text("\n".join(line for line in rules.splitlines() if "for:" not in line))  # at once
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "rule_files: [alerts.yml]\n"
        f"scrape_configs: [{{job_name: monzen, static_configs: [{{targets: ['127.0.0.1:{PORT}']}}]}}]\n"
    )
    with Guard(SOURCES).start() as guard:
        serve()
        words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:9090"]
        prometheus = spawn("srv", [tool("prometheus"), *words], stderr=subprocess.DEVNULL)
        until(lambda: probe("srv", 9090, to="127.0.0.1") == "open", what="Prometheus runs")
        gang("203.0.113")
        until(lambda: "203.0.113.0/24" in denied(), what="the gang is denied")
        until(lambda: asked("query", query="sum(monzen_denials) > 0")["result"], what="it stands in Prometheus")
        targets = asked("targets")["activeTargets"]
        assert [(t["health"], t["lastError"]) for t in targets] == [("up", "")]
        until(lambda: asked("query", query="increase(monzen_lines_total[30s])")["result"], what="rates")
        silent = []
        for where, expression in expressions():
            plain = expression.replace("$instance", ".*").replace("$__rate_interval", "30s").replace("$__range", "30s")
            if not asked("query", query=plain)["result"] and not where.startswith("Monzen"):
                silent.append(where)
        assert set(silent) <= {"Denials that begin and end", "Alarms"}, "which draw only what is more than none"
        found = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
        assert {(rule["health"], rule.get("lastError", "")) for rule in found} == {("ok", "")}
        firing = {alert["labels"]["alertname"] for alert in asked("alerts")["alerts"] if alert["state"] == "firing"}
        assert firing == set()
        guard.kill("serve")
        until(lambda: any(alert["state"] == "firing" for alert in asked("alerts")["alerts"]), what="the dead gate is an alert")
        assert {alert["labels"]["alertname"] for alert in asked("alerts")["alerts"]} == {"MonzenGateDown"}
        prometheus.terminate()
        prometheus.wait(60)


@live(needs=("nft",), seconds=90)
def test_no_ledger_a_damaged_one_and_a_new_one():
    shutil.rmtree(LEDGER.parent, ignore_errors=True)
    found = samples(monzen("metrics"))
    assert found["monzen_ledger_up",] == 1
    assert found["monzen_denials", "ipv4", "address"] == found["monzen_alarms_total", "breach"] == 0
    assert (found["monzen_run_up",], found["monzen_gate_up",]) == (0, 0)
    assert not LEDGER.exists(), "it only reads"
    monzen("deny", "203.0.113.7")
    process = serve()
    assert scrape()["monzen_denials", "ipv4", "address"] == 1
    whole = LEDGER.read_bytes()
    for broken in (b"", whole[:5000], b"\xff" * 20000, whole[:4096] + b"\xff" * (len(whole) - 4096)):
        for suffix in ("-wal", "-shm"):
            Path(f"{LEDGER}{suffix}").unlink(missing_ok=True)
        LEDGER.write_bytes(broken)
        found = fresh()
        assert found["monzen_ledger_up",] == 0
        assert not [key for key in found if key[0].startswith(("monzen_denials", "monzen_alarms", "monzen_ledger_size"))], "not known is not none"
        done = ns("srv", [sys.executable, "-m", "monzen", "metrics"], check=False)
        assert done.returncode == 2
        assert "--rescue" in done.stdout
        assert "monzen_ledger_up 0.0" in done.stdout
    monzen("gate", "apply", "--rescue")
    assert fresh()["monzen_ledger_up",] == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@live(needs=("nft", "setpriv"), seconds=120)
def test_as_the_unit_has_it():
    """The user monzen with CAP_DAC_READ_SEARCH alone reads what root reads, also beside a writer, and can write nothing."""
    LOG.write_text("")
    user = account()
    if user == "root":
        pytest.skip("this checkout can be read by root alone")
    with Guard(SOURCES).start() as guard:
        process = serve(user)
        gang("203.0.113")
        until(lambda: "203.0.113.0/24" in denied(), what="the gang is denied")
        found = agree()
        assert found["monzen_denials", "ipv4", "network"] == 1
        before = os.stat(LEDGER.parent).st_mtime_ns, sorted(os.listdir(LEDGER.parent))
        fresh()
        assert (os.stat(LEDGER.parent).st_mtime_ns, sorted(os.listdir(LEDGER.parent))) == before
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert f"CapEff:\t{1 << 2:016x}\n" in status  # linux/capability.h: CAP_DAC_READ_SEARCH
        traced = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "cat", f"/proc/{process.pid}/environ"]
        assert subprocess.run(traced, capture_output=True, check=False).returncode != 0, "run, the same user, looks into it"
        guard.stop("run", "serve")  # the last writer takes the log away
        assert fresh()["monzen_denials", "ipv4", "network"] == 1
        with Ledger.open(str(LEDGER)) as ledger:
            ledger.impose([Order(bytes((198, 51, 100, 201)), 32, until=time.time() + 60)], time.time())
            assert fresh()["monzen_denials", "ipv4", "address"] == found["monzen_denials", "ipv4", "address"] + 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@live(needs=("setpriv",), seconds=60)
def test_who_may_read_nothing_is_told():
    LEDGER.parent.mkdir(mode=0o750, exist_ok=True)
    Path("/var/lib/monzen-run").mkdir(mode=0o700, exist_ok=True)
    Path("/var/lib/monzen-run/status.json").write_text("{}")
    done = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "monzen", "metrics"], check=False)
    if "No module named" in done.stdout:
        pytest.skip("this checkout can be read by root alone")
    assert done.returncode == 2
    assert done.stdout.count("Run as root") == 2, done.stdout
    assert "monzen_ledger_up 0.0" in done.stdout


@live(seconds=60, net=False)
def test_a_taken_port_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        done = run([sys.executable, "-m", "monzen", "metrics", "--listen"], check=False)
    assert done.returncode == 2
    assert "cannot listen at 127.0.0.1:9797: another program does" in done.stdout
