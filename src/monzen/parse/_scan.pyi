"""What `_scan.c` gives; it stands only where it was compiled."""

from monzen.types import Event

class Scanner:
    """The loop of `Reader.read`."""

    lines: int
    understood: int
    def __init__(self, *tables: object) -> None: ...
    def scan(self, block: bytes) -> list[Event]: ...

def session_id(line: bytes) -> bytes: ...
def told(event: Event, user: bytes | None, account: bool | None) -> Event: ...
