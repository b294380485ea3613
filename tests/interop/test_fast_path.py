"""The fast path to a DNS parent, with a real daemon; the parent is ours, to see queries and to lose them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from tests.interop.daemon import DEADLINE, Daemon

Message = dns.message.Message


class Parent:
    """Answers each query as ``answer`` says, None for not at all; ``asked`` has all that came, with their ports."""

    def __init__(self) -> None:
        self.answer: Callable[[Message], Message | None] = found
        self.asked: list[tuple[Message, int]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def serve(self) -> None:
        while True:
            try:
                data, address = self.socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            query = dns.message.from_wire(data)
            self.asked.append((query, address[1]))
            reply = self.answer(query)
            if reply is not None:
                self.socket.sendto(reply.to_wire(), address)


def found(query: Message) -> Message:
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
    return reply


@contextmanager
def parent() -> Iterator[Parent]:
    """One that runs until the block ends."""
    made = Parent()
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", made.socket.getsockname())
        thread.join(DEADLINE)
        made.socket.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Parent, Daemon]]:
    """A parent and a lab that asks it."""
    with parent() as asked:
        port = asked.socket.getsockname()[1]
        (tmp_path / "lab.toml").write_text(
            '[console]\nquery_log = "queries"\n'
            f'[resolver.main]\nlisten = "udp:0"\nparents = "dns:127.0.0.1:{port}"\nlearned = "main.learned"\n'
        )
        with Daemon("labnet", "--config=lab.toml", cwd=tmp_path) as daemon:
            yield asked, daemon


def ask(daemon: Daemon, name: str, **options: object) -> Message:
    host, port = daemon.address("resolver main")
    return dns.query.udp(dns.message.make_query(name, "A", **options), host, DEADLINE, port)


def test_a_forwardable_question_is_asked_once_and_learned(both: tuple[Parent, Daemon], tmp_path: Path) -> None:
    """Its answer says whose it is, is known from then on, is kept on disk, and stands in the query log."""
    asked, daemon = both
    reply = ask(daemon, "Www.Far.test", use_edns=0)
    assert str(reply.answer[0]) == "Www.Far.test. 60 IN A 192.0.2.7"
    assert "from 127.0.0.1:" in str(reply.options[0])
    assert "from the cache" in str(ask(daemon, "www.far.test", use_edns=0).options[0])
    assert len(asked.asked) == 1
    query, _ = asked.asked[0]
    assert query.edns == 0
    assert str(query.question[0].name).lower() == "www.far.test."
    assert len((tmp_path / "var/main.learned.dns").read_bytes().splitlines()) == 1
    daemon.stop()
    logged = [json.loads(line) for line in (tmp_path / "var/queries").read_text().splitlines()]
    assert [(line["name"], line["source"]) for line in logged] == [
        ("Www.Far.test", "parent"),
        ("www.far.test", "cache"),
    ]


def test_a_lost_query_is_asked_again_on_the_full_path(both: tuple[Parent, Daemon]) -> None:
    """The client waits a little longer, and is answered."""
    asked, daemon = both
    asked.answer = lambda query: None if len(asked.asked) == 1 else found(query)
    assert str(ask(daemon, "lost.far.test").answer[0]) == "lost.far.test. 60 IN A 192.0.2.7"
    assert [str(query.question[0].name).lower() for query, _ in asked.asked] == ["lost.far.test."] * 2


def test_a_reply_that_cannot_be_passed_on_is_answered_too(both: tuple[Parent, Daemon]) -> None:
    """A CNAME, NXDOMAIN and SERVFAIL come back as the parent told them."""
    asked, daemon = both

    def answer(query: Message) -> Message:
        name = query.question[0].name
        reply = dns.message.make_response(query)
        if b"alias" in name[0].lower():
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "host.far.test."))
            reply.answer.append(dns.rrset.from_text("host.far.test.", 60, "IN", "A", "192.0.2.8"))
        elif b"none" in name[0].lower():
            reply.set_rcode(dns.rcode.NXDOMAIN)
            reply.authority.append(
                dns.rrset.from_text("far.test.", 60, "IN", "SOA", "ns.far.test. a.far.test. 1 2 3 4 5")
            )
        else:
            reply.set_rcode(dns.rcode.SERVFAIL)
        return reply

    asked.answer = answer
    assert [rrset.to_text() for rrset in ask(daemon, "alias.far.test").answer] == [
        "alias.far.test. 60 IN CNAME host.far.test.",
        "host.far.test. 60 IN A 192.0.2.8",
    ]
    assert ask(daemon, "none.far.test").rcode() == dns.rcode.NXDOMAIN
    assert ask(daemon, "broken.far.test").rcode() == dns.rcode.SERVFAIL


def test_many_at_a_time_are_all_answered(both: tuple[Parent, Daemon]) -> None:
    """Each with its own id, from several ports; nobody gets another one's answer."""
    asked, daemon = both
    host, port = daemon.address("resolver main")
    for start in range(0, 400, 50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE)
            client.connect((host, port))
            numbers = range(start, start + 50)
            for number in numbers:
                client.send(dns.message.make_query(f"h{number}.far.test", "A", id=number).to_wire())
            replies = [dns.message.from_wire(client.recv(4096)) for _ in numbers]
        assert {reply.id: str(reply.question[0].name) for reply in replies} == {n: f"h{n}.far.test." for n in numbers}
        assert all(reply.answer for reply in replies)
    assert len(asked.asked) == 400
    assert len({query.id for query, _ in asked.asked}) > 380
    assert len({from_port for _, from_port in asked.asked}) > 2
