"""A UDP port that reads and writes datagrams in batches (:mod:`labnet.net.batch`).

What the packet caches know is answered here; the rest goes to the DatagramProtocol one by one, as Twisted's own port
does it. It is for Linux; elsewhere Twisted's port serves with the same answers.
"""

from __future__ import annotations

import socket
import sys
from array import array
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.net.batch import BATCH, NO_KEY, Incoming, Outgoing, overflowed
from labnet.net.busypoll import BusyPoll
from labnet.net.coalescing import Coalescing
from labnet.net.datagrams import never_fragment
from labnet.net.listening import OpenSocket, open_datagrams
from labnet.resolver.clients.admission import Admission
from labnet.resolver.clients.counts import READY, Cell, Counts, asked_in
from labnet.resolver.ready.from_records import Made
from labnet.resolver.ready.packetcache import PacketCache, PacketCaches
from labnet.resolver.serve.batch_clients import Senders
from labnet.resolver.serve.late_replies import Asker, IRelays, Whence

BATCHES: Final = 4
"""System calls to read by, until the reactor's other sockets have their turn: a flood must not starve them."""

BUSY: Final = BATCH // 8
"""After so many datagrams in a batch there are likely more by now, and to look costs less than to be woken for them."""

_MOSTLY: Final = 0.75
_AT_ONCE: Final = 64
"""Batches that are made of the records at once, after one of which so large a part was."""


class IBatched(Protocol):
    """The DatagramProtocol behind a batch port."""

    @property
    def admission(self) -> Admission:
        """Says who is answered from what is ready."""

    @property
    def counts(self) -> Counts:
        """Where that is counted."""

    def makeConnection(self, transport: Any) -> None:
        """As Twisted calls it."""

    def doStop(self) -> None:
        """As Twisted calls it."""

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Answer ``datagram``, whoever sent it."""

    @property
    def relays(self) -> IRelays | None:
        """The short ways to the parents, if there are any."""

    def answer(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Answer ``datagram``, that no ready answer is there for; it is counted against its client's rate already."""


def is_available(reactor: object) -> bool:
    """Whether this system and ``reactor`` can have a batch port: it has to watch real file descriptors."""
    return sys.platform == "linux" and isinstance(getattr(reactor, "wrapped", reactor), PosixReactorBase)


