"""Whole answers as bytes, found by the bytes of the question: what the hot path knows.

Both protocols use it. A DNS question is found by what follows its id, a question of the course by all of it
(:func:`~labnet.net.batches.batch.key_of`). Nothing here decides anything: who puts an answer in says until when it
holds and how it ages (:mod:`labnet.resolver.ready.ttl_patch`), and :meth:`PacketCache.clear` forgets all when the
records or the cache behind it change. Only who may have everything is answered from here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from twisted.internet.interfaces import IReactorTime

from labnet.net.batches.batch import HEAD, key_of, keys_of, question_of, vector_of
from labnet.resolver.clients.counts import Cell
from labnet.resolver.ready.from_records import Made, SingleAddressReplies
from labnet.resolver.ready.rendered import RenderedReplies
from labnet.resolver.ready.ttl_patch import Ageing
from labnet.resolver.ready.turns import Turns
from labnet.resolver.records.zone import Zone

_ENTRY_BYTES: Final = 350
"""What an entry costs beside its bytes: a tuple, three bytes objects and its places in two tables (measured)."""

_RENDERED: Final = 4
"""Of the bytes of a cache, the part that what is a client's own may take beside it."""

_ID: Final = 2
"""Bytes of a DNS message that are each asker's own."""

_HEADER: Final = 12

Packet = tuple[bytes | None, Cell, bytes, float]
"""A ready answer: where it lies, where it is counted, its bytes (without the id where it is DNS), and the epoch second
from which it no longer holds. Where it lies is a :func:`~labnet.net.batches.batch.vector_of`; None where its addresses
take turns."""


