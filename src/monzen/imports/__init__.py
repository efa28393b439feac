"""What other tools denied, read from their own files: fail2ban's database, CrowdSec's decisions, plain lists.

Only read, never believed: who may be denied is decided where all denials are (monzen.keeper).
"""

from monzen.imports.found import Ban, Found, ListError
from monzen.imports.kind import KINDS, read

__all__ = ["KINDS", "Ban", "Found", "ListError", "read"]
