"""Where bytes come from: files, archives, rotated sets, standard input and journald. The only package that reads them."""

from monzen.sources.error import SourceError
from monzen.sources.files import Source, blocks
from monzen.sources.journal import journal_blocks
from monzen.sources.lines import MAX_LINE
from monzen.sources.paste import unfold
from monzen.sources.plan import plan

__all__ = ["MAX_LINE", "Source", "SourceError", "blocks", "journal_blocks", "plan", "unfold"]
