"""Replies made straight from the records, for the question that is asked most: a name with one IPv4 address, type A.

What the reply is like besides name, TTL and address (its flags, its OPT record) depends on the shape of the question
alone. The shape is learned from a reply that went the long way, so both ways say the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labnet.resolver.batches import question_of
from labnet.resolver.counts import Cell
from labnet.resolver.zone import Zone

_MOST_SHAPES: Final = 200
_MOST_BELOW: Final = 2000
_ID: Final = 2
_HEADER: Final = 12
_FLAGS: Final = _HEADER - _ID  # where the name begins behind the id
_TYPE_CLASS: Final = 4
_OWNER: Final = b"\xc0\x0c\0\1\0\1"  # the name of the question, A, IN

Made = tuple[bytes, Cell]
"""A reply without its id, and where it is counted."""


class PlainReplies:
    """Makes replies from ``zone``; none where that is None."""

    def __init__(self, zone: Zone | None = None) -> None:
        self._zone = zone
        self._shapes: dict[tuple[bytes, bytes, bool], tuple[bytes, bytes, Cell]] = {}
        self._shapes_below: dict[bytes, tuple[bytes, bytes, bytes, Cell]] = {}

    def change(self, zone: Zone | None) -> None:
        """The records or the ways of replying have changed."""
        self._zone = zone or None  # one without a name has nothing to be looked for
        self._shapes.clear()
        self._shapes_below.clear()

    def find_all(self, keys: Sequence[bytes]) -> list[Made | None]:
        """The replies to DNS questions, given by their :func:`~labnet.resolver.batches.key_of`, or None for each."""
        zone = self._zone
        if zone is None:
            return [None] * len(keys)
        # A name with a zero byte inside is cut short here and is no name of the zone's then; nor is one without an end.
        ends = [key.find(b"\0", _FLAGS) + 1 for key in keys]
        names = [key[_FLAGS:end].lower() for key, end in zip(keys, ends, strict=True)]
        shape_of, other_shape, join = self._shapes_below.get, self._shape, b"".join
        found: list[Made | None] = []
        for key, end, name, record in zip(keys, ends, names, zone.one_addresses(names), strict=True):
            if record is not None:
                rest = key[_FLAGS + 1 + name[0] :]
                shape = shape_of(rest)
                if shape is None or not key.startswith(shape[0]):
                    shape = other_shape(key, end, name, rest)
                if shape is not None:
                    _, flags, opt, cell = shape
                    found.append((join((flags, key[_FLAGS : end + _TYPE_CLASS], _OWNER, record, opt)), cell))
                    continue
            found.append(None)
        return found

    def _shape(self, key: bytes, end: int, name: bytes, rest: bytes) -> tuple[bytes, bytes, bytes, Cell] | None:
        """The shape of a question for ``name``; the next time ``rest`` leads to it, which is behind its first label."""
        question = question_of(key, _ID)
        if self._zone is None or question is None:
            return None
        head = question[:_FLAGS]
        shape = self._shapes.get((head, question[end:], self._zone.is_authority_below(name[1 + name[0] :])))
        if shape is None:
            return None
        if len(self._shapes_below) >= _MOST_BELOW:
            self._shapes_below.clear()
        self._shapes_below[rest] = found = (head, *shape)
        return found

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
