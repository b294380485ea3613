"""One question to one parent over the course protocol: its socket, its timer, and which reply counts.

A reply has no id: whoever guesses the port of the question, one of 64,512, can forge it. So each question has a fresh
port, and one that is sent too much that is no reply to it fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.events import ASKING
from labnet.interfaces import IDatagramSocket, IDatagramSockets, IParent
from labnet.net.addresses import address_text
from labnet.policy.loglimit import LogLimit
from labnet.resolver.upstream.errors import ParentFailed, unreadable
from labnet.wire.course import decode_reply, encode_question
from labnet.wire.course_line import TextError
from labnet.wire.names import ROOT, text_of
from labnet.wire.types import Question, Rcode, Upstream, fold, is_name

MOST_IGNORED: Final = 20
"""Datagrams about another name that are let pass for one question; with the next one the question fails."""


@dataclass(slots=True)
class Strays:
    """Counts datagrams from a parent's address that are no reply to what it was asked."""

    count: int = 0


@implementer(IParent)
@dataclass(frozen=True)
class TextParent:
    """A parent at ``host`` (an address) and ``port`` that speaks the course protocol.

    It is given ``timeout`` seconds a try and ``tries`` tries. Whatever the type asked for, it is asked for the name.
    """

    host: str
    port: int
    timeout: float
    tries: int
    sockets: IDatagramSockets
    clock: IReactorTime
    log_limit: LogLimit = field(default_factory=LogLimit, init=False, compare=False, repr=False)
    strays: Strays = field(default_factory=Strays, init=False, compare=False, repr=False)

    @property
    def address(self) -> str:
        return address_text(self.host, self.port)

    def ask(self, question: Question) -> Deferred[Upstream]:
        name = question.spelled or text_of(question.key)
        if question.key == ROOT or name.startswith("[") or not is_name(name):
            return fail(ParentFailed(f"{self.address} speaks the course protocol, which cannot carry the name {name}"))
        return _Exchange(self, name).start()


class _Exchange:
    """One name asked on a socket of its own."""

    log = Logger()

    def __init__(self, parent: TextParent, name: str) -> None:
        self._parent = parent
        self._name = name
        self._tries_left = parent.tries
        self._ignored = 0
        self._story = ASKING.get()
        self._timer: IDelayedCall | None = None
        self._socket: IDatagramSocket | None = None
        self._done: Deferred[Upstream] = Deferred(self._close)

    def start(self) -> Deferred[Upstream]:
        parent = self._parent
        try:
            self._socket = parent.sockets.open(parent.host, parent.port, self._received, self._failed)
        except OSError as error:
            self._fail(f"no socket to ask {parent.address}: {error.strerror}")
        else:
            self._try()
        return self._done

    def _try(self) -> None:
        if self._timer is not None and self._story is not None:
            self._story.silence(self._parent.address, self._parent.timeout)
        self._timer = None
        if not self._tries_left:
            tries = f"{self._parent.tries} x {self._parent.timeout:g} s"
            self._fail(f"{self._parent.address} did not answer in {tries}")
            return
        self._tries_left -= 1
        self._timer = self._parent.clock.callLater(self._parent.timeout, self._try)
        if self._socket is not None:
            self._socket.send(encode_question(self._name))

    def _received(self, datagram: bytes) -> None:
        try:
            reply = decode_reply(datagram)
        except TextError as error:
            self._log_no_answer(error)
            self._close()
            self._done.errback(Failure(unreadable(self._parent.address, error)))
            return
        if reply is None or reply.name is None or fold(reply.name) == fold(self._name):
            self._close()
            rcode = Rcode.NXDOMAIN if reply is None else Rcode.NOERROR
            self._done.callback(Upstream(rcode, self._parent.address, course_reply=reply))
        else:
            self._ignore()

    def _ignore(self) -> None:
        self._parent.strays.count += 1
        if self._story is not None:
            self._story.throw_away(self._parent.address, "it is about another name")
        self._ignored += 1
        if self._ignored > MOST_IGNORED:
            self._fail(f"{self._parent.address} sent too much that is no reply to the question")

    def _log_no_answer(self, error: TextError) -> None:
        more = self._parent.log_limit.more(self._parent.clock.seconds())
        if more is not None:
            self.log.info(
                "{parent} answered {name} with what is no answer: {why}{more}",
                parent=self._parent.address,
                name=self._name,
                why=str(error),
                more=more,
                event="parent.no-answer",
            )

    def _failed(self, error: OSError) -> None:
        self._fail(f"{self._parent.address} cannot be reached: {error.strerror}")

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
