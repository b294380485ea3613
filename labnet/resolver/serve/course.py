"""Questions of the course protocol, in the resolver's dialect: what each is answered, over UDP and over TCP alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from labnet.dialects.codec import AskedName, Codec
from labnet.dialects.referrals import Referrals
from labnet.interfaces import IResolver
from labnet.policy.ratelimit import TokenBuckets
from labnet.resolver.cache.entry import rests_until
from labnet.resolver.clients.admission import Client, Ticket
from labnet.resolver.clients.counts import DROPPED, FOUND, UNKNOWN, AskedText, Cell, Counts, Ends, by_of, source_of
from labnet.resolver.serve.account import Account
from labnet.resolver.serve.responder import Responder
from labnet.wire.course import largest_reply
from labnet.wire.course_line import TextError
from labnet.wire.names import ancestors, key_of
from labnet.wire.types import Answer, BlockedAnswer, Mapping, Question, Rcode, Referral, RRType, fold, type_of

UNKNOWNS_AT_ONCE: Final = 10
"""Replies in a moment to one client that one name is unknown; then it gets one a second.

A person or a script may ask again at once. A server that takes the reply for a question does so for ever.
"""

Send = Callable[[bytes | None], None]
"""Takes the reply to one question, None where it gets none; it is called once."""

LARGEST_SECTIONS: Final = 512
"""Bytes of a reply with sections that goes to any client by UDP, however short its question: as much as DNS has."""

MOST_GIVEN: Final = 10_000
"""Names whose records were given, that are remembered; the oldest goes first."""

Register = Callable[[Question, str, "int | None"], bool]
"""Gives a name an address, for a number of seconds; whether it did."""

_UNKNOWN: Final = Answer(Rcode.REFUSED)


class CourseResponder:
    """Answers messages in the dialect of ``codec`` from ``resolver``; ``responder`` knows who may ask and counts.

    ``referrals`` are the servers that the records name for the names below a domain; ``register`` gives a name the
    address that a client says.
    """

    def __init__(
        self, resolver: IResolver, codec: Codec, referrals: Referrals, responder: Responder, register: Register
    ) -> None:
        self._resolver = resolver
        self._register_name = register
        self._given: dict[str, None] = {}
        self._waiting: set[tuple[tuple[str, int], str]] = set()
        self._unknowns = TokenBuckets(1.0, UNKNOWNS_AT_ONCE)
        self.change(codec, referrals, responder)

    def change(self, codec: Codec, referrals: Referrals, responder: Responder) -> None:
        """Answer as these do from now on: the configuration has changed."""
        self.codec = codec
        self._is_exact = not codec.dialect.ignores_case
        self._referrals = referrals
        self._responder = responder
        self._counts: Counts = responder.counts

    def question_of(self, message: bytes) -> Question | None:
        """What ``message`` asks for, None where that is nothing."""
        try:
            return _question_of(self.codec.decode_question(message))
        except TextError:
            return None

    def respond(
        self,
        message: bytes,
        ends: Ends,
        send: Send,
        taken: bool,
        account: Account | None,
        stream: bool = False,
    ) -> None:
        """Answer ``message`` of the client at one of ``ends``, now or later, by ``send``.

        ``taken`` says that it is within the client's rate; by ``stream`` nobody has forged its address.
        """
        admission = self._responder.admission
        source = ends[0]
        client, came = admission.client(source[0]), self._responder.clock.seconds()
        if client.denied:
            self._lose("denied", account, send)
            return
        if not (taken or stream or admission.takes(client, came)):
            self._lose("rate", account, send)
            return
        try:
            asked = self.codec.decode_question(message)
        except TextError:
            self._lose("malformed", account, send, self.codec.encode_error() if stream else None)
            return
        asking = _Asking(asked, message, ends, client, came, stream, send, account)
        if not client.allowed:
            self._counts.refused(source[0], came)
            self._tell(asking, None, "refused")
            return
        self._look_up(asking)

    def _look_up(self, asking: _Asking) -> None:
        asked, client, account = asking.asked, asking.client, asking.account
        question = _question_of(asked)
        answer: Answer | None
        if asked.address:
            self._register(asking, question)
            return
        walks_itself = asked.wish != "" and asked.wish == self.codec.dialect.question.wish[0]
        if not client.may_recurse or walks_itself:
            answer = self._resolver.recorded(question) or _UNKNOWN
        else:
            answer = self._resolver.known(question, False, None if account is None else account.story, client.screen)
        if self._is_exact and answer is not None and answer.mapping is not None and answer.mapping.name != asked.name:
            answer = _UNKNOWN
        if answer is None or answer.mapping is None:
            referral = self._referrals.find(asked.name) if self._referrals else None
            if referral is not None and self._refer(asking, referral):
                return
        if answer is None:
            self._ask(asking, question)
            return
        if self._is_dropped(asking, answer):
            return
        source = source_of(answer, asked=False) if client.may_recurse and not walks_itself else "records"
        if self.codec.has_sections:
            self._tell_sections(asking, answer, source)
            return
        source = self._again(asked.name) if source == "records" and self.codec.tells_again else source
        self._keep_ready(asking, answer, source)
        self._count(asking, answer, source)
        self._tell(asking, answer.mapping, source)

    def _again(self, name: str) -> str:
        """Where a record comes from: another word where it was given before."""
        name = fold(name)
        if name in self._given:
            return "again"
        self._given[name] = None
        if len(self._given) > MOST_GIVEN:
            del self._given[next(iter(self._given))]
        return "records"

    def _register(self, asking: _Asking, question: Question) -> None:
        """Give a name the address that the client says, unless the records have it or the client may not."""
        asked = asking.asked
        done = asking.client.may_recurse and self._register_name(question, asked.address, asked.ttl)
        if not done:
            self._lose("refused", asking.account, asking.send, self.codec.encode_error())
            return
        reply = self.codec.encode_registered(asked)
        cell = self._counts.cell(asking.transport, self.codec.name, "registered", "none")
        times = asking.came, self._responder.clock.seconds()
        self._counts.answered(cell, asking.ends, times, partial(_text_of, asked), reply or b"")
        asking.send(reply)
        if asking.account is not None:
            asking.account.answered(cell, reply or b"")

    def _tell_sections(self, asking: _Asking, answer: Answer, source: str) -> None:
        """Send the sections of ``answer``; where there is nothing in them the client hears nothing."""
        if not (answer.answer or answer.is_referral):
            answer = self._closest(_question_of(asking.asked)) or answer
        reply = self.codec.encode_answer(asking.asked, answer)
        cell = self._cell(asking, answer.mapping, source, by_of(answer))
        lost = "" if asking.stream or reply is None else self._harm(asking, reply, is_unknown=False)
        if lost:
            self._counts.lost[lost] += 1
        asking.send(None if lost else reply)
        times = asking.came, self._responder.clock.seconds()
        self._counts.answered(cell, asking.ends, times, partial(_text_of, asking.asked), reply or b"", answer.origin)
        if asking.account is not None:
            asking.account.told(reply or b"", lost, cell)

    def _closest(self, question: Question) -> Answer | None:
        """The name servers of the closest domain above a name that the records have any for, with their addresses."""
        for domain in ancestors(question.key):
            found = self._resolver.recorded(Question(domain, RRType.NS))
            servers = [rrset for rrset in found.answer if rrset.rrtype == RRType.NS] if found is not None else []
            if servers:
                known = [self._resolver.recorded(Question(host.lower(), RRType.A)) for host in servers[0].rdatas]
                glue = tuple([rrset for answer in known if answer is not None for rrset in answer.answer])
                return Answer(Rcode.NOERROR, authority=tuple(servers), additional=glue)
        return None

    def _refer(self, asking: _Asking, referral: Referral) -> bool:
        """Name the server that knows better, where the client is to ask it; whether it is."""
        walk, wish = self.codec.dialect.walk, asking.asked.wish
        if walk == "server" or (walk == "asked" and wish == self.codec.dialect.question.wish[1]):
            return False
        reply = self.codec.encode_referral(asking.asked, referral)
        if reply is None:
            return False
        cell = self._counts.cell(asking.transport, self.codec.name, "referral", "records")
        times = asking.came, self._responder.clock.seconds()
        self._counts.answered(cell, asking.ends, times, partial(_text_of, asking.asked), reply)
        asking.send(reply)
        if asking.account is not None:
            asking.account.answered(cell, reply)
        return True

    def _keep_ready(self, asking: _Asking, answer: Answer, source: str) -> None:
        """Have the reply ready for whoever asks the same by UDP, where it is the same for everybody."""
        mapping = answer.mapping
        if mapping is None or not asking.client.gets_ready or not answer.until or not self.codec.is_plain:
            return
        reply = self.codec.encode_found(asking.asked, mapping, source)
        if len(reply) <= largest_reply(asking.message):
            # An information line tells since when and for how long: it is the same for all that time.
            cell = self._counts.cell("udp", self.codec.name, FOUND, source, by_of(answer))
            self._responder.packets.course.put(asking.message, reply, rests_until(answer, asking.came), cell)

    def _ask(self, asking: _Asking, question: Question) -> None:
        # The protocol has no ids: a client that asks again while it waits would take the second
        # reply for the answer to its next question.
        waiting = (asking.source, question.spelled)
        if not asking.stream and waiting in self._waiting:
            if asking.account is not None:
                asking.account.lost("asked-already")
            return
        ticket = self._responder.admission.admit(asking.client, asking.came)
        if ticket is None:
            self._too_many(asking)
            return
        ticket.gave_way = partial(self._too_many, asking)
        if not asking.stream:
            self._waiting.add(waiting)
        account = asking.account
        story = None if account is None else account.story
        screen = asking.client.screen
        self._resolver.ask(question, story, asking.client.network, screen).addCallback(self._answered, asking, ticket)

    def _answered(self, answer: Answer, asking: _Asking, ticket: Ticket) -> None:
        if not ticket.give_back():
            return
        self._waiting.discard((asking.source, asking.asked.name))
        if self._is_dropped(asking, answer):
            return
        source = source_of(answer, asked=True)
        if self.codec.has_sections:
            self._tell_sections(asking, answer, source)
            return
        self._tell(asking, answer.mapping, source)
        self._count(asking, answer, source)

    def _is_dropped(self, asking: _Asking, answer: Answer) -> bool:
        """Whether a list has the question dropped; it is counted then."""
        if not isinstance(answer, BlockedAnswer) or not answer.is_dropped or asking.stream:
            return False
        self._counts.dropped(answer.by)
        asking.send(None)
        if asking.account is not None:
            asking.account.lost(DROPPED)
        return True

    def _too_many(self, asking: _Asking) -> None:
        """A question is not asked, or gave way to another one."""
        self._waiting.discard((asking.source, asking.asked.name))
        self._counts.lost["in_flight"] += 1
        self._tell(asking, None, "in_flight")

    def _tell(self, asking: _Asking, mapping: Mapping | None, source: str) -> None:
        """Send the reply, unless it could do harm to others.

        ``source`` is where the answer comes from, or the reason that the question counts by.
        """
        asked = asking.asked
        reply = self._reply(asked, mapping, source)
        lost = "" if asking.stream or reply is None else self._harm(asking, reply, is_unknown=mapping is None)
        if lost:
            self._counts.lost[lost] += 1
        asking.send(None if lost else reply)
        if asking.account is not None:
            asking.account.told(reply or b"", lost, self._cell(asking, mapping, source))

    def _harm(self, asking: _Asking, reply: bytes, is_unknown: bool) -> str:
        """Why ``reply`` must not be sent to an address that may be another's; empty where it may."""
        host, port = asking.source
        asked = f"{host} {port} {asking.asked.name}".encode()
        if is_unknown and not self._unknowns.take(asked, self._responder.clock.seconds()):
            return "repeated"
        most = max(largest_reply(asking.message), LARGEST_SECTIONS if self.codec.has_sections else 0)
        return "amplified" if asking.client.limited and len(reply) > most else ""

    def _lose(self, reason: str, account: Account | None, send: Send, reply: bytes | None = None) -> None:
        """A question counts by ``reason``, and gets no answer."""
        self._counts.lost[reason] += 1
        send(reply)
        if account is not None:
            account.lost(reason)

    def _cell(self, asking: _Asking, mapping: Mapping | None, source: str, by: str = "") -> Cell:
        return self._counts.cell(asking.transport, self.codec.name, UNKNOWN if mapping is None else FOUND, source, by)

    def _count(self, asking: _Asking, answer: Answer, source: str) -> None:
        cell = self._cell(asking, answer.mapping, source, by_of(answer))
        times = asking.came, self._responder.clock.seconds()
        reply = self._reply(asking.asked, answer.mapping, source) or b""
        self._counts.answered(cell, asking.ends, times, partial(_text_of, asking.asked), reply, answer.origin)

    def _reply(self, asked: AskedName, mapping: Mapping | None, source: str) -> bytes | None:
        return self.codec.encode_unknown(asked) if mapping is None else self.codec.encode_found(asked, mapping, source)


class _Asking(NamedTuple):
    """One question: what it asks, its bytes, who sent it where, when (epoch seconds), and how its reply goes out."""

    asked: AskedName
    message: bytes
    ends: Ends
    client: Client
    came: float
    stream: bool
    send: Send
    account: Account | None

    @property
    def source(self) -> tuple[str, int]:
        return self.ends[0]

    @property
    def transport(self) -> str:
        return "tcp" if self.stream else "udp"


def _text_of(asked: AskedName) -> AskedText:
    return asked.name, asked.rrtype, _question_of(asked)


def _question_of(asked: AskedName) -> Question:
    rrtype = RRType.A if asked.rrtype == "A" else type_of(asked.rrtype) or RRType.A
    return Question(key_of(asked.name), rrtype, asked.name)
