"""The stream of a lab's events, read by a command: Server-Sent Events over HTTP, resumed where it broke off."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from labnet.console.control import ControlError

PATIENCE: Final = 60.0
"""Seconds without a byte after which a stream counts as broken; the page's heartbeat is more frequent."""

AGAIN: Final = 1.0
"""Seconds between two tries to take the stream up again."""

_LONGEST: Final = 4_000_000
"""Bytes of a line of the stream."""

LOST: Final = "lost"
"""The kind of an event that is none of the lab's: the stream broke off, and is tried again."""

OPENED: Final = "opened"
"""The kind of another one: from here on the lab tells what happens; its value is the page's address."""

_Found = tuple[str, Any]


class Following:
    """The events of the lab whose page is at ``address``, those that fit ``filters``.

    A token in the address (``?token=``) is shown to the lab. Raises :class:`ControlError` where no page answers.
    """

    def __init__(self, address: str, filters: Mapping[str, str]) -> None:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        try:
            self._host, self._port = parts.hostname or "", parts.port or 80
        except ValueError:
            raise ControlError(f"{address!r} is no address of a page: it looks like http://127.0.0.1:8090/") from None
        if parts.scheme != "http" or not self._host:
            raise ControlError(f"{address!r} is no address of a page: it looks like http://127.0.0.1:8090/")
        self._address = f"http://{parts.netloc}/"
        self._query = urlencode({key: value for key, value in filters.items() if value})
        (self._token,) = parse_qs(parts.query).get("token", [""])[-1:]
        self._last = ""

    def lab(self) -> dict[str, Any]:
        """What the lab says of itself."""
        with self._get("lab") as response:
            found: dict[str, Any] = json.loads(response.read(_LONGEST))
        return found

    def events(self) -> Iterator[_Found]:
        """Each event's kind and value as it happens, for good; :data:`OPENED` and :data:`LOST` are among the kinds."""
        while True:
            try:
                with self._get(f"events{f'?{self._query}' if self._query else ''}") as response:
                    yield OPENED, self._address
                    yield from self._read(iter(lambda: response.readline(_LONGEST), b""))
            except (OSError, http.client.HTTPException, ControlError) as error:
                yield LOST, str(error)
            else:
                yield LOST, f"the lab at {self._address} has ended the stream"
            time.sleep(AGAIN)

    def _read(self, lines: Iterable[bytes]) -> Iterator[_Found]:
        for number, kind, value in parsed(lines):
            self._last = number or self._last
            yield kind, value

    def _get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if self._last:
            headers["Last-Event-ID"] = self._last
        try:
            connection.request("GET", f"/api/1/{path}", headers=headers)
            response = connection.getresponse()
            if response.status == http.client.OK:
                return response
            why = json.loads(response.read(_LONGEST)).get("error", response.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ControlError(f"the page at {self._address} does not answer: {why}")


def parsed(lines: Iterable[bytes]) -> Iterator[tuple[str, str, Any]]:
    """Number, kind and value of each event in ``lines`` of a stream (HTML, section 9.2.6); others are passed over."""
    number, kind, data = "", "message", []
    for line in lines:
        field, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            number = value
        elif field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif not line.strip():
            if data:
                with contextlib.suppress(ValueError):
                    yield number, kind, json.loads("\n".join(data))
            number, kind, data = "", "message", []