@implementer(IReadDescriptor, IListeningPort)
class BatchPort:
    """Listens on ``interface`` and ``port`` and answers from ``packets``; what they lack goes to ``protocol``.

    ``open_socket`` gives the socket: a new one, one that was inherited, or one that workers share. Datagrams may gather
    for ``delay`` seconds (:mod:`labnet.net.coalescing`).
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactor,
        port: int,
        protocol: IBatched,
        interface: str,
        packets: PacketCaches,
        open_socket: OpenSocket = open_datagrams,
        delay: float = 0.0,
    ) -> None:
        self.socket: socket.socket | None = None
        self._reactor = reactor
        self._port = port
        self._interface = interface
        self.protocol = protocol
        self._packets = packets
        self._coalescing = Coalescing(delay)
        self._open_socket = open_socket
        self._owners = _Owners()
        self._at_once = 0
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Open the socket. Raises CannotListenError."""
        try:
            self.socket = sock = self._open_socket(self._interface, self._port)
        except OSError as error:
            raise CannotListenError(self._interface, self._port, error) from error
        never_fragment(sock)
        fileno, self._ipv6 = sock.fileno(), sock.family == socket.AF_INET6
        self._in = Incoming(fileno, self._ipv6)
        self._senders = Senders(self._in, self.protocol)
        self._out_dns = Outgoing(self._in, fileno, self._ipv6, echoed=2)
        self._out = Outgoing(self._in, fileno, self._ipv6, echoed=0)
        self._asker = Asker(self, 28 if self._ipv6 else 16)
        self._busy_poll = BusyPoll(self._reactor, self, self._drain, self._coalescing)
        self.protocol.makeConnection(self)
        self._reactor.addReader(self)
        self._busy_poll.enable()

    def delay(self, seconds: float) -> None:
        """Give datagrams so long to gather from now on."""
        self._coalescing.change(seconds)

    def stopReading(self) -> None:
        """Take no further questions; what was asked can still be answered."""
        self._busy_poll.disable()
        self._reactor.removeReader(self)

    @property
    def unsent(self) -> int:
        """Replies that the system did not take."""
        return 0 if self.socket is None else self._out_dns.unsent + self._out.unsent + self._asker.outbox.unsent

    def doRead(self) -> None:
        self._busy_poll.woken(*self._drain())

    def _drain(self) -> tuple[int, bool]:
        """Answer what has come, or a part of it; gives how many datagrams that were, and whether there are more."""
        receive = self._in.receive
        total = 0
        for _ in range(BATCHES):
            count = receive()
            try:
                if count == 1:
                    self._answer_one()
                elif count:
                    self._answer(count)
            except Exception:
                # As in hand_on: it must not close the port.
                self.log.failure("answering {count} datagrams failed", count=count, event="resolver.failed")
            total += count
            if count < BUSY or self.socket is None:
                return total, False
        return total, True

    def _answer(self, count: int) -> None:
        """Send what is known for the ``count`` datagrams that came, and hand the others on."""
        came = self._packets.seconds()
        strangers = self._senders.strangers(count, came)
        cache, out = self._way()
        keys: Sequence[bytes] = self._in.keys(count, cache.skipped)
        if strangers:  # nothing is looked for, or made, for them
            keys = [NO_KEY if slot in strangers else key for slot, key in enumerate(keys)]
        found = None if strangers else self._made_at_once(keys, cache)
        if found is None:
            ready = [*map(cache.vectors.get, keys)]
            if not strangers and self._send_ready(ready, keys, cache, out, came):
                return
            found = self._known(keys, ready, cache)
        if strangers or not all(found):
            self._answer_some(found, cache, strangers, came)
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
            return False
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

    def _answer_one(self) -> None:
        """The same for a batch of one, which is what comes when little comes: without a list for each step."""
        came = self._packets.seconds()
        cache, out = self._way()
        packet = cache.packets.get(self._in.keys(1, cache.skipped)[0])
        counts = self.protocol.counts
        if packet is None or counts.log is not None or not self._senders.first_is_free():
            self._answer(1)
            return
        out.reply_first(packet[0])
        packet[1].ready += 1
        counts.ready_seconds.observe(max(0.0, self._packets.clock.seconds() - came))

    def _way(self) -> tuple[PacketCache, Outgoing]:
        """Where to look first, and what replies: a batch is mostly of one protocol, that of its first datagram."""
        return (self._packets.dns, self._out_dns) if self._in.is_dns else (self._packets.course, self._out)

    def _answer_some(
        self, found: Sequence[Made | None], cache: PacketCache, strangers: Container[int], came: float
    ) -> None:
        """The same, where not everything was found that was looked for in ``cache``."""
        out = self._out_dns if cache is self._packets.dns else self._out
        known = {slot: made for slot, made in enumerate(found) if made is not None and slot not in strangers}
        self._reply_to(out, known, came)
        others = {slot: self._in.datagram(slot) for slot in range(len(found)) if slot not in known}
        again = self._packets.find_again
        seen = {slot: again(other, cache, came) for slot, other in others.items() if slot not in strangers}
        also_known = {slot: made for slot, made in seen.items() if made is not None}
        self._reply_to(self._out, also_known, came)
        relays = self.protocol.relays
        for slot, datagram in others.items():
            if slot in also_known:
                continue
            taken = slot not in strangers
            if not (taken and relays is not None and self._relay(relays, datagram, slot, came)):
                self.hand_on(datagram, self._in.address(slot), taken)
        if relays is not None:
            relays.send()

    def _relay(self, relays: IRelays, datagram: bytes, slot: int, now: float) -> bool:
        """Have ``datagram`` answered on the short way to a parent; False where it has to go the long way."""
        admission = self.protocol.admission
        client = self._senders.client(slot)
        if client is None or not (client.is_whole and admission.begins(client)):
            return False
        try:
            taken = relays.take(self._asker, Whence(self._in.name(slot), client, now), datagram, now)
        except Exception:
            # As in hand_on: it must not close the port.
            self.log.failure("relaying a question failed", event="resolver.failed")
            taken = False
        if not taken:
            admission.ended(client)
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
        if counts.log is not None:
            due = counts.sampled(count)
            for index in range(0, count, max(1, count // due))[:due] if due else ():
                slot = index if slots is None else slots[index]
                asked = asked_in(self._in.datagram(slot))
                cell = cells if isinstance(cells, Cell) else cells[index]
                counts.note(cell, READY, self._in.address(slot), now, now - came, *asked)

    def now(self) -> float:
        """The epoch second."""
        return self._packets.clock.seconds()

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

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send ``datagram`` to ``addr``. Raises OSError where the system does not take it."""
        if self.socket is not None and addr is not None:
            host, _, scope = addr[0].partition("%")
            self.socket.sendto(datagram, (host, addr[1], 0, int(scope)) if scope else addr)

    def getHost(self) -> IPv4Address | IPv6Address:
        if self.socket is None:
            raise ValueError("the port is closed")
        host, port = self.socket.getsockname()[:2]
        return (IPv6Address if self._ipv6 else IPv4Address)("UDP", host, port)

    def stopListening(self) -> Deferred[None]:
        """Close the socket in the reactor's next turn, as Twisted's port does."""
        if self._stopped is None:
            self._stopped = Deferred()
            self.stopReading()
            self._reactor.callLater(0, self.connectionLost)
        return self._stopped

    def connectionLost(self, reason: Failure | None = None) -> None:
        sock = self.socket
        if sock is not None:
            self.protocol.counts.lost["overflow"] += overflowed(sock)
            self.protocol.counts.lost["unsent"] += self.unsent
            self.stopReading()
            self.socket = None
            sock.close()
            self.protocol.doStop()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def fileno(self) -> int:
        return -1 if self.socket is None else self.socket.fileno()

    def logPrefix(self) -> str:
        return "resolver"


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
