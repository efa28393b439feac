"""However a log of any lines is cut into blocks at line ends, and whichever loop reads it, the events are the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from monzen.parse.clock import Clock
from monzen.parse.line import LONGEST
from monzen.parse.program import FAMILIES
from monzen.parse.reader import BEHIND, Reader

NOW = 1_795_000_000.0
EXAMPLES = [e.encode().partition(b": ")[::2] for f in FAMILIES for r in f.reads for e in r.examples]
SHAPES = [
    b"Sep  4 16:59:45 mail %s: %s",
    b"2026-09-04T16:59:45.123456+09:00 mail %s: %s",
    b"2026-09-04T16:59:45Z mail %s: %s",
    b"<22>Sep  4 16:59:45 mail %s: %s",
    b"Sep  4 16:59:45 mail mail.info %s: %s",
    b"mx | Sep  4 16:59:45 mail %s: %s",
    b"%s: %s",
]
number = st.sampled_from([b"1", b"2", b"99", b"5000", b"999999999", b"9999999999", b"0"])
plain = st.builds(lambda shape, e: shape % e, st.sampled_from(SHAPES), st.sampled_from(EXAMPLES))
wrapped = st.builds(lambda shape, e, n: shape % (e[0], b"message repeated %s times: [ %s]" % (n, e[1])), st.sampled_from(SHAPES), st.sampled_from(EXAMPLES), number)
last = st.builds(lambda n: b"Sep  4 16:59:46 mail last message repeated %s times" % n, number)
last_of = st.builds(lambda e, n: b"Sep  4 16:59:46 mail %s: last message repeated %s times" % (e[0], n), st.sampled_from(EXAMPLES), number)
nul = st.builds(lambda line, at: line[:at] + b"\0" + line[at:], plain, st.integers(0, 80))
long = st.builds(lambda line, n: (line + b"y" * n)[:LONGEST], plain, st.sampled_from([900, 8100, BEHIND, 60_000]))
lines = st.lists(st.one_of(plain, plain, plain, wrapped, last, last_of, nul, long, st.just(b""), st.just(b"\0" * 20), st.binary(max_size=60).map(lambda b: b.replace(b"\n", b""))), min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(lines)
def test_cut_at_every_line_end(some):
    block = [line + b"\n" for line in some]
    whole = Reader(Clock(NOW)).read(b"".join(block))
    for compiled in (True, False):
        for cut in range(len(block) + 1):
            reader = Reader(Clock(NOW), compiled=compiled)
            parts = (b"".join(block[:cut]), b"".join(block[cut:]))
            assert [e for part in parts if part for e in reader.read(part)] == whole
        reader = Reader(Clock(NOW), compiled=compiled)
        assert [e for line in block for e in reader.read(line)] == whole
        assert reader.lines == len(block)
