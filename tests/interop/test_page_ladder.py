"""The ladder on the live page, in a real browser, with what happens told by the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.interop.browsers import Looked, chromium, looking
from tests.interop.page_lab import PageLab, page_lab
from tests.ladder import happened


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


def whole(exchange: dict[str, Any]) -> dict[str, Any]:
    """With bytes, layers and the decision, as one exchange is told."""
    layer = {
        "name": "DNS", "sentence": "A question for the address of shop.lab.test.",
        "fields": [{"name": "ID", "value": "0x0001", "from": 0, "to": 2}],
    }  # fmt: skip
    datagrams = [
        {**one, "bytes": b"\0\1shop\4test".hex(), "layers": [layer]} if one["kind"] != "silence" else one
        for one in exchange["datagrams"]
    ]
    why = [
        {"kind": "cache-silent", "sentence": "The cache has nothing."},
        {"kind": "learned", "sentence": "It is kept."},
    ]
    return {**exchange, "datagrams": datagrams, "why": why}


def test_each_case_of_a_lesson_is_drawn_as_it_happens(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Hit, miss, join, retry, silence, refusal, a forged reply, a session: nobody reloads the page."""
    page = looked.open()
    expect(page.locator("#view")).to_contain_text("Nobody has asked anything since this page looks on.")
    lab[0].happens(happened.hit())
    looked.arrow("client to resolver main: Query www.lab.test A").wait_for()
    assert page.locator(".arrow").count() == 2
    for exchange in (happened.miss(), happened.joined(), happened.lost(), happened.spoofed()):
        lab[0].happens(exchange)
    for kind in ("refused", "dropped", "limited"):
        lab[0].happens(happened.ended_by(kind, kind))
    lab[0].sessions += happened.session()
    lab[0].tell("session", happened.session()[0])
    looked.arrow("server to client: Connected: your IP address").wait_for()
    drawn = {
        name: page.locator(f".arrow.{name}").count()
        for name in ("retry", "silence", "joined", "refused", "dropped", "limited", "ignored.fault")
    }
    assert drawn == {
        "retry": 1, "silence": 2, "joined": 1, "refused": 1, "dropped": 1, "limited": 1, "ignored.fault": 1
    }  # fmt: skip
    assert page.locator(".arrow[aria-label*='resolver main to resolver parent: Query shop']").count() == 1


