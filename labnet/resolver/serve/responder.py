"""One DNS message in, one out, by UDP and by TCP: what is said is decided once, then encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from twisted.internet.interfaces import IReactorTime

from labnet.interfaces import IResolver
from labnet.resolver.clients.admission import Admission, Client, Over, Ticket
from labnet.resolver.clients.cookies import Cookies
from labnet.resolver.clients.counts import DROPPED, Counts, Ends, by_of, source_of
from labnet.resolver.clients.transport import Transport
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.ready.rendered import key_of
from labnet.resolver.ready.ttl_patch import ageing_of
from labnet.resolver.ready.turns import turns_of
from labnet.resolver.reasons import told_why
from labnet.resolver.serve.account import Account
from labnet.resolver.serve.exchange import Given, IZoneExchange, SendAll, WhenOver, ZoneAsked
from labnet.resolver.serve.identity import identity_of
from labnet.wire.dns_common import record_places
from labnet.wire.dns_request import Edns, Query, Refusal, Silence, decode_query
from labnet.wire.dns_response import (
    WITHOUT_EDNS,
    Options,
    encode_answer,
    encode_refusal,
    limit_of,
    opt_of,
    truncated,
)
from labnet.wire.types import DNSSEC_OK, Answer, BlockedAnswer, ExtendedError, InfoCode, Rcode

if TYPE_CHECKING:
    from labnet.wire.tsig import Opened

Send = Callable[[bytes], None]

BLOCK: Final = 468
"""Bytes that an encrypted response is padded to a multiple of, for a client that pads (RFC 8467, section 4.1)."""


@dataclass(frozen=True, slots=True)
class ResponderOptions:
    """How a resolver answers.

    ``nsid`` names the server (RFC 5001), none where it is empty; with ``explain`` an extended error says where each
    answer comes from; ``idle`` is the time-out of an idle TCP connection that clients hear of, in seconds.
    ``identities`` are the texts for questions in class CHAOS (:mod:`labnet.resolver.serve.identity`). ``exchange`` has
    the messages that are signed, and those of other servers of the same zones, where there are any.
    """

    nsid: bytes
    explain: bool
    idle: float
    identities: dict[bytes, str] = field(default_factory=dict)
    exchange: IZoneExchange | None = None


@dataclass(frozen=True)
class Responder:
    """Answers DNS messages from ``resolver`` to clients that ``admission`` admits; ``counts`` counts them.

    What may be given again over UDP is put into ``packets``, whose clock is the responder's.
    """

    resolver: IResolver
    cookies: Cookies
    options: ResponderOptions
    packets: PacketCaches
    admission: Admission
    counts: Counts

    @property
    def clock(self) -> IReactorTime:
        """What times are taken by, in epoch seconds."""
        return self.packets.clock

    def respond(
        self,
        message: bytes,
        ends: Ends,
        transport: Transport,
        send: Send,
        taken: bool = False,
        account: Account | None = None,
        send_all: SendAll | None = None,
    ) -> bool:
        """Answer ``message``, whose ``ends`` are those, now or later, by ``send``; ``account`` is what is told of it.

        ``taken`` says that the answer was counted against the client's rate already. What takes many messages goes by
        ``send_all``. Gives False where the message gets no answer, whoever sends it: it is none that can be answered.
        """
        client = self.admission.client(ends[0][0])
        asking = _Asking(client, ends, self.clock.seconds(), transport, send, account, send_all)
        if client.denied:
            self._lose("denied", account)
            return False
        within = transport != Transport.UDP or taken or self.admission.takes(client, asking.came)
        return self._respond(asking, message, within)

    def _respond(self, asking: _Asking, message: bytes, within: bool) -> bool:
        """Answer ``message``; whether it is one to be answered."""
        query: Query | None
        decision: _Decision | None
        try:
            query = decode_query(message)
        except Silence:
            self._lose("malformed", asking.account)
            return False
        except Refusal as refusal:
            if within and self.options.exchange is not None and self._exchanged(asking, message, refusal):
                return True
            query, decision = refusal.query, self._decide_refused(asking, refusal) if within else _DROPPED
        else:
            decision = self._decide(asking, query, within)
        if decision is not None:
            self._reply(asking, query, decision, message)
        return True

    def _lose(self, reason: str, account: Account | None) -> None:
        """The question counts by ``reason``, and gets no reply."""
        self.counts.lost[reason] += 1
        if account is not None:
            account.lost(reason)

    def _decide_refused(self, asking: _Asking, refusal: Refusal) -> _Decision:
        """What a message is answered with that is no question to zones or cache; maybe one to the server itself."""
        texts = self.options.identities
        if texts and refusal.query is not None and asking.client.allowed:
            identity = identity_of(refusal.query, texts)
            if identity is not None:
                asking.step("identity")
                return _Decision(identity)
        return _Decision(refusal)

    def _exchanged(self, asking: _Asking, message: bytes, refusal: Refusal) -> bool:
        """Whether ``message`` is signed, or is another server's, and has its answer therefore."""
        exchange = self.options.exchange
        assert exchange is not None
        opened = exchange.open(message, refusal)
        if opened is not None:
            asking = asking.signing(opened, _limit_of(opened.message, asking.is_stream), exchange.time_of_day)
            if opened.refusal is None:
                return self._respond(asking, opened.message, True)
            self._reply(asking, opened.refusal.query, _Decision(opened.refusal))
            return True
        opt = b"" if refusal.edns is None else opt_of(refusal.edns, 0, (), self._options(asking, refusal.edns))
        limit, many = limit_of(refusal.edns, asking.is_stream), asking.send_all is not None
        given = exchange.give(ZoneAsked(message, refusal, asking.client.host, asking.key, limit, many, opt))
        if given is not None:
            self._give(asking, refusal.query, given)
        return given is not None

    def _give(self, asking: _Asking, query: Query | None, given: Given) -> None:
        """Send what is given to another server, and count it as one answer."""
        if given.messages is None or asking.send_all is None:
            asking.send(given.reply)
        else:
            asking.send_all(given.messages, given.over)
        cell = self.counts.cell(asking.transport.label, "dns", given.rcode.name, given.source)
        if query is None:
            cell.answered += 1
        else:
            times = asking.came, self.clock.seconds()
            self.counts.answered(cell, asking.ends, times, query.as_asked, given.reply)
        if asking.account is not None:
            asking.account.answered(cell, given.reply)

    def _decide(self, asking: _Asking, query: Query, within: bool) -> _Decision | None:
        """What ``query`` is answered with; None where it is answered already, or later, when a parent was asked."""
        client, question = asking.client, query.question
        if not (within or self._is_proven(query, asking)):
            return _DROPPED if self.admission.over() is Over.DROPPED else _SLIPPED
        if not within:
            asking.step("proven")
        if not client.allowed:
            return _REFUSED
        if not client.may_recurse:
            asking.step("records-alone")
            return _Decision(self.resolver.recorded(question) or _NOT_FOR_YOU, "records")
        if asking.account is None and client.gets_ready and self._is_given_again(asking, query):
            return None
        story = None if asking.account is None else asking.account.story
        answer = self.resolver.known(question, True, story, client.screen)
        if answer is None and query.recursion_desired:
            ticket = self.admission.admit(client, asking.came)
            if ticket is None:
                return _TOO_MANY
            ticket.gave_way = partial(self._reply, asking, query, _GAVE_WAY)
            asked = self.resolver.ask(question, story, client.network, client.screen)
            asked.addCallback(self._answered, asking, query, ticket)
            return None
        if answer is None:
            asking.step("recursion-not-asked")
            answer = self.resolver.nearest(question, client.screen) or _NOT_HERE
        return _decided(answer, asking, False, answer.until if client.gets_ready else 0.0)

    def give_way(self, message: bytes, ends: Ends, send: Send, answer: Answer | None) -> None:
        """Say by ``send`` that the question ``message`` of ``ends``, which was asked on the fast path, gave way.

        It gets ``answer``; where that is None, it gave way to another one of its network.
        """
        asking = _Asking(self.admission.client(ends[0][0]), ends, self.clock.seconds(), Transport.UDP, send, None)
        decision = _GAVE_WAY if answer is None else _Decision(answer, source_of(answer, asked=True))
        self._reply(asking, decode_query(message), decision)

    def _is_given_again(self, asking: _Asking, query: Query) -> bool:
        """Whether there was a reply that is ready but for what is the client's own; it has it then."""
        found = self.packets.rendered.find(key_of(query, asking.transport), asking.came)
        if found is None:
            return False
        reply = found.to(query, self._cookie(asking, query.edns))
        asking.send(reply)
        times = asking.came, self.clock.seconds()
        self.counts.answered(found.cell, asking.ends, times, query.as_asked, reply)
        return True

    def _answered(self, answer: Answer, asking: _Asking, query: Query, ticket: Ticket) -> None:
        """A parent was asked, and this is the answer; a client whose question gave way has had one."""
        if ticket.give_back():
            self._reply(asking, query, _decided(answer, asking, True))

    def _reply(self, asking: _Asking, query: Query | None, decision: _Decision, message: bytes = b"") -> None:
        """Encode what was decided, have it ready for others who send this ``message``, send it, count it."""
        said, lost = decision.said, decision.lost
        if decision is _REFUSED:
            self.counts.refused(asking.ends[0][0], asking.came)
        elif lost == DROPPED:
            self.counts.dropped(decision.by)
        elif lost:
            self.counts.lost[lost] += 1
        if decision is _GAVE_WAY:
            asking.step("gave-way-to-own")
        if said is None:
            if asking.account is not None:
                asking.account.lost(lost)
            return
        recursion = asking.client.may_recurse and self.resolver.can_recurse
        if isinstance(said, Refusal):
            reply = encode_refusal(said, recursion, self._options(asking, said.edns))
        elif query is not None:
            said = said.with_proofs() if query.question.dnssec & DNSSEC_OK else said
            options, is_stream = self._options(asking, query.edns), asking.is_stream
            reply = encode_answer(query, self._explained(said), is_stream, recursion, options, decision.truncated)
            if decision.ready_until:
                self._keep(asking, query, decision, said, message, reply)
        asking.send(reply)
        if lost:
            if asking.account is not None:
                asking.account.lost(lost, reply)
            return
        cell = self.counts.cell(asking.transport.label, "dns", said.rcode.name, decision.source, decision.by)
        if query is None:
            cell.answered += 1
        else:
            times, origin = (asking.came, self.clock.seconds()), "" if isinstance(said, Refusal) else said.origin
            self.counts.answered(cell, asking.ends, times, query.as_asked, reply, origin)
        if asking.account is not None:
            asking.account.answered(cell, reply)

    def _keep(
        self, asking: _Asking, query: Query, decision: _Decision, said: Answer, message: bytes, reply: bytes
    ) -> None:
        """Have ``reply``, which says ``said``, ready for who sends this ``message`` next, or one like it."""
        transport, until = asking.transport, decision.ready_until
        # An answer with options of the client's own, such as a cookie, is for that client alone; one by TCP may be
        # too long for UDP.
        if (transport and len(reply) > WITHOUT_EDNS) or (query.edns and query.edns.has_options):
            cell = self.counts.cell(transport.label, "dns", said.rcode.name, decision.source, decision.by)
            cookie = self._cookie(asking, query.edns)
            self.packets.rendered.put(key_of(query, transport), reply, said, cookie, until, cell)
            return
        cell = self.counts.cell("udp", "dns", said.rcode.name, decision.source, decision.by)
        text = said.origin if self.options.explain and query.edns else ""
        records = record_places(reply)
        ageing = ageing_of(reply, records, said, query.question.rrtype, text, asking.came)
        self.packets.put_dns(message, reply, query.name, until, cell, ageing, turns_of(records, said))

    def _explained(self, answer: Answer) -> Answer:
        if not (self.options.explain and answer.origin):
            return answer
        return replace(answer, errors=(*answer.errors, ExtendedError(InfoCode.OTHER, answer.origin)))

    def _is_proven(self, query: Query, asking: _Asking) -> bool:
        """Whether the client is really at its address: a server cookie says so (RFC 7873, section 5.2.3)."""
        cookie = query.edns.cookie if query.edns is not None else None
        return cookie is not None and self.cookies.is_valid(cookie, asking.ends[0][0], asking.came)

    def _options(self, asking: _Asking, edns: Edns | None) -> Options:
        if edns is None:
            return _NO_OPTIONS
        cookie, transport = self._cookie(asking, edns), asking.transport
        # Of a connection of HTTP its own fields speak.
        is_kept = transport in (Transport.TCP, Transport.TLS)
        keepalive = round(self.options.idle * 10) if is_kept else None
        return Options(cookie, self.options.nsid or None, keepalive, BLOCK if transport.is_encrypted else 0)

    def _cookie(self, asking: _Asking, edns: Edns | None) -> bytes | None:
        """The cookie for a client that sent one."""
        if edns is None or edns.cookie is None:
            return None
        return self.cookies.make(edns.cookie[:8], asking.ends[0][0], asking.came)


