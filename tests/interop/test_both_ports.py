"""One resolver on ports of both kinds, over real sockets: whatever comes, in whatever company, the replies agree."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import dns.message
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, globalLogPublisher

from labnet.config.resolver import ResolverConfig
from labnet.net.batches.batch import HEAD
from labnet.net.batches.coalescing import Coalescing
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.serve import batch_port
from labnet.resolver.serve.batch_port import BatchPort
from labnet.resolver.service import ResolverService
from labnet.wire.names import key_of
from tests.interop.udpports import HEADER, TIMEOUT, reactor

CLIENT, RECORDS_ALONE, DENIED, OUTSIDE = HOSTS = [f"127.0.0.{number}" for number in range(1, 5)]
NAMES = 4000
LONG = "long-" * 10 + "name"
WIDE = "w" * 57
"""Makes a name of 66 bytes on the wire: a question for it that breaks off before the last letter has HEAD bytes."""

LOADED_AT = 1605280488.0
"""What the replies say, to the second."""

MARKER = b"marker"
COURSE_MARKER = b"marker.lab.il"
ZONE = """$ORIGIN lab.il.
$TTL 60
@ SOA ns root 1 2 3 4 5
@ NS ns
ns A 10.0.0.2
alias CNAME h1
"""

Asked = tuple[str, bytes]
"""A client's address, and its datagram."""


def names() -> Iterator[str]:
    """Those that come in bulk; one has the place in the index where no name at all would be looked for."""
    yield from (f"h{number}" for number in range(NAMES))
    yield from (LONG, WIDE, "ab", "marker")
    yield next(name for name in map("s{}".format, count()) if hash(key_of(f"{name}.lab.il")) & 0xFFFF == hash(b""))


def query(name: str, rrtype: str = "A", edns: int = -1) -> bytes:
    return dns.message.make_query(f"{name}.lab.il", rrtype, use_edns=edns, payload=1232, id=7).to_wire()


def questions(turn: int) -> list[bytes]:
    """Of all kinds: those that are asked in every turn, and those that are not asked twice."""
    new, question = range(100 * turn, 100 * turn + 12), query("h1")
    return [
        *(query(f"h{number}", edns=number % 2 - 1) for number in (*range(6), *new)),
        *(query(name) for name in ("H2", f"H{turn}50", "ALIAS", "none", f"none{turn}", WIDE, LONG)),
        query("h1", "AAAA"),
        query(LONG, edns=0),
        query(LONG.upper(), edns=0),
        query(WIDE)[: HEAD - 1],
        query(WIDE)[:HEAD],
        query(WIDE, edns=0)[:-1],
        b"h1.lab.il",
        b"h%d60.lab.il" % turn,
        b"none.lab.il",
        b"a",
        b"abcd",
        f"{LONG}.lab.il".encode(),
        f"{LONG}.lab.il".ljust(HEAD + 9).encode(),
        *(question[:length] for length in range(len(question))),
        *(question + bytes(length) for length in (1, 2, HEAD - len(question), HEAD)),
        b"\0\1" + HEADER + b"abc",
        b"\0\1" + HEADER + b"\2ab\3lab",
        b"\0\1" + HEADER + b"x" * (HEAD - 12),
        b"\0\1" + HEADER + b"\x3f" + b"x" * 300,
        b"\0\1" + HEADER + b"\0\0\1\0\1",
        b"\0\1" + HEADER + b"\4h1\0a\3lab\2il\0\0\1\0\1",
        bytes(200),
        b"\xff" * 5000,
    ]


