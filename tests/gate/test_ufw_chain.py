"""ufw's chain in the kernel as text: what is ours in it, and the least that makes it right."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.gate.ufw_chain import Row, ours, plan, read, restore
from tests.gate.test_ufw_rules import allow, deny

# As iptables 1.8.9 tells it with -v -S, nft and legacy.
LINES = [
    ("-A ufw-user-input -s 203.0.113.0/24 -c 5 300 -j DROP", deny("203.0.113.0/24"), 5, 300),
    ("-A ufw-user-input -s 198.51.100.7/32 -p tcp -m tcp --dport 25 -c 0 0 -j DROP", deny("198.51.100.7", 25, 6), 0, 0),
    ("-A ufw6-user-input -s 2001:db8:bad::/48 -p udp -m udp --dport 53 -c 1 2 -j DROP", deny("2001:db8:bad::/48", 53, 17), 1, 2),
    ("-A ufw-user-input -s 203.0.113.7/32 -c 0 0 -j ACCEPT", allow("203.0.113.7"), 0, 0),
    ("-A ufw-user-input -s 203.0.113.7/32 -j DROP", deny("203.0.113.7"), 0, 0),
]


@pytest.mark.parametrize(("line", "rule", "packets", "octets"), LINES)
def test_a_line_of_the_kernel_is_a_rule(line, rule, packets, octets):
    assert read(line) == Row(rule, rule.specs()[0], packets, octets)


@pytest.mark.parametrize(
    "line",
    [
        "-N ufw-user-input",
        "-A ufw-user-input -p tcp -m tcp --dport 22 -c 0 0 -j ACCEPT",
        "-A ufw-user-input -d 198.51.100.10/32 -s 203.0.113.0/24 -c 0 0 -j DROP",
        "-A ufw-user-input -s 203.0.113.0/24 -i eth0 -c 0 0 -j DROP",
        "-A ufw-user-input ! -s 203.0.113.0/24 -c 0 0 -j DROP",
        "-A ufw-user-input -s 203.0.113.0/24 -c 0 0 -j REJECT --reject-with icmp-port-unreachable",
        "-A ufw-user-input -s 203.0.113.999/24 -c 0 0 -j DROP",
        "-A INPUT -s 203.0.113.0/24 -c 0 0 -j DROP",
    ],
)
def test_what_no_rule_of_ours_looks_like_is_none(line):
    assert read(line) is None


def row(spec):
    """A row of a chain: DROP of ours or theirs, or something else."""
    return None if spec == "other" else Row(deny("203.0.113.0/24"), spec, 0, 0)


def obey(chain, orders):
    """What the kernel makes of a chain."""
    chain = list(chain)
    for order in orders:
        verb, _, rest = order.partition(" ")
        if verb == "-D":
            del chain[int(rest) - 1 if rest.isdigit() else chain.index(rest)]
        else:
            number, _, spec = rest.partition(" ")
            chain.insert(int(number) - 1, spec)
    return chain


SPECS = st.sampled_from(["-s a -j DROP", "-s b -j DROP", "-s c -j DROP", "-s d -j DROP", "-s e -j ACCEPT", "other"])
NEW = st.lists(st.sampled_from(["-s a -j DROP", "-s b -j DROP", "-s c -j DROP", "-s e -j ACCEPT"]), unique=True)


@given(st.lists(SPECS, max_size=12), st.dictionaries(SPECS.filter(lambda s: s != "other"), st.integers(0, 2)), st.sets(SPECS), NEW)
def test_after_the_plan_ours_are_first_and_all_others_stand_as_they_stood(chain, foreign, known, new):
    known.discard("other")
    foreign = Counter(foreign)
    rows = [row(spec) for spec in chain]
    mine = ours(rows, foreign, known | set(new))
    orders = plan(rows, foreign, known, new)
    after = obey(chain, orders)
    assert after == new + [spec for n, spec in enumerate(chain) if n not in set(mine)]
    for _round in range(2 if any(chain.count(spec) < n for spec, n in foreign.items()) else 0):
        # the user's file has a rule that the kernel has lost: the first one is taken for his, and ours comes again
        after = obey(after, plan([row(spec) for spec in after], foreign, known, new))
    assert plan([row(spec) for spec in after], foreign, known, new) == []


def test_what_stays_is_not_touched_so_that_it_goes_on_counting():
    chain = [row("-s a -j DROP"), row("-s b -j DROP"), row("other")]
    assert plan(chain, Counter(), {"-s a -j DROP", "-s b -j DROP"}, ["-s c -j DROP", "-s b -j DROP"]) == [
        "-D -s a -j DROP",
        "-I 1 -s c -j DROP",
    ]
    assert plan(chain, Counter(), set(), ["-s a -j DROP", "-s b -j DROP"]) == []


def test_of_equal_rules_the_users_is_never_the_one_that_goes():
    chain = [row("-s a -j DROP"), row("other"), row("-s a -j DROP")]
    his = Counter({"-s a -j DROP": 1})
    assert plan(chain, his, {"-s a -j DROP"}, []) == ["-D -s a -j DROP"]
    assert plan(chain[1:], his, {"-s a -j DROP"}, []) == []
    assert plan(chain[:1], his, {"-s a -j DROP"}, []) == []  # he took ours over: ufw dropped our comment
    both = Counter({"-s b -j DROP": 1})
    # ours is below something else: it goes by what it says, and his of another network stays
    assert plan([row("-s b -j DROP"), row("-s a -j DROP")], both, {"-s a -j DROP", "-s b -j DROP"}, ["-s a -j DROP"]) == [
        "-D -s a -j DROP",
        "-I 1 -s a -j DROP",
    ]


def test_a_second_one_of_ours_goes_by_its_number_where_its_words_would_mean_the_first():
    chain = [row("-s a -j DROP"), row("other"), row("-s b -j DROP"), row("-s a -j DROP")]
    orders = plan(chain, Counter(), {"-s b -j DROP"}, ["-s a -j DROP"])
    assert orders == ["-D -s b -j DROP", "-D 3"]
    assert obey(["-s a -j DROP", "other", "-s b -j DROP", "-s a -j DROP"], orders) == ["-s a -j DROP", "other"]


def test_restore_is_one_transaction_for_one_chain():
    assert restore(6, ["-D 2", "-D -s 2001:db8::/32 -j DROP", "-I 1 -s 2001:db8:bad::/48 -j DROP"]) == (
        b"*filter\n-D ufw6-user-input 2\n-D ufw6-user-input -s 2001:db8::/32 -j DROP\n"
        b"-I ufw6-user-input 1 -s 2001:db8:bad::/48 -j DROP\nCOMMIT\n"
    )
