"""The answers to batches of datagrams: what is ready is sent by one system call, the rest is handed on one by one."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from twisted.logger import Logger

from labnet.net.batches.batch import BATCH, NO_KEY, Outgoing
from labnet.net.batches.wildcard_batch import memory_of
from labnet.net.kernel.sockaddr import address_in
from labnet.resolver.clients.admission import Admission, Ticket
from labnet.resolver.clients.counts import READY, Cell, Counts, asked_in
from labnet.resolver.engine.fast_path import FastPath
from labnet.resolver.ready.from_records import Made
from labnet.resolver.ready.packetcache import PacketCache, PacketCaches
from labnet.resolver.serve.batch_clients import BatchClients
from labnet.resolver.serve.late_replies import LateReplies
from labnet.wire.types import Answer

BATCHES: Final = 4
"""System calls to read by, until the reactor's other sockets have their turn: a flood must not starve them."""

BUSY: Final = BATCH // 8
"""After so many datagrams in a batch there are likely more by now, and to look costs less than to be woken for them."""

_MOSTLY: Final = 0.75
_AT_ONCE: Final = 64
"""Batches that are made of the records at once, after one of which so large a part was."""


class BatchProtocol(Protocol):
    """The DatagramProtocol behind a batch port."""

    @property
    def admission(self) -> Admission:
        """Says which clients are answered from what is ready."""

    @property
    def counts(self) -> Counts:
        """Where that is counted."""

    transport: Any

    def makeConnection(self, transport: Any) -> None:
        """The port is open, and sends by ``transport``."""

    def doStop(self) -> None:
        """The port is closed."""

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Answer ``datagram``, if its client may have an answer."""

    def tell_ready(self, datagrams: Iterable[tuple[bytes, tuple[str, int]]]) -> None:
        """Tell whoever watches of ``datagrams``, each with its client, that what is ready has answered."""

    @property
    def fast_path(self) -> FastPath | None:
        """The fast path to the parents, if there is one."""

    def answer(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Answer ``datagram``, that no ready answer is there for; it is counted against its client's rate already."""

    def gave_way(self, datagram: bytes, addr: tuple[str, int], answer: Answer | None) -> None:
        """Say that ``datagram`` gave way to another question, with ``answer`` if there is one."""