class Answering:
    """A resolver that answers on a port of one kind, and a client at each of :data:`HOSTS`."""

    def __init__(self, folder: Path, is_batch: bool, **config: Any) -> None:
        self.config = {
            "listen": "udp:0:interface=127.0.0.1",
            "batch": is_batch,
            "allow": [CLIENT, RECORDS_ALONE, DENIED],
            "deny": [DENIED],
            "recursion": [CLIENT],
            "records": [os.fspath(folder / name) for name in ("lab.zone", "bulk.zone")],
            "zones": ["lab.il"],
            "parents": [],
            "learned": None,
            "dialect": "line",
        } | config
        made, loaded = self.read()
        assert len(loaded.zone.data.records.bulk()) > NAMES
        self.service = ResolverService("main", made, loaded, reactor)
        self.service.privilegedStartService()
        self.service.startService()
        (port,) = self.service.ports
        assert isinstance(port, BatchPort) == is_batch
        self.clients = {host: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for host in HOSTS}
        for host, client in self.clients.items():
            client.bind((host, 0))
            client.setblocking(False)
            client.connect(("127.0.0.1", port.getHost().port))

    def read(self) -> tuple[ResolverConfig, Loaded]:
        made = ResolverConfig.model_validate(self.config)
        loaded = load_files(made, LOADED_AT)
        assert not loaded.errors, loaded.errors
        return made, loaded

    def reload(self, **config: Any) -> None:
        """Take ``config``, as a reload does."""
        self.config |= config
        self.service.prepare(*self.read()).commit()

    async def ask(self, asked: Iterable[Asked], last: bytes = COURSE_MARKER) -> dict[str, list[bytes]]:
        """What each client is told, in order of the bytes, when all ask before the reactor's next turn."""
        for host, datagram in (*asked, (CLIENT, last)):
            self.clients[host].send(datagram)
        told: dict[str, list[bytes]] = {host: [] for host in HOSTS}
        until = reactor.seconds() + TIMEOUT
        while not any(MARKER in reply for reply in told[CLIENT]):
            assert reactor.seconds() < until, {host: len(replies) for host, replies in told.items()}
            await deferLater(reactor, 0)
            for host, client in self.clients.items():
                told[host] += received(client)
        return {host: sorted(replies) for host, replies in told.items()}

    async def close(self) -> None:
        for client in self.clients.values():
            client.close()
        await self.service.stopService()


def received(client: socket.socket) -> Iterator[bytes]:
    """What is there."""
    try:
        while True:
            yield client.recv(65535)
    except BlockingIOError:
        return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zone's files."""
    made = tmp_path_factory.mktemp("zone")
    (made / "lab.zone").write_text(ZONE)
    lines = (f"{name}.lab.il. 60 IN A 10.1.{n >> 8}.{n & 255}\n" for n, name in enumerate(names()))
    (made / "bulk.zone").write_text("".join(lines))
    return made


