"""A UDP port that reads and writes datagrams in batches (:mod:`labnet.net.batch`).

Where :mod:`labnet.net.selftest` speaks against it, Twisted's port serves with the same answers.

Theory
------
Under load the cost of an answer is not its bytes but the steps around them: a wake-up, a system call, a table look-up,
a Python call. This port shares each step among all datagrams that have come by then.

A datagram walks down, and leaves by the first of these that can answer it:

#. *Ready by its bytes.* ``Incoming.receive`` reads up to 128 datagrams by one system call; ``Incoming.keys`` cuts all
   their keys out of one buffer. Each key is looked up in the packet cache, which has the address in memory of the
   reply; one system call sends all replies from where they lie. No object is made for a datagram.
#. *Made of the records*, for a name with one address: the records of a whole batch are looked up together.
#. *Found again*, a datagram at a time: a longer question, one of the other protocol, or one in mixed case.
#. *The fast path* to a parent (:mod:`labnet.resolver.engine.fast_path`): the datagram is passed on, and its reply sent
   later, with the others of a batch of replies (:mod:`labnet.resolver.serve.late_replies`).
#. *The protocol*, which decodes, decides and encodes: it gets what is left as from Twisted's own port.

Invariants:

* A client gets what is ready only if it may have every answer and is within its rate. That is known of a batch before
  anything is looked up (:mod:`labnet.resolver.serve.batch_clients`); datagrams of all others go to the protocol.
* Each datagram is taken from its client's rate once, wherever it is answered.
* Whatever raises costs the datagram, at most its batch; it never closes the port.
* At most four batches are answered in a turn of the reactor, so other sockets are not starved.

A port is *listening* from ``startListening`` to ``stopReading``, *draining* (replies to what was asked still go out)
until ``stopListening``, and then *closed*. While much comes it waits for datagrams itself in place of the reactor
(:mod:`labnet.net.busypoll`), and may give them a moment to gather (:mod:`labnet.net.coalescing`).
"""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IReactor
from labnet.net.batch import overflowed
from labnet.net.busypoll import BusyPoll
from labnet.net.coalescing import Coalescing
from labnet.net.datagrams import never_fragment
from labnet.net.listening import OpenSocket, open_datagrams
from labnet.net.reflectors import ignore_reflectors
from labnet.net.selftest import is_trusted
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.batch_answers import BatchAnswers, BatchProtocol


def is_available(reactor: object) -> bool:
    """Whether this system and ``reactor`` can have a batch port: it has to watch real file descriptors."""
    return isinstance(getattr(reactor, "wrapped", reactor), PosixReactorBase) and is_trusted()


@implementer(IReadDescriptor, IListeningPort)
class BatchPort:
    """Listens on ``address``, an interface and a port, and answers from ``packets``; the rest goes to ``protocol``.

    ``open_socket`` gives the socket: a new one, one that was inherited, or one that workers share. Datagrams may gather
    for ``delay`` seconds (:mod:`labnet.net.coalescing`).
    """

    def __init__(
        self,
        reactor: IReactor,
        address: tuple[str, int],
        protocol: BatchProtocol,
        packets: PacketCaches,
        open_socket: OpenSocket = open_datagrams,
        delay: float = 0.0,
    ) -> None:
        self.socket: socket.socket | None = None
        self.protocol = protocol
        self._reactor = reactor
        self._address = address
        self._packets = packets
        self._coalescing = Coalescing(delay)
        self._open_socket = open_socket
        self._stopped: Deferred[None] | None = None

    def startListening(self) -> None:
        """Open the socket. Raises CannotListenError."""
        try:
            self.socket = sock = self._open_socket(*self._address)
        except OSError as error:
            raise CannotListenError(*self._address, error) from error
        never_fragment(sock)
        ignore_reflectors(sock)
        self.answers = BatchAnswers(sock, self.protocol, self._packets)
        self._drain = self.answers.drain
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
        return 0 if self.socket is None else self.answers.unsent

    def doRead(self) -> None:
        self._busy_poll.woken(*self._drain())

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send ``datagram`` to ``addr``. Raises OSError where the system does not take it."""
        if self.socket is not None and addr is not None:
            host, _, scope = addr[0].partition("%")
            self.socket.sendto(datagram, (host, addr[1], 0, int(scope)) if scope else addr)

    def getHost(self) -> IPv4Address | IPv6Address:
        if self.socket is None:
            raise ValueError("the port is closed")
        host, port = self.socket.getsockname()[:2]
        return (IPv6Address if self.socket.family == socket.AF_INET6 else IPv4Address)("UDP", host, port)

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
