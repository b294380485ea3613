"""A web page, opened in Chromium on the machine of the lab, sends what it can to the lab's ports."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.peers import tool
from tests.interop.plain import Address, greeted, is_time, line

LAB = """
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0

[resolver.main]
listen = "udp:0"
"""

FORM = """
<form id="form" method="post" enctype="text/plain" action="http://%s:%d/">
<textarea name="x">\r\nTIME\r\nEXIT\r\n</textarea></form>
<script>document.getElementById("form").submit()</script>
"""

FETCH = """
<script>fetch("http://%s:%d/", {method: "POST", mode: "no-cors", body: "\\r\\nTIME\\r\\nEXIT\\r\\n"})</script>
"""

# The first letters of the request, read as a length, are 0x504f; what fills it is the head and the padding.
DNS_FETCH = """
<script>
const length = 2 + 0x504f, question = [0, 23, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 3, 108, 97, 98, 0, 0, 1, 0, 1];
const body = new Uint8Array(length + 25);
for (let at = 0; at + 25 <= body.length; at += 25) body.set(question, at);
fetch("http://%s:%d/", {method: "POST", mode: "no-cors", body: body})
</script>
"""


@contextmanager
def page(text: str) -> Iterator[str]:
    """The address of a web page of ``text``."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join(DEADLINE)


@contextmanager
def opened(text: str, folder: Path) -> Iterator[None]:
    """Chromium, with a page of ``text`` open in it."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0")
    with page(text) as address:
        browser = subprocess.Popen(
            [tool("chromium", "chromium"), *options, f"--user-data-dir={folder / 'profile'}", address],
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            browser.terminate()
            browser.wait(DEADLINE)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Daemon]:
    """A lab with a command server that serves any number of clients, and a resolver."""
    (tmp_path / "lab.toml").write_text(LAB)
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        yield daemon


def is_open(server: Address) -> bool:
    """Whether the command server serves."""
    with greeted(server) as sock:
        sock.send(b"TIME\n")
        return is_time(line(sock)[:-1], 0)


@pytest.mark.parametrize("text", [FORM, FETCH], ids=["form", "fetch"])
def test_a_page_cannot_close_the_command_server(lab: Daemon, tmp_path: Path, text: str) -> None:
    """The request arrives, the log says so, and the EXIT in its body is no command."""
    server = lab.address("command server")
    with opened(text % server, tmp_path):
        lab.wait_for(r"closed at once, the last from 127\.0\.0\.1: it sent an HTTP request")
        assert is_open(server)
    assert "EXIT from" not in lab.log


def test_a_page_cannot_ask_the_resolver_over_tcp(lab: Daemon, tmp_path: Path) -> None:
    """The connection is closed at its first line, and no question behind it is read."""
    server = lab.address("resolver main")
    with opened(DNS_FETCH % server, tmp_path):
        lab.wait_for(r"a TCP connection of 127\.0\.0\.1 is closed: it sent an HTTP request")
    assert is_open(lab.address("command server"))
