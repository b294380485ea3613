"""A client of the live page: its JSON, and its stream of events."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.interop.daemon import DEADLINE, Daemon

LAB = """
[lab]
workers = {workers}
[command]
listen = "tcp:0:interface=127.0.0.1"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "ips.txt"
parents = "text:127.0.0.1:{parent}"
[resolver.parent]
listen = "udp:{parent}:interface=127.0.0.1"
records = "parent.txt"
[console]
page = "tcp:0:interface=127.0.0.1"
"""


class LivePage:
    """The live page of a daemon, which has that many ``workers`` that serve."""

    def __init__(self, daemon: Daemon, workers: int = 1) -> None:
        found = daemon.wait_for(r"can be watched at http://([\d.]+):(\d+)/")
        self.host, self.port = found[1], int(found[2])
        for number in range(1, workers + 1) if workers > 1 else ():
            daemon.wait_for(rf"worker {number}: resolver parent listens")
        until = time.monotonic() + DEADLINE
        while self.request("GET", "lab")[0] != 200:  # what a worker says last is that it serves
            assert time.monotonic() < until, daemon.log

    def request(self, method: str, path: str, body: Any = None, **fields: str) -> tuple[int, Any]:
        """The status and the JSON that come of a request to ``path`` below ``/api/1/``."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/api/1/{path}", data, fields)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON at ``path``."""
        status, value = self.request("GET", path)
        assert status == 200, value
        return value

    def post(self, path: str, body: Any) -> Any:
        """What comes of a change."""
        fields = {"X-Labnet-Token": self.get("lab")["token"], "Content-Type": "application/json"}
        status, value = self.request("POST", path, body, **fields)
        assert status == 200, value
        return value


class Stream:
    """A stream of events; leaving the ``with`` block closes it."""

    def __init__(self, page: LivePage, query: str = "") -> None:
        self._connection = http.client.HTTPConnection(page.host, page.port, timeout=DEADLINE)
        self._connection.request("GET", f"/api/1/events{query}")
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        self.events: list[tuple[int, str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        block = ""
        try:
            while line := self._response.readline().decode():
                block += line
                if line != "\n":
                    continue
                found = re.search(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n", block)
                block = ""
                if found is not None:
                    self.events.append((int(found[1]), found[2], json.loads(found[3])))
        except (OSError, ValueError, AttributeError):
            return  # it was closed

    def wait_for(self, wanted: Callable[[str, Any], bool]) -> Any:
        """The first event that is wanted, by its kind and its value."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            for _, kind, value in list(self.events):
                if wanted(kind, value):
                    return value
            time.sleep(0.02)
        raise AssertionError(f"no such event among {self.events}")

    def hear_of_all(self, workers: int, ask: Callable[[], object]) -> None:
        """Have each of the ``workers`` tell of a question that ``ask`` asks: they hear of the stream a moment later."""
        until = time.monotonic() + DEADLINE
        while len({value["id"].split("-")[0] for _, kind, value in list(self.events) if kind == "exchange"}) < workers:
            assert time.monotonic() < until, self.events
            ask()
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # or the reader would wait for the next sign of life
        self._thread.join(DEADLINE)
        self._response.close()
        self._connection.close()