class _Asking(NamedTuple):
    """Who sent a message that is being answered, when (epoch seconds), and how it gets the reply."""

    client: Client
    ends: Ends
    came: float
    transport: Transport
    send: Send
    account: Account | None
    send_all: SendAll | None = None
    key: str = ""

    @property
    def is_stream(self) -> bool:
        """Whether what carries messages takes long ones."""
        return self.transport != Transport.UDP

    def signing(self, opened: Opened, limit: int, seconds: Callable[[], float]) -> _Asking:
        """Who sent the signed message that was ``opened``: a reply is signed too, and has at most ``limit`` bytes.

        ``seconds`` gives the time that a reply is signed at, in epoch seconds.
        """
        signer, send, send_all = opened.signer, self.send, self.send_all
        if signer is None:
            return self

        def send_signed(reply: bytes) -> None:
            signed = signer.sign(reply, seconds())
            send(signed if len(signed) <= limit else signer.sign(truncated(reply), seconds()))

        def send_all_signed(messages: Iterator[bytes], over: WhenOver) -> None:
            assert send_all is not None
            send_all((message and signer.sign(message, seconds(), many=True) for message in messages), over)

        return self._replace(send=send_signed, send_all=send_all and send_all_signed, key=opened.key)

    def step(self, kind: str) -> None:
        """Note a step of the decision, if anybody watches."""
        if self.account is not None:
            self.account.story.step(kind)


