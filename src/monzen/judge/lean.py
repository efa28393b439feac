"""A word for the compiler, which means nothing to the interpreter: `mypy_extensions` is not there where monzen is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["mypyc_attr"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    T = TypeVar("T")

    def mypyc_attr(**_: bool) -> Callable[[T], T]:
        """Says how a class is compiled: `acyclic` is without the 16 bytes that the garbage collector puts before each object."""
        return lambda kind: kind