class PacketCache:
    """Answers by question, at most ``most_bytes`` in all; what was put in first goes first.

    One that ages is put in anew when it is asked for after its second: its bytes stay here, out of the reader's sight,
    as long as they can be patched. Past the bound these are the first to go while they take more than half of it.

    The first ``skipped`` bytes of a question do not count. ``packets`` is the table itself, by the key of the question.
    For a reader that has no time for a call, ``vectors`` has no more of each than where it lies, and ``turns`` those
    whose addresses take turns. They are never replaced by others. What is in them holds at the time that
    :meth:`expire` was last called with.
    """

    def __init__(self, most_bytes: int, skipped: int = 0) -> None:
        self.packets: dict[bytes, Packet] = {}
        self.vectors: dict[bytes, bytes] = {}
        self.turns: dict[bytes, Turns] = {}
        self.skipped = skipped
        self.bytes = 0
        self.soonest = math.inf
        """The epoch second at which the next answer runs out."""
        self.renewed = 0
        """How many answers were patched, and so looked up in the cache of learned names."""
        self._ageing: dict[bytes, tuple[Ageing, bytes, Cell, Turns | None]] = {}
        self._ageing_bytes = 0
        self._ends: list[tuple[float, bytes]] = []
        self._most_bytes = most_bytes

    def find(self, question: bytes, now: float) -> Made | None:
        """The answer that still holds at ``now`` (epoch seconds) or can be patched to, and where it is counted."""
        if now >= self.soonest:
            self.expire(now)
        return self.get(key_of(question, self.skipped), now)

    def get(self, key: bytes, now: float) -> Made | None:
        """The answer to the question of ``key`` at ``now``, up to which :meth:`expire` has been called already."""
        packet = self.packets.get(key) or self._renew(key, now)
        if packet is None:
            return None
        turns = self.turns.get(key)  # none either where it was so long that it is gone again
        return (packet[2] if turns is None else turns.next()[1]), packet[1]

    def packets_for(self, questions: Sequence[bytes]) -> list[Packet | None]:
        """The ready answer to each of ``questions``, as they hold at the time of :meth:`expire`, or None."""
        packet_of = self.packets.get
        return [packet_of(key) for key in keys_of(questions, self.skipped)]

    def turned(self, keys: Sequence[bytes], vectors: Sequence[bytes | None]) -> list[bytes | None]:
        """``vectors`` of the answers to ``keys``, with the next order of those whose addresses take turns."""
        turns = self.turns
        return [
            turns[key].next()[0] if vector is None and key in turns else vector
            for key, vector in zip(keys, vectors, strict=True)
        ]

    def put(
        self,
        question: bytes,
        answer: bytes,
        until: float,
        cell: Cell,
        ageing: Ageing | None = None,
        turns: Turns | None = None,
    ) -> None:
        """Have ``answer`` ready until the epoch second ``until``, in place of an earlier one; then by ``ageing``.

        Its addresses come in ``turns``.
        """
        key = key_of(question, self.skipped)
        self._forget(key)
        if ageing is not None:
            self._ageing[key] = (ageing, answer, cell, turns)
            self._add_ageing(_ageing_size(key, ageing, answer))
            self._end(ageing.until, key)
        self._put(key, answer, until, cell, turns)

    def _renew(self, key: bytes, now: float) -> Packet | None:
        """The answer to the question of ``key`` as it is at ``now``, if there is one that ages; it is ready again."""
        if key not in self._ageing:
            return None
        ageing, answer, cell, turns = one = self._ageing.pop(key)
        aged = ageing.at(answer, now)
        if aged is None:
            self._add_ageing(-_ageing_size(key, ageing, answer))
            return None
        self._ageing[key] = one  # what was asked for longest ago stands first
        self.renewed += 1
        return self._put(key, *aged, cell, turns)

    def _put(self, key: bytes, answer: bytes, until: float, cell: Cell, turns: Turns | None) -> Packet:
        self._forget_packet(key)
        vector = None
        if turns is None:
            self.vectors[key] = vector = vector_of(answer, cell)
        else:
            turns.begin(answer, cell)
            self.turns[key] = turns
            self.bytes += turns.size(answer)
        self.packets[key] = packet = (vector, cell, answer, until)
        self.bytes += _ENTRY_BYTES + len(key) + len(answer)
        if until != math.inf:
            self._end(until, key)
        self._shrink()
        return packet

    def _end(self, until: float, key: bytes) -> None:
        """Look at ``key`` again at the epoch second ``until``."""
        heappush(self._ends, (until, key))
        if len(self._ends) > 2 * (len(self.packets) + len(self._ageing)) + 1000:
            self._ends = [(packet[3], key) for key, packet in self.packets.items() if packet[3] != math.inf]
            self._ends += [(one[0].until, key) for key, one in self._ageing.items()]
            heapify(self._ends)
        self.soonest = self._ends[0][0]

    @property
    def is_full(self) -> bool:
        """Whether hardly anything more has room."""
        return self.bytes + 2 * _ENTRY_BYTES > self._most_bytes

    @property
    def may_have_more(self) -> bool:
        """Whether :meth:`get` may find what is not in ``vectors``: any answer can be patched, or comes in turns."""
        return bool(self._ageing or self.turns)

    def put_if_room(self, key: bytes, answer: bytes, cell: Cell) -> None:
        """Keep for good what is as quickly made anew, if nothing has to go for it and no random letters are in it."""
        size = self.bytes + _ENTRY_BYTES + len(key) + len(answer)
        asked = question_of(key, self.skipped)
        if size <= self._most_bytes and key not in self.packets and asked is not None and asked == asked.lower():
            self.vectors[key] = vector = vector_of(answer, cell)
            self.packets[key] = (vector, cell, answer, math.inf)
            self.bytes = size

    def expire(self, now: float) -> None:
        """Forget what no longer holds at ``now`` (epoch seconds)."""
        ends = self._ends
        while ends and ends[0][0] <= now:
            key = heappop(ends)[1]
            packet, one = self.packets.get(key), self._ageing.get(key)
            if packet is not None and packet[3] <= now:
                self._forget_packet(key)
            if one is not None and one[0].until <= now:
                self._forget_ageing(key)
        self.soonest = ends[0][0] if ends else math.inf

    def resize(self, most_bytes: int) -> None:
        """From now on ``most_bytes`` are the most."""
        self._most_bytes = most_bytes
        self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        self.packets.clear()
        self.vectors.clear()
        self.turns.clear()
        self._ageing.clear()
        self._ends.clear()
        self.soonest = math.inf
        self.bytes = self._ageing_bytes = 0

    def _shrink(self) -> None:
        while self.bytes > self._most_bytes:
            # Those that are asked for at times must not crowd out those that are always ready, nor the other way round.
            ageing = 2 * self._ageing_bytes > self._most_bytes or not self.packets
            self._forget(next(iter(self._ageing if ageing else self.packets)))

    def _forget(self, key: bytes) -> None:
        self._forget_packet(key)
        self._forget_ageing(key)

    def _forget_packet(self, key: bytes) -> None:
        packet = self.packets.pop(key, None)
        if packet is not None:
            turns = self.turns.pop(key, None)
            if turns is None:
                del self.vectors[key]
            else:
                turns.end()
                self.bytes -= turns.size(packet[2])
            self.bytes -= _ENTRY_BYTES + len(key) + len(packet[2])

    def _forget_ageing(self, key: bytes) -> None:
        one = self._ageing.pop(key, None)
        if one is not None:
            self._add_ageing(-_ageing_size(key, one[0], one[1]))

    def _add_ageing(self, size: int) -> None:
        self.bytes += size
        self._ageing_bytes += size


