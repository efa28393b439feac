"""An open file descriptor that counts, and that speaks SourceError."""

from __future__ import annotations

import os
import stat
from types import TracebackType

from monzen.sources.error import SourceError


class Raw:
    """Bytes as they lie on disk or come through a pipe; `consumed` is how many were read, for the progress bar.

    With `fd` an open descriptor of `path`, which is ours from then on.

    Errors: SourceError "missing" or "unreadable", with the words of the operating system.
    """

    def __init__(self, path: str, *, stdin: bool = False, fd: int | None = None) -> None:
        self.path = path
        self.consumed = 0
        self.last = 0  # offset of what `read` gave last
        self._ours = not stdin
        try:
            if fd is None:
                fd = 0 if stdin else os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
            self.fd = fd
            self.regular = stat.S_ISREG(os.fstat(self.fd).st_mode)
            # Standard input may be a file that somebody has read a part of: { head -1; monzen scan -; } < mail.log
            self._start = os.lseek(self.fd, 0, os.SEEK_CUR) if self.regular else 0
        except (OSError, ValueError) as error:
            raise SourceError.refused(path, error) from error

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as there are some; b"" at the end."""
        try:
            data = os.read(self.fd, size)
        except OSError as error:
            raise SourceError.refused(self.path, error) from error
        self.last = self.consumed
        self.consumed += len(data)
        return data

    def rewind(self) -> bool:
        """Back to where reading began; False where that cannot be (a pipe)."""
        if self.regular:
            os.lseek(self.fd, self._start, os.SEEK_SET)
            self.consumed = 0
        return self.regular

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._ours:
            os.close(self.fd)
