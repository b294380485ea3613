"""One question to one DNS server, by UDP and by TCP: sockets, timers, tries, and which reply counts (RFC 5452)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IDatagramSocket, IDatagramSockets, IExchange, IParent, IReactor
from labnet.net.addresses import address_text
from labnet.resolver.upstream.dns_stream import StreamQuery
from labnet.resolver.upstream.errors import ParentFailed, Unusable
from labnet.wire.dns_common import PAYLOAD
from labnet.wire.dns_upstream import (
    Broken,
    NotOurs,
    OtherCase,
    Sent,
    Truncated,
    chain_of,
    decode_reply,
    encode_query,
)
from labnet.wire.names import is_opaque, text_of
from labnet.wire.types import Question, Rcode, Reply, RRType, Upstream

MOST_IGNORED: Final = 100
"""Datagrams of one try that are no reply to its query; with the next one the question fails."""

_KNOWS_NO_EDNS: Final = (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS)


class _Silent(Exception):
    """A try's time has passed."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of whom, over all tries."""

    host: str
    port: int
    question: Question
    recursion_desired: bool
    payload: int | None

    @property
    def address(self) -> str:
        return address_text(self.host, self.port)

    def query(self, random: Random, mixed_case: bool) -> bytes:
        bits = random.getrandbits(8 * len(self.question.key)) if mixed_case else 0
        return encode_query(
            self.question,
            random.getrandbits(16),
            recursion_desired=self.recursion_desired,
            case_bits=bits,
            payload=self.payload,
        )


@implementer(IExchange)
class DNSExchange:
    """Asks over ``sockets`` and, by TCP, the ``reactor``; each UDP try and each TCP connection has ``timeout`` seconds.

    ``random`` gives ids and case; in a service it has to be a ``SystemRandom``. Every UDP try (of ``tries``) has a new
    socket, id and case. A reply of another case makes the question go by TCP, in small letters, at once: nobody can
    guess his way into that, and a server that changes the case costs no time. A server that does not know EDNS is asked
    once more without it (RFC 6891, section 7).
    """

    def __init__(
        self, sockets: IDatagramSockets, reactor: IReactor, random: Random, timeout: float, tries: int
    ) -> None:
        self._sockets = sockets
        self._reactor = reactor
        self._random = random
        self._timeout = timeout
        self._tries = tries

    def ask(self, host: str, port: int, question: Question, recursion_desired: bool, tcp: bool) -> Deferred[Reply]:
        return Deferred.fromCoroutine(self._ask(host, port, question, recursion_desired, tcp))

    async def _ask(self, host: str, port: int, question: Question, recursion_desired: bool, tcp: bool) -> Reply:
        if is_opaque(question.key):
            raise ParentFailed(f"{text_of(question.key)!r} is a name that DNS cannot carry")
        ask = self._by_tcp if tcp else self._by_udp
        reply = await ask(_Asked(host, port, question, recursion_desired, PAYLOAD))
        if reply.rcode in _KNOWS_NO_EDNS:
            reply = await ask(_Asked(host, port, question, recursion_desired, None))
        return reply

    async def _by_udp(self, asked: _Asked) -> Reply:
        other_case = False
        for _ in range(self._tries):
            datagrams = _Datagrams(self._sockets, self._reactor, asked, asked.query(self._random, mixed_case=True))
            try:
                return await datagrams.start(self._timeout)
            except _Silent:
                continue
            except Truncated:
                return await self._by_tcp(asked)
            except OtherCase:
                if other_case:
                    continue
                other_case = True
            try:
                return await self._by_tcp(asked)
            except ParentFailed:
                continue
        if other_case:
            raise ParentFailed(f"{asked.address} changes the case of names and does not answer by TCP")
        raise ParentFailed(f"{asked.address} did not answer")

    async def _by_tcp(self, asked: _Asked) -> Reply:
        stream = StreamQuery(asked.address, asked.query(self._random, mixed_case=False))
        connector = self._reactor.connectTCP(asked.host, asked.port, stream, timeout=self._timeout)
        timer = self._reactor.callLater(self._timeout, stream.timed_out)
        try:
            return await stream.done
        finally:
            if timer.active():
                timer.cancel()
            stream.close(connector)


