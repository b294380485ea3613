"""Whole answers as bytes, found by the bytes of the question: what the hot path knows.

Both protocols use it. A DNS question is found by what follows its id, a question of the course by all of it
(:func:`~labnet.resolver.batches.key_of`). Nothing here decides anything: who puts an answer in says until when it
holds, and :meth:`PacketCache.clear` forgets all when the records or the cache behind it change. Only who may have
everything is answered from here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from twisted.internet.interfaces import IReactorTime

from labnet.resolver.batches import key_of, question_of, vector_of
from labnet.resolver.counts import Cell
from labnet.resolver.plain import Made, PlainReplies
from labnet.resolver.zone import Zone

_ENTRY_BYTES: Final = 310
"""What an entry costs beside its bytes: a tuple, three bytes objects and its place in the table (measured)."""

_ID: Final = 2
"""Bytes of a DNS message that are each asker's own."""

Packet = tuple[bytes, Cell, bytes, float]
"""Where the answer lies and whose it is (:func:`~labnet.resolver.batches.vector_of`), where it is counted, the answer
itself, without the id where it is DNS, and the epoch second from which it no longer holds."""


class PacketCache:
    """Answers by question, at most ``most_bytes`` in all; what was put in first goes first.

    The first ``skipped`` bytes of a question do not count. ``packets`` is the table itself, by the key of the question,
    for a reader that has no time for a call; it is never replaced by another one. What is in it holds at the time that
    :meth:`expire` was last told.
    """

    def __init__(self, most_bytes: int, skipped: int = 0) -> None:
        self.packets: dict[bytes, Packet] = {}
        self.skipped = skipped
        self.bytes = 0
        self.soonest = math.inf
        """The epoch second at which the next answer runs out."""
        self._ends: list[tuple[float, bytes]] = []
        self._most_bytes = most_bytes

    def find(self, question: bytes, now: float) -> Packet | None:
        """The answer that still holds at ``now`` (epoch seconds), or None."""
        if now >= self.soonest:
            self.expire(now)
        return self.packets.get(key_of(question, self.skipped))

    def keep(self, question: bytes, answer: bytes, until: float, cell: Cell) -> None:
        """Keep ``answer`` until the epoch second ``until``, in place of an earlier one."""
        question = key_of(question, self.skipped)
        self._forget(question)
        self.packets[question] = (vector_of(answer, cell), cell, answer, until)
        self.bytes += _ENTRY_BYTES + len(question) + len(answer)
        if until != math.inf:
            if len(self._ends) > 2 * len(self.packets) + 1000:
                self._ends = [(packet[3], key) for key, packet in self.packets.items() if packet[3] != math.inf]
                heapify(self._ends)
            else:
                heappush(self._ends, (until, question))
            self.soonest = self._ends[0][0]
        self._shrink()

    @property
    def is_full(self) -> bool:
        """Whether hardly anything more has room."""
        return self.bytes + 2 * _ENTRY_BYTES > self._most_bytes

    def keep_where_free(self, key: bytes, answer: bytes, cell: Cell) -> None:
        """Keep for good what is as quickly made anew, if nothing has to go for it and no random letters are in it."""
        size = self.bytes + _ENTRY_BYTES + len(key) + len(answer)
        asked = question_of(key, self.skipped)
        if size <= self._most_bytes and asked is not None and asked == asked.lower():
            self.packets[key] = (vector_of(answer, cell), cell, answer, math.inf)
            self.bytes = size

    def expire(self, now: float) -> None:
        """Forget what no longer holds at ``now`` (epoch seconds)."""
        ends = self._ends
        while ends and ends[0][0] <= now:
            question = heappop(ends)[1]
            packet = self.packets.get(question)
            if packet is not None and packet[3] <= now:
                self._forget(question)
        self.soonest = ends[0][0] if ends else math.inf

    def resize(self, most_bytes: int) -> None:
        """From now on ``most_bytes`` are the most."""
        self._most_bytes = most_bytes
        self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        self.packets.clear()
        self._ends.clear()
        self.soonest = math.inf
        self.bytes = 0

    def _shrink(self) -> None:
        while self.bytes > self._most_bytes:
            self._forget(next(iter(self.packets)))

    def _forget(self, question: bytes) -> None:
        packet = self.packets.pop(question, None)
        if packet is not None:
            self.bytes -= _ENTRY_BYTES + len(question) + len(packet[2])


