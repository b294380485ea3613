"""Takes the pictures of the pages console, howto-classroom, captures and grading: a lab, a lesson, a class, a browser.

``python -m docs.pictures`` from the root of a checkout writes docs/pictures/. The ports of the default lab have to be
free, and Debian's Chromium has to be installed.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
from playwright.sync_api import Browser, Page

from tests.grade.bench import PROGRAMS, mutated
from tests.grade.mutants import MUTANTS
from tests.interop.browsers import chromium
from tests.interop.daemon import Daemon

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
LABNET = Path(sys.executable).with_name("labnet")
VIEWS = ("ladder", "names", "sessions", "parents", "traffic", "map", "log", "ask", "faults")
LESSON = ("hit", "miss", "join", "lost", "spoofed", "session")

CLASS = {
    "ada": "", "barbara": "one socket for clients and parent", "claude": "", "dennis": "nothing is forgotten",
    "edsger": "", "grace": "", "jon": "no time-out on the parent", "ken": "",
    "leslie": "the file has a fixed name", "radia": "",
}  # fmt: skip
"""The students of the picture's class, and the defect of the program of each."""
PHONE = "barbara"

RESOLVER, PARENT, COMMAND = ("127.0.0.1", 1199), ("127.0.0.1", 1200), ("127.0.0.1", 8080)
CONFIG = """
[console]
page = "tcp:8090:interface=127.0.0.1"
[command]
listen = "tcp:8080:interface=127.0.0.1"
clients = 1
timeout = 15
[resolver.main]
listen = "udp:1199:interface=127.0.0.1"
records = "records.txt"
parents = "dns:127.0.0.1:1200"
parent_timeout = 1
parent_tries = 2
"""
RECORDS = "www.lab.test,192.0.2.1,60\nmail.lab.test,192.0.2.2,3600\n"
KNOWN = {"shop.lab.test.": "192.0.2.9", "lost.lab.test.": "192.0.2.10", "bank.lab.test.": "192.0.2.7"}


class Parent(threading.Thread):
    """The parent of the lesson: it thinks for a while, loses the first question about lost.lab.test, and is forged."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(PARENT)
        self._lost = False

    def run(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text().lower()
            if name == "lost.lab.test." and not self._lost:
                self._lost = True
                continue
            if name == "bank.lab.test.":
                self._reply(query, client, "6.6.6.6", is_forged=True)
            threading.Timer(0.25, self._reply, (query, client, KNOWN.get(name, ""))).start()

    def _reply(self, query: dns.message.Message, client: tuple[str, int], data: str, is_forged: bool = False) -> None:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AA
        reply.id ^= is_forged
        if data:
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", data))
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self._socket.sendto(reply.to_wire(), client)


def ask(name: str, source: str = "127.0.0.1") -> None:
    """Ask the lab's resolver."""
    dns.query.udp(dns.message.make_query(name, "A"), RESOLVER[0], 10, RESOLVER[1], source=source)


def lesson() -> None:
    """What the class does, in the order of the how-to, but for the session."""
    ask("www.lab.test")
    first = threading.Thread(target=ask, args=("shop.lab.test",))
    first.start()
    time.sleep(0.1)
    ask("shop.lab.test")
    first.join()
    ask("shop.lab.test")
    ask("no.lab.test")
    ask("lost.lab.test")
    ask("bank.lab.test")
    ask("www.lab.test", "127.0.0.2")


@contextmanager
def session(seconds: float) -> Iterator[None]:
    """A client of the command server that is silent, after a TIME, until the server has had enough; and one behind."""
    with socket.create_connection(COMMAND) as served, socket.create_connection(COMMAND):
        served.recv(200)
        served.sendall(b"TIME\n")
        yield
        served.settimeout(seconds)
        while served.recv(200):
            pass


def order(url: str, **order: str) -> None:
    """Have something go wrong in the lab whose page is at ``url``."""
    with urlopen(f"{url}api/1/lab") as answer:
        token = json.load(answer)["token"]
    headers = {"Content-Type": "application/json", "X-Labnet-Token": token}
    urlopen(Request(f"{url}api/1/faults", json.dumps(order).encode(), headers)).close()


def look(browser: Browser, url: str, name: str, then: Callable[[Page], None] | None = None, **context: object) -> None:
    """A picture of the page at ``url`` as ``name``.png, when ``then`` has been done there."""
    size = {"width": context.pop("width", 1280), "height": context.pop("height", 800)}
    page = browser.new_page(viewport=size, reduced_motion="reduce", **context)
    page.goto(url)
    page.locator("#live.on").wait_for()
    page.wait_for_timeout(1500)
    if then is not None:
        then(page)
        page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")
    page.close()


