"""The pages as a site: built without a warning, and everything that has a name can be linked and found."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from labnet.config import Config
from labnet.metrics import FAMILIES
from tests.interop.daemon import DEADLINE

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
    assert len(re.findall(r'class="[^"]*highlight-console', first)) == 2
    pages = {path.stem for path in DOCS.glob("*.rst")} - {"index"}
    assert {f"{page}.html" for page in pages} <= set(re.findall(r'href="([\w-]+\.html)"', first))
    followed = [page for page in pages if 'class="next-page"' in (site / f"{page}.html").read_text(encoding="utf-8")]
    assert len(followed) == len(pages) - 1
