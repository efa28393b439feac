"""A program of the admin's, run for each message with the rights of nobody: its kind is the last argument, JSON the input."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from monzen.show.text import safe
from monzen.show.words import _
from monzen.tell.apart import Rights, execute
from monzen.tell.message import TellError, tried

PATIENCE: Final = 10.0  # seconds, then it is killed with all its children
LINKS: Final = 40  # that are followed, as the kernel does (path_resolution(7))


def run_hook(command: Sequence[str], user: str, kind: str, data: bytes) -> None:
    """Run it; exit status 0 means that it has taken the message. Raises TellError."""
    check_program(command[0])
    done = execute([*command, kind], data, Rights.of(user), PATIENCE, bounded=True)
    if done.status != 0:
        said = _("the hook {program} failed ({why})").format(program=safe(command[0], 200), why=done.why(PATIENCE))
        raise TellError(said, tried(), _("It runs as {user}, and its input is JSON: docs/telling.md").format(user=user))


def check_program(path: str) -> None:
    """That a program, and every folder and link on the way to it, is root's and written by nobody else. Raises TellError.

    What others can write, root would run for them: with few rights, but each minute, and with what alarms say.
    """
    at, rest, links = "/", path.strip("/").split("/"), 0
    try:
        while True:
            found = os.lstat(at)
            link = stat.S_ISLNK(found.st_mode)
            if found.st_uid != 0 or (found.st_mode & 0o022 and not link) or links > LINKS:
                raise TellError(
                    _(
                        "the hook {program} is not run: {path} can be written by others than root. "
                        "Mend it: chown root {path}; chmod go-w {path}"
                    ).format(program=safe(path, 200), path=safe(at, 200))
                )
            if link:
                links += 1
                at = os.path.normpath(os.path.join(os.path.dirname(at), os.readlink(at)))
                rest, at = [*at.strip("/").split("/"), *rest], "/"
            elif not rest:
                break
            at = os.path.normpath(os.path.join(at, rest.pop(0)))
    except OSError as error:
        detail = _(error.strerror or str(error))
        said = _("cannot run {program}: {detail}. Look at the program, and at who may run it")
        raise TellError(said.format(program=safe(path, 200), detail=detail)) from None
    if not stat.S_ISREG(found.st_mode):
        raise TellError(
            _("the hook {program} is not run: it is no program. Name one: [tell] hook").format(program=safe(path, 200))
        )
