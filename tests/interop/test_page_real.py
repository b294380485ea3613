"""The live page of a real lab in a real browser: what happens on the wire is drawn, explained, and can be acted on."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import dns.message
import dns.query
import pytest
from playwright.sync_api import Browser, expect

from tests.interop.browsers import Looked, chromium, looking
from tests.interop.daemon import DEADLINE, TWISTD, Daemon, environment
from tests.interop.peers import tool
from tests.interop.plain import greeted

LABNET = str(Path(TWISTD).with_name("labnet"))

CONFIG = """
[console]
page = "tcp:0:interface=127.0.0.1"
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "own.txt"
parents = "dns:127.0.0.1:{parent}"
parent_timeout = 0.3
parent_tries = 2
allow = ["127.0.0.0/30"]
"""


class Parent:
    """A name server that answers what the test lets it, with 192.0.2.9."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(DEADLINE)
        self.port: int = self.socket.getsockname()[1]

    def take(self) -> tuple[dns.message.Message, tuple[str, int]]:
        data, client = self.socket.recvfrom(4096)
        return dns.message.from_wire(data), client

    def answer(self, query: dns.message.Message, client: tuple[str, int], forged: bool = False) -> None:
        """Answer ``query``; a ``forged`` reply has an id that is not the query's."""
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        (question,) = query.question
        address = "6.6.6.6" if forged else "192.0.2.9"
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", address))
        if forged:
            reply.id ^= 1
        self.socket.sendto(reply.to_wire(), client)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def parent() -> Iterator[Parent]:
    made = Parent()
    yield made
    made.socket.close()


@pytest.fixture
def lab(tmp_path: Path, parent: Parent) -> Iterator[Daemon]:
    (tmp_path / "own.txt").write_text("own.test,192.0.2.1,60\n")
    (tmp_path / "labnet.toml").write_text(CONFIG.format(parent=parent.port))
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        yield daemon


@pytest.fixture
def looked(browser: Browser, lab: Daemon) -> Iterator[Looked]:
    with looking(browser, lab.wait_for(r"the lab can be watched at (\S+)")[1]) as opened:
        yield opened


class Client:
    """Asks the resolver, without waiting for the reply."""

    def __init__(self, lab: Daemon) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(lab.address("resolver main"))
        self.socket.settimeout(DEADLINE)

    def ask(self, name: str) -> None:
        self.socket.send(dns.message.make_query(name, "A").to_wire())

    def reply(self) -> dns.message.Message:
        return dns.message.from_wire(self.socket.recv(4096))

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def client(lab: Daemon) -> Iterator[Client]:
    made = Client(lab)
    yield made
    made.close()


def test_hit_miss_and_join_are_drawn_and_explained(looked: Looked, lab: Daemon, parent: Parent, client: Client) -> None:
    """Two clients of one question in flight, then one of memory; bytes and reasons are the lab's own."""
    page = looked.open()
    other = Client(lab)
    client.ask("shop.test")
    query, where = parent.take()
    other.ask("shop.test")
    other.ask("own.test")  # it is answered behind the question before it, which therefore waits by now
    assert other.reply().answer[0][0].to_text() == "192.0.2.1"
    parent.answer(query, where)
    assert {one.reply().answer[0][0].to_text() for one in (client, other)} == {"192.0.2.9"}
    looked.arrow("client to resolver main: Query shop.test A; joins the same question in flight").wait_for()
    assert page.locator(".arrow[aria-label*='resolver main to parent']").count() == 1
    client.ask("shop.test")
    client.reply()
    expect(page.locator(".heading", has_text="from memory")).to_have_count(1)
    looked.arrow("resolver main to parent: Query").click()
    why = page.locator("#detail ol.why")
    expect(why).to_contain_text("The records say nothing about shop.test.")
    expect(why).to_contain_text(f"127.0.0.1:{parent.port} is asked")
    expect(page.locator("#detail")).to_contain_text("User Datagram Protocol")
    detail = page.locator("#detail")
    detail.get_by_role("button", name="Source port").hover()
    lit = "".join(detail.locator(".hex span:not(.text) b.on").all_inner_texts())
    assert int(lit, 16) == where[1]
    other.close()


def test_silence_retry_and_a_forged_reply_are_drawn(looked: Looked, parent: Parent, client: Client) -> None:
    """What was waited for, the question again, and what was thrown away with the reason."""
    page = looked.open()
    client.ask("gone.test")
    assert client.reply().rcode() == dns.rcode.SERVFAIL
    looked.arrow("resolver main waits for parent: nothing for").wait_for()
    looked.arrow(" A; asked again").wait_for()  # in letters of another case
    for _ in range(2):
        parent.take()
    client.ask("bank.test")
    query, where = parent.take()
    parent.answer(query, where, forged=True)
    parent.answer(query, where)
    client.reply()
    looked.arrow("Reply A 6.6.6.6 TTL 60; thrown away; the id is another one").wait_for()
    expect(page.locator(".heading", has_text="bank.test")).to_contain_text("192.0.2.9")


def test_a_client_that_is_not_served_is_drawn_with_the_reason(looked: Looked, lab: Daemon) -> None:
    """It is refused, and the ladder shows by whom."""
    looked.open()
    query = dns.message.make_query("own.test", "A")
    host, port = lab.address("resolver main")
    reply = dns.query.udp(query, host, DEADLINE, port, source="127.0.0.9")
    assert reply.rcode() == dns.rcode.REFUSED
    looked.arrow("resolver main to client: Reply REFUSED").wait_for()


