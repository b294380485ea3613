"""A UDP port that reads and writes datagrams in batches (:mod:`labnet.resolver.batches`).

What the packet caches know is answered here; the rest goes to the DatagramProtocol one by one, as Twisted's own port
does it. It is for Linux; elsewhere Twisted's port serves with the same answers.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
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
from labnet.resolver.admission import Admission, Client
from labnet.resolver.batches import BATCH, SLOT, Incoming, Outgoing, Source, host_of, overflowed, vector_of
from labnet.resolver.counts import READY, Counts, asked_in
from labnet.resolver.later import Asker, IRelays, Whence
from labnet.resolver.packetcache import Packet, PacketCaches
from labnet.starting.listening import OpenSocket, open_datagrams

BATCHES: Final = 4
"""System calls to read by, until the reactor's other sockets have their turn: a flood must not starve them."""

BUSY: Final = BATCH // 8
"""After so many datagrams in a batch there are likely more by now, and to look costs less than to be woken for them."""

RECEIVE_BUFFER: Final = 4 << 20
"""Bytes that the system is asked to hold for the port: the usual 208 KiB hold 256 small questions of a burst."""

_REMEMBERED: Final = 10_000
_OFFSETS: Final = tuple(range(0, BATCH * SLOT, SLOT))
_DNS_SIGN: Final = 4
"""The byte of a DNS message that is zero (QDCOUNT's first); no name of the course has one."""

