"""One question to one DNS server, by UDP and by TCP: sockets, timers, tries, and which reply counts (RFC 5452)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from labnet.interfaces import IDatagramSockets, IExchange, IParent, IReactor
from labnet.net.addresses import address_text
from labnet.resolver.upstream.dns_datagrams import DatagramQuery, Silent, decode_in_case
from labnet.resolver.upstream.dns_stream import StreamQuery
from labnet.resolver.upstream.errors import NoReply, ParentFailed, Unusable, unreadable
from labnet.resolver.upstream.infra import InfraCache, Quirk
from labnet.wire.dns_common import PAYLOAD
from labnet.wire.dns_upstream import (
    Broken,
    EarlyReply,
    NotOurs,
    OtherCase,
    Truncated,
    encode_query,
)
from labnet.wire.names import is_opaque, text_of
from labnet.wire.reply_chain import chain_of
from labnet.wire.types import Question, Rcode, Reply, RRType, Upstream

_KNOWS_NO_EDNS: Final = (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS)


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """How a server is asked: ``timeout`` seconds for each UDP try and each TCP connection, and ``tries`` by UDP.

    ``mixed_case`` says whether names are sent in letters of random case (draft-vixie-dnsext-dns0x20).
    """

    timeout: float
    tries: int
    mixed_case: bool = True


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of whom, over all tries; ``sending`` is called before each query.

    Where there is an ``early`` reply it is that of the first try.
    """

    host: str
    port: int
    question: Question
    recursion_desired: bool
    payload: int | None
    sending: Callable[[], None]
    early: EarlyReply | None = None

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
    """Asks over ``sockets`` and, by TCP, the ``reactor``.

    ``random`` gives ids and case; in a service it has to be a ``SystemRandom``. Every UDP try has a new socket, id and
    case. A reply whose name has letters of another case than the query's is a guess from elsewhere, or its server
    changes the case: the question goes by TCP at once, where nobody can guess. A server that takes no TCP and changes
    the case again is asked by UDP in small letters. A server that does not know EDNS is asked once more without it
    (RFC 6891, section 7). ``infra`` remembers both kinds of server: the next question goes in the form that worked.
    """

    def __init__(
        self,
        sockets: IDatagramSockets,
        reactor: IReactor,
        random: Random,
        infra: InfraCache,
        options: ExchangeOptions,
    ) -> None:
        self._sockets = sockets
        self._reactor = reactor
        self._random = random
        self._infra = infra
        self._options = options

    def ask(
        self,
        host: str,
        port: int,
        question: Question,
        recursion_desired: bool,
        tcp: bool,
        sending: Callable[[], None] = lambda: None,
    ) -> Deferred[Reply]:
        if is_opaque(question.key):
            return fail(ParentFailed(f"{text_of(question.key)!r} is a name that DNS cannot carry"))
        asked = _Asked(host, port, question, recursion_desired, PAYLOAD, sending)
        return Deferred.fromCoroutine(self._ask(asked, self._by_tcp if tcp else self._by_udp))

    def resume(self, host: str, port: int, question: Question, early: EarlyReply) -> Deferred[Reply]:
        asked = _Asked(host, port, question, True, PAYLOAD, lambda: None, early)
        return Deferred.fromCoroutine(self._ask(asked, self._by_udp))

    def is_regular(self, host: str, port: int) -> bool:
        now = self._reactor.seconds()
        return not any(self._infra.has(quirk, (host, port), now) for quirk in Quirk)

    async def _ask(self, asked: _Asked, ask: Callable[[_Asked], Coroutine[Any, Any, Reply]]) -> Reply:
        server = (asked.host, asked.port)
        if self._infra.has(Quirk.NO_EDNS, server, self._reactor.seconds()):
            return await ask(replace(asked, payload=None, early=None))
        reply = await ask(asked)
        if reply.rcode in _KNOWS_NO_EDNS:
            try:
                reply = await ask(replace(asked, payload=None, early=None))
            except NoReply:  # else its refusals of EDNS would count as signs of life
                self._infra.note(Quirk.NO_EDNS, server, self._reactor.seconds())
                raise
            if reply.rcode not in _KNOWS_NO_EDNS:
                self._infra.note(Quirk.NO_EDNS, server, self._reactor.seconds())
        return reply

    async def _by_udp(self, asked: _Asked) -> Reply:
        server = (asked.host, asked.port)
        changes_case = self._infra.has(Quirk.CHANGES_CASE, server, self._reactor.seconds())
        for is_first in True, False:  # a forged reply may have come the first time
            try:
                return await self._try_by_udp(asked, self._options.mixed_case and not changes_case)
            except OtherCase:
                asked = replace(asked, early=None)
            if is_first:
                try:
                    return await self._by_tcp(asked)
                except Unusable:
                    raise
                except ParentFailed:
                    pass
        reply = await self._try_by_udp(asked, mixed_case=False)
        self._infra.note(Quirk.CHANGES_CASE, server, self._reactor.seconds())
        return reply

    async def _try_by_udp(self, asked: _Asked, mixed_case: bool) -> Reply:
        """The reply by UDP, or by TCP if it was truncated. Without ``mixed_case`` it may have letters of any case."""
        early = asked.early
        for _ in range(self._options.tries):
            try:
                if early is not None:
                    return decode_in_case(early.datagram, early.sent, any_case=not mixed_case)
                asked.sending()
                query = asked.query(self._random, mixed_case)
                asking = DatagramQuery(self._reactor, (asked.host, asked.port), query, any_case=not mixed_case)
                return await asking.start(self._sockets, self._options.timeout)
            except Silent:
                continue
            except Truncated:
                return await self._by_tcp(asked)
            except OtherCase:
                raise
            except NotOurs:
                early = None
            except Broken as error:
                raise unreadable(asked.address, error) from None
        raise NoReply(f"{asked.address} did not answer")

    async def _by_tcp(self, asked: _Asked) -> Reply:
        asked.sending()
        stream = StreamQuery(asked.address, asked.query(self._random, mixed_case=False))
        connector = self._reactor.connectTCP(asked.host, asked.port, stream, timeout=self._options.timeout)
        timer = self._reactor.callLater(self._options.timeout, stream.timed_out)
        try:
            return await stream.done
        finally:
            if timer.active():
                timer.cancel()
            stream.close(connector)


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

    @property
    def is_regular(self) -> bool:
        """Whether it is asked with EDNS and in mixed case, as far as is known."""
        return self.exchange.is_regular(self.host, self.port)

    def ask(self, question: Question) -> Deferred[Upstream]:
        asked = self.exchange.ask(self.host, self.port, question, True, self.tcp)
        return asked.addCallback(lambda reply: upstream_of(question, reply, self.address))

    def resume(self, question: Question, early: EarlyReply) -> Deferred[Upstream]:
        """Ask by going on from an ``early`` reply, which takes the place of the first query's."""
        asked = self.exchange.resume(self.host, self.port, question, early)
        return asked.addCallback(lambda reply: upstream_of(question, reply, self.address))


