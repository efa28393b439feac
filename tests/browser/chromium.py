"""Debian's own Chromium, driven by Playwright: a page that anybody could open, and what it did."""

import contextlib
import os
import shutil

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

PATIENCE = 120_000  # milliseconds: on a busy machine a browser takes its time


def chromium():
    """Where a browser is; the test is skipped, with a word, where there is none."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed (group dev)")
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("not installed: chromium (scripts/apt-test.txt)")
    return found


@contextlib.contextmanager
def browser():
    """A browser without a network of its own making."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as play:
        # its sandbox needs a user that is not root; what it opens is ours
        no_sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = play.chromium.launch(executable_path=path, args=no_sandbox, timeout=PATIENCE)
        try:
            yield running
        finally:
            running.close()


class Seen:
    """What a page said and asked for."""

    def __init__(self, page):
        self.said, self.asked = [], []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))


def page_of(running, *, width=1440, dark=False, language="en-US"):
    """A new page, and what is seen of it."""
    context = running.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale=language, timezone_id="UTC"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    return page, Seen(page)
