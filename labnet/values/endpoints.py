"""Twisted endpoint strings to listen on.

Those of ``tcp:`` and ``unix:`` are read here, with the same arguments. Twisted's own reader loads OpenSSL, a sixth of
the memory of a lab that has no use for it; it is asked for all other kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory

_VALUE: Final = r"((?:[^:=\\]|\\.)*)"
_TCP: Final = re.compile(rf"tcp:([0-9]+)((?::(?:interface|backlog)={_VALUE})*)")
_UNIX: Final = re.compile(rf"unix:{_VALUE}((?::(?:mode|backlog|lockfile)={_VALUE})*)")
_OPTION: Final = re.compile(rf":(\w+)={_VALUE}")


class Listens(Protocol):
    """What can be listened on: an IStreamServerEndpoint of Twisted's, or one that is read here."""

    def listen(self, protocolFactory: Any) -> Deferred[IListeningPort]: ...


class _PlainEndpoint:
    """``open`` with the factory as second argument, and more that go before and behind it."""

    def __init__(self, open_port: Callable[..., Any], place: int | str, options: dict[str, Any]) -> None:
        self._open = open_port
        self._place = place
        self._options = options

    def listen(self, protocolFactory: Any) -> Deferred[IListeningPort]:
        return maybeDeferred(self._open, self._place, protocolFactory, **self._options)


def endpoint_of(reactor: Any, text: str) -> Listens:
    """What the endpoint string ``text`` stands for. Raises what Twisted raises for text that is no endpoint."""
    if (tcp := _TCP.fullmatch(text)) is not None:
        given = _options(tcp[2])
        options = {"interface": given.get("interface", ""), "backlog": int(given.get("backlog", 50))}
        return _PlainEndpoint(reactor.listenTCP, int(tcp[1]), options)
    if (unix := _UNIX.fullmatch(text)) is not None:
        given = _options(unix[2])
        named = {"mode": int(given.get("mode", "666"), 8), "backlog": int(given.get("backlog", 50))}
        return _PlainEndpoint(
            reactor.listenUNIX, _plain(unix[1]), {**named, "wantPID": bool(int(given.get("lockfile", 1)))}
        )
    from twisted.internet.endpoints import serverFromString

    read: Listens = serverFromString(reactor, text)
    return read


class _Listening:
    """In the place of a reactor: notes where an endpoint would listen."""

    address = "", 0

    def listenTCP(self, port: int, factory: object, backlog: int = 0, interface: str = "") -> None:
        self.address = interface, port

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: None


def tcp_address(endpoint: str) -> tuple[str, int]:
    """Interface and port of a Twisted ``endpoint``; "" and 0 for another kind than TCP.

    Raises what Twisted raises for text that is no endpoint.
    """
    reactor = _Listening()
    endpoint_of(reactor, endpoint).listen(Factory()).addErrback(lambda _: None)
    return reactor.address


def _options(text: str) -> dict[str, str]:
    return {name: _plain(value) for name, value in _OPTION.findall(text)}


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)