def upstream_of(question: Question, reply: Reply, address: str) -> Upstream:
    """What ``reply``, of the parent at ``address``, says about ``question``.

    Raises :class:`Unusable` for any RCODE but NOERROR, NXDOMAIN and YXDOMAIN, for a referral, and for records of other
    names alone.
    """

    def unusable(why: str) -> Unusable:
        reasons = "; ".join(error.text for error in reply.errors if error.text)
        return Unusable(f"{address} {why}" + (f": {reasons}" if reasons else ""), reply.rcode, reply.errors)

    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.YXDOMAIN):
        raise unusable(_REFUSALS.get(reply.rcode, f"answered with RCODE {int(reply.rcode)}"))
    chain = chain_of(question, reply)
    rcode = Rcode.NOERROR if chain.is_answered else Rcode(reply.rcode)
    if rcode == Rcode.NOERROR and not chain.rrsets and chain.soa is None:
        if reply.answer:
            raise unusable("answered about other names than the one asked for")
        if not reply.authoritative and any(rrset.rrtype == RRType.NS for rrset in reply.authority):
            raise unusable("only referred to other servers: it does not resolve names for this resolver")
    return Upstream(
        rcode,
        address,
        chain.rrsets,
        chain.soa,
        errors=reply.errors,
        signatures=chain.signatures,
        proofs=chain.proofs,
    )


_REFUSALS: Final[dict[int, str]] = {
    Rcode.FORMERR: "could not read the question (FORMERR)",
    Rcode.SERVFAIL: "could not resolve the name (SERVFAIL)",
    Rcode.NOTIMP: "does not answer such questions (NOTIMP)",
    Rcode.REFUSED: "refused to answer (REFUSED)",
}