@pytest.fixture(params=[16_000_000, 20_000, 0])
def both(request: pytest.FixtureRequest, folder: Path) -> Generator[list[Answering], None, None]:
    """On a batch port and on Twisted's, with room for ready answers, with little and without; nothing may fail."""
    failures: list[LogEvent] = []

    def note(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    globalLogPublisher.addObserver(note)
    made = [Answering(folder, is_batch, packet_cache_bytes=request.param) for is_batch in (True, False)]
    yield made
    globalLogPublisher.removeObserver(note)
    for one in made:
        pytest_twisted.blockon(Deferred.fromCoroutine(one.close()))
    assert not failures, failures


@pytest_twisted.ensureDeferred
async def test_questions_of_all_kinds_in_one_batch(both: list[Answering]) -> None:
    """Known ones and unknown, ready, made of the records and asked anew, of both protocols, cut off and filled up;
    they are told the same by both, in any order, by however many clients and as often as they are asked."""
    for turn in range(1, 5):
        asked = [(CLIENT, question) for question in questions(turn)]
        asked += [(host, question) for host in HOSTS[1:] for question in questions(turn)[turn::4]]
        for in_order in (asked, asked[::-1], asked[1::2] + asked[::2]):
            by_batch, by_twisted = [await one.ask(in_order) for one in both]
            assert by_batch == by_twisted
        assert len(by_batch[CLIENT]) > 40
        assert by_batch[RECORDS_ALONE]
        assert by_batch[OUTSIDE]
        assert not by_batch[DENIED]


@pytest_twisted.ensureDeferred
async def test_questions_by_themselves(both: list[Answering]) -> None:
    """The same where each is a batch of its own."""
    for turn in range(2):
        for question in questions(turn):
            by_batch, by_twisted = [await one.ask([(CLIENT, question)]) for one in both]
            assert by_batch == by_twisted, question


@pytest_twisted.ensureDeferred
async def test_many_names_that_are_asked_once(both: list[Answering]) -> None:
    """Batches that are all made of the records, one after the other, then one that is not, then one that is again."""
    for turn in range(1, 9):
        asked = [query(f"h{100 * turn + number}", edns=-1) for number in range(60)]
        if turn in (5, 7):
            asked[30:30] = questions(turn)[::5]
        by_batch, by_twisted = [
            await one.ask([(CLIENT, question) for question in asked], query("marker")) for one in both
        ]
        assert by_batch == by_twisted
        assert len(by_batch[CLIENT]) >= 60


@pytest_twisted.ensureDeferred
async def test_batches_count_as_datagrams_do(both: list[Answering]) -> None:
    """As many questions of each protocol with each result, and as many lost; in a batch fewer of them were ready."""
    counted = []
    for one in both:
        for turn in range(2):
            await one.ask((host, question) for host in HOSTS for question in questions(turn)[:40])
        results: Counter[tuple[str, ...]] = Counter()
        ready = 0.0
        for sample in one.service.samples():
            if sample.name == "labnet_queries_total":
                *labels, source = sample.labels
                results[*labels] += sample.value
                ready += sample.value * (source == "ready")
            elif sample.name == "labnet_queries_dropped_total" and sample.value:
                results[sample.labels] += sample.value
        counted.append(results)
        assert ready > 10
    assert counted[0] == counted[1]
    assert {labels[-1] for labels in counted[0]} >= {"NOERROR", "NXDOMAIN", "found", "denied", "refused"}


@pytest_twisted.ensureDeferred
async def test_a_name_without_an_end_matches_none(both: list[Answering]) -> None:
    """Not even where the records have a name at the place in the index that it would have; the port goes on."""
    shapes = [query("h1"), query("h2", edns=0)]
    for question in shapes * 2:
        for one in both:
            assert len((await one.ask([(CLIENT, question)]))[CLIENT]) == 2
    for question in (b"\0\1" + HEADER + b"abc", b"\0\1" + HEADER, *(shape[:12] + b"\3abc\2il" for shape in shapes)):
        question = b"\1\2" + question[2:]
        for asked in ([question], [query("h1"), question, query("h3")]):
            by_batch, by_twisted = [await one.ask((CLIENT, datagram) for datagram in asked) for one in both]
            assert by_batch == by_twisted
            assert len(by_batch[CLIENT]) == len(asked) + 1
            (reply,) = [reply for reply in by_batch[CLIENT] if reply.startswith(b"\1\2")]
            assert len(reply) == 12


@pytest.mark.parametrize("is_batch", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_reload_changes_the_delay(folder: Path, is_batch: bool) -> None:
    """Of ports that were open before, without opening them anew, and of those that it opens."""
    made: list[Coalescing] = []

    def make(delay: float) -> Coalescing:
        made.append(Coalescing(delay))
        return made[-1]

    with mock.patch.object(batch_port, "Coalescing", make):
        served = Answering(folder, is_batch, batch_delay=0.002)
        ports = served.service.ports
        assert [one.moment for one in made] == [0.002] * is_batch
        served.reload(batch_delay=0.001)
        assert served.service.ports == ports
        assert [one.moment for one in made] == [0.001] * is_batch
        served.reload(batch_delay=0.0, listen=["udp:0:interface=127.0.0.1", "udp:0:interface=127.0.0.2"])
        assert len(served.service.ports) == 2
        assert [one.moment for one in made] == [0.0, 0.0] * is_batch
        await served.close()
