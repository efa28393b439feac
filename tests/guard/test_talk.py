"""What `run` tells of what it read back: a guessed password stays guessed, an old outage is history."""

from monzen.guard.mind import Mind
from monzen.guard.talk import Talk
from monzen.judge.findings import Alarm, Breach

NOW = 1_800_000_000.0
DAY = 86_400.0


def test_a_break_in_of_last_week_is_told_and_an_outage_is_not(tmp_path):
    mind, talk = Mind(), Talk(str(tmp_path), lambda _record: None)
    client = bytes([203, 0, 113, 7])
    mind.judge.breaches = [Breach(client, b"a", NOW - days * DAY, 9, "guessed", b"line") for days in (3, 29, 31)]
    mind.judge.alarms = {("outage", bytes([n])): Alarm("outage", NOW - n * DAY, NOW - n * DAY, 1, b"", b"line") for n in (0, 3)}
    for _ in range(3):
        talk.look(mind, NOW)
    told = sorted((kind, round((NOW - at) / DAY)) for at, kind, _text in talk.alarms)
    assert told == [("breach", 3), ("breach", 29), ("outage", 0)]
