"""Draws docs/pictures: what the program prints and its live screen as SVG, its report page as PNG.

--check only says whether the SVGs are current.

    python scripts/pictures.py [--check]

Each in English and Japanese, light and dark. The terminal is the program's own output with its colours; the page is opened in
Debian's Chromium (tests/browser). Pixels depend on fonts, so of a PNG nothing is compared.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parent.parent
HERE = ROOT / "docs/pictures"
WEEK = "samples/one_week.log"
WIDTH = 112  # columns: of a window that fills half a screen
COMMAND = f"monzen scan {WEEK} --top 3"
BLOCKS = 8  # parted by empty lines: from what was read to whether users were hurt; what follows is also about this machine's ufw
LANGUAGES = ("en", "ja")
SCREEN = (112, 30)  # columns and rows of the live screen
PAGE = (1180, 850)  # CSS pixels: what a reader sees first
COLOURS = 96  # of a PNG: charts on one ground
LARGEST = 200_000  # bytes: a README with four of them still opens at once
# Ground, ink, then black, red, green, yellow, blue, magenta, cyan, white: 4.5 to 1 and more on the ground (WCAG 2.2, 1.4.3)
DARK = TerminalTheme(
    (24, 26, 31), (222, 226, 233),
    [(24, 26, 31), (255, 117, 117), (126, 211, 133), (235, 203, 118),
     (120, 174, 245), (214, 153, 230), (107, 205, 214), (222, 226, 233)],
)  # fmt: skip
LIGHT = TerminalTheme(
    (252, 252, 253), (16, 19, 23),
    [(16, 19, 23), (190, 25, 35), (26, 110, 50), (135, 85, 0),
     (10, 85, 185), (130, 60, 160), (0, 105, 120), (80, 86, 94)],
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}
FACES = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # rich asks a server for its letters; a picture asks nobody
LETTERS = "'DejaVu Sans Mono', 'Noto Sans Mono CJK JP', Menlo, Consolas, monospace"
PIECE = re.compile(
    r'<text (?P<head>class="monzen-r\d+") x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="[\d.]+"(?: font-size="22")?'
    r" (?P<clip>[^>]*)>(?P<words>[^<]*)</text>"
)
RUN = re.compile(r"[\u2e80-\ua4cf\uff00-\uff60]+|[^\u2e80-\ua4cf\uff00-\uff60]+")  # Japanese letters take two columns, others one
CELL = 12.2  # pixels of a column: rich/console.py, export_svg, 0.61 of its 20


def placed(piece: re.Match[str]) -> str:
    """A piece of text, wide letters and narrow ones each in their columns; rich 15 takes both for narrow (export_svg)."""
    at, out = float(piece["x"]), []
    for run in RUN.findall(html.unescape(piece["words"])):
        width = cell_len(run) * CELL
        words = html.escape(run, quote=False).replace(" ", "&#160;")
        size = ' font-size="22"' if cell_len(run) > len(run) else ""
        where = f'x="{at:g}" y="{piece["y"]}" textLength="{width:g}"{size}'
        out.append(f"<text {piece['head']} {where} {piece['clip']}>{words}</text>")
        at += width
    return "".join(out)


def asked(*arguments: str, language: str, **more: str) -> str:
    """What `monzen` prints."""
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "LANGUAGE": language, "TZ": "UTC", **more}
    command = [sys.executable, "-m", "monzen", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def printed(language: str) -> str:
    """The scan, with the colours of a terminal."""
    words = COMMAND.split()[1:]
    said = asked(*words, language=language, COLUMNS=str(WIDTH), FORCE_COLOR="1", TERM="xterm-256color")
    return "\n\n".join([*said.split("\n\n")[:BLOCKS], "  …"])


async def screened(language: str) -> Text:
    """The live screen at the end of the sample, as Textual draws it."""
    from monzen.judge.policy import Policy, frugal
    from monzen.looking import Live
    from monzen.screen.app import Watching
    from monzen.screen.lines import Look
    from monzen.screen.seer import Seer
    from monzen.settings import Sources
    from monzen.show.words import speak

    speak(language)
    seer = Seer(Live(frugal(Policy()), Sources((str(ROOT / WEEK),), False), dt.UTC, ledger=False), dt.UTC, names=True)
    app = Watching(seer, Look(dt.UTC, False))
    text = Text()
    try:
        async with app.run_test(size=SCREEN) as pilot:
            whole = await asyncio.to_thread(seer.settle)
            for _wait in range(1000):  # all that the sample says, which on a busy machine is not seen at once
                if app.sight == whole:
                    break
                await pilot.pause(0.05)
            await pilot.press("home")
            await pilot.pause()
            for strip in app.screen._compositor.render_strips():  # as Textual takes its own
                for segment in strip:
                    text.append(segment.text, segment.style)
                text.append("\n")
    finally:
        app.looking.join(5)
        seer.close()
        speak()
    return text


def drawn(words: Text, title: str, width: int, theme: TerminalTheme) -> str:
    """What stands on a terminal as an SVG."""
    options: dict[str, Any] = {"force_terminal": True, "highlight": False, "color_system": "truecolor"}
    options["_environ"] = {"TERM": "xterm-256color"}  # not that of whoever runs this: a dumb one has other columns (rich 15)
    console = Console(record=True, width=width, file=io.StringIO(), **options)
    console.print(words, end="", no_wrap=True)
    svg = console.export_svg(title=title, theme=theme, unique_id="monzen")
    svg = PIECE.sub(placed, svg)
    svg = FACES.sub("", svg).replace("Fira Code, monospace", LETTERS).replace("font-family: arial", "font-family: sans-serif")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def said(svg: str) -> str:
    """The words of an SVG without their places, and without the year, which is told from the sample's own time."""
    words = "".join(html.unescape("".join(piece["words"] for piece in PIECE.finditer(svg))).split())
    return re.sub(r"20\d\d(?=-\d\d-\d\d)", "YYYY", words)


