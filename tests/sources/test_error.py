"""Each reason is a sentence that says what, why and what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

import monzen.sources
from monzen.sources import SourceError, error

RAISED = {
    reason
    for path in Path(monzen.sources.__file__).parent.glob("*.py")
    for reason in re.findall(r'(?:SourceError|cls)\(\s*"([a-z-]+)"', path.read_text())
} | {"missing", "no-logs"}


def test_every_reason_has_a_sentence_and_every_sentence_a_reason() -> None:
    assert set(error._SENTENCES) == RAISED


@pytest.mark.parametrize("reason", sorted(RAISED))
def test_a_sentence_says_what_why_and_what_to_do(reason: str) -> None:
    said = str(SourceError(reason, "/var/log/a{b}%s.log", "Words of {others}"))
    assert "/var/log/a{b}%s.log" in said or reason == "journal"
    assert re.search(r"\. (Name|Check|Run|Fetch|Remove) ", said)


def test_what_the_system_says_is_kept() -> None:
    denied = SourceError.refused("x", PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    assert (denied.reason, denied.path, denied.detail) == ("unreadable", "x", "Permission denied")
    assert SourceError.refused("x", FileNotFoundError(errno.ENOENT, "No such file or directory")).reason == "missing"
    assert SourceError.refused("x", ValueError("embedded null byte")).reason == "missing"
