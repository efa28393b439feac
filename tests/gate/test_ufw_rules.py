"""ufw's files as text: whose rules are in them, and ours at the beginning."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monzen.gate.target import GateError, Target
from monzen.gate.ufw_rules import Rule, commands, effective, foreign, rule_of, take_apart, together

# As ufw 0.36.2 wrote it, after `ufw allow 22/tcp`, `ufw deny from 198.51.100.9`, `ufw limit 587/tcp comment 'submission'`.
WRITTEN = b"""*filter
:ufw-user-input - [0:0]
:ufw-user-limit-accept - [0:0]
### RULES ###

### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 22 -j ACCEPT

### tuple ### deny any any 0.0.0.0/0 any 198.51.100.9 in
-A ufw-user-input -s 198.51.100.9 -j DROP

### tuple ### limit tcp 587 0.0.0.0/0 any 0.0.0.0/0 in comment=7375626d697373696f6e
-A ufw-user-input -p tcp --dport 587 -m conntrack --ctstate NEW -m recent --set
-A ufw-user-input -p tcp --dport 587 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 -j ufw-user-limit
-A ufw-user-input -p tcp --dport 587 -j ufw-user-limit-accept

### END RULES ###

### LOGGING ###
-A ufw-logging-allow -j LOG --log-prefix "[UFW ALLOW] "
### END LOGGING ###
COMMIT
"""
# As Debian's package brings it.
PRISTINE = b"""*filter
:ufw-user-input - [0:0]
:ufw-user-limit-accept - [0:0]
### RULES ###
-A ufw-user-limit -j REJECT
-A ufw-user-limit-accept -j ACCEPT
COMMIT
"""
EMPTY = b"*filter\n:ufw-user-input - [0:0]\n### RULES ###\n\n### END RULES ###\n\n### LOGGING ###\n### END LOGGING ###\nCOMMIT\n"


def at(text, port=0, protocol=0):
    network = ip_network(text)
    return Target(network.network_address.packed, network.prefixlen, port, protocol)


def deny(text, *door, number=0):
    return Rule(at(text, *door), False, number)


def allow(text, *door):
    return Rule(at(text, *door), True)


def with_rules(*blocks):
    """A file in which these stand, in this order."""
    body = b"".join(block.strip() + b"\n\n" for block in blocks)
    return EMPTY.replace(b"### RULES ###\n\n", b"### RULES ###\n\n" + body)


def make(text, *rules):
    made, wanted = together(take_apart(text, "user.rules"), rules)
    return made, wanted


THEIR_DENY = b"### tuple ### deny any any 0.0.0.0/0 any 203.0.113.0/24 in\n-A ufw-user-input -s 203.0.113.0/24 -j DROP"
THEIR_ALLOW = b"### tuple ### allow tcp 25 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 25 -j ACCEPT"
EXAMPLES = [
    (
        deny("203.0.113.0/24", number=12),
        b"### tuple ### deny any any 0.0.0.0/0 any 203.0.113.0/24 in comment=6d6f6e7a656e203132\n-A ufw-user-input -s 203.0.113.0/24 -j DROP\n\n",
    ),
    (
        deny("203.0.113.7", 25, 6),
        b"### tuple ### deny tcp 25 0.0.0.0/0 any 203.0.113.7 in comment=6d6f6e7a656e2030\n-A ufw-user-input -p tcp --dport 25 -s 203.0.113.7 -j DROP\n\n",
    ),
    (
        deny("203.0.113.7", 53, 17),
        b"### tuple ### deny udp 53 0.0.0.0/0 any 203.0.113.7 in comment=6d6f6e7a656e2030\n-A ufw-user-input -p udp --dport 53 -s 203.0.113.7 -j DROP\n\n",
    ),
    (
        deny("2001:db8:bad::/48", 25),
        b"### tuple ### deny any 25 ::/0 any 2001:db8:bad::/48 in comment=6d6f6e7a656e2030\n"
        b"-A ufw6-user-input -p tcp --dport 25 -s 2001:db8:bad::/48 -j DROP\n-A ufw6-user-input -p udp --dport 25 -s 2001:db8:bad::/48 -j DROP\n\n",
    ),
    (
        allow("203.0.113.7"),
        b"### tuple ### allow any any 0.0.0.0/0 any 203.0.113.7 in comment=6d6f6e7a656e20616c6c6f77\n-A ufw-user-input -s 203.0.113.7 -j ACCEPT\n\n",
    ),
]


@pytest.mark.parametrize(("rule", "block"), EXAMPLES)
def test_a_rule_is_written_as_ufw_writes_it_and_read_back(rule, block):
    assert rule.block() == block
    assert rule_of(block) == rule


ADDRESSES = st.one_of(
    st.tuples(st.binary(min_size=4, max_size=4), st.integers(1, 32)), st.tuples(st.binary(min_size=16, max_size=16), st.integers(1, 128))
)
DOORS = st.one_of(st.just((0, 0)), st.tuples(st.integers(1, 65535), st.sampled_from([0, 6, 17])))


@st.composite
def rules(draw):
    raw, bits = draw(ADDRESSES)
    width = 8 * len(raw)
    value = int.from_bytes(raw, "big") >> (width - bits) << (width - bits)
    exception = draw(st.booleans())
    number = 0 if exception else draw(st.integers(0, 10**9))
    return Rule(Target(value.to_bytes(len(raw), "big"), bits, *draw(DOORS)), exception, number)


@given(rules())
def test_what_is_written_is_known_again(rule):
    assert rule_of(rule.block()) == rule


@pytest.mark.parametrize("text", [WRITTEN, PRISTINE, EMPTY, with_rules(THEIR_ALLOW, THEIR_DENY)])
@given(st.lists(rules(), max_size=6), st.lists(rules(), max_size=6))
def test_other_peoples_bytes_stay_and_ours_come_and_go(text, first, second):
    first = [r for r in first if r.version == 4]
    second = [r for r in second if r.version == 4]
    made, wanted = make(text, *first)
    again, _same = make(made, *first)
    assert again == made  # the second time there is nothing to do
    kept = take_apart(made, "user.rules")
    assert kept.ours == wanted
    assert kept.theirs == take_apart(text, "user.rules").theirs
    assert [r.allow for r in wanted] == sorted((r.allow for r in wanted), reverse=True)
    there, _wanted = make(made, *second)
    assert take_apart(there, "user.rules").theirs == kept.theirs
    gone, nothing = make(there)
    assert nothing == []
    assert gone == text or (text == PRISTINE and gone.replace(b"\n### END RULES ###\n\n", b"") == text)


def test_without_rules_of_ours_every_byte_stays():
    for text in (WRITTEN, PRISTINE, EMPTY):
        assert make(text) == (text, [])


def test_ours_stand_first_exceptions_above_and_what_stays_keeps_its_place():
    one, two, three = deny("203.0.113.0/24", number=1), deny("192.0.2.0/24", number=2), deny("198.51.100.0/24", number=3)
    made, _ = make(WRITTEN, one, two)
    made, wanted = make(made, three, two, allow("203.0.113.7"), one)
    assert wanted == [allow("203.0.113.7"), three, one, two]  # new ones first, as `ufw prepend` does it
    assert made.index(b"any 203.0.113.7 in") < made.index(b"198.51.100.0/24") < made.index(b"allow tcp 22")


def test_the_same_twice_is_once_and_a_new_number_is_only_a_comment():
    made, wanted = make(EMPTY, deny("203.0.113.0/24", number=1), deny("203.0.113.0/24", number=2))
    assert len(wanted) == 1
    other, _ = make(made, deny("203.0.113.0/24", number=7))
    assert other != made
    assert take_apart(other, "x").ours == [deny("203.0.113.0/24", number=7)]


THEIRS_DOING = {
    "the same, first": (with_rules(THEIR_DENY, THEIR_ALLOW), deny("203.0.113.0/24"), False),
    "the same, below an allow": (with_rules(THEIR_ALLOW, THEIR_DENY), deny("203.0.113.0/24"), True),
    "below an allow for what goes out": (
        with_rules(b"### tuple ### allow any any 0.0.0.0/0 any 0.0.0.0/0 out\n-A ufw-user-output -j ACCEPT", THEIR_DENY),
        deny("203.0.113.0/24"),
        False,
    ),
    "below a limit": (
        with_rules(b"### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 22 -j ufw-user-limit-accept", THEIR_DENY),
        deny("203.0.113.0/24"),
        True,
    ),
    "with a comment of his": (with_rules(THEIR_DENY.replace(b" in\n", b" in comment=67616e67\n")), deny("203.0.113.0/24"), False),
    "logged": (
        with_rules(
            b"### tuple ### deny_log any any 0.0.0.0/0 any 203.0.113.0/24 in\n-A ufw-user-logging-input -s 203.0.113.0/24 -j LOG\n"
            b"-A ufw-user-input -s 203.0.113.0/24 -j ufw-user-logging-input\n-A ufw-user-input -s 203.0.113.0/24 -j DROP"
        ),
        deny("203.0.113.0/24"),
        False,
    ),
    "rejected": (
        with_rules(b"### tuple ### reject any any 0.0.0.0/0 any 203.0.113.0/24 in\n-A ufw-user-input -s 203.0.113.0/24 -j REJECT"),
        deny("203.0.113.0/24"),
        False,
    ),
    "TCP and UDP by themselves": (
        with_rules(
            b"### tuple ### deny tcp 25 0.0.0.0/0 any 203.0.113.7 in\n-A ufw-user-input -p tcp --dport 25 -s 203.0.113.7 -j DROP",
            b"### tuple ### deny udp 25 0.0.0.0/0 any 203.0.113.7 in\n-A ufw-user-input -p udp --dport 25 -s 203.0.113.7 -j DROP",
        ),
        deny("203.0.113.7", 25),
        False,
    ),
    "one door of it": (
        with_rules(b"### tuple ### deny tcp 25 0.0.0.0/0 any 203.0.113.7 in\n-A ufw-user-input -p tcp --dport 25 -s 203.0.113.7 -j DROP"),
        deny("203.0.113.7"),
        True,
    ),
    "to one address of ours only": (
        with_rules(b"### tuple ### deny any any 198.51.100.10 any 203.0.113.0/24 in\n-A ufw-user-input -d 198.51.100.10 -s 203.0.113.0/24 -j DROP"),
        deny("203.0.113.0/24"),
        True,
    ),
    "on one interface only": (
        with_rules(b"### tuple ### deny any any 0.0.0.0/0 any 203.0.113.0/24 in_eth0\n-A ufw-user-input -i eth0 -s 203.0.113.0/24 -j DROP"),
        deny("203.0.113.0/24"),
        True,
    ),
    "IPv6 with host bits": (
        with_rules(b"### tuple ### deny any any ::/0 any 2001:db8:bad::1/48 in\n-A ufw6-user-input -s 2001:db8:bad::1/48 -j DROP"),
        deny("2001:db8:bad::/48"),
        False,
    ),
}


@pytest.mark.parametrize("case", THEIRS_DOING)
def test_what_the_user_denies_himself_is_not_doubled_where_it_works(case):
    text, rule, needed = THEIRS_DOING[case]
    made, wanted = make(text, rule)
    assert wanted == ([rule] if needed else [])
    assert needed or made == text
    assert take_apart(made, "x").theirs == take_apart(text, "x").theirs


def test_an_exception_is_ours_even_where_the_user_allows_the_same_further_down():
    _made, wanted = make(with_rules(THEIR_ALLOW), allow("203.0.113.7"), deny("203.0.113.0/24"))
    assert wanted == [allow("203.0.113.7"), deny("203.0.113.0/24")]


OURS = EXAMPLES[0][1]
NOT_OURS = {
    "other words": OURS.replace(b"6d6f6e7a656e203132", b"6d6f6e7a656e20"),
    "no number": OURS.replace(b"6d6f6e7a656e203132", b"monzen twelve".hex().encode()),
    "half a byte": OURS.replace(b"6d6f6e7a656e203132", b"6d6f6"),
    "no comment": OURS.replace(b" comment=6d6f6e7a656e203132", b""),
    "an allow that says it were a denial": OURS.replace(b"deny", b"allow").replace(b"DROP", b"ACCEPT"),
    "logged": OURS.replace(b"deny", b"deny_log"),
    "rejected": OURS.replace(b"deny", b"reject").replace(b"DROP", b"REJECT"),
    "to one address": OURS.replace(b"any any 0.0.0.0/0", b"any any 198.51.100.10").replace(b"-s", b"-d 198.51.100.10 -s"),
    "routed": OURS.replace(b"deny", b"route:deny").replace(b"input", b"forward"),
    "what the tuple does not say": OURS.replace(b"-s 203.0.113.0/24", b"-p tcp --dport 25 -s 203.0.113.0/24"),
    "one line more": OURS.replace(b"\n\n", b"\n-A ufw-user-input -j ACCEPT\n\n"),
    "no line at all": OURS.partition(b"\n")[0] + b"\n\n",
}


@pytest.mark.parametrize("case", NOT_OURS)
def test_what_we_would_not_write_is_not_ours_whatever_it_says(case):
    assert rule_of(NOT_OURS[case]) is None
    text = with_rules(NOT_OURS[case])
    assert make(text)[0] == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"*nat\n### RULES ###\n\n### END RULES ###\n",
        b"*filter\nCOMMIT\n",
        WRITTEN.replace(b"### RULES ###\n", b""),
        WRITTEN.replace(b"\n### END RULES ###\n", b"\n"),
        WRITTEN + WRITTEN,
        WRITTEN[:60],
    ],
)
def test_a_file_that_is_not_ufws_is_left_alone(text):
    with pytest.raises(GateError, match="not as ufw writes it, so it was left alone"):
        take_apart(text, "user.rules")


@pytest.mark.parametrize("rule", [deny("0.0.0.0/0"), deny("::/0"), allow("0.0.0.0/0"), Rule(Target(bytes([203, 0, 113, 7]), 24))])
def test_never_a_rule_for_everybody_nor_for_what_is_no_network(rule):
    with pytest.raises(GateError, match="nothing was changed"):
        make(EMPTY, rule)


def test_foreign_rules_are_counted_as_the_kernel_will_have_them():
    text = with_rules(THEIR_DENY, THEIR_ALLOW, OURS, b"### tuple ### deny any any ::/0 any 2001:db8::1/32 in\n-A ufw6-user-input -s 2001:db8::1/32 -j DROP")
    assert dict(foreign(take_apart(text, "x"))) == {"-s 203.0.113.0/24 -j DROP": 1, "-s 2001:db8::/32 -j DROP": 1}
    assert effective(take_apart(text, "x")) == {"-s 203.0.113.0/24 -j DROP"}


def test_commands_are_what_a_person_types():
    fresh = [deny("203.0.113.0/24"), deny("2001:db8:bad::/48", 25, 6), deny("203.0.113.7", 25), allow("203.0.113.9")]
    assert commands(fresh) == [
        "ufw prepend deny from 203.0.113.0/24",
        "ufw prepend deny proto tcp from 2001:db8:bad::/48 to any port 25",
        "ufw prepend deny from 203.0.113.7 to any port 25",
        "ufw prepend allow from 203.0.113.9",
    ]
    net = deny("203.0.113.0/24")
    assert commands([net], take_apart(with_rules(THEIR_ALLOW, THEIR_DENY), "x")) == [
        "ufw delete deny from 203.0.113.0/24",
        "ufw prepend deny from 203.0.113.0/24",
    ]
    assert commands([net], take_apart(with_rules(THEIR_DENY, THEIR_ALLOW), "x")) == []
    assert commands([net], take_apart(with_rules(OURS, THEIR_ALLOW), "x")) == []