class PacketCaches:
    """The packet caches of one resolver, one for each protocol, each of at most ``most_bytes``.

    They are two because a question of the course, its first two bytes cut off, may be another one. A DNS question
    always holds a zero byte and one of the course never does, so none is found in the other's cache. What is a client's
    own is ``rendered``, and takes a quarter as much at most.
    """

    def __init__(self, most_bytes: int, clock: IReactorTime) -> None:
        self.dns = PacketCache(most_bytes, _ID)
        self.course = PacketCache(most_bytes)
        self.from_records = SingleAddressReplies()
        self.rendered = RenderedReplies(most_bytes // _RENDERED)
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
            return self.course.find(datagram, now)
        made = self.dns.find(datagram, now) or self.make([key_of(datagram, _ID)])[0] or self._find_folded(datagram, now)
        return None if made is None else (datagram[:_ID] + made[0], made[1])

    def find_again(self, datagram: bytes, tried: PacketCache, now: float) -> Made | None:
        """The whole reply to ``datagram``, where ``tried`` has none by its key and none can be made of that."""
        if len(datagram) > HEAD or tried is not (self.dns if b"\0" in datagram else self.course):
            return self.find(datagram, now)
        made = self._find_folded(datagram, now) if tried is self.dns else None
        return None if made is None else (datagram[:_ID] + made[0], made[1])

    def peek(self, datagram: bytes) -> bytes:
        """The whole reply to ``datagram``, which was answered just now, for who tells of it; b"" where it is gone."""
        if b"\0" not in datagram:
            packet = self.course.packets.get(key_of(datagram, self.course.skipped))
            return b"" if packet is None else packet[2]
        end = _name_end(datagram)
        for asked in datagram, datagram[:_HEADER] + datagram[_HEADER:end].lower() + datagram[end:]:
            key = key_of(asked, _ID)
            packet = self.dns.packets.get(key)
            if packet is not None:
                return datagram[:_ID] + packet[2]
            made = self.from_records.find_all([key])[0]
            if made is not None:
                return datagram[:_ID] + made[0]
        return b""

    def make(self, keys: Sequence[bytes]) -> list[Made | None]:
        """The answers to the DNS questions of ``keys``, without their ids, made of the records or patched."""
        made = self.from_records.find_all(keys)
        if not self.dns.is_full:
            for key, one in zip(keys, made, strict=True):
                if one is not None:
                    self.dns.put_if_room(key, *one)
        if self.dns.may_have_more and None in made:
            return [one or self.dns.get(key, self._last) for key, one in zip(keys, made, strict=True)]
        return made

    def _find_folded(self, datagram: bytes, now: float) -> Made | None:
        """The answer to a DNS question whose name is in mixed case (0x20), in the asker's own case."""
        behind = datagram[_HEADER:]
        if behind == behind.lower():
            return None  # it was looked for as it is
        end = _name_end(datagram)
        made = self.dns.find(datagram[:12] + datagram[12:end].lower() + datagram[end:], now)
        return None if made is None else (made[0][:10] + datagram[12:end] + made[0][end - _ID :], made[1])

    def put_dns(
        self,
        question: bytes,
        reply: bytes,
        name: bytes,
        until: float,
        cell: Cell,
        ageing: Ageing | None = None,
        turns: Turns | None = None,
    ) -> None:
        """Have ``reply`` ready for the DNS message ``question``, which asks for ``name`` (wire form, in its case)."""
        end = 12 + len(name)
        answer = reply[_ID:12] + name.lower() + reply[end:]
        self.dns.put(question[:12] + name.lower() + question[end:], answer, until, cell, ageing, turns)
        if until == math.inf:
            self.from_records.learn(question, reply, name, cell)

    def change(self, most_bytes: int, zone: Zone | None) -> None:
        """From now on each may take ``most_bytes``, and the records are those of ``zone``; all is forgotten."""
        self.from_records.change(zone)
        self.clear()
        self.dns.resize(most_bytes)
        self.course.resize(most_bytes)
        self.rendered.resize(most_bytes // _RENDERED)

    def clear(self) -> None:
        """Forget everything: records, cache or access have changed."""
        self.dns.clear()
        self.course.clear()
        self.rendered.clear()

    @property
    def dns_bytes(self) -> int:
        """What the ready answers of DNS take."""
        return self.dns.bytes + self.rendered.bytes


def _ageing_size(key: bytes, ageing: Ageing, answer: bytes) -> int:
    return ageing.size + len(key) + len(answer)


def _name_end(datagram: bytes) -> int:
    """Where the name in the question ends: type and class behind it hold bytes that look like letters."""
    at = 12
    while at < len(datagram) and datagram[at]:
        at += 1 + datagram[at]
    return at + 1
