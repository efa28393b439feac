"""The judge against the simulator beside the repository: whom it hurts (nobody), and how much of the attacks gets through.

docs/arena.md has the figures of longer runs, and says why the botnet's attempts cannot be fewer.
"""

from functools import cache

import pytest

from bench import arena

DAYS = 6
SEEDS = (25, 27)  # tuned on others
MOST = 1.15  # times what the oracle lets through, who knows who is who; measured over 6 days, four seeds: 1.07 to 1.11

@cache
def played(folder, seed, ours):
    """One simulation of the arena's scenarios, with ours or without."""
    them = arena.load(folder)
    return arena.run(them, seed, DAYS, them.theirs + (them.ours if ours else []), [arena.ORACLE])


def hurt(score):
    """How many were hurt of each kind of innocents, where anybody was; strangers among attackers are set apart."""
    return {name: count for name, count in arena.people(score).items() if count}


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_hurt(shared, seed):
    score = played(shared / "arena", seed, ours=False).scores[arena.MONZEN]
    assert hurt(score) == {}
    assert score.collateral == 0
    assert score.unfounded == 0


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_little_more_gets_through_than_must(shared, seed):
    scores = played(shared / "arena", seed, ours=False).scores
    through, least = (scores[name].attack_total().through for name in (arena.MONZEN, arena.ORACLE))
    assert through <= MOST * least


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_of_ours_nobody_is_hurt(shared, seed):
    score = played(shared / "arena", seed, ours=True).scores[arena.MONZEN]
    assert hurt(score) == {}
    assert score.collateral == 0
    assert score.unfounded == 0


@pytest.mark.shared
@pytest.mark.slow
def test_the_tables_name_everybody(shared, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{arena.BEGIN}\nold\n{arena.END}\nafter\n")
    assert arena.main(["--seeds", "25", "--days", "2", "--arena", str(shared / "arena"), "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text.split("\n")
    them = arena.load(shared / "arena")
    # that of each scenario, and of each policy, there is a row; some begin later than on the second day
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert {arena.MONZEN, *them.policies} <= set(rows)
    assert set(rows) - {arena.MONZEN, *them.policies, "", "---"} <= {*them.theirs, *them.ours, "attack: through", "innocents: hurt"}
    assert {"botnet", "regular", "spray", "webmail"} <= set(rows)


def test_the_arena_may_be_missing(tmp_path, capsys):
    assert arena.main(["--arena", str(tmp_path)]) == 2
    assert "--arena DIR" in capsys.readouterr().err


def test_a_page_without_marks_stays_as_it_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="Put them around"):
        arena.renew(page, "tables")
    assert page.read_text() == "nothing\n"
