"""The fast path to a DNS parent, with a real daemon; the parent is ours, to see queries and to lose them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from tests.interop.daemon import DEADLINE, Daemon, environment
from tests.interop.preloaded import PATIENT

Message = dns.message.Message


class Parent:
    """Answers each query as ``answer`` says, None for not at all; ``asked`` has all that came, with their ports.

    By TCP it answers as ``found`` says; ``by_tcp`` has what came so.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Message], Message | None] = found
        self.asked: list[tuple[Message, int]] = []
        self.by_tcp: list[Message] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(self.listener.getsockname())

    def serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                query, _ = dns.query.receive_tcp(connection, time.time() + DEADLINE)
                self.by_tcp.append(query)
                dns.query.send_tcp(connection, found(query), time.time() + DEADLINE)
                connection.recv(1)

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
    threads = [threading.Thread(target=serve) for serve in (made.serve, made.serve_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.listener.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", made.socket.getsockname())
        for thread in threads:
            thread.join(DEADLINE)
        made.listener.close()
        made.socket.close()


@contextmanager
def parent_and_lab(folder: Path, more: str, env: Mapping[str, str]) -> Iterator[tuple[Parent, Daemon]]:
    with parent() as asked:
        port = asked.socket.getsockname()[1]
        (folder / "lab.toml").write_text(
            '[console]\nquery_log = "queries"\n[resolver.main]\nlisten = "udp:0"\nlearned = "main.learned"\n'
            f'parents = "dns:127.0.0.1:{port}"\n{more}\n'
        )
        with Daemon("labnet", "--config=lab.toml", cwd=folder, env=env) as daemon:
            yield asked, daemon


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Parent, Daemon]]:
    """A parent and a lab that asks it, and never again because it is slow: these tests count what is asked."""
    with parent_and_lab(tmp_path, f"parent_timeout = {DEADLINE}", environment(**{PATIENT: "1"})) as made:
        yield made


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[tuple[Parent, Daemon]]:
    """A parent and a lab that asks it again after its usual time."""
    with parent_and_lab(tmp_path, "", environment()) as made:
        yield made


def ask(daemon: Daemon, name: str, rrtype: str = "A", **options: object) -> Message:
    host, port = daemon.address("resolver main")
    return dns.query.udp(dns.message.make_query(name, rrtype, **options), host, DEADLINE, port)


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
    daemon.stop()
    assert len((tmp_path / "var/main.learned.dns").read_bytes().splitlines()) == 1
    logged = [json.loads(line) for line in (tmp_path / "var/queries").read_text().splitlines()]
    assert [(line["name"], line["source"]) for line in logged] == [
        ("Www.Far.test", "parent"),
        ("www.far.test", "cache"),
    ]


def test_a_lost_query_is_asked_again_on_the_full_path(hasty: tuple[Parent, Daemon]) -> None:
    """The client waits a little longer, and is answered."""
    asked, daemon = hasty
    asked.answer = lambda query: None if len(asked.asked) == 1 else found(query)
    assert str(ask(daemon, "lost.far.test").answer[0]) == "lost.far.test. 60 IN A 192.0.2.7"
    assert {str(query.question[0].name).lower() for query, _ in asked.asked} == {"lost.far.test."}


SOA = "far.test. 60 IN SOA ns.far.test. a.far.test. 1 2 3 4 5"


def replying(
    *answer: str, rcode: int = 0, authority: str = "", flags: int = 0, errors: Sequence[dns.edns.Option] = ()
) -> Callable[[Message], Message]:
    """What makes replies with these records; a name ``@`` is the one that is asked for."""

    def make(query: Message) -> Message:
        reply = dns.message.make_response(query)
        name = query.question[0].name.to_text()
        for section, texts in ((reply.answer, answer), (reply.authority, (authority,) if authority else ())):
            for text in texts:
                section.append(dns.rrset.from_text(*text.replace("@", name).split(" ", 4)))
        reply.set_rcode(rcode)
        reply.flags |= flags
        if errors:
            reply.use_edns(0, options=list(errors))
        return reply

    return make


BLOCKED = dns.edns.EDEOption(dns.edns.EDECode.BLOCKED, "not in this school")


@pytest.mark.parametrize(
    ("rrtype", "answer", "rcode", "records"),
    [
        ("A", replying("@ 60 IN A 192.0.2.7"), "NOERROR", 1),
        ("A", replying("@ 60 IN CNAME host.far.test.", "host.far.test. 60 IN A 192.0.2.8"), "NOERROR", 2),
        ("A", replying(authority=SOA), "NOERROR", 0),
        ("A", replying(authority=SOA, rcode=3), "NXDOMAIN", 0),
        ("A", replying("@ 60 IN CNAME gone.far.test.", authority=SOA), "NOERROR", 1),
        ("A", replying("@ 60 IN CNAME gone.far.test.", authority=SOA, rcode=3), "NXDOMAIN", 1),
        ("MX", replying("@ 60 IN MX 1 host.far.test."), "NOERROR", 1),
        ("TXT", replying("@ 60 IN TXT hello"), "NOERROR", 1),
        ("HTTPS", replying("@ 60 IN HTTPS 1 . alpn=h2"), "NOERROR", 1),
        ("A", replying("@ 60 IN A 192.0.2.7", errors=[BLOCKED]), "NOERROR", 1),
        ("A", replying(rcode=5), "SERVFAIL", 0),
        ("A", replying(rcode=2), "SERVFAIL", 0),
    ],
    ids=[
        "A",
        "CNAME",
        "NODATA",
        "NXDOMAIN",
        "alias-NODATA",
        "alias-NXDOMAIN",
        "MX",
        "TXT",
        "HTTPS",
        "EDE",
        "REFUSED",
        "SERVFAIL",
    ],
)
def test_a_miss_costs_one_question(
    both: tuple[Parent, Daemon], rrtype: str, answer: Callable[[Message], Message], rcode: str, records: int
) -> None:
    """Whatever the parent replies; the client is told what it says."""
    asked, daemon = both
    asked.answer = answer
    for _ in range(2):
        reply = ask(daemon, "www.far.test", rrtype, use_edns=0)
        assert (dns.rcode.to_text(reply.rcode()), len(reply.answer)) == (rcode, records)
    assert (len(asked.asked), len(asked.by_tcp)) == (1, 0)


def test_a_truncated_reply_costs_two_questions(both: tuple[Parent, Daemon]) -> None:
    """One by UDP and one by TCP."""
    asked, daemon = both
    asked.answer = replying(flags=dns.flags.TC)
    assert str(ask(daemon, "www.far.test").answer[0]) == "www.far.test. 60 IN A 192.0.2.7"
    assert (len(asked.asked), len(asked.by_tcp)) == (1, 1)


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
