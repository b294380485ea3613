"""Tests for :mod:`labnet.resolver.serve.stream_answers`: what came together by one connection."""

from __future__ import annotations

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.serve.test_tcp import Streams, ids, query, split
from tests.resolver.test_query_log import Log


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

    def fill_at(self, number: int) -> None:
        """A client that does not read any more once it has the reply with this id."""
        self.streams = Streams(self, zones=["lab"])
        self.client = self.streams.connect()
        self.client.send(query("www.lab", 0))
        self.client.received()
        self.stream = next(iter(self.streams.service._streams._open))
        write = self.stream.transport.write

        def fills(data: bytes) -> None:
            write(data)
            if number in ids(data):
                self.stream.pauseProducing()

        self.filled = self.patch(self.stream.transport, "write", fills)

    def read_on(self) -> list[dns.message.Message]:
        """What the client gets when it reads again."""
        self.filled.restore()
        self.stream.resumeProducing()
        self.streams.reactor.turn()
        return split(self.client.received())

    def test_what_waits_for_the_client_to_read_keeps_its_place(self) -> None:
        self.fill_at(2)
        names = ("www.lab", "www.lab", "localhost")
        self.client.send(b"".join(query(name, number) for number, name in enumerate(names)))
        self.client.send(query("www.lab", 3) + query("www.lab", 4))
        self.assertEqual(ids(self.client.received()), [0, 1, 2])
        self.assertEqual([reply.id for reply in self.read_on()], [3, 4])

    def test_what_waits_behind_one_that_fills_the_connection_is_answered_in_its_place(self) -> None:
        self.fill_at(1)
        names = ("www.lab", "localhost", "www.lab", "nothing.lab", "www.lab")
        self.client.send(b"".join(query(name, number) for number, name in enumerate(names)))
        self.assertEqual(ids(self.client.received()), [0, 1])
        self.assertEqual([(reply.id, reply.rcode()) for reply in self.read_on()], [(2, 0), (3, 3), (4, 0)])