def page(language: str) -> Iterator[tuple[str, bytes]]:
    """The report as the browser shows it: the name of the theme and a PNG."""
    sys.path.insert(0, str(ROOT))
    from tests.browser.chromium import browser, page_of

    with tempfile.TemporaryDirectory() as folder, browser() as running:
        path = Path(folder) / "report.html"
        asked("report", WEEK, "--html", str(path), language=language)
        for name in THEMES:
            shown, _seen = page_of(running, width=PAGE[0], dark=name == "dark", language=language)
            shown.set_viewport_size({"width": PAGE[0], "height": PAGE[1]})
            shown.emulate_media(reduced_motion="reduce")
            shown.goto(f"file://{path}")
            shown.wait_for_function("document.querySelectorAll('.chart svg').length > 0")
            shown.wait_for_timeout(1500)  # the charts draw themselves
            yield name, small(shown.screenshot())
            shown.context.close()


def small(png: bytes) -> bytes:
    """The same with few colours."""
    from PIL import Image

    out = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    if out.tell() > LARGEST:
        sys.exit(f"a picture has {out.tell():,} bytes, more than {LARGEST:,}: fewer colours, or less of the page")
    return out.getvalue()


def main() -> None:
    """The command."""
    HERE.mkdir(exist_ok=True)
    for language in LANGUAGES:
        scan, watch = Text.from_ansi(printed(language).rstrip("\n")), asyncio.run(screened(language))
        for name, theme in THEMES.items():
            for what, svg in (
                ("scan", drawn(scan, COMMAND, WIDTH, theme)),
                ("watch", drawn(watch, "monzen watch", SCREEN[0], theme)),
            ):
                path = HERE / f"{what}.{language}.{name}.svg"
                if "--check" not in sys.argv:
                    path.write_text(svg, encoding="utf-8")
                elif not path.exists() or said(path.read_text(encoding="utf-8")) != said(svg):
                    sys.exit(f"docs/pictures/{path.name} is not what the program prints: run make pictures")
        if "--check" not in sys.argv:
            for name, png in page(language):
                (HERE / f"report.{language}.{name}.png").write_bytes(png)


if __name__ == "__main__":
    main()
