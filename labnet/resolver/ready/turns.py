"""Ready answers whose addresses take turns: each hit gives them in another order (sans-IO)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from labnet.net.batches.batch import vector_of
from labnet.resolver.clients.counts import Cell
from labnet.wire.dns_common import RecordPlace
from labnet.wire.types import Answer, RRType

MOST_ORDERS: Final = 16
"""Orders of one answer; of more addresses, so many are the first in turn."""

_ID: Final = 2  # bytes of a message in front of the answer that is ready
_ADDRESSES: Final = frozenset((RRType.A, RRType.AAAA))  # no other record points into them

_BYTES: Final = 500
_ORDER_BYTES: Final = 160
"""What a :class:`Turns` takes, and each order beside its bytes (measured)."""


class Turns:
    """The orders of one answer: ``places`` has where its addresses lie, of each RRset that has several."""

    __slots__ = ("_answer", "_cell", "_made", "_places", "_turn", "orders")

    def __init__(self, places: list[list[slice]]) -> None:
        self.orders = min(MOST_ORDERS, max(map(len, places)))
        self._places = places
        self._turn = 0
        self._made: list[tuple[bytes, bytes] | None] = []

    def size(self, answer: bytes) -> int:
        """Bytes that it takes, roughly, where it has all orders of ``answer``."""
        return _BYTES + self.orders * (_ORDER_BYTES + len(answer))

    def begin(self, answer: bytes, cell: Cell) -> None:
        """Give the orders of ``answer`` from now on, which is counted in ``cell``; it is the next one's turn."""
        self._answer = answer
        self._cell = cell
        self._made = [None] * self.orders

    def end(self) -> None:
        """Let go of the answer and its orders, until it begins again."""
        self._answer = b""
        self._made = []

    def next(self) -> tuple[bytes, bytes]:
        """Where the next order lies (:func:`~labnet.net.batches.batch.vector_of`), as long as this has it, and the
        answer."""
        self._turn = turn = (self._turn + 1) % self.orders
        made = self._made[turn]
        if made is None:
            answer = bytearray(self._answer)
            for places in self._places:
                first = turn % len(places)
                for place, taken in zip(places, places[first:] + places[:first], strict=True):
                    answer[place] = self._answer[taken]
            whole = bytes(answer)
            made = self._made[turn] = (vector_of(whole, self._cell), whole)
        return made


def turns_of(records: Sequence[RecordPlace], answer: Answer) -> Turns | None:
    """The turns of the addresses among the ``records`` of a reply that says ``answer``; None where there are none."""
    rrsets = answer.answer
    if not any(len(rrset.rdatas) > 1 and rrset.rrtype in _ADDRESSES for rrset in rrsets):
        return None
    own = iter(records)
    places: list[list[slice]] = []
    for rrset in rrsets:
        several = list(islice(own, len(rrset.rdatas)))
        if len(several) < len(rrset.rdatas) or any(place.rrtype != rrset.rrtype for place in several):
            return None  # the reply is truncated
        if rrset.rrtype in _ADDRESSES and len(several) > 1:
            places.append([slice(place.data - _ID, place.end - _ID) for place in several])
    return Turns(places)
