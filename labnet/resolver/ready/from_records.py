"""Replies made straight from the records, for the question that is asked most: a name with one IPv4 address, type A.

What the reply is like besides name, TTL and address (its flags, its OPT record) depends on the shape of the question
alone. The shape is learned from a reply that the full path made, so both say the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from labnet.net.batches.batch import question_of
from labnet.resolver.clients.counts import Cell
from labnet.resolver.records.zone import Zone

_MOST_SHAPES: Final = 200
_MOST_BUT_LABEL: Final = 2000
_ID: Final = 2
_HEADER: Final = 12
_FLAGS: Final = _HEADER - _ID  # where the name begins behind the id
_LABEL: Final = _FLAGS + 1
_TYPE_CLASS: Final = 4
_OWNER: Final = b"\xc0\x0c\0\1\0\1"  # the name of the question, A, IN

Made = tuple[bytes, Cell]
"""A reply without its id, and where it is counted."""


_Shape = tuple[slice, slice, bytes, bytes, Cell]
"""What is the same for all questions whose keys differ in the first label of the name alone.

That is where the name lies in the key, counted from its end, and where the question does; then what the replies have
beside that: flags, what stands behind the record, and where they are counted.
"""


class SingleAddressReplies:
    """Makes replies from ``zone``; none where that is None."""

    def __init__(self, zone: Zone | None = None) -> None:
        self.zone = zone
        self._shapes: dict[tuple[bytes, bytes, bool], tuple[bytes, bytes, Cell]] = {}
        self._shapes_but_label: dict[bytes, _Shape] = {}

    def __len__(self) -> int:
        """How many shapes are known."""
        return len(self._shapes)

    def change(self, zone: Zone | None) -> None:
        """The records or the ways of replying have changed."""
        self.zone = zone or None  # one without a name has nothing to be looked for
        self._shapes.clear()
        self._shapes_but_label.clear()

    def find_all(self, keys: Sequence[bytes]) -> list[Made | None]:
        """The replies to DNS questions, given by their :func:`~labnet.net.batches.batch.key_of`, or None for each."""
        zone = self.zone
        if zone is None:
            return [None] * len(keys)
        shape_of = self._shapes_but_label.get
        shapes = [shape_of(key[:_FLAGS] + key[_LABEL + key[_FLAGS] :]) for key in keys]
        # Where no shape says where a name is, one with a zero byte inside is cut short, and is no name of the zone's.
        names = [
            (key[shape[0]] if shape else key[_FLAGS : key.find(b"\0", _FLAGS) + 1]).lower()
            for key, shape in zip(keys, shapes, strict=True)
        ]
        join = b"".join
        found: list[Made | None] = []
        for key, name, shape, record in zip(keys, names, shapes, zone.one_addresses(names), strict=True):
            if record is not None:
                if shape is None:
                    shape = self._shape(key, name)
                if shape is not None:
                    _, question, flags, opt, cell = shape
                    found.append((join((flags, key[question], _OWNER, record, opt)), cell))
                    continue
            found.append(None)
        return found

    def _shape(self, key: bytes, name: bytes) -> _Shape | None:
        """The shape of a question for ``name``; from now on it is known by the key without the name's first label."""
        question = question_of(key, _ID)
        if self.zone is None or question is None:
            return None
        end, behind = _FLAGS + len(name), 1 + name[0]
        shape = self._shapes.get((question[:_FLAGS], question[end:], self.zone.is_authority_below(name[behind:])))
        if shape is None:
            return None
        if len(self._shapes_but_label) >= _MOST_BUT_LABEL:
            self._shapes_but_label.clear()
        left = end - len(key)
        found = slice(_FLAGS, left), slice(_FLAGS, left + _TYPE_CLASS), *shape
        self._shapes_but_label[key[:_FLAGS] + key[_FLAGS + behind :]] = found
        return found

    def learn(self, question: bytes, reply: bytes, name: bytes, cell: Cell) -> None:
        """Take the shape from a ``reply`` to a ``question`` for ``name``, if it has one."""
        key = name.lower()
        record = None if self.zone is None else self.zone.one_addresses([key])[0]
        if self.zone is None or record is None or len(self._shapes) >= _MOST_SHAPES:
            return
        end = _HEADER + len(name)
        middle = question[_HEADER : end + _TYPE_CLASS] + _OWNER + record
        if reply[_HEADER : _HEADER + len(middle)] == middle:
            shape = reply[_ID:_HEADER], reply[_HEADER + len(middle) :], cell
            authoritative = self.zone.is_authority_below(key[1 + key[0] :])
            self._shapes[question[_ID:_HEADER], question[end:], authoritative] = shape