Readers = dict[int, Callable[[Any, int], tuple[Any, ...]]]
"""By the length of a datagram, what reads it out of a buffer at an offset."""


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

    ``open_socket`` gives the socket: a new one, one that was inherited, or one that workers share.
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
    ) -> None:
        self.socket: socket.socket | None = None
        self._reactor = reactor
        self._port = port
        self._interface = interface
        self.protocol = protocol
        self._packets = packets
        self._open_socket = open_socket
        self._after_id: Readers = {}
        self._whole: Readers = {}
        self._clients: dict[Source, Client] = {}
        self._free: set[Source] = set()
        self._generation = 0
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Open the socket. Raises CannotListenError."""
        try:
            self.socket = sock = self._open_socket(self._interface, self._port)
        except OSError as error:
            raise CannotListenError(self._interface, self._port, error) from error
        _enlarge(sock)
        fileno, self._ipv6 = sock.fileno(), sock.family == socket.AF_INET6
        self._in = Incoming(fileno, self._ipv6)
        self._out_dns = Outgoing(self._in, fileno, self._ipv6, echoed=2)
        self._out = Outgoing(self._in, fileno, self._ipv6, echoed=0)
        self._asker = Asker(self, 28 if self._ipv6 else 16)
        self.protocol.makeConnection(self)
        self._reactor.addReader(self)

    def stopReading(self) -> None:
        """Take no further questions; what was asked can still be answered."""
        self._reactor.removeReader(self)

    @property
    def unsent(self) -> int:
        """Replies that the system did not take."""
        return 0 if self.socket is None else self._out_dns.unsent + self._out.unsent + self._asker.outbox.unsent

    def doRead(self) -> None:
        receive = self._in.receive
        for _ in range(BATCHES):
            count = receive()
            if count == 1:
                self._answer_one()
            elif count > 1:
                self._answer(count)
            if count < BUSY or self.socket is None:
                return

    def _answer(self, count: int) -> None:
        """Send what is known for the ``count`` datagrams that came, and hand the others on."""
        came = self._packets.seconds()
        strangers = self._strangers(count, came)
        find, readers, out = self._way()
        lengths, buffer = self._in.lengths(count), self._in.buffer
        try:
            found = [find(readers[length](buffer, at)[0]) for length, at in zip(lengths, _OFFSETS)]  # noqa: B905
        except KeyError:
            self._prepare(lengths)
            found = [find(readers[length](buffer, at)[0]) for length, at in zip(lengths, _OFFSETS)]  # noqa: B905
        if strangers:
            self._answer_some(found, lengths, out, strangers, came)
            return
        try:
            packets: Iterable[tuple[Any, ...]] | None = zip(*cast("list[Packet]", found), strict=True)
        except TypeError:  # one of them is None
            packets = self._complete(found, lengths, out)
        if packets is None:
            self._answer_some(found, lengths, out, strangers, came)
        else:
            self._reply(out, packets, count, None, came)

    def _complete(
        self, found: list[Packet | None], lengths: Sequence[int], out: Outgoing
    ) -> Iterable[tuple[Any, ...]] | None:
        """Make of the records what is not ``found``; None where that does not answer all."""
        if out is not self._out_dns:
            return None
        make, readers, buffer = self._packets.make, self._after_id, self._in.buffer
        is_whole = True
        for slot, packet in enumerate(found):
            if packet is None:
                found[slot] = packet = make(readers[lengths[slot]](buffer, _OFFSETS[slot])[0])
                is_whole = is_whole and packet is not None
        return zip(*cast("list[Packet]", found), strict=True) if is_whole else None

    def _answer_one(self) -> None:
        """The same for a batch of one, which is what comes when little comes: without a list for each step."""
        came = self._packets.seconds()
        length, source = self._in.first()
        find, readers, out = self._way()
        reader = readers.get(length)
        packet = None if reader is None else find(reader(self._in.buffer, 0)[0])
        counts = self.protocol.counts
        is_free = self._generation == self.protocol.admission.generation and source in self._free
        if packet is None or not is_free or counts.log is not None:
            self._answer(1)
            return
        out.reply_first(packet[0])
        packet[1].ready += 1
        counts.ready_seconds.observe(max(0.0, self._packets.clock.seconds() - came))

    def _way(self) -> tuple[Callable[[bytes], Packet | None], Readers, Outgoing]:
        """Where to look first, what for, and what replies: a batch is mostly of one protocol, that of its first."""
        if self._in.buffer[_DNS_SIGN]:
            return self._packets.course.packets.get, self._whole, self._out
        return self._packets.dns.packets.get, self._after_id, self._out_dns

    def _prepare(self, lengths: Iterable[int]) -> None:
        """Have readers for all of ``lengths``."""
        for length in set(lengths):
            self._whole[length] = struct.Struct(f"{length}s").unpack_from
            self._after_id[length] = struct.Struct(f"2x{max(0, length - 2)}s").unpack_from

    def _answer_some(
        self,
        found: Sequence[Packet | None],
        lengths: Sequence[int],
        out: Outgoing,
        strangers: Container[int],
        came: float,
    ) -> None:
        """The same, where not everything is answered by ``out``."""
        known = {slot: packet for slot, packet in enumerate(found) if packet is not None and slot not in strangers}
        self._reply_to(out, known, came)
        others = {slot: self._datagram(slot, lengths[slot]) for slot in range(len(found)) if slot not in known}
        seen = {slot: self._look_again(other, came) for slot, other in others.items() if slot not in strangers}
        also_known = {slot: packet for slot, packet in seen.items() if packet is not None}
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
        client = self._clients.get(self._in.source(slot))
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

    def _reply_to(self, out: Outgoing, packets: Mapping[int, Packet], came: float) -> None:
        """Send each of ``packets`` to who sent the datagram in its slot."""
        if packets:
            self._reply(out, zip(*packets.values(), strict=True), len(packets), list(packets), came)

    def _look_again(self, datagram: bytes, now: float) -> Packet | None:
        """The whole reply to ``datagram``, whichever protocol it is of."""
        known = self._packets.find(datagram, now)
        return None if known is None else (vector_of(known[0]), known[1], known[0], 0.0)

    def _reply(
        self, out: Outgoing, packets: Iterable[tuple[Any, ...]], count: int, slots: Sequence[int] | None, came: float
    ) -> None:
        """Send ``packets`` to who sent the datagrams in ``slots``, by default the first; count them."""
        vectors, cells, *_ = packets
        out.reply(b"".join(vectors), count, slots)
        counts = self.protocol.counts
        if cells.count(cells[0]) == count:
            cells[0].ready += count
        else:
            for cell in cells:
                cell.ready += 1
        now = self._packets.clock.seconds()
        counts.ready_seconds.observe(max(0.0, now - came), count)
        if counts.log is not None:
            due = counts.sampled(count)
            for index in range(0, count, max(1, count // due))[:due] if due else ():
                slot = index if slots is None else slots[index]
                asked = asked_in(self._datagram(slot, self._in.lengths(slot + 1)[slot]))
                counts.note(cells[index], READY, self._in.address(slot), now, now - came, *asked)

    def _strangers(self, count: int, now: float) -> Container[int]:
        """The slots of those who may not simply be given what is ready; the rate of the others is taken from."""
        admission = self.protocol.admission
        if self._generation == admission.generation:
            if self._in.is_usual(count):
                return ()
            sources = self._in.sources(count)
            if self._free.issuperset(sources):
                self._in.usual(sources[0])
                return ()
        else:
            self._forget_clients()
            sources = self._in.sources(count)
        if len(self._clients) > _REMEMBERED:
            self._forget_clients()
        strange = []
        for source, questions in Counter(sources).items():
            client = self._clients.get(source)
            if client is None:
                client = self._clients[source] = admission.client(host_of(source))
                if client.is_free:
                    self._free.add(source)
            if not (client.is_whole and admission.takes(client, now, questions)):
                strange.append(source)
        return {slot for slot, source in enumerate(sources) if source in strange} if strange else ()

    def _forget_clients(self) -> None:
        """The rules have changed, or the clients are too many."""
        self._generation = self.protocol.admission.generation
        self._clients.clear()
        self._free.clear()
        self._in.usual(None)

    def _datagram(self, slot: int, length: int) -> bytes:
        return self._in.buffer[slot * SLOT : slot * SLOT + length].tobytes()

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
            self._reactor.removeReader(self)
            self._reactor.callLater(0, self.connectionLost)
        return self._stopped

    def connectionLost(self, reason: Failure | None = None) -> None:
        sock = self.socket
        if sock is not None:
            self.protocol.counts.lost["overflow"] += overflowed(sock)
            self.protocol.counts.lost["unsent"] += self.unsent
            self.socket = None
            self._reactor.removeReader(self)
            sock.close()
            self.protocol.doStop()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def fileno(self) -> int:
        return -1 if self.socket is None else self.socket.fileno()

    def logPrefix(self) -> str:
        return "resolver"


def _enlarge(sock: socket.socket) -> None:
    """Ask for :data:`RECEIVE_BUFFER`; past the system's limit (net.core.rmem_max) only an administrator gets it."""
    for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
        except OSError:
            continue
        return
