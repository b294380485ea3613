"""The views of the live page and what they do, in a real browser, with the lab told by the test."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.interop.browsers import NARROW, WIDE, Looked, chromium, looking, violations
from tests.interop.page_lab import LOG, TOKEN, PageLab, page_lab
from tests.ladder import happened

VIEWS = ("ladder", "names", "sessions", "parents", "traffic", "map", "log", "ask", "faults")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def lab() -> Iterator[tuple[PageLab, str]]:
    with page_lab() as served:
        yield served


@pytest.fixture
def looked(browser: Browser, lab: tuple[PageLab, str]) -> Iterator[Looked]:
    with looking(browser, lab[1]) as opened:
        yield opened


def with_everything(lab: PageLab) -> None:
    """Something to show in each view."""
    for exchange in (happened.hit(), happened.miss(), happened.joined(), happened.lost(), happened.spoofed()):
        lab.happens(exchange)
    lab.sessions += happened.session()
    fault = {
        "id": "f1", "kind": "spoof", "where": "main", "side": "parent", "direction": "in", "client": None,
        "name": "bank.lab.test", "when": "every 3", "until": time.time() + 500, "count": 4, "by": "page",
    }  # fmt: skip
    lab.found["faults"]["faults"] = [fault]
    lab.lab["faults"] = [fault]


def with_nothing(lab: PageLab) -> None:
    """A lab of resolvers where nothing has happened."""
    lab.found |= {
        "names": {"names": [], "more": False}, "sessions": {"sessions": [], "waiting": []}, "parents": {"parents": []},
        "traffic": {"series": [], "by_protocol": {}, "by_result": {}}, "map": {"nodes": [], "edges": []},
        "log": {"lines": []},
    }  # fmt: skip


def posted(looked: Looked, lab: PageLab, path: str) -> object:
    """What was posted there, once it was, with the page's token."""
    until = time.monotonic() + 30
    while path not in {one[0] for one in lab.posted}:
        assert time.monotonic() < until, lab.posted
        looked.page.wait_for_timeout(20)
    ((_, body, token),) = [one for one in lab.posted if one[0] == path]
    assert token == TOKEN
    return body


