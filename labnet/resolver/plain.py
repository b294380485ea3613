"""Replies made straight from the records, for the question that is asked most: a name with one IPv4 address, type A.

What the reply is like besides name, TTL and address (its flags, its OPT record) depends on the shape of the question
alone. The shape is learned from a reply that went the long way, so both ways say the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labnet.resolver.counts import Cell
from labnet.resolver.zone import Zone

_MOST_SHAPES: Final = 200
_ID: Final = 2
_HEADER: Final = 12
_TYPE_CLASS: Final = 4
_OWNER: Final = b"\xc0\x0c\0\1\0\1"  # the name of the question, A, IN

Made = tuple[bytes, Cell]
"""A reply without its id, and where it is counted."""


class PlainReplies:
    """Makes replies from ``zone``; none where that is None."""

    def __init__(self, zone: Zone | None = None) -> None:
        self._zone = zone
        self._shapes: dict[tuple[bytes, bytes, bool], tuple[bytes, bytes, Cell]] = {}
        self._shapes_below: dict[tuple[bytes, bytes, bytes], tuple[bytes, bytes, Cell]] = {}

    def change(self, zone: Zone | None) -> None:
        """The records or the ways of replying have changed."""
        self._zone = zone or None  # one without a name has nothing to be looked for
        self._shapes.clear()
        self._shapes_below.clear()

    def find(self, question: bytes) -> Made | None:
        """The reply to a DNS question, or None."""
        return self.find_all([question])[0]

    def find_all(self, questions: Sequence[bytes]) -> list[Made | None]:
        """The replies to DNS questions, None for each that none can be made to."""
        if self._zone is None:
            return [None] * len(questions)
        # A name with a zero byte inside is cut short here and is no name of the zone's then; nor is one without an end.
        ends = [question.find(b"\0", _HEADER) + 1 for question in questions]
        keys = [question[_HEADER:end].lower() for question, end in zip(questions, ends, strict=True)]
        records = self._zone.one_addresses(keys)
        return [
            None if record is None else self._made(question, end, key, record)
            for question, end, key, record in zip(questions, ends, keys, records, strict=True)
        ]

    def _made(self, question: bytes, end: int, key: bytes, record: bytes | bytearray) -> Made | None:
        head, above, tail = question[_ID:_HEADER], key[1 + key[0] :], question[end:]
        shape = self._shapes_below.get((head, above, tail)) or self._shape(head, above, tail)
        if shape is None:
            return None
        flags, opt, cell = shape
        return b"".join((flags, question[_HEADER : end + _TYPE_CLASS], _OWNER, record, opt)), cell

    def _shape(self, head: bytes, above: bytes, tail: bytes) -> tuple[bytes, bytes, Cell] | None:
        """The shape of what is asked for a name directly below ``above``."""
        if self._zone is None:
            return None
        shape = self._shapes.get((head, tail, self._zone.is_authority_below(above)))
        if shape is not None:
            if len(self._shapes_below) >= _MOST_SHAPES:
                self._shapes_below.clear()
            self._shapes_below[head, above, tail] = shape
        return shape

    def learn(self, question: bytes, reply: bytes, name: bytes, cell: Cell) -> None:
        """Take the shape from a ``reply`` to a ``question`` for ``name``, if it has one."""
        key = name.lower()
        record = None if self._zone is None else self._zone.one_addresses([key])[0]
        if self._zone is None or record is None or len(self._shapes) >= _MOST_SHAPES:
            return
        end = _HEADER + len(name)
        middle = question[_HEADER : end + _TYPE_CLASS] + _OWNER + record
        if reply[_HEADER : _HEADER + len(middle)] == middle:
            shape = reply[_ID:_HEADER], reply[_HEADER + len(middle) :], cell
            authoritative = self._zone.is_authority_below(key[1 + key[0] :])
            self._shapes[question[_ID:_HEADER], question[end:], authoritative] = shape
