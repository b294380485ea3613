"""DNS over TCP seen from a plain socket: pipelining, order, halves, limits, and the end of the daemon."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.dns_clients import dig
from tests.interop.dns_peers import query
from tests.interop.plain import Address, connect, ended, reset, silent

ZONE = """$ORIGIN lab.test.
$TTL 300
@    SOA ns admin 1 3600 600 86400 60
@    NS  ns
ns   A   127.0.0.1
www  A   192.0.2.1
"""

LAB = """
[resolver.main]
tcp_per_address = 0
listen = "udp:0"
records = "zone:lab.zone"
parents = "dns:127.0.0.1:{parent}"
parent_timeout = 3600
parent_tries = 1
tcp_idle = 3600

[resolver.hasty]
listen = "udp:0"
records = "zone:lab.zone"
tcp_idle = 0.3

[resolver.narrow]
listen = "udp:0"
records = "zone:lab.zone"
tcp_idle = 3600
tcp_connections = 3
"""


class HeldParent:
    """A parent that answers a question when the test says so."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(DEADLINE)
        self._socket.bind(("127.0.0.1", 0))
        self._asked: dict[str, tuple[dns.message.Message, Address]] = {}

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def wait_for(self, *names: str) -> None:
        """Until all of ``names`` have been asked."""
        while not {name + "." for name in names} <= self._asked.keys():
            message, source = self._socket.recvfrom(65535)
            asked = dns.message.from_wire(message)
            self._asked[asked.question[0].name.to_text().lower()] = (asked, source)

    def answer(self, name: str, address: str) -> None:
        """Tell an address for ``name``, which has been asked."""
        asked, source = self._asked.pop(name + ".")
        reply = dns.message.make_response(asked)
        reply.flags |= dns.flags.RA
        reply.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", "A", address))
        self._socket.sendto(reply.to_wire(), source)

    def is_silent(self) -> bool:
        """Whether nothing more is asked for a moment."""
        return silent(self._socket, seconds=0.3)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def parent() -> Iterator[HeldParent]:
    """One for each test, so that none finds what another one asked."""
    held = HeldParent()
    yield held
    held.close()


@pytest.fixture
def lab(tmp_path: Path, parent: HeldParent) -> Iterator[Daemon]:
    """A lab whose resolver `main` has that parent."""
    (tmp_path / "lab.zone").write_text(ZONE)
    (tmp_path / "lab.toml").write_text(LAB.format(parent=parent.port))
    with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
        yield daemon


@pytest.fixture
def main(lab: Daemon) -> Address:
    """The resolver with the parent."""
    return lab.address("resolver main")


def framed(*messages: bytes) -> bytes:
    """Messages as TCP has them, each behind its length."""
    return b"".join(struct.pack("!H", len(message)) + message for message in messages)


def received(sock: socket.socket) -> dns.message.Message:
    """The next message of a stream."""
    return dns.message.from_wire(_exactly(sock, struct.unpack("!H", _exactly(sock, 2))[0]))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, f"the connection closed after {data!r}"
        data += piece
    return data


def addresses(message: dns.message.Message) -> set[str]:
    """The rdatas of an answer section."""
    return {rdata.to_text() for rrset in message.answer for rdata in rrset}


def test_answers_come_as_they_are_found_and_not_in_the_order_of_the_questions(
    main: Address, parent: HeldParent
) -> None:
    """Three questions in one segment: the known one first, the others in the order of the parent's replies."""
    with connect(main) as sock:
        sock.sendall(framed(query("a.test", id=1), query("b.test", id=2), query("www.lab.test", id=3)))
        known = received(sock)
        assert (known.id, addresses(known)) == (3, {"192.0.2.1"})
        parent.wait_for("a.test", "b.test")
        parent.answer("b.test", "192.0.2.22")
        second = received(sock)
        assert (second.id, addresses(second)) == (2, {"192.0.2.22"})
        parent.answer("a.test", "192.0.2.21")
        first = received(sock)
        assert (first.id, addresses(first)) == (1, {"192.0.2.21"})


def test_many_questions_in_one_segment_are_all_answered(main: Address) -> None:
    """More than are worked on at a time."""
    with connect(main) as sock:
        sock.sendall(framed(*(query("www.lab.test", id=number) for number in range(1000))))
        assert {received(sock).id for _ in range(1000)} == set(range(1000))


def test_questions_beyond_the_limit_wait_and_are_answered(main: Address, parent: HeldParent) -> None:
    """A connection has so many questions in flight; the rest is read when those are answered, the client's end last."""
    names = [f"n{number}.test" for number in range(150)]
    with connect(main) as sock:
        sock.sendall(framed(*(query(name, id=number) for number, name in enumerate(names))))
        sock.shutdown(socket.SHUT_WR)
        parent.wait_for(*names[:100])
        assert parent.is_silent(), "the others are not asked yet"
        for name in names[:100]:
            parent.answer(name, "192.0.2.9")
        parent.wait_for(*names[100:])
        for name in names[100:]:
            parent.answer(name, "192.0.2.9")
        assert {received(sock).id for _ in names} == set(range(150))