class _Datagrams:
    """One try by UDP: its query, its socket, its timer."""

    def __init__(self, sockets: IDatagramSockets, reactor: IReactor, asked: _Asked, query: bytes) -> None:
        self._sockets = sockets
        self._reactor = reactor
        self._asked = asked
        self._query = query
        self._sent = Sent.of(query)
        self._ignored = 0
        self._socket: IDatagramSocket | None = None
        self._done: Deferred[Reply] = Deferred(lambda _: self._close())

    def start(self, timeout: float) -> Deferred[Reply]:
        """Fires with the reply; fails with ParentFailed, OtherCase, Truncated, or _Silent after ``timeout`` seconds."""
        self._timer = self._reactor.callLater(timeout, self._fail, _Silent())
        try:
            self._socket = self._sockets.open(self._asked.host, self._asked.port, self._received, self._failed)
        except OSError as error:
            self._failed(error)
        else:
            self._socket.send(self._query)
        return self._done

    def _received(self, datagram: bytes) -> None:
        try:
            reply = decode_reply(datagram, self._sent)
        except (OtherCase, Truncated) as error:
            self._fail(error)
        except NotOurs:
            self._ignored += 1
            if self._ignored > MOST_IGNORED:
                self._fail(ParentFailed(f"{self._asked.address} sent too much that is no reply to the question"))
        except Broken as error:
            self._fail(ParentFailed(f"{self._asked.address} sent a reply that cannot be read: {error}"))
        else:
            self._close()
            self._done.callback(reply)

    def _failed(self, error: OSError) -> None:
        if isinstance(error, ConnectionRefusedError):
            self._fail(ParentFailed(f"nobody listens on {self._asked.address}"))
        else:
            self._fail(ParentFailed(f"cannot ask {self._asked.address}: {error.strerror or error}"))

    def _fail(self, error: Exception) -> None:
        if not self._done.called:
            self._close()
            self._done.errback(Failure(error))

    def _close(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()


@implementer(IParent)
@dataclass(frozen=True, slots=True)
class DNSParent:
    """A forwarder's parent: a DNS server at ``host`` (an address) and ``port`` that resolves what it is asked.

    It is asked over ``exchange``, by TCP alone where ``tcp`` says so.
    """

    host: str
    port: int
    tcp: bool
    exchange: IExchange

    @property
    def address(self) -> str:
        return address_text(self.host, self.port)

    def ask(self, question: Question) -> Deferred[Upstream]:
        asked = self.exchange.ask(self.host, self.port, question, True, self.tcp)
        return asked.addCallback(lambda reply: upstream_of(question, reply, self.address))


def upstream_of(question: Question, reply: Reply, address: str) -> Upstream:
    """What ``reply``, of the parent at ``address``, says about ``question``.

    Raises :class:`Unusable` for any RCODE but NOERROR and NXDOMAIN, a referral, and records of other names alone.
    """

    def unusable(why: str) -> Unusable:
        reasons = "; ".join(error.text for error in reply.errors if error.text)
        return Unusable(f"{address} {why}" + (f": {reasons}" if reasons else ""), reply.rcode, reply.errors)

    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        raise unusable(_REFUSALS.get(reply.rcode, f"answered with RCODE {int(reply.rcode)}"))
    chain = chain_of(question, reply)
    rcode = Rcode.NOERROR if chain.is_answered else Rcode(reply.rcode)
    if rcode == Rcode.NOERROR and not chain.rrsets and chain.soa is None:
        if reply.answer:
            raise unusable("answered about other names than the one asked for")
        if not reply.authoritative and any(rrset.rrtype == RRType.NS for rrset in reply.authority):
            raise unusable("only referred to other servers: it does not resolve names for this resolver")
    return Upstream(rcode, address, chain.rrsets, chain.soa, errors=reply.errors)


_REFUSALS: Final[dict[int, str]] = {
    Rcode.FORMERR: "could not read the question (FORMERR)",
    Rcode.SERVFAIL: "could not resolve the name (SERVFAIL)",
    Rcode.NOTIMP: "does not answer such questions (NOTIMP)",
    Rcode.REFUSED: "refused to answer (REFUSED)",
}
