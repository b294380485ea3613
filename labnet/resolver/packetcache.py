"""Whole answers as bytes, found by the bytes of the question: what the hot path knows.

Both protocols use it. A DNS question is found by what follows its id, a question of the course by all of it. Nothing
here decides anything: who puts an answer in says until when it holds, and :meth:`PacketCache.clear` forgets all when
the records, the cache behind it or the rules of access change.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

_ENTRY_BYTES: Final = 250
"""What an entry costs beside its bytes: a tuple, two bytes objects and its place in the table (measured)."""

Packet = tuple[bytes, float]
"""The answer, without the id where it is DNS, and the epoch second from which it no longer holds."""


class PacketCache:
    """Answers by question, at most ``most_bytes`` in all; what was put in first goes first.

    ``packets`` is the table itself, for a reader that has no time for a call; it is never replaced by another one.
    """

    def __init__(self, most_bytes: int) -> None:
        self.packets: dict[bytes, Packet] = {}
        self.bytes = 0
        self._most_bytes = most_bytes

    def find(self, question: bytes, now: float) -> bytes | None:
        """The answer that still holds at ``now`` (epoch seconds), or None."""
        packet = self.packets.get(question)
        return packet[0] if packet is not None and now < packet[1] else None

    def keep(self, question: bytes, answer: bytes, until: float) -> None:
        """Keep ``answer`` until the epoch second ``until``, in place of an earlier one."""
        self._forget(question)
        self.packets[question] = (answer, until)
        self.bytes += _ENTRY_BYTES + len(question) + len(answer)
        while self.bytes > self._most_bytes:
            self._forget(next(iter(self.packets)))

    def clear(self) -> None:
        """Forget everything."""
        self.packets.clear()
        self.bytes = 0

    def _forget(self, question: bytes) -> None:
        packet = self.packets.pop(question, None)
        if packet is not None:
            self.bytes -= _ENTRY_BYTES + len(question) + len(packet[0])


class PacketCaches:
    """The packet caches of one resolver, one for each protocol, each of at most ``most_bytes``.

    They are two because a question of the course, its first two bytes cut off, may be another one. A DNS question
    always holds a zero byte and one of the course never does, so none is found in the other's cache.
    """

    def __init__(self, most_bytes: int, clock: IReactorTime) -> None:
        self.dns = PacketCache(most_bytes)
        self.course = PacketCache(most_bytes)
        self._clock = clock
        self._last = 0.0

    def seconds(self) -> float:
        """The epoch second; a clock that was set back clears the caches, whose times would be wrong for that long."""
        now = self._clock.seconds()
        if now < self._last:
            self.clear()
        self._last = now
        return now

    def find(self, datagram: bytes, now: float) -> bytes | None:
        """The whole reply to ``datagram``, if it is known."""
        if b"\0" not in datagram:
            return self.course.find(datagram, now)
        answer = self.dns.find(datagram[2:], now)
        return self.find_folded(datagram, now) if answer is None else datagram[:2] + answer

    def find_folded(self, datagram: bytes, now: float) -> bytes | None:
        """The reply to a DNS question whose name is in mixed case (0x20), in the asker's own case."""
        end = _name_end(datagram)
        answer = self.dns.find(datagram[2:12] + datagram[12:end].lower() + datagram[end:], now)
        if answer is None:
            return None
        return datagram[:2] + answer[:10] + datagram[12:end] + answer[end - 2 :]

    def keep_dns(self, question: bytes, reply: bytes, name: bytes, until: float) -> None:
        """Keep ``reply`` to the DNS message ``question``, which asks for ``name`` (in wire form, its case kept)."""
        end = 12 + len(name)
        answer = reply[2:12] + name.lower() + reply[end:]
        self.dns.keep(question[2:12] + name.lower() + question[end:], answer, until)

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
