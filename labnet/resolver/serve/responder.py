"""One DNS message in, one out: the same for UDP and TCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from twisted.internet.interfaces import IReactorTime

from labnet.interfaces import IResolver
from labnet.resolver.clients.admission import Admission, Client, Over
from labnet.resolver.clients.cookies import Cookies
from labnet.resolver.clients.counts import Counts, source_of
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.ready.ttl_patch import ageing_of
from labnet.wire.dns_request import Edns, Query, Refusal, Silence, decode_query
from labnet.wire.dns_response import WITHOUT_EDNS, Options, encode_answer, encode_refusal
from labnet.wire.names import text_of
from labnet.wire.types import Answer, ExtendedError, InfoCode, Rcode, type_text

Send = Callable[[bytes], None]


@dataclass(frozen=True)
class Responder:
    """Answers DNS messages from ``resolver``, for whom ``admission`` admits; ``counts`` counts them.

    ``nsid`` names the server (RFC 5001), none where it is empty; with ``explain`` an extended error says where each
    answer comes from; ``idle`` is what TCP clients are told of the time-out of an idle connection, in seconds. What may
    be given again over UDP is put into ``packets``.
    """

    resolver: IResolver
    cookies: Cookies
    clock: IReactorTime
    nsid: bytes
    explain: bool
    idle: float
    packets: PacketCaches
    admission: Admission
    counts: Counts

    def respond(self, message: bytes, source: tuple[str, int], stream: bool, send: Send, taken: bool = False) -> bool:
        """Answer ``message`` of the client at ``source``, now or later, by ``send``.

        ``taken`` says that the answer was counted against the client's rate already. Gives False where the message
        gets no answer, whoever sends it: it is none that can be answered.
        """
        asking = _Asking(self, source, stream, send)
        client = asking.client
        if client.denied:
            self.counts.lost["denied"] += 1
            return False
        within = stream or taken or self.admission.takes(client, asking.came)
        try:
            query = decode_query(message)
        except Silence:
            self.counts.lost["malformed"] += 1
            return False
        except Refusal as refusal:
            if within:
                asking.refuse(refusal)
            else:
                self.counts.lost["rate"] += 1
            return True
        if not (within or self._is_proven(query, source[0], asking.came)):
            asking.limit(query)
        elif not client.allowed:
            asking.prohibit(query)
        else:
            self._answer(asking, query, message)
        return True

    def _answer(self, asking: _Asking, query: Query, message: bytes) -> None:
        """Answer what is known now, and ask for the rest, as far as the client may have it."""
        client, question = asking.client, query.question
        if not client.recursion:
            asking.send_answer(query, self.resolver.recorded(question) or _NOT_FOR_YOU, "records")
            return
        answer = self.resolver.known(question)
        if answer is None and query.recursion_desired:
            if not self.admission.begins(client):
                self.counts.lost["in_flight"] += 1
                asking.send_answer(query, _TOO_MANY, "none", counted=False)
                return
            self.resolver.ask(question).addCallback(asking.told, query)
            return
        if answer is None:
            answer = self.resolver.nearest(question)
        found = answer or _NOT_HERE
        reply = asking.encode(query, found)
        source = source_of(found, asked=False)
        # An answer with options of the client's own, such as a cookie, is for that client alone; one by TCP may be too
        # long for who asks by UDP.
        of_its_own = (asking.stream and len(reply) > WITHOUT_EDNS) or (query.edns and query.edns.has_options)
        if answer is not None and answer.until and not of_its_own:
            cell = self.counts.cell("udp", "dns", found.rcode.name, source)
            said = found.origin if self.explain and query.edns else ""
            ageing = ageing_of(reply, found, query.question.rrtype, said, asking.came)
            self.packets.keep_dns(message, reply, query.name, answer.until, cell, ageing)
        asking.send_counted(reply, query, found.rcode, source)

    def _is_proven(self, query: Query, host: str, now: float) -> bool:
        """Whether the client is really at its address: a server cookie says so (RFC 7873, section 5.2.3)."""
        cookie = query.edns.cookie if query.edns is not None else None
        return cookie is not None and self.cookies.is_valid(cookie, host, now)


class _Asking:
    """One message that is being answered."""

    def __init__(self, responder: Responder, source: tuple[str, int], stream: bool, send: Send) -> None:
        self.stream = stream
        self.client: Client = responder.admission.client(source[0])
        self.came = responder.clock.seconds()
        self._responder = responder
        self._source = source
        self._send = send

    def told(self, answer: Answer, query: Query) -> None:
        """A parent was asked, and this is the answer."""
        self._responder.admission.ended(self.client)
        self.send_answer(query, answer, source_of(answer, asked=True))

    def send_answer(self, query: Query, answer: Answer, source: str, counted: bool = True) -> None:
        """Send ``answer``; it is ``counted`` as one from ``source``, or was counted as lost already."""
        reply = self.encode(query, answer)
        if counted:
            self.send_counted(reply, query, answer.rcode, source)
        else:
            self._send(reply)

    def send_counted(self, reply: bytes, query: Query, rcode: Rcode, source: str) -> None:
        """Send ``reply`` and count it."""
        responder = self._responder
        cell = responder.counts.cell("tcp" if self.stream else "udp", "dns", rcode.name, source)
        self._send(reply)
        responder.counts.answered(
            cell,
            self._source,
            self.came,
            responder.clock.seconds(),
            lambda: (text_of(query.name), type_text(query.question.rrtype)),
        )

    def encode(self, query: Query, answer: Answer) -> bytes:
        """The response that says ``answer``."""
        responder = self._responder
        if responder.explain and answer.origin:
            answer = replace(answer, errors=(*answer.errors, ExtendedError(InfoCode.OTHER, answer.origin)))
        return encode_answer(query, answer, self.stream, self._recursion, self._options(query.edns))

    def refuse(self, refusal: Refusal) -> None:
        """Answer by an RCODE alone."""
        responder = self._responder
        reply = encode_refusal(refusal, self._recursion, self._options(refusal.edns))
        if refusal.query is None:
            self._send(reply)
            responder.counts.cell("tcp" if self.stream else "udp", "dns", refusal.rcode.name, "none").answered += 1
        else:
            self.send_counted(reply, refusal.query, refusal.rcode, "none")

    def prohibit(self, query: Query) -> None:
        """The client is not served, and is told so (RFC 8914, section 4.19)."""
        self._responder.counts.lost["refused"] += 1
        refusal = Refusal(Rcode.REFUSED, query.id, query.flags, query)
        self._send(encode_refusal(refusal, False, self._options(query.edns), _NOT_SERVED))

    def limit(self, query: Query) -> None:
        """The client's network has had its share: no answer, or one that sends it to TCP."""
        responder = self._responder
        if responder.admission.over() is Over.DROPPED:
            responder.counts.lost["rate"] += 1
            return
        responder.counts.lost["slipped"] += 1
        refusal = Refusal(Rcode.NOERROR, query.id, query.flags, query)
        self._send(encode_refusal(refusal, self._recursion, self._options(query.edns), truncated=True))

    @property
    def _recursion(self) -> bool:
        return self.client.recursion and self._responder.resolver.can_recurse

    def _options(self, edns: Edns | None) -> Options:
        if edns is None:
            return _NO_OPTIONS
        responder = self._responder
        cookie = None
        if edns.cookie is not None:
            cookie = responder.cookies.make(edns.cookie[:8], self._source[0], self.came)
        return Options(cookie, responder.nsid or None, round(responder.idle * 10) if self.stream else None)


_NO_OPTIONS: Final = Options()
_NOT_HERE: Final = Answer(
    Rcode.REFUSED,
    errors=(ExtendedError(InfoCode.NOT_AUTHORITATIVE, "the name is not known here and recursion was not asked for"),),
)
_NOT_SERVED: Final = (ExtendedError(InfoCode.PROHIBITED, "your network is not served"),)
_NOT_FOR_YOU: Final = Answer(
    Rcode.REFUSED,
    errors=(ExtendedError(InfoCode.PROHIBITED, "your network gets the records alone, and they do not have the name"),),
)
_TOO_MANY: Final = Answer(
    Rcode.SERVFAIL, errors=(ExtendedError(InfoCode.OTHER, "too many questions of your network are in flight"),)
)
