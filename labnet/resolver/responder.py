"""One DNS message in, one out: the same for UDP and TCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IReactorTime

from labnet.interfaces import IResolver
from labnet.resolver.cookies import Cookies
from labnet.resolver.dnswire import (
    Edns,
    Options,
    Query,
    Refusal,
    Silence,
    decode_query,
    encode_answer,
    encode_refusal,
)
from labnet.resolver.model import Answer, ExtendedError, InfoCode, Rcode
from labnet.resolver.packetcache import PacketCaches


@dataclass(frozen=True)
class Responder:
    """Answers DNS messages from ``resolver``.

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

    def respond(self, message: bytes, host: str, stream: bool, send: Callable[[bytes], None]) -> bool:
        """Answer ``message`` of the client at ``host``, now or later, by ``send``; False where it gets no answer."""
        try:
            query = decode_query(message)
        except Silence:
            return False
        except Refusal as refusal:
            options = self._options(refusal.edns, host, stream)
            send(encode_refusal(refusal, self.resolver.can_recurse, options))
            return True
        answer = self.resolver.known(query.question)
        if answer is None and query.recursion_desired:
            asking = self.resolver.ask(query.question)
            asking.addCallback(lambda answer: send(self._encode(query, answer, host, stream)))
            return True
        if answer is None:
            answer = self.resolver.nearest(query.question)
        reply = self._encode(query, answer or _NOT_HERE, host, stream)
        # An answer with options of the client's own, such as a cookie, is for that client alone.
        if answer is not None and answer.until and not (stream or (query.edns and query.edns.has_options)):
            self.packets.keep_dns(message, reply, query.name, answer.until)
        send(reply)
        return True

    def _encode(self, query: Query, answer: Answer, host: str, stream: bool) -> bytes:
        if self.explain and answer.origin:
            errors = (*answer.errors, ExtendedError(InfoCode.OTHER, answer.origin))
            answer = replace(answer, errors=errors)
        options = self._options(query.edns, host, stream)
        return encode_answer(query, answer, stream, self.resolver.can_recurse, options)

    def _options(self, edns: Edns | None, host: str, stream: bool) -> Options:
        if edns is None:
            return _NO_OPTIONS
        cookie = None
        if edns.cookie is not None:
            cookie = self.cookies.make(edns.cookie[:8], host, self.clock.seconds())
        return Options(cookie, self.nsid or None, round(self.idle * 10) if stream else None)


_NO_OPTIONS = Options()
_NOT_HERE = Answer(
    Rcode.REFUSED,
    errors=(ExtendedError(InfoCode.NOT_AUTHORITATIVE, "the name is not known here and recursion was not asked for"),),
)
