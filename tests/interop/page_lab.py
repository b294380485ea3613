"""A lab as the page sees it: what happens is told by the test, ``/api/1/`` comes from lists, events from a queue."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from labnet.console.page.front import POLICY
from labnet.ladder.live import live_ladder
from labnet.ladder.style import style
from labnet.ladder.svg import ladder_svg
from tests.interop.daemon import DEADLINE
from tests.ladder import happened

STATIC = Path(__file__).resolve().parents[2] / "labnet/console/page/static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TOKEN = "the page's token"

LAB: dict[str, Any] = {
    "name": "labnet", "version": "0.2.0", "started": happened.BEGAN, "now": happened.BEGAN, "role": "operator",
    "scope": None, "token": TOKEN, "workers": 1, "faults": [],
    "resolvers": [
        {"name": "main", "dialect": "line", "listens": ["udp 127.0.0.1:1199"], "parents": ["127.0.0.1:1200"],
         "records": 3, "cached": 2},
        {"name": "parent", "dialect": "line", "listens": ["udp 127.0.0.1:1200"], "parents": [], "records": 9,
         "cached": 0},
    ],
    "command": {"listens": ["tcp 127.0.0.1:8080"], "open": True, "clients": 1, "timeout": 15, "exit_closed": False},
}  # fmt: skip
NAMES: list[dict[str, Any]] = [
    {"name": "www.lab.test", "type": "A", "data": "192.0.2.1", "ttl": None, "left": None, "kind": "record",
     "from": "ips.txt", "since": happened.BEGAN},
    {"name": "shop.lab.test", "type": "A", "data": "192.0.2.9", "ttl": 60, "left": 42.0, "kind": "learned",
     "from": "127.0.0.1:1200", "since": happened.BEGAN},
    {"name": "gone.lab.test", "type": "A", "data": "", "ttl": 30, "left": 8.0, "kind": "negative",
     "from": "127.0.0.1:1200", "since": happened.BEGAN},
    {"name": "dead.lab.test", "type": "A", "data": "SERVFAIL", "ttl": 5, "left": 3.0, "kind": "failure",
     "from": "127.0.0.1:1201", "since": happened.BEGAN},
]  # fmt: skip
SESSIONS: dict[str, Any] = {
    "sessions": [{"id": "s1", "client": happened.end(("127.0.0.1", 52000)), "since": happened.BEGAN, "left": 11.4,
                  "commands": 2, "state": "served"}],
    "waiting": [{"client": happened.end(("127.0.0.1", 52001)), "place": 1, "since": happened.BEGAN}],
}  # fmt: skip
PARENTS: list[dict[str, Any]] = [
    {"resolver": "main", "address": "127.0.0.1:1200", "state": "up", "rtt": 0.0004, "failures": 0, "tries": 12,
     "rtts": [0.0004, 0.0005, None, 0.0003, 0.0004], "next": True, "why": "it answers, and is the fastest"},
    {"resolver": "main", "address": "127.0.0.1:1201", "state": "down", "rtt": None, "failures": 3, "tries": 3,
     "rtts": [None, None, None], "next": False, "why": "it was silent three times and rests for 24 s"},
]  # fmt: skip
TRAFFIC: dict[str, Any] = {
    "series": [
        {"time": happened.BEGAN + at, "questions": 40 + at % 7 * 5, "hits": 30 + at % 7 * 5, "failures": at % 50 == 7,
         "limited": 0, "p50": 0.0002, "p99": 0.004 + at % 11 / 1000} for at in range(120)
    ],
    "by_protocol": {"dns": 5200, "course": 800}, "by_result": {"hit": 5100, "asked": 600, "joined": 240, "failed": 60},
}  # fmt: skip
MAP: dict[str, Any] = {
    "nodes": [
        {"id": "main", "kind": "resolver", "label": "resolver main", "listens": ["127.0.0.1:1199"],
         "knows": "3 records, 2 learned"},
        {"id": "parent", "kind": "resolver", "label": "resolver parent", "listens": ["127.0.0.1:1200"],
         "knows": "9 records"},
        {"id": "command", "kind": "command", "label": "command server", "listens": ["127.0.0.1:8080"],
         "knows": "TIME, EXIT"},
    ],
    "edges": [{"from": "main", "to": "parent", "label": "asks"}],
}  # fmt: skip
LOG: list[dict[str, Any]] = [
    {"time": happened.BEGAN, "level": "info", "event": "lab.listens",
     "text": "resolver main listens on 127.0.0.1:1199"},
    {"time": happened.BEGAN + 3, "level": "warn", "event": "parent.down",
     "text": "resolver main: the parent 127.0.0.1:1201 is silent"},
]  # fmt: skip
KINDS: list[dict[str, str]] = [
    {"kind": "drop", "sentence": "The datagram is thrown away.", "transport": "udp"},
    {"kind": "spoof", "sentence": "A forged reply comes before the real one.", "transport": "udp"},
    {"kind": "reset", "sentence": "The connection is reset.", "transport": "tcp"},
]


class PageLab:
    """What the page is told; a test changes the lists, and has :meth:`tell` send an event."""

    def __init__(self) -> None:
        self.lab = json.loads(json.dumps(LAB))
        self.exchanges: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.found: dict[str, Any] = {
            "names": {"names": list(NAMES), "more": False},
            "sessions": SESSIONS,
            "parents": {"parents": PARENTS},
            "traffic": TRAFFIC,
            "map": MAP,
            "log": {"lines": list(LOG)},
            "faults": {"faults": [], "kinds": KINDS},
        }
        self.asked: list[str] = []
        self.posted: list[tuple[str, Any, str | None]] = []
        self.answers: dict[str, Any] = {}
        self.readers: list[queue.Queue[tuple[str, Any]]] = []

    def happens(self, exchange: dict[str, Any], is_told: bool = True) -> None:
        """One more question was answered."""
        self.exchanges.append(exchange)
        if is_told:
            self.tell("exchange", exchange)

    def tell(self, kind: str, value: Any) -> None:
        for reader in list(self.readers):
            reader.put((kind, value))

    def shown(self, query: dict[str, str]) -> str:
        """The ladder, as the lab draws it."""
        wanted = [
            one for one in self.exchanges
            if query.get("name", "") in one["name"] and query.get("result", one["result"]) == one["result"]
        ]  # fmt: skip
        return self.drawn(wanted if query.get("kind") != "sessions" else [], query)

    def drawn(self, exchanges: list[dict[str, Any]], query: dict[str, str]) -> str:
        sessions = self.sessions if "kind" in query else []
        ladder = live_ladder(
            exchanges, sessions, {"127.0.0.1:1200": "resolver parent"}, hide_clients=query.get("projector") == "1"
        )
        return ladder_svg(ladder, width=int(query.get("width", 0)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: PageLab

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        self.served.asked.append(path)
        if path == "/api/1/events":
            self._events()
        elif path.startswith("/api/1/"):
            self._api(path.removeprefix("/api/1/"), query)
        elif path == "/static/ladder.css":
            self._send(200, "text/css", style())
        else:
            file = STATIC / ("index.html" if path == "/" else path.removeprefix("/static/"))
            if file.is_file():
                self._send(200, TYPES[file.suffix], file.read_text(encoding="utf-8"))
            else:
                self._send(404, "text/plain", "")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.removeprefix("/api/1/")
        self.served.posted.append((path, body, self.headers["X-Labnet-Token"]))
        self._json(200, self.served.answers.get(path, {}))

    def _api(self, path: str, query: dict[str, str]) -> None:
        lab, (first, *rest) = self.served, path.split("/")
        if path == "lab":
            self._json(200, lab.lab)
        elif path == "ladder.svg":
            self._send(200, "image/svg+xml", lab.shown(query))
        elif first == "exchanges" and rest:
            found = [one for one in lab.exchanges if rest[0] in (one["id"], one["joined_to"])]
            if not found:
                self._json(404, {"error": f"exchange {rest[0]} is not kept any more"})
            elif rest[1:] == ["ladder.svg"]:
                self._send(200, "image/svg+xml", lab.drawn(found, query))
            else:
                self._json(200, next(one for one in found if one["id"] == rest[0]))
        elif path in lab.found:
            self._json(200, lab.found[path])
        else:
            self._json(404, {"error": "there is no such thing"})

    def _json(self, code: int, value: Any) -> None:
        self._send(code, "application/json", json.dumps(value))

    def _send(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))),
            ("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        reader: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.served.readers.append(reader)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(b": begins\n\n")
            while True:
                kind, value = reader.get()
                if not kind:
                    return
                self.wfile.write(f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode())
        except OSError:
            return  # the page was closed
        finally:
            self.served.readers.remove(reader)

    def log_message(self, *arguments: Any) -> None:
        """Nothing is logged."""


@contextmanager
def page_lab() -> Iterator[tuple[PageLab, str]]:
    """A lab and the address of its page."""
    lab = PageLab()
    handler = type("Handler", (_Handler,), {"served": lab})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield lab, f"http://127.0.0.1:{server.server_port}/"
        finally:
            lab.tell("", None)
            server.shutdown()
            thread.join(DEADLINE)
