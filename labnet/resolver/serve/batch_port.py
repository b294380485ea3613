"""A UDP port that reads and writes datagrams in batches (:mod:`labnet.net.batches.batch`).

Where :mod:`labnet.net.batches.selftest` speaks against it, one that takes a datagram at a time serves with the same
answers (:mod:`labnet.net.udp_port`).

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
(:mod:`labnet.net.batches.busypoll`), and may give them a moment to gather (:mod:`labnet.net.batches.coalescing`).
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure

from labnet.interfaces import IReactor
from labnet.net.batches.batch import overflowed
from labnet.net.batches.busypoll import BusyPoll
from labnet.net.batches.coalescing import Coalescing
from labnet.net.batches.selftest import is_trusted
from labnet.net.kernel import packet_info
from labnet.net.opening.listening import OpenSocket, open_datagrams
from labnet.net.udp_port import UDPPort
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.batch_answers import BatchAnswers, BatchProtocol


def is_available(reactor: object) -> bool:
    """Whether this system and ``reactor`` can have a batch port: it has to watch real file descriptors."""
    return isinstance(getattr(reactor, "wrapped", reactor), PosixReactorBase) and is_trusted()


class BatchPort(UDPPort):
    """Listens on ``address``, an interface and a port, and answers from ``packets``; the rest goes to ``protocol``.

    ``open_socket`` gives the socket: a new one, one that was inherited, or one that workers share. Datagrams may gather
    for ``delay`` seconds (:mod:`labnet.net.batches.coalescing`).
    """

    protocol: BatchProtocol
    _is_diverted = False

    def __init__(
        self,
        reactor: IReactor,
        address: tuple[str, int],
        protocol: BatchProtocol,
        packets: PacketCaches,
        open_socket: OpenSocket = open_datagrams,
        delay: float = 0.0,
    ) -> None:
        super().__init__(reactor, address, protocol, open_socket)
        self._packets = packets
        self._coalescing = Coalescing(delay)

    def startListening(self) -> None:
        super().startListening()
        self._busy_poll.enable()

    def _prepare(self, sock: socket.socket) -> None:
        self.answers = BatchAnswers(sock, self.protocol, self._packets)
        self._drain = self.answers.drain
        self._busy_poll = BusyPoll(self._reactor, self, self._drain, self._coalescing)

    def delay(self, seconds: float) -> None:
        """Give datagrams so long to gather from now on."""
        self._coalescing.change(seconds)

    def divert(self, protocol: Any) -> None:
        if self.socket is not None:
            self._busy_poll.disable()
            self._reactor.addReader(self)  # a poll that went on has left the reader out
            packet_info.ask_for_destination(self.socket)
            self._is_diverted = True
        super().divert(protocol)

    def restore(self, protocol: Any) -> None:
        super().restore(protocol)
        self._is_diverted = False
        if self.socket is not None:
            self._busy_poll.enable()

    def stopReading(self) -> None:
        self._busy_poll.disable()
        super().stopReading()

    @property
    def unsent(self) -> int:
        """Replies that the system did not take."""
        return 0 if self.socket is None else self.answers.unsent

    def doRead(self) -> None:
        if self._is_diverted:
            super().doRead()
            return
        self._busy_poll.woken(*self._drain())

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.socket is not None:
            self.protocol.counts.lost["overflow"] += overflowed(self.socket)
            self.protocol.counts.lost["unsent"] += self.unsent
        super().connectionLost(reason)