def test_each_view_has_its_link_and_says_what_it_is(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """The address, the title, the heading and the mark of the link change together."""
    with_everything(lab[0])
    page = looked.open()
    for view in VIEWS:
        page.get_by_role("navigation").get_by_role("link", name=view.capitalize()).click()
        page.wait_for_url(f"**?view={view}")
        expect(page).to_have_title(f"{view.capitalize()} · labnet")
        expect(page.locator("h1")).to_have_text(view.capitalize())
        expect(page.locator("nav [aria-current=page]")).to_have_text(view.capitalize())
        assert page.locator(".empty").count() == 0, view


def test_an_empty_view_says_why_and_what_to_do(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """With a command of this lab, where one helps."""
    with_nothing(lab[0])
    says = {
        "ladder": "labnet resolve 127.0.0.1 1199 www.google.co.il", "names": "This resolver knows no name yet.",
        "sessions": "labnet command 127.0.0.1 8080 TIME", "parents": "No resolver of this lab has a parent.",
        "traffic": "No question in the last five minutes.", "map": "Nothing listens in this lab.",
        "log": "The log is empty", "faults": "Nothing goes wrong on order.",
    }  # fmt: skip
    for view, text in says.items():
        page = looked.open(f"?view={view}")
        expect(page.locator(".empty").first).to_contain_text(text)


def test_a_name_is_found_flushed_and_asked_again(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Its time to live counts down without the lab being asked; a record of a file cannot be flushed."""
    page = looked.open("?view=names")
    left = page.locator("tr", has_text="shop.lab.test").locator("[data-until] span")
    expect(left).to_have_text("42 s")
    expect(left).not_to_have_text("42 s")
    expect(page.get_by_role("button", name="Flush www.lab.test")).to_have_count(0)
    page.get_by_role("searchbox", name="Find").fill("shop")
    page.wait_for_url("**find=shop**")
    page.get_by_role("button", name="Flush shop.lab.test").click()
    assert posted(looked, lab[0], "flush") == {"resolver": "main", "name": "shop.lab.test"}
    expect(page.locator("#said")).to_have_text("shop.lab.test is forgotten.")
    page.get_by_role("button", name="Ask for shop.lab.test again").click()
    page.wait_for_url("**view=ask**")
    expect(page.get_by_label("Name", exact=True)).to_have_value("shop.lab.test")


def test_a_session_is_closed_and_the_server_opened_again(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Seconds left, and the place of who waits."""
    page = looked.open("?view=sessions")
    expect(page.locator("tr", has_text="127.0.0.1:52000")).to_contain_text("served")
    assert page.locator("tr", has_text="127.0.0.1:52000").locator("progress").get_attribute("max") == "15"
    expect(page.locator("h2")).to_have_text("1 before the welcome port")
    page.get_by_role("button", name="Close the session of 127.0.0.1:52000").click()
    assert posted(looked, lab[0], "sessions/s1/close") == {}
    lab[0].lab["command"]["open"] = False
    lab[0].tell("session", happened.session()[0])
    page.get_by_role("button", name="Open it again").click()
    assert posted(looked, lab[0], "command/open") == {}


def test_a_parent_is_asked_now(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Who would be next is marked, with the reason."""
    lab[0].answers["parents/ask"] = {"answered": True, "says": "21.09.1992.8", "milliseconds": 0.5, "why": ""}
    page = looked.open("?view=parents")
    expect(page.locator(".card.next")).to_contain_text("Asked next: it answers, and is the fastest")
    expect(page.locator(".card.next svg")).to_have_attribute(
        "aria-label", "Round-trip times of the last 5 tries, at most 0.50 ms"
    )
    page.locator(".card.next").get_by_role("button", name="Ask now").click()
    assert posted(looked, lab[0], "parents/ask") == {
        "resolver": "main", "address": "127.0.0.1:1200", "name": "www.google.co.il"
    }  # fmt: skip
    expect(page.locator(".card.next [role=status]")).to_have_text("21.09.1992.8 after 0.50 ms")


def test_a_question_is_asked_from_the_page(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """It shows the answer, its own ladder, and why."""
    exchange = {**happened.miss(), "why": [{"kind": "learned", "sentence": "It is kept for 60 s."}]}
    lab[0].happens(exchange, is_told=False)
    lab[0].answers["ask"] = exchange
    page = looked.open("?view=ask")
    page.get_by_label("Name", exact=True).fill("shop.lab.test")
    page.get_by_role("button", name="Ask", exact=True).click()
    assert posted(looked, lab[0], "ask") == {
        "name": "shop.lab.test", "type": "A", "resolver": "main", "protocol": "dns"
    }  # fmt: skip
    expect(page.locator(".answer")).to_contain_text("192.0.2.1")
    expect(page.locator("ol.why li")).to_have_text("It is kept for 60 s.")
    expect(page.locator(".arrow")).to_have_count(4)
    looked.arrow("resolver main to resolver parent").click()
    expect(page.locator("#detail h2")).to_have_text("Query shop.lab.test A")


def test_what_the_lab_refuses_is_said(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """In its own words."""
    page = looked.open("?view=ask")
    page.route("**/api/1/ask", lambda route: route.fulfill(status=429, json={"error": "too many questions: wait"}))
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".error")).to_have_text("Not asked: too many questions: wait.")
    assert len(looked.complaints) == 1  # the browser's own line about the status
    looked.complaints.clear()


def test_a_fault_is_ordered_seen_everywhere_and_ended(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """The form says what each kind does; every view has the number of faults."""
    page = looked.open("?view=faults")
    page.locator("[name=kind]").select_option("spoof")
    expect(page.locator("form")).to_contain_text("A forged reply comes before the real one.")
    page.locator("[name=kind]").select_option("reset")
    expect(page.locator("[name=where]")).to_have_text("command servermainparent")
    expect(page.locator("[name=side]")).to_be_disabled()
    page.locator("[name=kind]").select_option("spoof")
    page.locator("[name=side]").select_option("parent")
    page.get_by_label("Name", exact=True).fill("bank.lab.test")
    page.get_by_role("button", name="Order").click()
    assert posted(looked, lab[0], "faults") == {
        "kind": "spoof", "where": "main", "side": "parent", "name": "bank.lab.test", "until": "10"
    }  # fmt: skip
    with_everything(lab[0])
    lab[0].tell("fault", {"id": "f1"})
    expect(page.locator("#faults-on")).to_have_text("1 fault on order")
    page.get_by_role("link", name="Traffic").click()
    page.locator("#faults-on").click()
    page.get_by_role("button", name="End spoof").click()
    assert posted(looked, lab[0], "faults/f1/end") == {}


def test_a_viewer_gets_no_button_that_changes_anything(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """What the lab would refuse is not offered."""
    with_everything(lab[0])
    lab[0].lab |= {"role": "viewer", "scope": "main"}
    for view in ("names", "parents", "faults"):
        page = looked.open(f"?view={view}")
        page.locator("td, .card").first.wait_for()
        assert page.locator("main").get_by_role("button").count() == 0, view
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(
        ["Ladder", "Names", "Parents", "Map", "Ask", "Faults"]
    )
    expect(looked.open("?view=log").locator("h1")).to_have_text("Ladder")


def test_a_projector_shows_large_and_no_client(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """In the address, so that it survives a reload and every link keeps it."""
    with_everything(lab[0])
    page = looked.open()
    looked.arrow("Query www.lab.test").wait_for()
    small = page.locator(".ladder text.says").first.bounding_box()
    page.get_by_role("button", name="Projector").click()
    page.wait_for_url("**projector=1**")
    expect(page.locator(".ladder-head .who").nth(1)).to_have_text("client 1")
    large = page.locator(".ladder text.says").first.bounding_box()
    assert small is not None
    assert large is not None
    assert large["height"] > small["height"] * 1.2
    page.get_by_role("link", name="Sessions").click()
    expect(page.locator("tbody tr").first).to_contain_text("client 1")
    assert "127.0.0.1:52000" not in str(page.evaluate("document.body.textContent"))
    lab[0].found["log"]["lines"].append({**LOG[0], "text": "127.0.0.1:52000 asks 127.0.0.1:1199, says 192.0.2.77"})
    page.get_by_role("link", name="Log").click()
    expect(page.locator("tbody tr", has_text="asks")).to_contain_text("… asks 127.0.0.1:1199, says …")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    browser: Browser, lab: tuple[PageLab, str], width: int, scheme: str
) -> None:
    """Each view, a datagram that is open, and an empty view: contrast, names, roles, order; light and dark."""
    with_everything(lab[0])
    lab[0].answers["ask"] = happened.miss()
    with looking(browser, lab[1], width, color_scheme=scheme) as looked:
        for view in VIEWS:
            page = looked.open(f"?view={view}")
            page.locator(".arrow, td, .card, main form").first.wait_for()
            if view == "ask":
                page.get_by_role("button", name="Ask", exact=True).click()
                page.locator(".arrow").first.wait_for()
            assert violations(page) == [], view
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        page = looked.open()
        looked.arrow("Query shop").click()
        page.locator("#detail .why, #detail .facts").first.wait_for()
        assert violations(page) == []
        with_nothing(lab[0])
        page = looked.open("?view=names")
        page.locator(".empty").wait_for()
        assert violations(page) == []


def test_the_page_follows_the_colours_that_the_reader_prefers(browser: Browser, lab: tuple[PageLab, str]) -> None:
    """Paper and ink of both, the ladder's too."""
    lab[0].happens(happened.hit())
    seen = {}
    for scheme in ("light", "dark"):
        with looking(browser, lab[1], color_scheme=scheme) as looked:
            page = looked.open()
            looked.arrow("Query").wait_for()
            colour = "one => getComputedStyle(one)[one.localName === 'body' ? 'backgroundColor' : 'fill']"
            seen[scheme] = [page.locator(one).first.evaluate(colour) for one in ("body", ".ladder .says")]
    assert seen == {
        "light": ["rgb(255, 255, 255)", "rgb(27, 36, 48)"],
        "dark": ["rgb(18, 22, 28)", "rgb(230, 234, 240)"],
    }


def test_a_lab_that_stops_is_said_and_found_again(browser: Browser) -> None:
    """The page stays as it is meanwhile."""
    with page_lab() as (lab, url):
        lab.happens(happened.hit())
        looked = Looked(browser, url)
        page = looked.open()
        looked.arrow("Query").wait_for()
        lab.tell("", None)
        expect(page.locator("#live")).to_have_text("trying again")
        assert page.locator(".arrow").count() == 2
        expect(page.locator("#live")).to_have_text("live")
        looked.context.close()
