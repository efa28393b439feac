"""The benchmarks run and print every row that this machine can have. Nothing here looks at a clock."""

import sys

import pytest

from bench import flat, generate, read
from bench.writer import Options

STANDIN = f"{sys.executable} -c \"import sys; print(sum(1 for _ in open(sys.argv[-1], 'rb')))\""


def table_rows(text: str) -> list[list[str]]:
    """The rows of the Markdown table in a text, its head and ruler left out."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def number(cell: str) -> float:
    """What a cell of numbers says."""
    return float(cell.removeprefix("< ").replace(",", ""))


@pytest.mark.slow
@pytest.mark.parametrize("monzen", [None, STANDIN], ids=["monzen", "stand-in"])
def test_reading_has_all_rows(monzen: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    read.main(["--quick", *(["--monzen", monzen] if monzen else [])])
    said = capsys.readouterr().out
    rows = table_rows(said)
    names = ["monzen scan", "monzen scan --json", "grep -c"]
    names += [] if "sshguard is not installed" in said else [read.PARSER]
    names += [] if "fail2ban is not installed" in said else [f"{read.FAIL2BAN} *"]
    wanted = {(stamp, name) for stamp in read.FORMATS.values() for name in names}
    assert {(row[1], row[2]) for row in rows} == wanted
    measured = [row for row in rows if not row[3].startswith("failed")]
    assert all(number(cell) > 0 for row in measured for cell in row[3:])
    assert {row[2] for row in measured} >= {"monzen scan", "monzen scan --json", "grep -c"}


def test_memory_has_all_rows(capsys: pytest.CaptureFixture[str]) -> None:
    flat.main(["--lines", "500", "--monzen", STANDIN])
    rows = table_rows(capsys.readouterr().out)
    assert [(row[0], row[2]) for row in rows] == [
        (kind, size) for size in ("100", "500", "2,500") for kind in ("ordinary", "ordinary, .gz", "only new attackers")
    ]


def test_log_is_the_same_for_the_same_seed() -> None:
    options = Options(lines=2000, seed=7, rfc3339=True)
    lines = list(generate.mail_log(options))
    assert lines == list(generate.mail_log(options))
    assert lines != list(generate.mail_log(Options(lines=2000, seed=8, rfc3339=True)))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 1.0])
def test_log_has_the_wanted_share_of_attack_lines(share: float) -> None:
    lines = list(generate.mail_log(Options(lines=20_000, attack_fraction=share)))
    assert len(lines) == 20_000
    assert abs(sum(attack for attack, _ in lines) / len(lines) - share) < 0.05


def test_strangers_are_all_different() -> None:
    lines = [line for _, line in generate.strangers(Options(lines=5000))]
    assert len({line.partition("unknown[")[2].partition("]")[0] for line in lines}) == 5000


def test_failing_monzen_is_said_in_one_sentence() -> None:
    with pytest.raises(SystemExit) as stop:
        flat.main(["--lines", "10", "--monzen", f"{sys.executable} -c 'raise SystemExit(3)'"])
    assert "monzen failed" in str(stop.value)