def test_a_message_may_come_in_pieces(main: Address) -> None:
    """Each byte in a segment of its own, the length included."""
    with connect(main) as sock:
        for byte in framed(query("www.lab.test", id=1), query("www.lab.test", id=2)):
            sock.sendall(bytes((byte,)))
        assert [received(sock).id for _ in range(2)] == [1, 2]


def test_a_client_that_has_said_all_gets_its_answers(main: Address, parent: HeldParent) -> None:
    """After a half-close what was asked is still answered, that of the parent too; then the connection ends."""
    with connect(main) as sock:
        sock.sendall(framed(query("a.test", id=1), query("b.test", id=2), query("www.lab.test", id=3)))
        sock.shutdown(socket.SHUT_WR)
        assert received(sock).id == 3
        parent.wait_for("a.test", "b.test")
        for name, id in (("a.test", 1), ("b.test", 2)):
            parent.answer(name, "192.0.2.21")
            told = received(sock)
            assert (told.id, addresses(told)) == (id, {"192.0.2.21"})
        assert sock.recv(1) == b""


def test_many_connections_are_served_at_once(main: Address) -> None:
    """All are open before the first one asks."""
    socks = [connect(main) for _ in range(100)]
    for number, sock in enumerate(socks):
        sock.sendall(framed(query("www.lab.test", id=number)))
    assert [received(sock).id for sock in socks] == list(range(100))
    for sock in socks:
        sock.close()


def test_one_connection_too_many_ends_the_one_open_longest(lab: Daemon) -> None:
    """It makes room; the others stay."""
    address = lab.address("resolver narrow")
    socks = []
    for _ in range(4):
        socks.append(connect(address))
        socks[-1].sendall(framed(query("www.lab.test")))
        received(socks[-1])
    assert ended(socks[0]) == b""
    for sock in socks[1:]:
        sock.sendall(framed(query("www.lab.test", id=5)))
        assert received(sock).id == 5
    for sock in socks:
        sock.close()


def test_an_idle_connection_is_closed(lab: Daemon) -> None:
    """One that has asked and one that never did, nor one that stopped within a message."""
    address = lab.address("resolver hasty")
    with connect(address) as mute, connect(address) as asked, connect(address) as stuck:
        asked.sendall(framed(query("www.lab.test", id=1)))
        assert received(asked).id == 1
        stuck.sendall(b"\0\x20\x12")
        for sock in (mute, asked, stuck):
            assert ended(sock) == b""
    with connect(lab.address("resolver main")) as patient:
        assert silent(patient), "where idling is allowed for longer, the connection stays"


def test_a_connection_that_waits_for_its_answer_is_not_alone_with_its_reset(main: Address, parent: HeldParent) -> None:
    """A client that resets its connection leaves the others, who wait for the same name, their answer."""
    with connect(main) as gone, connect(main) as stays:
        gone.sendall(framed(query("a.test", id=1)))
        parent.wait_for("a.test")
        stays.sendall(framed(query("a.test", id=2), query("www.lab.test", id=3)))
        assert received(stays).id == 3
        reset(gone)
        parent.answer("a.test", "192.0.2.21")
        assert addresses(received(stays)) == {"192.0.2.21"}


def test_a_response_gets_no_answer(main: Address) -> None:
    """Two servers must not talk for ever: by UDP there is silence, by TCP the connection ends."""
    response = query("www.lab.test", id=9, flags=0x8180)
    with connect(main) as sock:
        sock.sendall(framed(response))
        assert ended(sock) == b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(DEADLINE)
        datagrams.connect(main)
        for message in (response, b"\0" * 11, query("www.lab.test", id=10)):
            datagrams.send(message)
        assert struct.unpack_from("!H", datagrams.recv(65535)) == (10,)
        assert silent(datagrams, seconds=0.2)


def test_what_is_no_message_leaves_the_server_as_it_was(main: Address) -> None:
    """Rubbish by TCP is answered or ends the connection, and dig is served after it."""
    for rubbish in (b"\0\0", b"\0\x01\0", framed(b"\xff" * 40), framed(b"\0" * 65535), framed(os.urandom(500)) * 20):
        with connect(main) as sock:
            sock.sendall(rubbish)
            sock.shutdown(socket.SHUT_WR)
            ended(sock)
    assert dig(main, "www.lab.test", "+tcp").status == "NOERROR"


def test_who_waits_when_the_daemon_stops_is_told(lab: Daemon, main: Address, parent: HeldParent) -> None:
    """SIGTERM with questions in flight: SERVFAIL and why, by UDP and by TCP, an orderly close, and a clean end."""
    with connect(main) as stream, connect(main) as idle, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(DEADLINE)
        datagrams.connect(main)
        datagrams.send(query("a.test", id=1))
        asked = dns.message.make_query("b.test", "A", use_edns=0)
        stream.sendall(framed(asked.to_wire()))
        parent.wait_for("a.test", "b.test")
        lab.process.send_signal(signal.SIGTERM)
        assert dns.message.from_wire(datagrams.recv(65535)).rcode() == dns.rcode.SERVFAIL
        told = received(stream)
        assert (told.id, told.rcode()) == (asked.id, dns.rcode.SERVFAIL)
        assert "the server stops" in str(told.options[0])
        assert stream.recv(1) == b""
        assert idle.recv(1) == b""
    assert lab.wait() == -signal.SIGTERM
