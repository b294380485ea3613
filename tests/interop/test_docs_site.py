"""The pages as a site: built without a warning, and everything that has a name can be linked and found."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from docs import generate
from labnet.config.reading import Config
from labnet.metrics import FAMILIES
from tests.interop.daemon import DEADLINE
from tests.interop.peers import tool

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages; a warning is a failure."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, folder]
    built = subprocess.run(command, capture_output=True, text=True, timeout=4 * DEADLINE)
    assert built.returncode == 0, built.stderr
    return folder


def objects(site: Path) -> set[tuple[str, str]]:
    """Kind and name of each thing that has a link: what the search finds, and what other sites can refer to."""
    listed = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    return {(kind, name) for name, kind in re.findall(r"^(.+?) std:(\w+) ", listed, re.MULTILINE)}


def names() -> Iterator[tuple[str, str]]:
    """What is to have a link."""
    for table, field in Config.model_fields.items():
        (model,) = generate.models(field.annotation)
        place = f"{table}.NAME" if table == "resolver" else table
        yield from (("confval", f"{place}.{key}") for key in model.model_fields)
    for plugin, options in generate.PLUGINS.items():
        flags = (*options.optParameters, *getattr(options, "optFlags", ()))
        yield from (("cmdoption", f"twistd {plugin}.--{flag[0]}") for flag in flags)
    yield from (
        ("cmdoption", f"labnet {option}") for option in ("resolve.--trace", "command.--timeout", "capture.--write")
    )
    yield from (("metric", name) for name in FAMILIES)
    page = (DOCS / "metrics.rst").read_text(encoding="utf-8")
    yield from (("event", event) for event in re.findall(r"^\.\. event:: (\S+)$", page, re.MULTILINE))


def test_each_key_option_metric_and_event_has_a_link(site: Path) -> None:
    """Each word of the glossary too."""
    wanted = {(kind, name.replace(" ", "-")) for kind, name in names()}
    assert {kind for kind, _ in wanted} == {"confval", "cmdoption", "metric", "event"}
    found = objects(site)
    assert wanted - found == set()
    assert ("term", "bailiwick") in found


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """The pages, their styles and their scripts are read without a network."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=.(?:https?:)?//", text), page.name
        assert not re.search(r"@import|url\(.?(?:https?:)?//", text), page.name


def test_the_first_page_shows_the_lab_and_leads_to_every_page(site: Path) -> None:
    """A picture, two commands, and links to all pages, with a link to the next page on each but the last."""
    first = (site / "index.html").read_text(encoding="utf-8")
    assert 'src="_images/lab.svg"' in first
    assert 'src="_images/lab-narrow.svg"' in first
    assert len(re.findall(r'class="[^"]*highlight-console', first)) == 2
    pages = {path.stem for path in DOCS.glob("*.rst")} - {"index"}
    assert {f"{page}.html" for page in pages} <= set(re.findall(r'href="([\w-]+\.html)"', first))
    followed = [page for page in pages if 'class="next-page"' in (site / f"{page}.html").read_text(encoding="utf-8")]
    assert len(followed) == len(pages) - 1


CUT = """() => {
    const width = document.documentElement.clientWidth, cut = [];
    for (const one of document.querySelectorAll("pre, p, dt, img, h1, h2")) {
        if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
            cut.push(`${one.tagName} ${one.textContent.slice(0, 40)}`);
    }
    return document.documentElement.scrollWidth > width ? [...cut, "the page"] : cut;
}"""
"""What is wider than the place it has, outside of tables, which scroll in boxes of their own."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=tool("chromium", "chromium"), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut(site: Path, browser: Browser, width: int) -> None:
    """Neither on a telephone nor on a small laptop; of the first page's picture one of two is shown."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        assert page.evaluate(CUT) == [], file.name
    page.goto((site / "index.html").as_uri())
    shown = [image.get_attribute("src") for image in page.locator("img.picture:visible").all()]
    assert shown == ["_images/lab.svg" if width == 1280 else "_images/lab-narrow.svg"]
    page.close()


FOUND = {
    "resolver.NAME.prefetch": "configuration.html#confval-resolver.NAME.prefetch",
    "labnet_parent_up": "metrics.html#metric-labnet_parent_up",
    "lab.listens": "metrics.html#event-lab.listens",
    "--trace": "commands.html#cmdoption-labnet-resolve-trace",
}


@pytest.mark.parametrize("word", FOUND)
def test_the_search_leads_to_the_place_itself(site: Path, browser: Browser, word: str) -> None:
    """Of a key, a metric, an event of the log and an option; without a network."""
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q={word}")
    first = page.locator("#search-results li a").first
    first.wait_for(timeout=1000 * DEADLINE)
    assert first.get_attribute("href") == FOUND[word]
    page.close()


def test_each_page_has_its_contents_and_leads_on_and_back(site: Path) -> None:
    """Every page with sections lists them; all but the ends have the page before and the one after."""
    for page in {path.stem for path in DOCS.glob("*.rst")} - {"index"}:
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        assert ('class="toc-tree"' in text) == ("<h2>" in text), page
        assert 'class="prev-page"' in text, page
