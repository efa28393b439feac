"""A file for the textfile collector of node_exporter: there whole, or as it was."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from monzen.metrics import MetricsError
from monzen.show.text import safe
from monzen.show.words import _

SUFFIX: Final = ".prom"  # node_exporter reads no other name, so neither what is being written. Source: its collector/textfile.go


def write_textfile(path: str, text: bytes) -> None:
    """Put `text` there, readable for everybody. Raises MetricsError.

    Its folder may belong to another user: it is opened once, and no link in it is followed.
    """
    name = os.path.basename(path)
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise MetricsError(_("{path} would not be read: node_exporter reads names that end in .prom").format(path=safe(path)))
    new = f".{name}.{os.getpid()}"
    try:
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=folder)  # of one of us that was killed
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with open(os.open(new, flags, 0o600, dir_fd=folder), "wb") as file:
                    file.write(text)
                    file.flush()
                    os.fchmod(file.fileno(), 0o644)
                os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(new, dir_fd=folder)
                raise
        finally:
            os.close(folder)
    except OSError as error:
        said = _("cannot write {path}: {detail}. Mend that, and try again")
        raise MetricsError(said.format(path=safe(path), detail=_(error.strerror or str(error)))) from None
