"""One question to one server over the course protocol: its socket, its timer, and which reply counts.

A reply has no id: whoever guesses the port of the question, one of 64,512, can forge it. So each question has a fresh
port, and one that is sent too much that is no reply to it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.dialects.codec import AskedName, Codec, Reply, Stray
from labnet.dialects.recognise import decode_reply
from labnet.events import ASKING
from labnet.interfaces import IDatagramSocket, IDatagramSockets
from labnet.net.addresses import address_text
from labnet.policy.loglimit import LogLimit
from labnet.resolver.upstream.errors import ParentFailed, unreadable
from labnet.wire.course_line import TextError
from labnet.wire.types import CourseReply, fold

MOST_IGNORED: Final = 20
"""Datagrams about another name that are let pass for one question; with the next one the question fails."""


@dataclass(slots=True)
class Strays:
    """Counts datagrams from a parent's address that are no reply to what it was asked."""

    count: int = 0


@dataclass(frozen=True)
class TextNetwork:
    """How course servers are asked: over ``sockets``, by ``clock``, in the dialect of ``codec``.

    Each has ``timeout`` seconds a try and ``tries`` tries. A referral is remembered for ``referral_ttl`` seconds; one
    without a port leads to ``referral_port``, or where that is 0 to the port of who gave it. ``look_up`` gives the
    address of a host that it names.
    """

    sockets: IDatagramSockets
    clock: IReactorTime
    codec: Codec
    timeout: float
    tries: int
    referral_ttl: int = 60
    referral_port: int = 0
    look_up: Callable[[str], Deferred[str]] = field(default=succeed)


class CourseExchange:
    """The question ``asked`` of the server at ``host``, an address, and ``port``; :meth:`start` gives its reply.

    ``strays`` counts what came from there and was no reply; ``log_limit`` bounds what is logged of it.
    """

    log = Logger()

    def __init__(
        self, network: TextNetwork, host: str, port: int, asked: AskedName, strays: Strays, log_limit: LogLimit
    ) -> None:
        self._network = network
        self._place = host, port
        self._asked = asked
        self._strays = strays
        self._log_limit = log_limit
        self._address = address_text(host, port)
        self._tries_left = network.tries
        self._ignored = 0
        self._story = ASKING.get()
        self._timer: IDelayedCall | None = None
        self._socket: IDatagramSocket | None = None
        self._done: Deferred[Reply] = Deferred(self._close)

    def start(self) -> Deferred[Reply]:
        """Ask; fails with :class:`ParentFailed`. Cancelling closes the socket and the timer."""
        if self._open():
            self._try()
        return self._done

    def _open(self) -> bool:
        try:
            self._socket = self._network.sockets.open(*self._place, self._received, self._failed)
        except OSError as error:
            self._fail(f"no socket to ask {self._address}: {error.strerror}")
            return False
        return True

    def _try(self) -> None:
        network = self._network
        if self._timer is not None and self._story is not None:
            self._story.silence(self._address, network.timeout)
        is_again, self._timer = self._timer is not None, None
        if not self._tries_left:
            self._fail(f"{self._address} did not answer in {network.tries} x {network.timeout:g} s")
            return
        self._tries_left -= 1
        if is_again and network.codec.dialect.is_stream:
            # What was sent before has arrived, or the connection is of no use.
            self._close()
            if not self._open():
                return
        self._timer = network.clock.callLater(network.timeout, self._try)
        if self._socket is not None:
            self._socket.send(network.codec.encode_question(self._asked))

    def _received(self, datagram: bytes) -> None:
        try:
            reply = decode_reply(self._network.codec, datagram, self._asked)
        except Stray as stray:
            self._ignore(str(stray))
            return
        except TextError as error:
            self._log_no_answer(error)
            self._close()
            self._done.errback(Failure(unreadable(self._address, error)))
            return
        name = reply.name if isinstance(reply, CourseReply) else None
        if name is None or fold(name) == fold(self._asked.name):
            self._close()
            self._done.callback(reply)
        else:
            self._ignore("it is about another name")

    def _ignore(self, why: str) -> None:
        self._strays.count += 1
        if self._story is not None:
            self._story.throw_away(self._address, why)
        self._ignored += 1
        if self._ignored > MOST_IGNORED:
            self._fail(f"{self._address} sent too much that is no reply to the question")

    def _log_no_answer(self, error: TextError) -> None:
        more = self._log_limit.more(self._network.clock.seconds())
        if more is not None:
            self.log.info(
                "{parent} answered {name} with what is no answer: {why}{more}",
                parent=self._address,
                name=self._asked.name,
                why=str(error),
                more=more,
                event="parent.no-answer",
            )

    def _failed(self, error: OSError) -> None:
        self._fail(f"{self._address} cannot be reached: {error.strerror}")

    def _fail(self, says: str) -> None:
        self._close()
        self._done.errback(Failure(ParentFailed(says)))

    def _close(self, _: object = None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
