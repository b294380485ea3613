"""One DNS query and its reply by UDP: a socket, a timer, and which datagram is the reply (RFC 5452)."""

from __future__ import annotations

import errno
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from labnet.events import ASKING
from labnet.interfaces import IDatagramSocket, IDatagramSockets
from labnet.net.addresses import address_text
from labnet.resolver.upstream.errors import NoRoute, ParentFailed, unreadable
from labnet.wire.dns_common import HEADER
from labnet.wire.dns_upstream import Broken, NotOurs, OtherCase, Sent, Truncated, decode_reply
from labnet.wire.types import Reply

MOST_IGNORED: Final = 100
"""Datagrams of one try that are no reply to its query; with the next one the question fails."""

_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Silent(Exception):
    """A try's time has passed."""


class DatagramQuery:
    """``query`` for ``server`` (address and port), over a socket of its own.

    With ``any_case`` the letters of the reply's question may be in any case.
    """

    def __init__(self, clock: IReactorTime, server: tuple[str, int], query: bytes, any_case: bool) -> None:
        self._clock = clock
        self._server = server
        self._address = address_text(*server)
        self._query = query
        self._sent = Sent.of(query)
        self._any_case = any_case
        self._ignored = 0
        self._story = ASKING.get()
        self._socket: IDatagramSocket | None = None
        self._done: Deferred[Reply] = Deferred(lambda _: self._close())

    def start(self, sockets: IDatagramSockets, timeout: float) -> Deferred[Reply]:
        """Fires with the reply; fails with ParentFailed, OtherCase, Truncated, or Silent after ``timeout`` seconds."""
        self._timer = self._clock.callLater(timeout, self._fall_silent, timeout)
        try:
            self._socket = sockets.open(*self._server, self._received, self._failed)
        except OSError as error:
            self._failed(error)
        else:
            self._socket.send(self._query)
        return self._done

    def _fall_silent(self, timeout: float) -> None:
        if self._story is not None:
            self._story.silence(self._address, timeout)
        self._fail(Silent())

    def _received(self, datagram: bytes) -> None:
        try:
            reply = decode_in_case(datagram, self._sent, self._any_case)
        except (OtherCase, Truncated) as error:
            if self._story is not None and isinstance(error, OtherCase):
                self._story.throw_away(self._address, "its name is in letters of another case, so it is asked by TCP")
            self._fail(error)
        except NotOurs as error:
            if self._story is not None:
                self._story.throw_away(self._address, str(error) or "it is no reply to the question")
            self._ignored += 1
            if self._ignored > MOST_IGNORED:
                self._fail(ParentFailed(f"{self._address} sent too much that is no reply to the question"))
        except Broken as error:
            self._fail(unreadable(self._address, error))
        else:
            self._close()
            self._done.callback(reply)

    def _failed(self, error: OSError) -> None:
        if isinstance(error, ConnectionRefusedError):
            self._fail(ParentFailed(f"nobody listens on {self._address}"))
        else:
            failed = NoRoute if error.errno in _NO_ROUTE else ParentFailed
            self._fail(failed(f"cannot ask {self._address}: {error.strerror or error}"))

    def _fail(self, error: Exception) -> None:
        if not self._done.called:
            self._close()
            self._done.errback(Failure(error))

    def _close(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()


def decode_in_case(datagram: bytes, sent: Sent, any_case: bool) -> Reply:
    """The reply in ``datagram``, with ``any_case`` whatever letters it has; raises as :func:`decode_reply` does."""
    try:
        return decode_reply(datagram, sent)
    except OtherCase:
        if not any_case:
            raise
    start = HEADER.size
    return decode_reply(datagram[:start] + sent.question + datagram[start + len(sent.question) :], sent)
