"""Replies made straight from the records, for the question that is asked most: a name with one IPv4 address, type A.

What the reply is like besides name, TTL and address (its flags, its OPT record) depends on the shape of the question
alone. The shape is learned from a reply that went the long way, so both ways say the same, byte for byte.
"""

from __future__ import annotations

from typing import Final

from labnet.resolver.counts import Cell
from labnet.resolver.zone import Zone

_MOST_SHAPES: Final = 200
_HEADER: Final = 10  # bytes of a DNS header behind the id
_TYPE_CLASS: Final = 4
_RECORD: Final = b"\xc0\x0c\0\1\0\1"  # the name of the question, A, IN
_LENGTH: Final = b"\0\4"


class PlainReplies:
    """Makes replies from ``zone``; none where that is None."""

    def __init__(self, zone: Zone | None = None) -> None:
        self._zone = zone
        self._shapes: dict[tuple[bytes, bytes, bool], tuple[bytes, bytes, Cell]] = {}

    def change(self, zone: Zone | None) -> None:
        """The records or the ways of replying have changed."""
        self._zone = zone or None  # one without a name has nothing to be looked for
        self._shapes.clear()

    def find(self, question: bytes) -> tuple[bytes, Cell] | None:
        """The reply to a DNS question and where it is counted, or None; both bytes begin behind the id."""
        if self._zone is None:
            return None
        # A name with a zero byte inside is cut short here and is no name of the zone's then.
        end = question.find(b"\0", _HEADER) + 1
        found = self._zone.one_address(question[_HEADER:end].lower())
        if found is None:
            return None
        ttl, address, authoritative = found
        shape = self._shapes.get((question[:_HEADER], question[end:], authoritative))
        if shape is None:
            return None
        head, opt, cell = shape
        asked = question[_HEADER : end + _TYPE_CLASS]
        return b"".join((head, asked, _RECORD, ttl, _LENGTH, address, opt)), cell

    def learn(self, question: bytes, reply: bytes, name: bytes, cell: Cell) -> None:
        """Take the shape from a ``reply`` to a ``question`` for ``name``, all as in :meth:`find`, if it has one."""
        found = None if self._zone is None else self._zone.one_address(name.lower())
        if found is None or len(self._shapes) >= _MOST_SHAPES:
            return
        ttl, address, authoritative = found
        end = _HEADER + len(name)
        middle = question[_HEADER : end + _TYPE_CLASS] + _RECORD + ttl + _LENGTH + address
        if reply[_HEADER : _HEADER + len(middle)] == middle:
            opt = reply[_HEADER + len(middle) :]
            self._shapes[question[:_HEADER], question[end:], authoritative] = reply[:_HEADER], opt, cell
