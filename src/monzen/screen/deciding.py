"""What a person decides on the live screen, done by the verbs of the command line in a process of their own.

So it is the Keeper who decides, with the same shield and the same words; and what it does ends as a whole, also where the
screen is killed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from monzen.services import command
from monzen.show.text import safe
from monzen.show.words import _

PATIENCE: Final = 60.0  # seconds: ufw's lock, and its rules
LINES: Final = 40  # that are shown of what it said


async def decide(verb: str, target: str, config: str | None = None, length: str = "") -> tuple[int, list[str]]:
    """`monzen deny|release|allow TARGET`, for a time where a `length` is given: its exit status, and what it said."""
    given = [verb, *(("--config", config) if config else ()), *(("--for", length) if length else ()), "--", target]
    process = await asyncio.create_subprocess_exec(
        *command(*given),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _none = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 2, [_("It took longer than a minute and was stopped. See what became of it: monzen gate status")]
    lines = said.decode("utf-8", "replace").splitlines()
    return process.returncode or 0, [safe(line) for line in lines[:LINES] if line.strip()]
