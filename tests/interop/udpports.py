"""UDP ports of both kinds on the real reactor, with a protocol behind them that says what it got, and a client."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater

from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.clients.counts import Cell, Counts
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.batch_port import BatchPort

reactor: Any = default_reactor
CELL = Cell("udp", "dns", "NOERROR", "records")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
OPEN = Rules(LOOPBACK)
HEADER = b"\1\0\0\1\0\0\0\0\0\0"
TIMEOUT = 10.0


class Echo(DatagramProtocol):
    """Answers whatever the packet caches do not know with its own bytes; the rules are for who is behind it."""

    noisy = False

    def __init__(self, packets: PacketCaches, rules: Rules = OPEN) -> None:
        self.packets = packets
        self.fast_path: Any = None
        self.admission = Admission(rules)
        self.counts = Counts("main")
        self.came: list[tuple[bytes, Any]] = []
        self.strange: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.strange.append(datagram)
        known = self.packets.find(datagram, reactor.seconds())
        if known is None:
            self.answer(datagram, addr)
        else:
            self.transport.write(known[0], addr)

    def answer(self, datagram: bytes, addr: Any) -> None:
        self.came.append((datagram, addr))
        self.transport.write(b"echo:" + datagram, addr)


class Served:
    """A listening port of one kind and a client socket connected to it."""

    def __init__(self, batch: bool, interface: str, rules: Rules = OPEN) -> None:
        self.packets = PacketCaches(1_000_000, reactor)
        self.protocol = Echo(self.packets, rules)
        if batch:
            self.port: Any = BatchPort(reactor, (interface, 0), self.protocol, self.packets)
            self.port.startListening()
        else:
            self.port = reactor.listenUDP(0, self.protocol, interface)
        host = self.port.getHost()
        self.client = socket.socket(socket.AF_INET6 if ":" in interface else socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect((host.host, host.port))
        self.client.setblocking(False)

    async def receive(self, count: int = 1) -> list[bytes]:
        """The next ``count`` replies, while the reactor runs."""
        until = reactor.seconds() + TIMEOUT
        replies: list[bytes] = []
        while len(replies) < count:
            assert reactor.seconds() < until, f"{len(replies)} replies of {count}"
            try:
                replies.append(self.client.recv(65535))
            except BlockingIOError:
                await deferLater(reactor, 0)
        return replies

    async def close(self) -> None:
        self.client.close()
        await self.port.stopListening()
