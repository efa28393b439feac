"""The report in a real browser: what an attacker wrote is text, it asks nobody, and people can use it."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.chromium import browser, page_of
from tests.browser.hostile import HIT, WORDS, lines

WEEK = Path(__file__).parents[2] / "samples/one_week.log"
OURS = 3  # script elements: the facts, the charts, ours


def monzen(*arguments, **environment):
    given = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **environment}
    return subprocess.run([sys.executable, "-m", "monzen", *map(str, arguments)], capture_output=True, check=False, env=given)


def made(tmp_path, log, *more, **environment):
    """The report as a file."""
    out = tmp_path / "report.html"
    done = monzen("report", log, "--html", out, *more, **environment)
    assert done.returncode == 0, done.stderr.decode()
    return out


def opened(running, path, **how):
    page, seen = page_of(running, **how)
    page.goto(f"file://{path}")
    page.wait_for_function("document.querySelectorAll('.chart svg').length > 0 || !document.querySelector('.chart')")
    return page, seen


def test_nothing_that_an_attacker_wrote_is_obeyed(tmp_path):
    folder = tmp_path / "<img src=x onerror=window.hit=1>"
    folder.mkdir()
    log = folder / "mail.log"
    log.write_text(lines(), encoding="utf-8", errors="surrogateescape")
    places = tmp_path / "places.txt"
    places.write_text("".join(f"203.0.113.{i + 1}/32 {w.replace(' ', '_')[:30]} {w}\n" for i, w in enumerate(WORDS) if w.isprintable()))
    policy = tmp_path / "<img src=x onerror=window.hit=1>.toml"
    policy.write_text("[policy]\nnames = 9\n")
    path = made(tmp_path, log, "--names", "--places", places, "--compare", policy)
    text = path.read_text(encoding="utf-8")
    assert HIT in text, "the names are there, as text"
    assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", text)
    with browser() as running:
        page, seen = opened(running, path)
        page.locator("summary").first.wait_for()
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        for button in page.locator("[data-target]").all()[:12]:
            button.click()
            page.locator("#detail").wait_for()
            page.keyboard.press("Escape")
        page.locator("#find").fill("<script>")
        page.locator("#find").fill("")
        for chart in ("hours", "targets", "map"):
            box = page.locator(f"#chart-{chart}").bounding_box()
            page.mouse.move(0, 0)
            for share in range(1, 20):
                page.mouse.move(box["x"] + box["width"] * share / 20, box["y"] + box["height"] * 0.6)
        found = page.evaluate(
            """() => ({hit: window.hit ?? null, scripts: document.scripts.length,
                foreign: document.querySelectorAll('img, iframe, object, embed, svg script, [onload], [onerror], [onmouseover], a, form, base').length,
                links: document.querySelectorAll('link:not([rel=icon])').length})"""
        )
        assert found == {"hit": None, "scripts": OURS, "foreign": 0, "links": 0}
        assert seen.said == [], "no script failed, and the policy had nothing to forbid"
        assert [url for url in seen.asked if not url.startswith(("file://", "data:"))] == []


def test_an_injected_script_would_not_run(tmp_path):
    """The policy in the file holds by itself: what is smuggled in after all is not obeyed."""
    path = made(tmp_path, WEEK)
    text = path.read_text().replace("<main>", f"<main><script>{HIT}</script><img src=x onerror={HIT}><b style='color:red'>x</b>", 1)
    path.write_text(text)
    with browser() as running:
        page, seen = opened(running, path)
        assert page.evaluate("window.hit ?? null") is None
        assert sum("Content Security Policy" in said for said in seen.said) >= 2


@pytest.mark.parametrize(("language", "locale"), [("en", "C.UTF-8"), ("ja", "ja_JP.UTF-8")])
@pytest.mark.parametrize("width", [360, 1440])
def test_it_fits_and_can_be_used(tmp_path, language, locale, width):
    path = made(tmp_path, WEEK, LC_ALL=locale, LANGUAGE=language)
    with browser() as running:
        page, seen = opened(running, path, width=width, dark=width == 360)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        assert page.evaluate("[...document.querySelectorAll('.chart')].every((c) => c.querySelector('svg'))")
        assert page.locator("h1").count() == 1
        # by keyboard alone: to the first target, its details, and away again
        page.locator("#find").focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.target") == "0"
        page.keyboard.press("Enter")
        assert page.locator("#detail code").count() > 1, "evidence"
        page.keyboard.press("Escape")
        page.locator("#detail").wait_for(state="detached")  # which the browser says a moment after it is closed
        whole = page.locator("#targets-table tbody tr").count()
        page.locator("#find").fill("198.51.100.140")
        assert page.locator("#targets-table tbody tr").count() == 1
        for asked, found in (
            ("203.0.113.9", ["203.0.113.0/24"]),  # an address is in its network, though nothing came from there
            ("203.0.113.0/25", ["203.0.113.0/24"]),
            ("2001:DB8:bad:1:0:0:0:77", ["2001:db8:bad:1::/64"]),
            ("[2001:db8:5e:1::ffff]", ["2001:db8:5e:1::/64"]),
            ("::ffff:203.0.113.9", ["203.0.113.0/24"]),
            ("198.51.100.128/25", ["198.51.100.156", "198.51.100.140"]),  # and what is in a network, the heaviest first
            ("2001:db8:5e:2::22", []),
            ("203.0.113.9/99", []),
            ("203.0.113.0/24/8", []),
            ("203.0.112.263", []),
            ("1::2::3", []),
        ):
            page.locator("#find").fill(asked)
            assert [row.locator("button").first.inner_text() for row in page.locator("#targets-table tbody tr").all()] == found, asked
        page.locator("#find").fill("203.0.113.0/24")
        row = page.locator("#targets-table tbody tr").first
        assert "2026-09-07 17:00" in row.inner_text(), "since the first of its denials, as before"
        assert row.locator("details li").count() > 0
        page.locator("#find").fill("")
        assert page.locator("#targets-table tbody tr").count() == whole
        assert page.locator("#found").inner_text() == ""
        page.emulate_media(media="print")
        assert not page.locator("#find").is_visible()
        assert seen.said == []


def test_without_scripts_it_still_says_all(tmp_path):
    path = made(tmp_path, WEEK)
    with browser() as running:
        page = running.new_context(java_script_enabled=False, viewport={"width": 800, "height": 900}).new_page()
        page.goto(f"file://{path}")
        assert page.locator("#targets-table tbody tr").count() > 10
        assert not page.locator("#find").is_visible(), "what does nothing is not shown"
        assert page.locator(".chart").first.is_visible() is False


def test_every_name_and_number_can_be_heard(tmp_path):
    """For a screen reader: one main, headings in order, charts and tables with names, buttons that say whom they are about."""
    path = made(tmp_path, WEEK)
    with browser() as running:
        page, _seen = opened(running, path)
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
        assert page.evaluate("[...document.querySelectorAll('[role=img]')].every((e) => e.getAttribute('aria-label'))")
        assert page.evaluate("[...document.querySelectorAll('button')].every((e) => e.textContent.trim())")
        assert page.evaluate("[...document.querySelectorAll('table')].every((t) => t.tHead && t.querySelector('th[scope]'))")
        assert page.evaluate("[...document.querySelectorAll('input')].every((i) => i.closest('label') || i.labels.length)")


def test_the_colours_can_be_told_from_the_paper(tmp_path):
    """Contrast of 4.5 to 1 for text, light and dark (WCAG 2.1, 1.4.3)."""
    path = made(tmp_path, WEEK)
    measure = """() => { const lum = (c) => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map((v) => { v /= 255;
            return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
        return [...document.querySelectorAll('main *')].filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
            && !e.closest('svg') && e.getClientRects().length).map((e) => { const a = lum(getComputedStyle(e).color), b = lum(behind(e));
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName, e.className]; }).filter(([r]) => r < 4.5).slice(0, 5); }"""
    with browser() as running:
        for dark in (False, True):
            page, _seen = opened(running, path, dark=dark)
            assert page.evaluate(measure) == []


def test_the_numbers_are_those_of_the_scan(tmp_path):
    facts = json.loads(monzen("report", WEEK, "--json").stdout)
    scan = json.loads(monzen("scan", WEEK, "--json").stdout)
    assert facts["lines"] == scan["lines"]
    assert len(facts["breaches"]) == len({b["client"] for b in scan["breaches"]})
    assert {t["target"] for t in facts["targets"] if "/" in t["target"] and not t["six"]} == {
        v["target"] for v in scan["verdicts"] if "/" in v["target"] and ":" not in v["target"]
    }
    hours = facts["hours"]
    assert sum(hours["logins"]) >= facts["logins"] > 0, "also those of who got in by guessing, who is none of your users"
    assert sum(hours["begun"]) == len(scan["verdicts"])
    assert sum(hours["through"]) + sum(hours["denied"]) + sum(hours["users"]) >= facts["attempts"]
