"""Replies that are one client's own, kept as bytes: those with EDNS options, and those by TCP that UDP has no room for.

They are found by what of a question they depend on, once it is decoded: unknown options do not count. Three things are
put into a reply each time: the id, the letters of the name, and the client's cookie (RFC 7873). The addresses of an
RRset that takes turns are cut where the first one is, so that thousands of them cost one copy (sans-IO).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from labnet.resolver.clients.counts import Cell
from labnet.resolver.clients.transport import Transport
from labnet.wire.dns_common import AD, CD, HEADER, OPTION, PAYLOAD, RD, RECORD, TYPE_CLASS, skip_name
from labnet.wire.dns_request import COOKIE, Query
from labnet.wire.dns_response import WITHOUT_EDNS
from labnet.wire.rdata import ADDRESS_BYTES
from labnet.wire.types import Answer, Question

Key = tuple[Question, int, Transport, tuple[int, bool, bool, bool, bool, bool] | None]

_ENTRY_BYTES: Final = 900
"""What a reply takes beside its bytes and its name: its key, its fields, its place in the table (measured)."""

_COMPRESSED: Final = 2
"""Bytes of a name that is a pointer alone."""


def key_of(query: Query, transport: Transport) -> Key:
    """What the reply to ``query`` depends on, beside its id, its letters and the client's cookie."""
    edns = query.edns
    if edns is None:
        return query.question, query.flags & (RD | CD | AD), transport, None
    room = 0 if transport else min(max(edns.payload, WITHOUT_EDNS), PAYLOAD)
    wants_padding = edns.wants_padding and transport.is_encrypted
    options = room, edns.dnssec_ok, edns.cookie is not None, edns.wants_nsid, edns.wants_keepalive, wants_padding
    return query.question, query.flags & (RD | CD | AD), transport, options


class Rendered(NamedTuple):
    """A ``reply`` that may be given until the epoch second ``until``, and the ``cell`` that it is counted in.

    ``cookie`` is where the option's value is, ``size`` how long: 0 where there is none. The addresses that take turns
    are between ``first`` and ``last``, each in ``step`` bytes; 0 where there are none.
    """

    reply: bytes
    until: float
    cell: Cell
    cookie: int
    size: int
    first: int
    last: int
    step: int

    def to(self, query: Query, cookie: bytes | None) -> bytes:
        """The reply to ``query``, whose client gets ``cookie`` (the whole option) if it gets one."""
        reply = self.reply
        at = HEADER.size + len(query.name)
        parts = [query.id.to_bytes(2, "big"), reply[2 : HEADER.size], query.name]
        if self.step:
            first, last = self.first, self.last
            cut = first + query.id % ((last - first) // self.step) * self.step
            parts += [reply[at:first], reply[cut:last], reply[first:cut]]
            at = last
        if cookie is None:
            parts.append(reply[at:])
        else:
            parts += [reply[at : self.cookie], cookie, reply[self.cookie + self.size :]]
        return b"".join(parts)


class RenderedReplies:
    """Replies by :func:`key_of` their questions, at most ``most_bytes`` in all; what was used longest ago goes."""

    def __init__(self, most_bytes: int) -> None:
        self.bytes = 0
        self._most_bytes = most_bytes
        self._replies: dict[Key, Rendered] = {}

    def find(self, key: Key, now: float) -> Rendered | None:
        """The reply that still holds at ``now`` (epoch seconds)."""
        found = self._replies.pop(key, None)
        if found is None:
            return None
        if found.until <= now:
            self.bytes -= _size(key, found)
            return None
        self._replies[key] = found
        return found

    def put(self, key: Key, reply: bytes, answer: Answer, cookie: bytes | None, until: float, cell: Cell) -> None:
        """Have ``reply``, which says ``answer``, ready until the epoch second ``until``; it has ``cookie``."""
        option = b"" if cookie is None else OPTION.pack(COOKIE, len(cookie)) + cookie
        at = reply.rfind(option) + OPTION.size if option else 0
        size = len(option) - OPTION.size if option else 0
        before = self._replies.pop(key, None)
        if before is not None:
            self.bytes -= _size(key, before)
        self._replies[key] = found = Rendered(reply, until, cell, at, size, *_turns(reply, answer))
        self.bytes += _size(key, found)
        self._shrink()

    def resize(self, most_bytes: int) -> None:
        """From now on ``most_bytes`` are the most."""
        self._most_bytes = most_bytes
        self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        self._replies.clear()
        self.bytes = 0

    def _shrink(self) -> None:
        while self.bytes > self._most_bytes:
            key = next(iter(self._replies))
            self.bytes -= _size(key, self._replies.pop(key))


def _size(key: Key, found: Rendered) -> int:
    return _ENTRY_BYTES + len(key[0].key) + len(found.reply)


def _turns(reply: bytes, answer: Answer) -> tuple[int, int, int]:
    """Where the addresses of the last RRset of an ``answer`` begin and end in its ``reply``, and the bytes of each.

    All are 0 where they are not of one size, one behind the other, or where there is one alone.
    """
    last = answer.answer[-1] if answer.answer else None
    size = ADDRESS_BYTES.get(last.rrtype) if last is not None else None
    count = HEADER.unpack_from(reply)[3]
    if last is None or size is None or len(last.rdatas) < 2 or not count:
        return 0, 0, 0
    at = skip_name(reply, HEADER.size) + TYPE_CLASS.size
    for rrset in answer.answer[:-1]:
        for _ in rrset.rdatas:
            at = skip_name(reply, at)
            at += RECORD.size + RECORD.unpack_from(reply, at)[3]
            count -= 1
    step = _COMPRESSED + RECORD.size + size
    head = reply[at : at + step - size]
    heads = [reply[place : place + len(head)] for place in range(at, at + count * step, step)]
    return (at, at + count * step, step) if count > 1 and heads.count(head) == count else (0, 0, 0)
