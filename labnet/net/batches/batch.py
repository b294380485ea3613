"""Batches of datagrams that are received and replied to in place (recvmmsg(2), sendmmsg(2)).

The lengths and senders of a whole batch are read by one copy, and a reply is sent from where its bytes lie already.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from array import array
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, chain
from struct import Struct
from typing import Any, Final

from labnet.net.batches.mmsg import MESSAGE, NAME, Outbox, lengths_of, messages_over, send_from
from labnet.net.kernel.libc import IOVec
from labnet.net.kernel.sockaddr import IPV4_BYTES, IPV6_BYTES, address_in
from labnet.net.kernel.untouched import untouched

BATCH: Final = 128
"""Datagrams read by one system call."""

MOST: Final = 4096
"""Bytes of a datagram that are received at most; no question of either protocol is as long."""

HEAD: Final = 76
"""Bytes of a datagram that stand beside those of the others of its batch; most questions are no longer."""

_VECTOR: Final = Struct("=QQQ")
_MARK: Final = Struct("=I")
_SLOT: Final = HEAD + _MARK.size
_REST: Final = MOST - HEAD
_QDCOUNT: Final = 4  # where the count of questions begins in a DNS message; no name of the course has a zero
_SO_MEMINFO: Final = 55
_DROPS: Final = Struct("=32xI")

_BEFORE: Final = bytes.__basicsize__ - 1
"""Bytes of a bytes object of CPython before those that it holds: with them the address is an addition, not a call."""


def vector_of(data: bytes, owner: object) -> bytes:
    """The struct iovec that points to ``data``, and the id of ``owner`` behind it.

    It may be used as long as ``data`` exists.
    """
    return _VECTOR.pack(id(data) + _BEFORE, len(data), id(owner))


def key_of(datagram: bytes, skipped: int) -> bytes:
    """The key that :meth:`Incoming.keys` has for ``datagram``, of which the first ``skipped`` bytes do not count.

    It is as long for all up to :data:`HEAD` bytes, so that one call cuts the keys of a batch out of its memory; the
    length is in it, so what is filled up is not taken for another one. For a longer datagram it is a longer key.
    """
    return datagram[skipped:].ljust(HEAD - skipped, b"\0") + _MARK.pack(len(datagram))


def keys_of(datagrams: Sequence[bytes], skipped: int) -> list[bytes]:
    """The :func:`key_of` of each of ``datagrams``."""
    length, mark = HEAD - skipped, _MARK.pack
    return [datagram[skipped:].ljust(length, b"\0") + mark(len(datagram)) for datagram in datagrams]


NO_KEY: Final = key_of(b"", 0)
"""In the place of a key for which nothing is to be found."""


def question_of(key: bytes, skipped: int) -> bytes | None:
    """The datagram of a ``key``, without what was skipped; None where it is longer than what the key has of it."""
    end = len(key) - _MARK.size
    length: int = max(0, _MARK.unpack_from(key, end)[0] - skipped)
    return None if length > end else key[:length]


@cache
def _cutter(count: int, skipped: int) -> Any:
    return Struct(f"{skipped}x{_SLOT - skipped}s" * count).unpack_from


def overflowed(sock: socket.socket) -> int:
    """How many datagrams were lost because the receive buffer of ``sock`` was full; 0 where the system has no count.

    SO_MEMINFO is read once in place of SO_RXQ_OVFL with each datagram, so a datagram costs nothing.
    """
    try:
        drops: int = _DROPS.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _DROPS.size))[0]
    except (OSError, struct.error):
        return 0
    return drops


class Incoming:
    """The memory of a batch that is received on the socket ``fileno``: for each slot a buffer and an address.

    The buffer is in two parts. The heads of all slots stand one behind the other, each with its datagram's length after
    it, and zero where a datagram is shorter; what is longer goes on in the other part.
    """

    def __init__(self, fileno: int, ipv6: bool) -> None:
        self.fileno = fileno
        self.name_bytes = IPV6_BYTES if ipv6 else IPV4_BYTES
        self._head_bytes, self._rest_bytes = (untouched(BATCH * size) for size in (_SLOT, _REST))
        self._heads, self._rests = memoryview(self._head_bytes).cast("B"), memoryview(self._rest_bytes).cast("B")
        self._marks = self._heads.cast("I")[HEAD // _MARK.size :: _SLOT // _MARK.size]
        self._zeros = memoryview(bytes(BATCH * _SLOT))
        self._used = 0
        self.names = ctypes.create_string_buffer(BATCH * NAME)
        self._ipv6 = ipv6
        rests = ctypes.addressof(self._rest_bytes)
        parts = ((IOVec(self.head_at(slot), HEAD), IOVec(rests + slot * _REST, _REST)) for slot in range(BATCH))
        self._vectors = (IOVec * (2 * BATCH))(*chain.from_iterable(parts))
        self._messages = messages_over(self._vectors, 2, self.name_at(0), IPV6_BYTES)
        self._lengths = lengths_of(self._messages)
        self._names = names = memoryview(self.names).cast("B")
        self._hosts = names.cast("I")[1 :: NAME // 4]
        self._upper, self._lower = (names.cast("Q")[word :: NAME // 8] for word in (1, 2))
        self.set_most_recent(None)
        self._receive = ctypes.CDLL(None).recvmmsg

    def receive(self) -> int:
        """Read a batch and return its count; 0 where nothing has come, or where the call reports an error.

        Such an error belongs to an earlier reply (ICMP) and is of no use here.
        """
        used = self._used * _SLOT
        self._heads[:used] = self._zeros[:used]
        count: int = self._receive(self.fileno, self._messages, BATCH, socket.MSG_DONTWAIT, None)
        self._used = count = max(0, count)
        self._marks[:count] = self._lengths[:count]
        return count

    def keys(self, count: int, skipped: int) -> tuple[bytes, ...]:
        """The :func:`key_of` each of the first ``count`` datagrams; of a longer one, a key that nothing has."""
        keys: tuple[bytes, ...] = _cutter(count, skipped)(self._heads)
        return keys

    @property
    def is_dns(self) -> bool:
        """Whether the first datagram is no question of the course: there is a zero in it where DNS has one."""
        return not self._heads[_QDCOUNT]

    def datagram(self, slot: int) -> bytes:
        """The datagram in ``slot``."""
        length, at = self._lengths[slot], slot * _SLOT
        if length <= HEAD:
            return self._heads[at : at + length].tobytes()
        rest = slot * _REST
        return self._heads[at : at + HEAD].tobytes() + self._rests[rest : rest + length - HEAD].tobytes()

    def is_from_most_recent(self, count: int) -> bool:
        """Whether all of the first ``count`` datagrams are from the sender that :meth:`set_most_recent` was given."""
        hosts, upper, lower = self._most_recent
        if self._ipv6:
            return self._upper[:count] == upper[:count] and self._lower[:count] == lower[:count]
        return self._hosts[:count] == hosts[:count]

    def set_most_recent(self, source: Any) -> None:
        """Have :meth:`is_from_most_recent` compare with ``source``; None is nobody."""
        words = (0, *source) if isinstance(source, tuple) else (source or 0, 0, 0)
        count = 0 if source is None else BATCH
        self._most_recent = [memoryview(array(kind, [word]) * count) for kind, word in zip("IQQ", words, strict=True)]

    def sources(self, count: int) -> list[Any]:
        """The :data:`Source` of each of the first ``count`` datagrams."""
        if self._ipv6:
            return list(zip(self._upper[:count].tolist(), self._lower[:count].tolist(), strict=True))
        return self._hosts[:count].tolist()

    def address(self, slot: int) -> tuple[str, int]:
        """Host and port of the sender of the datagram in ``slot``, as Twisted writes them."""
        return address_in(self.name(slot))

    def source(self, slot: int) -> Any:
        """The :data:`Source` of the datagram in ``slot``."""
        return (self._upper[slot], self._lower[slot]) if self._ipv6 else self._hosts[slot]

    def name(self, slot: int) -> bytes:
        """The address of the sender of the datagram in ``slot`` as a struct sockaddr."""
        return self._names[slot * NAME : slot * NAME + self.name_bytes].tobytes()

    def outgoing(self, echoed: int) -> Outgoing:
        """Replies to these datagrams, each behind ``echoed`` bytes of its own."""
        return Outgoing(self, echoed)

    def outbox(self) -> Outbox:
        """Sends to what :meth:`name` gives."""
        return Outbox(self.name_bytes)

    def head_at(self, slot: int) -> int:
        """Where the datagram of ``slot`` begins in memory."""
        return ctypes.addressof(self._head_bytes) + slot * _SLOT

    def name_at(self, slot: int) -> int:
        """Where the address of ``slot`` lies in memory."""
        return ctypes.addressof(self.names) + slot * NAME


class Outgoing:
    """Replies to the datagrams of ``incoming``, each from where its bytes lie.

    ``echoed`` bytes of the datagram that is replied to, from its start, go before the reply: the id of a DNS message.
    """

    def __init__(self, incoming: Incoming, echoed: int) -> None:
        self.unsent = 0
        parts = ((IOVec(incoming.head_at(slot), echoed), IOVec()) for slot in range(BATCH))
        self._vectors = vectors = (IOVec * (2 * BATCH))(*chain.from_iterable(parts))
        skipped = 0 if echoed else 1
        self._messages = messages_over(vectors, 2, incoming.name_at(0), incoming.name_bytes, skipped=skipped)
        self._first = memoryview(vectors).cast("B")[16:32]
        words = memoryview(vectors).cast("B").cast("Q")
        self._starts, self._bases, self._sizes = words[0::4], words[2::4], words[3::4]
        self._names = memoryview(self._messages).cast("B").cast("Q")[0 :: MESSAGE // 8]
        self._own_names, self._own_starts = array("Q", self._names), array("Q", self._starts)
        self._is_mapped = False
        self._fileno = incoming.fileno
        self._send = ctypes.CDLL(None).sendmmsg

    def reply_first(self, vector: bytes) -> None:
        """Send the reply that ``vector`` (:func:`vector_of`) points to, to the first datagram."""
        if self._is_mapped:
            self.reply(vector, 1)
            return
        self._first[:] = vector[:16]
        if self._send(self._fileno, self._messages, 1, 0) < 1:
            self._send_rest(0, 1)

    def reply(self, vectors: bytes, count: int) -> None:
        """Send the ``count`` replies that ``vectors`` point to, to the first datagrams."""
        words = memoryview(vectors).cast("Q")
        self._bases[:count] = words[0::3]
        self._sizes[:count] = words[1::3]
        self._send_to(count, None)

    def reply_to(self, replies: Sequence[bytes], slots: Sequence[int] | None) -> None:
        """Send ``replies`` to the datagrams in ``slots``, by default the first."""
        together, sizes = b"".join(replies), array("Q", map(len, replies))
        self._sizes[: len(sizes)] = memoryview(sizes)
        self._bases[: len(sizes)] = memoryview(array("Q", accumulate(sizes[:-1], initial=id(together) + _BEFORE)))
        self._send_to(len(sizes), slots)

    def _send_to(self, count: int, slots: Sequence[int] | None) -> None:
        if slots is not None or self._is_mapped:
            self._map(slots, count)
        done = self._send(self._fileno, self._messages, count, 0)
        if done < count:
            self._send_rest(max(0, done), count)

    def _map(self, slots: Sequence[int] | None, count: int) -> None:
        """Have the first ``count`` messages go to the senders of the datagrams in ``slots``; None: each to its own."""
        self._is_mapped = slots is not None
        if slots is None:
            self._names[:] = memoryview(self._own_names)
            self._starts[:] = memoryview(self._own_starts)
        else:
            self._names[:count] = memoryview(array("Q", [self._own_names[slot] for slot in slots]))
            self._starts[:count] = memoryview(array("Q", [self._own_starts[slot] for slot in slots]))

    def _send_rest(self, done: int, count: int) -> None:
        """Go on after a part was sent."""
        self.unsent += send_from(self._fileno, self._messages, done, count)[0]