class PacketCaches:
    """The packet caches of one resolver, one for each protocol, each of at most ``most_bytes``.

    They are two because a question of the course, its first two bytes cut off, may be another one. A DNS question
    always holds a zero byte and one of the course never does, so none is found in the other's cache.
    """

    def __init__(self, most_bytes: int, clock: IReactorTime) -> None:
        self.dns = PacketCache(most_bytes, _ID)
        self.course = PacketCache(most_bytes)
        self.plain = PlainReplies()
        self.clock = clock
        self._last = 0.0

    def seconds(self) -> float:
        """The epoch second; what is in the tables holds then.

        A clock that was set back clears the caches, whose times would be wrong for that long.
        """
        now = self.clock.seconds()
        if now < self._last:
            self.clear()
        self._last = now
        if now >= self.dns.soonest:
            self.dns.expire(now)
        if now >= self.course.soonest:
            self.course.expire(now)
        return now

    def find(self, datagram: bytes, now: float) -> tuple[bytes, Cell] | None:
        """The whole reply to ``datagram`` and where it is counted, if it is known or can be made of the records."""
        if b"\0" not in datagram:
            packet = self.course.find(datagram, now)
            return None if packet is None else (packet[2], packet[1])
        packet = self.dns.find(datagram, now)
        if packet is not None:
            return datagram[:_ID] + packet[2], packet[1]
        made = self.make([key_of(datagram, _ID)])[0] or self._find_folded(datagram, now)
        return None if made is None else (datagram[:_ID] + made[0], made[1])

    def make(self, keys: Sequence[bytes]) -> list[Made | None]:
        """The answers to the DNS questions of ``keys``, without their ids, where they can be made of the records."""
        made = self.plain.find_all(keys)
        if not self.dns.is_full:
            for key, one in zip(keys, made, strict=True):
                if one is not None:
                    self.dns.keep_where_free(key, *one)
        return made

    def _find_folded(self, datagram: bytes, now: float) -> Made | None:
        """The answer to a DNS question whose name is in mixed case (0x20), in the asker's own case."""
        behind = datagram[12:]
        if behind == behind.lower():
            return None  # it was looked for as it is
        end = _name_end(datagram)
        packet = self.dns.find(datagram[:12] + datagram[12:end].lower() + datagram[end:], now)
        if packet is None:
            return None
        return packet[2][:10] + datagram[12:end] + packet[2][end - _ID :], packet[1]

    def keep_dns(self, question: bytes, reply: bytes, name: bytes, until: float, cell: Cell) -> None:
        """Keep ``reply`` to the DNS message ``question``, which asks for ``name`` (in wire form, its case kept)."""
        end = 12 + len(name)
        answer = reply[_ID:12] + name.lower() + reply[end:]
        self.dns.keep(question[:12] + name.lower() + question[end:], answer, until, cell)
        if until == math.inf:
            self.plain.learn(question, reply, name, cell)

    def change(self, most_bytes: int, zone: Zone | None) -> None:
        """From now on each may take ``most_bytes``, and the records are those of ``zone``; all is forgotten."""
        self.plain.change(zone)
        self.clear()
        self.dns.resize(most_bytes)
        self.course.resize(most_bytes)

    def clear(self) -> None:
        """Forget everything: records, cache or access have changed."""
        self.dns.clear()
        self.course.clear()


def _name_end(datagram: bytes) -> int:
    """Where the name in the question ends: type and class behind it hold bytes that look like letters."""
    at = 12
    while at < len(datagram) and datagram[at]:
        at += 1 + datagram[at]
    return at + 1
