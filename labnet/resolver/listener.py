"""The resolver's UDP port: a datagram in, one out."""

from __future__ import annotations

from twisted.internet.protocol import DatagramProtocol

from labnet.interfaces import IResolver
from labnet.resolver.model import Mapping
from labnet.resolver.text import Dialect, LooksLikeReply, TextError


class ResolverProtocol(DatagramProtocol):
    """Answers the course protocol's questions from ``resolver`` in ``dialect``."""

    noisy = False

    def __init__(self, resolver: IResolver, dialect: Dialect) -> None:
        self._resolver = resolver
        self._dialect = dialect
        self._waiting: set[tuple[tuple[str, int], str]] = set()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if b"\0" in datagram:
            return  # a DNS message: no course name holds a NUL byte
        try:
            name = self._dialect.decode_question(datagram)
        except LooksLikeReply:
            return
        except TextError:
            self._reply(None, addr)
            return
        mapping = self._resolver.known(name)
        if mapping is not None:
            self._reply(mapping, addr)
            return
        # The protocol has no ids: a client that asks again while it waits would take the second
        # reply for the answer to its next question.
        waiting = (addr, name)
        if waiting not in self._waiting:
            self._waiting.add(waiting)
            self._resolver.ask(name).addCallback(self._answered, waiting)

    def _answered(self, mapping: Mapping | None, waiting: tuple[tuple[str, int], str]) -> None:
        self._waiting.discard(waiting)
        self._reply(mapping, waiting[0])

    def _reply(self, mapping: Mapping | None, addr: tuple[str, int]) -> None:
        if self.transport is not None:
            self.transport.write(self._dialect.encode(mapping), addr)
