"""The corpora of right answers beside the repository: whom a line names, what it weighs, and who must not be blamed."""

import json
import subprocess
import sys

import pytest

CORPORA = ["crowdsec", "fail2ban", "hostile", "public_lines", "sshguard"]


@pytest.mark.shared
@pytest.mark.parametrize("name", CORPORA)
def test_the_corpus_is_read_right(shared, name):
    check = [sys.executable, str(shared / "cases/check.py"), "--monzen", f"{sys.executable} -m monzen"]
    done = subprocess.run([*check, "--file", str(shared / f"cases/{name}.jsonl"), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    wrong = "\n".join(f"{w['why']}: {w['line'][:160]}" for w in result["wrong"])
    assert result["blamed_wrongly"] == 0, wrong
    assert result["clients_right"] >= 0.98 * result["clients"] > 0, wrong
    assert result["hard_right"] >= 0.97 * result["hard"] > 0, wrong


@pytest.mark.shared
@pytest.mark.parametrize(
    ("names", "clients"), [(["first_user.log"], 3), (["first_user_older.log", "first_user.log"], 5), (["first_user_as_printed.txt"], 3)]
)
def test_the_first_users_log(shared, names, clients):
    """Three clients and one network, with the older log five; the web page's own print of it, pasted, says the same as the log."""
    text = b"".join((shared / "cases" / name).read_bytes() for name in names)
    done = subprocess.run([sys.executable, "-m", "monzen", "scan", "--json", "-"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["clients"] == clients
    assert [v["target"] for v in said["verdicts"]] == ["212.70.149.0/24"]
    assert said["breaches"] == []
    assert "ufw prepend deny from 212.70.149.0/24" in said["commands"]
