"""A flood of lines: nothing is lost, and the newest attackers are denied meanwhile."""

from bench.guard import LOG, SOURCES, empty_log, flood, status
from monzen.parse.clock import Clock
from monzen.parse.reader import Reader
from tests.lab import live
from tests.lab.guard import Guard


@live(needs=("nft", "ss"), seconds=180)
def test_five_seconds_of_twenty_thousand_lines_each():
    empty_log()
    with Guard(SOURCES).start() as guard:
        before = guard.memory("run")[0]
        tries, late = flood(guard, 20_000, 5)
        memory = guard.memory("run")[1], guard.memory("serve")[1]
        guard.stop("run")
        text = LOG.read_bytes()
        wanted = len(Reader(Clock(2e9)).read(text))
        said = status(guard)
        print("events", said["events"], "of", wanted, "memory", before, memory, "late", late)
        assert text.count(b"\n") > 100_000
        assert (said["lines"], said["events"]) == (text.count(b"\n"), wanted)
        assert tries == len(late) == 5, "each of the newest attackers"
        assert memory[0] < before + 150
        assert memory[1] < 80
