"""One suite over real sockets for both UDP ports: the batch port and Twisted's own."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Generator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater

from labnet.resolver import batchport
from labnet.resolver.batchport import BATCH, BATCHES, BatchPort
from labnet.resolver.packetcache import PacketCaches

reactor: Any = default_reactor
HEADER = b"\1\0\0\1\0\0\0\0\0\0"
TIMEOUT = 10.0


class Echo(DatagramProtocol):
    """Answers whatever the packet caches do not know with its own bytes."""

    noisy = False

    def __init__(self, packets: PacketCaches) -> None:
        self.packets = packets
        self.came: list[tuple[bytes, Any]] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.came.append((datagram, addr))
        known = self.packets.find(datagram, reactor.seconds())
        self.transport.write(known or b"echo:" + datagram, addr)


class Fixture:
    """A listening port of one kind and a client socket connected to it."""

    def __init__(self, batch: bool, interface: str) -> None:
        self.packets = PacketCaches(1_000_000, reactor)
        self.protocol = Echo(self.packets)
        if batch:
            self.port: Any = BatchPort(reactor, 0, self.protocol, interface, self.packets)
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


@pytest.fixture(params=["batch 127.0.0.1", "batch ::1", "twisted 127.0.0.1", "twisted ::1"])
def fixture(request: pytest.FixtureRequest) -> Generator[Fixture, None, None]:
    kind, interface = request.param.split()
    made = Fixture(kind == "batch", interface)
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.close()))


@pytest_twisted.ensureDeferred
async def test_what_is_known_is_answered(fixture: Fixture) -> None:
    """A known answer goes out, of both protocols, each to who asked."""
    question = b"\3www\3lab\0\0\1\0\1"
    fixture.packets.keep_dns(b"\0\1" + HEADER + question, b"\0\1" + b"h" * 10 + question, question[:9], 1e12)
    fixture.packets.course.keep(b"www.lab", b"[1]", 1e12)
    for datagram in (b"\7\7" + HEADER + question, b"www.lab", b"\7\x08" + HEADER + question.replace(b"w", b"W")):
        fixture.client.send(datagram)
    assert await fixture.receive(3) == [
        b"\7\7" + b"h" * 10 + question,
        b"[1]",
        b"\7\x08" + b"h" * 10 + question.replace(b"w", b"W"),
    ]


@pytest_twisted.ensureDeferred
async def test_what_is_not_known_goes_to_the_protocol(fixture: Fixture) -> None:
    """An unknown question gets to the protocol with its sender's address, and the protocol's answer back."""
    fixture.client.send(b"unknown")
    assert await fixture.receive() == [b"echo:unknown"]
    (datagram, address) = fixture.protocol.came[0]
    assert datagram == b"unknown"
    assert tuple(address[:2]) == fixture.client.getsockname()[:2]


@pytest_twisted.ensureDeferred
async def test_a_burst_is_answered_whole(fixture: Fixture) -> None:
    """More datagrams than a batch holds, known and unknown mixed, are all answered with the right bytes."""
    count = 2 * BATCH + 17
    for number in range(0, count, 3):
        fixture.packets.course.keep(b"name%d" % number, b"known%d" % number, 1e12)
    for number in range(count):
        fixture.client.send(b"name%d" % number)
    expected = [b"known%d" % n if n % 3 == 0 else b"echo:name%d" % n for n in range(count)]
    assert sorted(await fixture.receive(count)) == sorted(expected)


@pytest_twisted.ensureDeferred
async def test_each_client_gets_its_own_answer(fixture: Fixture) -> None:
    """Answers of one batch go to the clients that asked, also past a question that is not known."""
    host, port = fixture.client.getpeername()[:2]
    fixture.packets.course.keep(b"known", b"yes", 1e12)
    clients = [socket.socket(fixture.client.family, socket.SOCK_DGRAM) for _ in range(9)]
    try:
        for number, client in enumerate(clients):
            client.connect((host, port))
            client.send(b"known" if number % 2 else b"unknown%d" % number)
        for number, client in enumerate(clients):
            fixture.client.close()
            fixture.client = client
            client.setblocking(False)
            assert await fixture.receive() == [b"yes" if number % 2 else b"echo:unknown%d" % number]
    finally:
        for client in clients:
            client.close()


@pytest_twisted.ensureDeferred
async def test_runts_and_empty_datagrams_are_handed_on(fixture: Fixture) -> None:
    """Short datagrams are never reflected as they are: they go to the protocol, which says what becomes of them."""
    for datagram in (b"", b"\0", b"\0" * 11):
        fixture.client.send(datagram)
    assert await fixture.receive(3) == [b"echo:", b"echo:\0", b"echo:" + b"\0" * 11]


@pytest_twisted.ensureDeferred
async def test_what_has_run_out_is_not_answered(fixture: Fixture) -> None:
    """An answer past its time is not given; the protocol is asked."""
    fixture.packets.course.keep(b"old", b"stale", 1.0)
    fixture.client.send(b"old")
    assert await fixture.receive() == [b"echo:old"]


@pytest_twisted.ensureDeferred
async def test_a_datagram_that_fails_closes_nothing(fixture: Fixture) -> None:
    """What raises in the protocol costs that datagram alone: those of the same batch and later ones are answered."""
    received = fixture.protocol.datagramReceived

    def fails_once(datagram: bytes, addr: Any) -> None:
        if datagram == b"bad":
            raise RuntimeError("on purpose")
        received(datagram, addr)

    fixture.protocol.datagramReceived = fails_once  # type: ignore[method-assign]
    for datagram in (b"one", b"bad", b"two"):
        fixture.client.send(datagram)
    assert await fixture.receive(2) == [b"echo:one", b"echo:two"]
    fixture.client.send(b"three")
    assert await fixture.receive() == [b"echo:three"]


def _batch(interface: str = "127.0.0.1") -> Fixture:
    return Fixture(True, interface)


@pytest_twisted.ensureDeferred
async def test_a_taken_port_is_told() -> None:
    """A port that is in use raises what Twisted's own port raises."""
    made = _batch()
    with pytest.raises(CannotListenError):
        BatchPort(reactor, made.port.getHost().port, Echo(made.packets), "127.0.0.1", made.packets).startListening()
    await made.close()