def test_a_session_is_drawn_and_closed_from_the_page(looked: Looked, lab: Daemon) -> None:
    """Its commands, its end, and who is next in line."""
    page = looked.open()
    server = lab.address("command server")
    with greeted(server) as served:
        served.send(b"TIME\n")
        assert served.recv(100)
        looked.arrow("client to command server: TIME").wait_for()
        page.get_by_role("link", name="Sessions").click()
        host, port = served.getsockname()
        with socket.create_connection(server, DEADLINE) as waits:
            expect(page.locator("table", has_text="Place")).to_contain_text(f"127.0.0.1:{waits.getsockname()[1]}")
            page.get_by_role("button", name=f"Close the session of {host}:{port}").click()
            expect(page.locator("#said")).to_contain_text("is closed")
            assert served.recv(100) == b""
            assert waits.recv(100).startswith(b"Connected")


def test_a_question_is_asked_and_its_name_flushed(looked: Looked, parent: Parent) -> None:
    """From the page, by a real datagram; the pcapng of it is one that tshark reads."""
    page = looked.open("?view=ask&name=ask.test")
    page.get_by_role("button", name="Ask", exact=True).click()
    parent.answer(*parent.take())
    expect(page.locator(".answer")).to_contain_text("192.0.2.9")
    expect(page.locator(".arrow")).to_have_count(4)
    looked.arrow("resolver main to parent").click()
    with page.expect_download() as download:
        page.locator("#detail").get_by_role("link", name="Download for Wireshark").click()
    command = [tool("tshark", "tshark"), "-r", download.value.path(), "-T", "fields", "-e", "dns.qry.name"]
    read = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert {line.lower() for line in read.stdout.split()} == {"ask.test"}
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Names").click()
    page.get_by_role("button", name="Flush ask.test").click()
    expect(page.locator("tr", has_text="ask.test")).to_have_count(0)


def test_parents_traffic_map_and_log_tell_of_the_lab(looked: Looked, parent: Parent) -> None:
    """A parent is asked now; the map has its address; the log has the ids."""
    page = looked.open("?view=parents")
    page.get_by_role("textbox").fill("probe.test")
    page.get_by_role("button", name="Ask now").click()
    parent.answer(*parent.take())
    expect(page.locator("article [role=status]")).to_contain_text("192.0.2.9")
    page.get_by_role("link", name="Map").click()
    expect(page.locator("#view")).to_contain_text(f"127.0.0.1:{parent.port}")
    page.get_by_role("link", name="Log").click()
    expect(page.locator("#view")).to_contain_text("lab.listens")
    page.get_by_role("link", name="Traffic").click()
    expect(page.locator("#view")).to_contain_text("No question in the last five minutes.")


def test_a_fault_is_ordered_on_the_page_and_seen_in_ladder_log_and_metrics(
    looked: Looked, parent: Parent, client: Client
) -> None:
    """The first reply of the parent is lost; the order has ended by itself then."""
    page = looked.open("?view=faults")
    page.locator("[name=kind]").select_option("drop")
    page.locator("[name=side]").select_option("parent")
    page.locator("[name=when]").select_option("1")
    page.get_by_role("button", name="Order").click()
    expect(page.locator("#faults-on")).to_have_text("1 fault on order")
    expect(page.locator("tbody tr")).to_contain_text("drop")
    client.ask("shop.test")
    for _ in range(2):
        parent.answer(*parent.take())
    assert client.reply().answer[0][0].to_text() == "192.0.2.9"
    page.get_by_role("link", name="Ladder").click()
    looked.arrow("Reply A 192.0.2.9 TTL 60; dropped; fault drop").wait_for()
    looked.arrow(" A; asked again").wait_for()
    expect(page.locator("#faults-on")).to_be_hidden()
    page.get_by_role("link", name="Log").click()
    expect(page.locator("#view")).to_contain_text("fault.ordered")
    with urlopen(f"{looked.url}metrics") as answer:
        assert 'labnet_faults_done_total{kind="drop"} 1.0' in answer.read().decode()


def test_hostile_names_on_the_wire_are_text(looked: Looked, client: Client) -> None:
    """Under the policy that the lab sends; the browser has nothing to complain of."""
    page = looked.open("?name=evil")
    page.get_by_role("button", name="Freeze").click()
    for number in range(200):
        client.socket.send(f"<img/src=x/onerror=alert({number})>.evil\N{RIGHT-TO-LEFT OVERRIDE}.test".encode())
    page.get_by_role("button", name="new").wait_for()
    page.get_by_role("button", name="Freeze").click()
    page.locator(".arrow").first.wait_for()
    assert page.locator("main img").count() == 0
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.locator("body").inner_text()


def test_the_same_ladder_is_in_a_terminal(lab: Daemon, tmp_path: Path, client: Client) -> None:
    """``labnet watch`` finds the page by the control socket, and says from when on it is told what happens."""
    command = [LABNET, "watch", "--config", "labnet.toml"]
    seen, said = tmp_path / "seen", tmp_path / "said"
    until = time.monotonic() + DEADLINE
    with (
        seen.open("w") as out,
        said.open("w") as errors,
        subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=out, stderr=errors) as watching,
    ):
        while "▶│  Query own.test A" not in seen.read_text():
            assert time.monotonic() < until
            client.ask("own.test")
            client.reply()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(DEADLINE) == 0
    assert re.fullmatch(r"watching http://127\.0\.0\.1:\d+/; Ctrl-C ends it\n", said.read_text())