def test_a_click_opens_the_bytes_and_why(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Layers in sentences, the decision in order, the bytes of a field lit up, the next datagram, the capture."""
    lab[0].happens(whole(happened.miss()))
    page = looked.open()
    looked.arrow("resolver main to resolver parent").click()
    detail = page.locator("#detail")
    expect(detail.locator("h2")).to_have_text("Query shop.lab.test A")
    expect(detail.locator("h2")).to_be_focused()
    expect(detail.locator("ol.why li")).to_have_text(["The cache has nothing.", "It is kept."])
    expect(detail).to_contain_text("A question for the address of shop.lab.test.")
    expect(detail).to_contain_text("127.0.0.1:42460 → 127.0.0.1:1200, UDP")
    detail.get_by_role("button", name="ID: 0x0001").hover()
    assert detail.locator(".hex b.on").count() == 4  # two bytes, as numbers and as signs
    assert detail.get_by_role("link", name="Download for Wireshark").get_attribute("href") == (
        "/api/1/exchanges/2/capture.pcapng"
    )
    detail.get_by_role("button", name="after →").click()
    expect(detail.locator("h2")).to_have_text("Reply 192.0.2.9")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_a_session_is_told_too(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Its commands with their replies, and why it was closed."""
    page = looked.open()
    for event in happened.session():
        lab[0].sessions.append(event)
        lab[0].tell("session", event)
    looked.arrow("closes").click()
    expect(page.locator("#detail")).to_contain_text("no command for 15 s")
    expect(page.locator("#detail li").nth(2)).to_contain_text("TIME → Sun Nov 29 07:00:00 2026")


def test_what_is_gone_says_so(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """The lab keeps a bounded number of exchanges, and the page may be older."""
    lab[0].happens(happened.hit())
    page = looked.open()
    looked.arrow("Query www.lab.test").wait_for()
    page.get_by_role("button", name="Freeze").click()
    lab[0].exchanges.clear()
    looked.arrow("Query www.lab.test").click()
    expect(page.locator("#detail")).to_contain_text("exchange 1 is not kept any more")
    assert [text for text in looked.complaints if "404" in text]
    looked.complaints.clear()


def test_the_filter_stands_in_the_address(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """It is there after a reload, and Back leads to the view before."""
    for exchange in (happened.hit(), happened.miss(), happened.lost()):
        lab[0].happens(exchange)
    page = looked.open()
    page.get_by_label("Name", exact=True).fill("shop")
    page.wait_for_url("**?*name=shop*")
    expect(page.locator(".arrow")).to_have_count(4)
    page.reload()
    expect(page.locator(".arrow")).to_have_count(4)
    expect(page.get_by_label("Name", exact=True)).to_have_value("shop")
    page.get_by_label("Result").select_option("hit")
    expect(page.locator("#view")).to_contain_text("Nothing that was kept fits the filter.")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".arrow")).to_have_count(2 + 4 + 6)
    page.go_back()
    expect(page.get_by_label("Name", exact=True)).to_have_value("shop")


def test_a_frozen_ladder_counts_what_is_new(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """It stays as it is until it is let go or asked for; what does not fit the filter is not counted."""
    lab[0].happens(happened.hit())
    page = looked.open("?name=lab.test")
    expect(page.locator(".arrow")).to_have_count(2)
    page.get_by_role("button", name="Freeze").click()
    for number in range(12):
        lab[0].happens(happened.hit(f"n{number}", f"n{number}.lab.test", 10.0 + number))
    lab[0].happens(happened.hit("other", "www.example.net", 30.0))
    expect(page.get_by_role("button", name="12 new")).to_be_visible()
    assert page.locator(".arrow").count() == 2
    page.get_by_role("button", name="12 new").click()
    expect(page.locator(".arrow")).to_have_count(26)
    lab[0].happens(happened.hit("n12", "n12.lab.test", 40.0))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator(".arrow")).to_have_count(28)


def test_who_has_scrolled_up_is_left_where_they_are(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """The box does not move; at its end it follows again."""
    for number in range(20):
        lab[0].happens(happened.hit(str(number), f"n{number}.lab.test", float(number)))
    page = looked.open()
    looked.arrow("n19.lab.test").wait_for()
    box = page.locator(".ladder-box")
    box.evaluate("box => { box.scrollTop = 300; }")
    lab[0].happens(happened.hit("20", "n20.lab.test", 20.0))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert box.evaluate("box => box.scrollTop") == 300
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    looked.arrow("n20.lab.test").wait_for()
    assert box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 2


def test_everything_works_by_the_keyboard(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """From the address bar into the ladder, along its arrows, into a datagram and back to the arrow."""
    lab[0].happens(whole(happened.miss()))
    page = looked.open()
    looked.arrow("Query shop").wait_for()

    def focused() -> str:
        return str(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )

    page.keyboard.press("Tab")
    assert focused() == "Skip to the view"
    for _ in range(40):
        page.keyboard.press("Tab")
        if "client to resolver main" in focused():
            break
    page.keyboard.press("ArrowDown")
    assert "resolver main to resolver parent" in focused()
    page.keyboard.press("End")
    assert "21.000 ms: resolver main to client" in focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.keyboard.press("Tab")
    assert focused() == "Close"
    page.keyboard.press("Enter")
    assert "20.000 ms: resolver parent to resolver main" in focused()


def test_a_page_that_was_too_slow_says_what_it_lost(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """Two losses are added up, and the ladder is drawn anew."""
    page = looked.open()
    lab[0].tell("skipped", {"count": 312})
    expect(page.get_by_role("alert")).to_contain_text("skipped 312 events")
    lab[0].tell("skipped", {"count": 3})
    expect(page.get_by_role("alert")).to_contain_text("skipped 315 events")


def test_one_exchange_has_an_address_of_its_own(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """With each client that joined it in a column of its own."""
    lab[0].happens(happened.miss())
    lab[0].happens(happened.joined())
    page = looked.open("?view=ladder&exchange=2")
    expect(page.locator("svg[role=group] .who")).to_have_text(["client", "client", "resolver main", "resolver parent"])


def test_hostile_names_stay_text(looked: Looked, lab: tuple[PageLab, str]) -> None:
    """200 of them, as names, replies, lines of the log and hosts: no element, no script, no turned direction."""
    bad = [
        "<img src=x onerror=alert(1)>", "javascript:alert(1)", "'\"><script>alert(1)</script>", "\u202egnp.exe",
        "a\x00\x1b[2J",
    ]  # fmt: skip
    names = [f"{bad[number % 5]}{number}.test" for number in range(200)]
    for number, name in enumerate(names):
        lab[0].happens(happened.hit(str(number), name, float(number)))
    entry = lab[0].found["names"]["names"][1]
    lab[0].found["names"]["names"] = [{**entry, "name": name, "data": name, "from": name} for name in names]
    lab[0].found["log"]["lines"] = [{"time": 1.0, "level": "warn", "event": name, "text": name} for name in names]
    lab[0].found["map"]["nodes"] = [
        {"id": name, "kind": name, "label": name, "listens": [name], "knows": name} for name in names
    ]
    dialogs: list[str] = []
    looked.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for view, shown in (("ladder", ".arrow"), ("names", "td bdi"), ("log", "td bdi"), ("map", "li bdi")):
        page = looked.open(f"?view={view}")
        page.locator(shown).first.wait_for(state="attached")
        counted = page.evaluate(
            "[...document.querySelectorAll('main img, main script, main a[href^=javascript]')].length"
        )
        assert (counted, dialogs) == (0, []), view
        text = str(page.evaluate("document.body.textContent"))
        assert not set(text) & {"\u202e", "\x00", "\x1b"}
        assert "<img src=x onerror=alert(1)>" in text
        assert json.loads(page.evaluate("JSON.stringify(document.title)")).endswith("labnet")