@pytest_twisted.ensureDeferred
async def test_one_wake_up_reads_a_bounded_number() -> None:
    """A flood gets a bounded number of answers before the reactor's other sockets have their turn."""
    made = _batch()
    most = BATCH * BATCHES
    for _ in range(most + 10):
        made.client.send(b"x")
    made.port.doRead()
    assert len(made.protocol.came) == most
    await made.receive(most + 10)
    await made.close()


@pytest_twisted.ensureDeferred
async def test_a_partial_send_is_gone_on_with() -> None:
    """Where the system takes a part of the replies, the rest is sent by another call; what it refuses is counted."""
    made = _batch()
    real = made.port._sendmmsg
    calls: list[int] = []

    def partly(fileno: int, messages: Any, count: int, flags: int) -> int:
        calls.append(count)
        if len(calls) == 2:
            batchport.ctypes.set_errno(errno.EPERM)
            return -1
        if len(calls) == 5:
            batchport.ctypes.set_errno(errno.EAGAIN)
            return -1
        return int(real(fileno, messages, min(count, 2), flags))

    made.port._sendmmsg = partly
    for number in range(8):
        made.packets.course.keep(b"n%d" % number, b"r%d" % number, 1e12)
        made.client.send(b"n%d" % number)
    assert await made.receive(6) == [b"r0", b"r1", b"r3", b"r4", b"r5", b"r6"]
    assert calls == [8, 6, 5, 3, 1]
    assert made.port.unsent == 2
    await made.close()


@pytest_twisted.ensureDeferred
async def test_dropped_datagrams_are_counted() -> None:
    """What came while the system's buffer was full is counted."""
    made = _batch()
    made.port._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(200):
        made.client.send(b"x" * 1000)
    await made.receive(1)
    made.client.send(b"one more")
    while (await made.receive(1))[0] != b"echo:one more":
        pass
    assert made.port.dropped > 0
    await made.close()


@pytest_twisted.ensureDeferred
async def test_the_address_of_a_scoped_sender_keeps_its_scope() -> None:
    """A link-local sender's interface is part of its address."""
    made = _batch("::1")
    packed = struct.pack("!2xH4x16s", 53, socket.inet_pton(socket.AF_INET6, "fe80::1")) + struct.pack("=I", 2)
    made.port._in.names[0:28] = packed
    assert made.port._address(0) == ("fe80::1%2", 53)
    await made.close()
