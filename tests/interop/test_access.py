"""Who is served how much, over real sockets: one suite for the batch port and Twisted's own.

All of 127.0.0.0/8 is this machine, so each client has an address, and a network, of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
import pytest_twisted
from twisted.internet import reactor as default_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater

from labnet.config.resolver import ResolverConfig
from labnet.resolver.clients import admission
from labnet.resolver.loading.files import load_files
from labnet.resolver.serve.batch_port import BatchPort
from labnet.resolver.service import ResolverService
from tests.resolver.dnsfakes import reply_to

reactor: Any = default_reactor
TIMEOUT = 10.0

HOME, AWAY, THERE = "127.0.1.1", "127.0.2.1", "127.0.3.1"
"""Clients of three networks."""


class Parent(DatagramProtocol):
    """Answers every question but those for ``silent.test`` by 192.0.2.1."""

    noisy = False

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        (question,) = dns.message.from_wire(datagram).question
        if b"silent" not in question.name.to_wire().lower():
            self.transport.write(reply_to(datagram, f"{question.name} 60 A 192.0.2.1"), addr)


class Resolver:
    """A running resolver with ``www.lab.test``, a parent, and clients at any address."""

    def __init__(self, folder: Path, batch: bool, **config: Any) -> None:
        records = folder / "lab.test"
        records.write_text(
            "$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 10.0.0.2\nwww A 10.0.0.1\nout CNAME a.test.\n"
        )
        records.write_text("$ORIGIN lab.test.\n" + records.read_text())
        self.parent = reactor.listenUDP(0, Parent(), "127.0.0.1")
        given = {
            "listen": "udp:0:interface=0.0.0.0",
            "records": f"zone:{records}",
            "zones": "lab.test",
            "parents": f"dns:127.0.0.1:{self.parent.getHost().port}",
            "batch": batch,
            "allow": "127.0.0.0/8",
        }
        self.settings = settings = ResolverConfig.model_validate(given | config)
        self.service = ResolverService("main", settings, load_files(settings, reactor.seconds()), reactor)
        self.service.privilegedStartService()
        self.service.startService()
        (port,) = self.service.ports
        assert isinstance(port, BatchPort) == batch
        self.number = port.getHost().port
        self._sockets: list[socket.socket] = []

    def connect(self, host: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket of the client at ``host``."""
        sock = socket.socket(socket.AF_INET, kind)
        self._sockets.append(sock)
        sock.bind((host, 0))
        sock.connect(("127.0.0.1", self.number))
        sock.setblocking(False)
        return sock

    async def replies(self, host: str, *datagrams: bytes) -> list[bytes]:
        """What comes back for ``datagrams`` until an answer to a last question proves that no more will."""
        sock, prober = self.connect(host), self.connect("127.0.0.1")
        for datagram in datagrams:
            sock.send(datagram)
        prober.send(b"www.lab.test")
        await self._received(prober)
        found: list[bytes] = []
        while True:
            try:
                found.append(sock.recv(65535))
            except BlockingIOError:
                return found

    async def ask(self, host: str, name: str, **options: Any) -> dns.message.Message:
        """The reply to one question by DNS."""
        sock = self.connect(host)
        sock.send(dns.message.make_query(name, "A", use_edns=0, **options).to_wire())
        return dns.message.from_wire(await self._received(sock))

    async def ask_course(self, host: str, name: str) -> bytes:
        """The reply to one question by the course protocol."""
        sock = self.connect(host)
        sock.send(name.encode())
        return await self._received(sock)

    async def wait(self, there: Callable[[], Any]) -> Any:
        """What ``there`` gives as soon as it is something, while the reactor runs."""
        until = reactor.seconds() + TIMEOUT
        while not (found := there()):
            assert reactor.seconds() < until
            await deferLater(reactor, 0)
        return found

    async def _received(self, sock: socket.socket) -> bytes:
        def receive() -> list[bytes]:
            try:
                return [sock.recv(65535)]
            except BlockingIOError:
                return []

        (reply,) = await self.wait(receive)
        assert isinstance(reply, bytes)
        return reply

    def lost(self, reason: str) -> int:
        """How many questions had no answer of their own for ``reason``."""
        wanted = ("labnet_queries_dropped_total", ("main", reason))
        return sum(value for name, labels, value in self.service.samples() if (name, labels) == wanted)

    async def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        await self.service.stopService()
        await self.parent.stopListening()


Start = Callable[..., Resolver]


@pytest.fixture(params=["batch", "twisted"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Start, None, None]:
    """Starts resolvers; they are stopped behind the test."""
    made: list[Resolver] = []

    def starting(**config: Any) -> Resolver:
        made.append(Resolver(tmp_path, request.param == "batch", **config))
        return made[-1]

    yield starting
    for resolver in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(resolver.close()))


