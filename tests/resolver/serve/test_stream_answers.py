"""Tests for :mod:`labnet.resolver.serve.stream_answers`: what came together by one connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import AnsweredQuery
from tests.resolver.serve.test_tcp import Streams, ids, query, split


class Log:
    """A query log of every question."""

    share = 1.0

    def __init__(self) -> None:
        self.noted: list[AnsweredQuery] = []

    def query_log(self, answered: AnsweredQuery) -> None:
        self.noted.append(answered)


class TogetherTests(SynchronousTestCase):
    """Messages of one segment."""

    def test_each_is_counted_and_logged_by_its_own_name(self) -> None:
        streams = Streams(self, zones=["lab"])
        log = streams.service.counts.log = Log()
        client = streams.connect()
        client.send(query("www.lab", 1) + query("nothing.lab", 2))
        client.send(b"".join(query(name, 3) for name in ("www.lab", "nothing.lab", "WWW.lab", "www.lab", "www.lab")))
        counted = {
            sample.labels[1:]: sample.value for sample in streams.service.counts.samples() if "_total" in sample.name
        }
        ready = {labels[2]: value for labels, value in counted.items() if labels[3:] == ("ready",) and value}
        self.assertEqual(ready, {"NOERROR": 4, "NXDOMAIN": 1})
        self.assertEqual(streams.service.counts.ready_seconds.sample("x").value[:1], [5])
        # A name with capitals is looked for by itself, after the others.
        told = [(one.name.lower(), one.result, one.source) for one in log.noted[2:]]
        www, nothing = ("www.lab", "NOERROR", "ready"), ("nothing.lab", "NXDOMAIN", "ready")
        self.assertEqual(sorted(told), sorted([www, nothing, www, www, www]))

    def test_what_waits_for_the_client_to_read_keeps_its_place(self) -> None:
        streams = Streams(self, zones=["lab"])
        client = streams.connect()
        client.send(query("www.lab", 0))
        client.received()
        stream = next(iter(streams.service._streams._open))
        write = stream.transport.write

        def fills(data: bytes) -> None:
            write(data)
            if ids(data) == [2]:
                stream.pauseProducing()

        self.patch(stream.transport, "write", fills)
        client.send(b"".join(query(name, number) for number, name in enumerate(("www.lab", "www.lab", "localhost"))))
        client.send(query("www.lab", 3) + query("www.lab", 4))
        self.assertEqual(ids(client.received()), [0, 1, 2])
        stream.resumeProducing()
        streams.reactor.turn()
        self.assertEqual(ids(client.received()), [3, 4])

    def test_what_waits_behind_one_that_fills_the_connection_is_answered_in_its_place(self) -> None:
        streams = Streams(self, zones=["lab"])
        client = streams.connect()
        client.send(query("www.lab", 0))
        client.received()
        stream = next(iter(streams.service._streams._open))
        write = stream.transport.write

        def fills(data: bytes) -> None:
            write(data)
            if 1 in ids(data):
                stream.pauseProducing()

        self.patch(stream.transport, "write", fills)
        names = ("www.lab", "localhost", "www.lab", "nothing.lab", "www.lab")
        client.send(b"".join(query(name, number) for number, name in enumerate(names)))
        self.assertEqual(ids(client.received()), [0, 1])
        self.patch(stream.transport, "write", write)
        stream.resumeProducing()
        streams.reactor.turn()
        replies = split(client.received())
        self.assertEqual([(reply.id, reply.rcode()) for reply in replies], [(2, 0), (3, 3), (4, 0)])