class BatchAnswers:
    """Answers what comes by ``sock`` from ``packets``; what they lack goes the fast path, or to ``protocol``."""

    log = Logger()

    def __init__(self, sock: socket.socket, protocol: BatchProtocol, packets: PacketCaches) -> None:
        self.protocol = protocol
        self._sock = sock
        self._packets = packets
        self._in = memory_of(sock)
        self._clients = BatchClients(self._in, protocol)
        self._out_dns = self._in.outgoing(echoed=2)
        self._out = self._in.outgoing(echoed=0)
        self._late = LateReplies(self, self._in.outbox())
        self._owners = _Owners()
        self._at_once = 0

    @property
    def unsent(self) -> int:
        """Replies that the system did not take."""
        return self._out_dns.unsent + self._out.unsent + self._late.outbox.unsent

    def drain(self) -> tuple[int, bool]:
        """Answer what has come, or a part of it; gives how many datagrams that were, and whether there are more."""
        receive = self._in.receive
        total = 0
        for _ in range(BATCHES):
            count = receive()
            try:
                if count:
                    self._answer(count)
            except Exception:
                # As in hand_on: it must not close the port.
                self.log.failure("answering {count} datagrams failed", count=count, event="resolver.failed")
            total += count
            if count < BUSY or self._sock.fileno() < 0:
                return total, False
        return total, True

    def _answer(self, count: int) -> None:
        """Send what is known for the ``count`` datagrams that came, and hand the others on."""
        came = self._packets.seconds()
        limited = self._clients.rate_limited(count, came)
        cache, out = self._way()
        keys: Sequence[bytes] = self._in.keys(count, cache.skipped)
        if count == 1 and not limited and self._answer_first(keys[0], cache, out, came):
            return
        if limited:  # nothing is looked for, or made, for them
            keys = [NO_KEY if slot in limited else key for slot, key in enumerate(keys)]
        found = None if limited else self._made_at_once(keys, cache)
        if found is None:
            ready = [*map(cache.vectors.get, keys)]
            if not limited and self._send_ready(ready, keys, cache, out, came):
                return
            found = self._known(keys, ready, cache)
        if limited or not all(found):
            self._answer_some(found, cache, limited, came)
        else:
            answers, cells = zip(*cast("list[Made]", found), strict=True)
            self._reply(out, answers, cells, None, came)

    def _send_ready(
        self, ready: Sequence[bytes | None], keys: Sequence[bytes], cache: PacketCache, out: Outgoing, came: float
    ) -> bool:
        """Send what is ``ready`` if all is; else nothing, and give False."""
        try:
            vectors = b"".join(cast("Sequence[bytes]", ready))
        except TypeError:  # one of them is None
            if not cache.turns:
                return False
            turned = cache.turned(keys, ready)
            if None in turned:
                return False
            vectors = b"".join(cast("Sequence[bytes]", turned))
        out.reply(vectors, len(ready))
        cells = self._owners.of(vectors, len(ready)) or [cache.packets[key][1] for key in keys]
        self._count(cells, len(ready), None, came)
        return True

    def _known(self, keys: Sequence[bytes], ready: Sequence[bytes | None], cache: PacketCache) -> list[Made | None]:
        """What is known for each of ``keys``, that are ``ready`` in ``cache`` or not."""
        packets = cache.packets
        # Before any is made: that may take the room of these.
        known = [
            None if vector is None else (packets[key][2], packets[key][1])
            for key, vector in zip(keys, ready, strict=True)
        ]
        missing = [key for key, one in zip(keys, known, strict=True) if one is None]
        made = self._packets.make(missing) if cache is self._packets.dns else [None] * len(missing)
        if cache.is_full and len(missing) > _MOSTLY * len(keys) and all(made):
            self._at_once = _AT_ONCE
        others = iter(made)
        return [one or next(others) for one in known]

    def _made_at_once(self, keys: Sequence[bytes], cache: PacketCache) -> list[Made | None] | None:
        """What the records have for all of ``keys``, where lately hardly any was ready; else None."""
        if self._at_once and cache is self._packets.dns:
            self._at_once -= 1
            made = self._packets.make(keys)
            if all(made):
                return made
            self._at_once = 0
        return None

    def _answer_first(self, key: bytes, cache: PacketCache, out: Outgoing, came: float) -> bool:
        """Answer a batch of one, which is what comes when little comes, without a list for each step."""
        packet = cache.packets.get(key)
        if packet is None:
            return False
        vector: Any = packet[0]
        try:
            out.reply_first(vector)
        except TypeError:  # it is None
            out.reply_first(cache.turns[key].next()[0])
        self._count(packet[1], 1, None, came)
        return True

    def _way(self) -> tuple[PacketCache, Outgoing]:
        """Where to look first, and what replies: a batch is mostly of one protocol, that of its first datagram."""
        return (self._packets.dns, self._out_dns) if self._in.is_dns else (self._packets.course, self._out)

    def _answer_some(
        self, found: Sequence[Made | None], cache: PacketCache, limited: Container[int], came: float
    ) -> None:
        """Send what was ``found`` in ``cache``, look again for what was not, and hand the others on."""
        out = self._out_dns if cache is self._packets.dns else self._out
        known = {slot: made for slot, made in enumerate(found) if made is not None and slot not in limited}
        self._reply_to(out, known, came)
        others = {slot: self._in.datagram(slot) for slot in range(len(found)) if slot not in known}
        again = self._packets.find_again
        seen = {slot: again(other, cache, came) for slot, other in others.items() if slot not in limited}
        also_known = {slot: made for slot, made in seen.items() if made is not None}
        self._reply_to(self._out, also_known, came)
        fast_path = self.protocol.fast_path
        events, passed_on = self.protocol.counts.events, 0
        if events.wants:
            fast_path = None  # what is to be told of takes the path on which everything is seen
        for slot, datagram in others.items():
            if slot in also_known:
                continue
            taken = slot not in limited
            if taken and fast_path is not None and self._forward(fast_path, datagram, slot, came):
                passed_on += 1
            else:
                self.hand_on(datagram, self._in.address(slot), taken)
        if passed_on and events.watched:
            events.take(passed_on)  # they are left out
        if fast_path is not None:
            fast_path.send()

    def _forward(self, fast_path: FastPath, datagram: bytes, slot: int, now: float) -> bool:
        """Have ``datagram`` answered on the fast path to a parent; False where it has to go the full path."""
        client = self._clients.client(slot)
        if client is None or not client.gets_ready:
            return False
        ticket = self.protocol.admission.admit(client, now)
        if ticket is None:
            return False
        try:
            taken = fast_path.take(self._late, (self._in.name(slot), ticket, now), datagram, now, client.network)
        except Exception:
            # As in hand_on: it must not close the port.
            self.log.failure("relaying a question failed", event="resolver.failed")
            taken = False
        if taken:
            ticket.port = self
        else:
            ticket.give_back()
        return taken

    def _reply_to(self, out: Outgoing, made: Mapping[int, Made], came: float) -> None:
        """Send each of ``made`` to who sent the datagram in its slot."""
        if made:
            answers, cells = zip(*made.values(), strict=True)
            self._reply(out, answers, cells, list(made), came)

    def _reply(
        self, out: Outgoing, answers: Sequence[bytes], cells: Sequence[Cell], slots: Sequence[int] | None, came: float
    ) -> None:
        """Send ``answers`` to who sent the datagrams in ``slots``, by default the first; count them."""
        out.reply_to(answers, slots)
        self._count(cells, len(answers), slots, came)

    def _count(self, cells: Cell | Sequence[Cell], count: int, slots: Sequence[int] | None, came: float) -> None:
        """Count ``count`` ready answers, in one cell or in one for each."""
        if isinstance(cells, Cell):
            cells.ready += count
        else:
            self._owners.learn(cells[0])
            if cells.count(cells[0]) == count:
                cells[0].ready += count
            else:
                for cell in cells:
                    cell.ready += 1
        counts = self.protocol.counts
        now = self._packets.clock.seconds()
        counts.ready_seconds.observe(max(0.0, now - came), count)
        for index in counts.sample(count):
            slot = index if slots is None else slots[index]
            cell = cells if isinstance(cells, Cell) else cells[index]
            question, ends = self._in.datagram(slot), (self._in.address(slot), self.protocol.transport)
            counts.note(cell, READY, ends, (came, now), asked_in(question), self._packets.peek(question))
        if counts.events.watched:
            self._tell(count, slots)

    def _tell(self, count: int, slots: Sequence[int] | None) -> None:
        """Tell whoever watches of some of ``count`` questions that were answered just now."""
        told = range(self.protocol.counts.events.take(count, ready=True))
        picked = told if slots is None else slots[: len(told)]
        if picked:
            self.protocol.tell_ready([(self._in.datagram(slot), self._in.address(slot)) for slot in picked])

    def now(self) -> float:
        """The epoch second."""
        return self._packets.clock.seconds()

    def fileno(self) -> int:
        """The socket; -1 where it is closed."""
        return self._sock.fileno()

    def hand_on(self, datagram: bytes, address: tuple[str, int], taken: bool) -> None:
        """Have the protocol answer ``datagram``, as Twisted's port does it:
        one datagram that fails must not close the port for all."""
        try:
            if taken:
                self.protocol.answer(datagram, address)
            else:
                self.protocol.datagramReceived(datagram, address)
        except Exception:
            self.log.failure("answering a datagram of {address} failed", address=address, event="resolver.failed")

    def gave_way(self, ticket: Ticket) -> None:
        """The question of ``ticket`` is on the fast path, and gave way to another one of its network."""
        fast_path = self.protocol.fast_path
        left = None if fast_path is None else fast_path.flights.leave(lambda origin: origin[1] is ticket)
        if left is not None:
            (name, _, _), question = left[1:3]
            self.fail(question, address_in(name), None)

    def fail(self, datagram: bytes, address: tuple[str, int], answer: Answer | None) -> None:
        """Have the protocol say that ``datagram`` gave way, with ``answer`` if there is one."""
        try:
            self.protocol.gave_way(datagram, address, answer)
        except Exception:
            # As in hand_on; and it must not fail the question that it makes room for.
            self.log.failure("answering a datagram of {address} failed", address=address, event="resolver.failed")


class _Owners:
    """Knows at a glance whether all answers of a batch are counted in one cell, as they mostly are."""

    def __init__(self) -> None:
        self._cell: Cell | None = None
        self._ids = memoryview(array("Q"))

    def learn(self, cell: Cell) -> None:
        """It may be ``cell``."""
        if cell is not self._cell:
            self._cell = cell
            self._ids = memoryview(array("Q", [id(cell)]) * BATCH)

    def of(self, vectors: bytes, count: int) -> Cell | None:
        """The cell of all ``count`` answers that ``vectors`` point to, if it is the one."""
        return self._cell if memoryview(vectors).cast("Q")[2::3] == self._ids[:count] else None