def codes(reply: dns.message.Message) -> list[int]:
    """The codes of the extended errors in a reply."""
    return [int(error.code) for error in reply.extended_errors()]


@pytest_twisted.ensureDeferred
async def test_who_is_outside_is_refused(start: Start) -> None:
    """Who is not in ``allow`` is REFUSED and told why, or told the course's unknown, also where an answer is ready."""
    resolver = start(allow=["127.0.0.1", "127.0.1.0/24"])
    for _ in range(3):
        assert (await resolver.ask(HOME, "www.lab.test")).rcode() == dns.rcode.NOERROR
        assert b"10.0.0.1" in await resolver.ask_course(HOME, "www.lab.test")
        reply = await resolver.ask(AWAY, "www.lab.test")
        assert (reply.rcode(), codes(reply), reply.answer) == (dns.rcode.REFUSED, [dns.edns.EDECode.PROHIBITED], [])
        assert not reply.flags & dns.flags.RA
        assert await resolver.ask_course(AWAY, "www.lab.test") == b"[]"
    assert resolver.lost("refused") == 6


@pytest_twisted.ensureDeferred
async def test_who_is_denied_hears_nothing(start: Start) -> None:
    """Who is in ``deny`` gets no answer of any kind, inside ``allow`` or not."""
    resolver = start(deny="127.0.2.0/24")
    assert (await resolver.ask(HOME, "www.lab.test")).answer
    query = dns.message.make_query("www.lab.test", "A").to_wire()
    assert await resolver.replies(AWAY, query, b"www.lab.test", b"\xff", query[:12]) == []
    assert resolver.lost("denied") == 4


@pytest_twisted.ensureDeferred
async def test_who_may_not_recurse_gets_the_records(start: Start) -> None:
    """Cache and parents are not for who is not in ``recursion``: the records are, and what leads out of them ends."""
    resolver = start(recursion="127.0.1.0/24")
    for _ in range(3):  # the first asks the parent, the others find a ready answer
        reply = await resolver.ask(HOME, "a.test")
        assert (len(reply.answer), reply.flags & dns.flags.RA) == (1, dns.flags.RA)
        assert b"192.0.2.1" in await resolver.ask_course(HOME, "a.test")
        reply = await resolver.ask(AWAY, "a.test")
        assert (reply.rcode(), codes(reply), reply.answer) == (dns.rcode.REFUSED, [dns.edns.EDECode.PROHIBITED], [])
        assert await resolver.ask_course(AWAY, "a.test") == b"[]"
        reply = await resolver.ask(AWAY, "www.lab.test")
        assert (len(reply.answer), reply.flags & (dns.flags.RA | dns.flags.AA)) == (1, dns.flags.AA)
        assert b"10.0.0.1" in await resolver.ask_course(AWAY, "www.lab.test")
        assert len((await resolver.ask(AWAY, "out.lab.test")).answer) == 1
        assert (await resolver.ask(AWAY, "no.lab.test")).rcode() == dns.rcode.NXDOMAIN
        assert [len(rrset) for rrset in (await resolver.ask(HOME, "out.lab.test")).answer] == [1, 1]


@pytest_twisted.ensureDeferred
async def test_answers_past_the_rate_are_dropped_or_truncated(start: Start) -> None:
    """A client network has its burst; each ``rate_slip``-th DNS answer past it is truncated, the others do not come."""
    resolver = start(rate_limit=1, rate_burst=10, rate_slip=2, rate_exempt="127.0.0.1")
    query = dns.message.make_query("www.lab.test", "A").to_wire()
    replies = [dns.message.from_wire(reply) for reply in await resolver.replies(HOME, *[query] * 30)]
    truncated = [reply for reply in replies if reply.flags & dns.flags.TC]
    assert len(truncated) == pytest.approx(10, abs=2)
    assert len(replies) - len(truncated) == pytest.approx(10, abs=2)
    assert not any(reply.answer or reply.rcode() for reply in truncated)
    assert (resolver.lost("slipped"), resolver.lost("rate")) == (len(truncated), 30 - len(replies))
    assert len(await resolver.replies("127.0.1.200", *[b"www.lab.test"] * 9)) < 5  # the same network
    assert len(await resolver.replies(AWAY, query)) == 1
    assert len(await resolver.replies("127.0.0.1", *[query] * 30)) == 30