class _Decision(NamedTuple):
    """What a message is answered with, nothing where ``said`` is None, and what that counts as.

    ``source`` is the label of ``labnet_queries_total``; where ``lost`` is not empty the question counts by that reason
    instead. ``truncated`` sends the client to TCP. Until the epoch second ``ready_until`` the reply may be given again.
    ``by`` is the list that says so.
    """

    said: Answer | Refusal | None
    source: str = "none"
    lost: str = ""
    truncated: bool = False
    ready_until: float = 0.0
    by: str = ""


def _decided(answer: Answer, asking: _Asking, asked: bool, ready_until: float = 0.0) -> _Decision:
    """``answer`` it is, for which a parent was ``asked`` or not."""
    if isinstance(answer, BlockedAnswer) and answer.is_dropped and not asking.transport:
        return _Decision(None, lost=DROPPED, by=answer.by)
    return _Decision(answer, source_of(answer, asked), ready_until=ready_until, by=by_of(answer))


def _limit_of(message: bytes, stream: bool) -> int:
    """How many bytes the response to ``message`` may have."""
    try:
        return limit_of(decode_query(message).edns, stream)
    except Silence:
        return WITHOUT_EDNS
    except Refusal as refusal:
        return limit_of(refusal.edns, stream)


_NO_OPTIONS: Final = Options()
_NOT_HERE: Final = told_why(Rcode.REFUSED, "recursion-not-asked")
_NOT_FOR_YOU: Final = told_why(Rcode.REFUSED, "records-alone")
_DROPPED: Final = _Decision(None, lost="rate")
_SLIPPED: Final = _Decision(Answer(Rcode.NOERROR), lost="slipped", truncated=True)
_REFUSED: Final = _Decision(told_why(Rcode.REFUSED, "refused"), lost="refused")
_TOO_MANY: Final = _Decision(told_why(Rcode.SERVFAIL, "in_flight"), lost="in_flight")
_GAVE_WAY: Final = _Decision(told_why(Rcode.SERVFAIL, "gave-way-to-own"), lost="in_flight")
