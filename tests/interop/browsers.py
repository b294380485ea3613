"""Debian's Chromium, driven by Playwright: pages that say of every error, and of every request that leaves the lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool, unavailable

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
AXE = Path(__file__).resolve().parents[2] / "build/axe/node_modules/axe-core/axe.min.js"
WIDE, NARROW = 1280, 400
expect.set_options(timeout=DEADLINE * 1000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Looked:
    """A page of the lab at ``url``, and what it complained of and asked for meanwhile."""

    def __init__(self, browser: Browser, url: str, width: int = WIDE, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(viewport={"width": width, "height": 860}, locale="en-GB", **context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(DEADLINE * 1000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, query: str = "") -> Page:
        """The page with ``query`` in its address, when it has the lab's stream of events."""
        self.page.goto(f"{self.url}{query}")
        self.page.locator("#live.on").wait_for()
        return self.page

    def arrow(self, words: str) -> Locator:
        """The arrow whose sentence has ``words``."""
        return self.page.locator(f'.arrow[aria-label*="{words}"]').first

    def close(self) -> None:
        """Nothing went wrong, and nothing was asked of anybody but the lab."""
        self.context.close()
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith((self.url, "data:", "blob:"))] == []


@contextmanager
def looking(browser: Browser, url: str, width: int = WIDE, **context: Any) -> Iterator[Looked]:
    """A page that has to be without fault until the end."""
    looked = Looked(browser, url, width, **context)
    try:
        yield looked
    except BaseException:
        print(looked.complaints)
        looked.context.close()
        raise
    looked.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page for people who cannot see, or not well, or who use a keyboard."""
    if not AXE.exists():
        unavailable(f"this test needs axe-core in {AXE.parent}: make {AXE.relative_to(AXE.parents[4])}")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