@pytest_twisted.ensureDeferred
async def test_who_proves_his_address_is_not_limited(start: Start) -> None:
    """A valid server cookie is answered past the rate; a made up one is not; TCP is not limited at all."""
    resolver = start(rate_limit=1, rate_burst=2, rate_slip=0, rate_exempt="127.0.0.1")
    asking = dns.edns.GenericOption(10, b"8 bytes.")
    reply = await resolver.ask(HOME, "www.lab.test", options=[asking])
    (cookie,) = [option for option in reply.options if option.otype == 10]
    query = dns.message.make_query("www.lab.test", "A", use_edns=0, options=[cookie]).to_wire()
    assert len(await resolver.replies(HOME, *[query] * 20)) == 20
    forged = dns.edns.GenericOption(10, cookie.to_wire()[:-1] + b"\0")
    query = dns.message.make_query("www.lab.test", "A", use_edns=0, options=[forged]).to_wire()
    assert len(await resolver.replies(HOME, *[query] * 20)) < 10
    stream = resolver.connect(HOME, socket.SOCK_STREAM)
    stream.sendall((len(query).to_bytes(2, "big") + query) * 20)
    told = bytearray()

    def received() -> bool:
        try:
            told.extend(stream.recv(65535))
        except BlockingIOError:
            return False
        return len(told) == 20 * (2 + int.from_bytes(told[:2], "big"))

    await resolver.wait(received)


@pytest_twisted.ensureDeferred
async def test_questions_in_flight_are_bounded_by_network(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """One network's questions do not take all the parents' time: one more fails at once, another network's does not."""
    monkeypatch.setattr(admission, "PATIENCE", 60.0)  # on a busy machine all of this takes long
    resolver = start(in_flight_per_client=2)
    waiting = resolver.connect(HOME)
    for number in range(2):
        waiting.send(dns.message.make_query(f"silent{number}.test", "A").to_wire())
    await resolver.wait(lambda: resolver.service.admission.in_flight == 2)
    reply = await resolver.ask("127.0.1.200", "a.test")
    assert (reply.rcode(), codes(reply)) == (dns.rcode.SERVFAIL, [0])
    assert await resolver.ask_course(HOME, "b.test") == b"[]"
    assert (await resolver.ask(HOME, "www.lab.test")).answer
    assert (await resolver.ask(AWAY, "a.test")).answer
    assert resolver.lost("in_flight") == 2


def closed(sock: socket.socket) -> bool:
    """Whether the other side has closed or reset a connection that nothing was sent over."""
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest_twisted.ensureDeferred
async def test_streams_have_the_same_rules(start: Start) -> None:
    """By TCP who is outside or denied is closed at accept, and an address has so many connections."""
    resolver = start(allow=["127.0.1.0/24", "127.0.2.0/24"], deny="127.0.2.0/24", tcp_per_address=2)
    denied = resolver.connect(AWAY, socket.SOCK_STREAM)
    await resolver.wait(lambda: closed(denied))
    stranger = resolver.connect(THERE, socket.SOCK_STREAM)
    await resolver.wait(lambda: closed(stranger))
    first, second, third = [resolver.connect(HOME, socket.SOCK_STREAM) for _ in range(3)]
    await resolver.wait(lambda: closed(first))
    assert [closed(sock) for sock in (second, third)] == [False] * 2
    assert [resolver.lost(why) for why in ("denied", "refused", "connections")] == [1, 1, 1]


@pytest_twisted.ensureDeferred
async def test_changed_rules_count_at_once(start: Start) -> None:
    """What was ready for a client is not given to it once the rules have changed, and is when they change back."""
    resolver = start()
    for allow, rcode in (("127.0.0.0/8", 0), ("127.0.1.0/24", 5), ("127.0.0.0/8", 0)):
        changed = ResolverConfig.model_validate({"listen": "udp:0", "allow": allow})
        settings = resolver.settings.model_copy(update={"allow": changed.allow})
        resolver.service.prepare(settings, load_files(settings, reactor.seconds())).commit()
        for _ in range(2):
            assert (await resolver.ask(AWAY, "www.lab.test")).rcode() == rcode


@pytest_twisted.ensureDeferred
async def test_every_answer_is_counted_once(start: Start) -> None:
    """The counts by protocol, result and source add up to what was asked, ready answers included."""
    resolver = start()
    for _ in range(3):
        await resolver.ask(HOME, "www.lab.test")
        await resolver.ask(HOME, "no.lab.test")
        await resolver.ask(HOME, "a.test")
        await resolver.ask_course(HOME, "www.lab.test")
        await resolver.ask_course(HOME, "no.lab.test")
    found: dict[tuple[str, ...], int] = {}
    took = 0
    for name, labels, value in resolver.service.samples():
        if name == "labnet_queries_total":
            found[labels[1:4]] = found.get(labels[1:4], 0) + value
        elif name == "labnet_query_seconds":
            took += sum(value[:-1])
    assert found == {
        ("udp", "dns", "NOERROR"): 6,
        ("udp", "dns", "NXDOMAIN"): 3,
        ("udp", "json", "found"): 3,
        ("udp", "json", "unknown"): 3,
    }
    assert took == 15