def view(browser: Browser, url: str, name: str, scheme: str) -> None:
    """A picture of a view, as one would leave it on the screen."""

    def then(page: Page) -> None:
        if name == "ask":
            page.get_by_role("button", name="Ask", exact=True).click()
            page.locator(".arrow").first.wait_for()

    more = "&name=www.lab.test" if name == "ask" else ""
    look(browser, f"{url}?view={name}{more}", f"{name}-{scheme}", then, color_scheme=scheme)


def alone(browser: Browser, url: str, name: str, words: str) -> None:
    """A picture of the ladder of one exchange, whose heading has ``words``."""
    page = browser.new_page(viewport={"width": 900, "height": 700})
    page.goto(url)
    page.locator("#live.on").wait_for()
    page.locator(f".arrow[aria-label*={words!r}]").first.click()
    page.locator("#detail").get_by_role("link", name="This exchange alone").click()
    page.locator(".ladder-box.whole svg[role=group]").wait_for()
    page.locator(".ladder-box").screenshot(path=PICTURES / f"lesson-{name}.png")
    page.close()


def main() -> None:
    """Take all of them."""
    PICTURES.mkdir(exist_ok=True)
    for port in (RESOLVER[1], PARENT[1], COMMAND[1], 8090):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                sys.exit(f"something listens on port {port} already: stop the lab that runs here first")
    Parent().start()
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        (folder / "labnet.toml").write_text(CONFIG)
        (folder / "records.txt").write_text(RECORDS)
        with Daemon("labnet", "--config", "labnet.toml", cwd=folder) as daemon:
            url = daemon.wait_for(r"the lab can be watched at (\S+)")[1]
            take(browser, url)
        exercise(browser)
        grades(browser)


def take(browser: Browser, url: str) -> None:
    """The pictures of the lab at ``url``."""
    watching = browser.new_page()
    watching.goto(url)
    watching.locator("#live.on").wait_for()
    with session(20):
        lesson()
        for scheme in ("light", "dark"):
            view(browser, url, "sessions", scheme)
    order(url, kind="spoof", where="main", side="parent", name=".bank.test", when="every 3")
    order(url, kind="delay", where="main", side="parent", amount="1500", name="slow.test")
    for scheme in ("light", "dark"):
        for name in VIEWS:
            if name != "sessions":
                view(browser, url, name, scheme)
    look(browser, f"{url}?name=bank", "phone", None, width=400, height=720)
    look(browser, f"{url}?projector=1&name=lost", "projector")
    look(browser, url, "detail", lambda page: page.locator(".arrow[aria-label*='thrown away']").first.click())
    for name, words in (
        ("hit", "Query www.lab.test"), ("miss", "Query no.lab.test"), ("join", "joins the same"),
        ("lost", "Query lost"), ("spoofed", "Query bank"),
    ):  # fmt: skip
        alone(browser, url, name, words)
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    page.goto(f"{url}?show=sessions")
    page.locator(".arrow[aria-label*='closes']").first.wait_for()
    page.locator(".ladder-box").screenshot(path=PICTURES / "lesson-session.png")
    page.close()


def exercise(browser: Browser) -> None:
    """The pictures of docs/captures.rst: the page of an exercise, wide, and on a phone in the dark."""
    made = subprocess.run(
        [LABNET, "exercise", "trace", DOCS / "trace.pcapng", "--html"], capture_output=True, text=True, check=True
    )
    for name, width, height, scheme in (("wide", 1280, 900, "light"), ("narrow", 400, 1200, "dark")):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_content(made.stdout)
        page.screenshot(path=DOCS / f"page-{name}.png")
        page.close()


def grades(browser: Browser) -> None:
    """The pictures of docs/grading.rst: the index of a class, and what a student sees of a report on a phone."""
    with tempfile.TemporaryDirectory() as name:
        handed_in, into = Path(name, "submissions"), Path(name, "grades")
        handed_in.mkdir()
        mutants = {one.name: one for one in MUTANTS if one.assignment == "resolver"}
        for student, defect in CLASS.items():
            folder = handed_in / student
            folder.mkdir()
            if defect:
                mutated(mutants[defect], folder).rename(folder / "resolver.py")
            else:
                shutil.copy(PROGRAMS / "resolver" / "plain.py", folder / "resolver.py")
        line = ["grade", "resolver", "--class", handed_in, "--into", into, "--jobs", "8", "--detail", "actual"]
        subprocess.run([LABNET, *line], capture_output=True, check=False)  # status 1: somebody failed
        for file, picture, width in (("index.html", "class", 1000), (f"{PHONE}.html", "grade-phone", 400)):
            page = browser.new_page(viewport={"width": width, "height": 900 if width < 500 else 560})
            page.goto(f"file://{into}/{file}")
            page.screenshot(path=PICTURES / f"{picture}.png")
            page.close()


if __name__ == "__main__":
    main()
