"""Replies that come later to who asked at a batch port: what is sent, counted and logged of them."""

from __future__ import annotations

import ipaddress
import socket

import dns.message
import dns.rrset
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import AnsweredQuery
from labnet.metrics import BOUNDS
from labnet.net.batches.mmsg import Outbox
from labnet.net.kernel.sockaddr import address_in
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.clients.counts import Counts
from labnet.resolver.serve.late_replies import LateReplies, Origin
from tests.net.sockaddr import name_of


def question(name: str) -> bytes:
    return dns.message.make_query(name, "A").to_wire()


def reply(address: str) -> bytes:
    response = dns.message.make_response(dns.message.make_query("a", "A"))
    response.answer.append(dns.rrset.from_text("a.", 300, "IN", "A", address))
    return response.to_wire()


class Log:
    """A query log that has a share of the questions."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.logged: list[AnsweredQuery] = []

    def query_log(self, answered: AnsweredQuery) -> None:
        self.logged.append(answered)


class Port:
    """A batch port and what serves it."""

    def __init__(self) -> None:
        self.protocol = self
        self.admission = Admission(Rules((ipaddress.ip_network("127.0.0.0/8"),), in_flight=100))
        self.counts = Counts("main")
        self.counts.parent_of = lambda question: f"from {question}"
        self.transport = self
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.handed_on: list[tuple[bytes, tuple[str, int], bool]] = []

    def now(self) -> float:
        return 1000.0

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "192.0.2.53", 53)

    def fileno(self) -> int:
        return self.socket.fileno()

    def hand_on(self, datagram: bytes, address: tuple[str, int], taken: bool) -> None:
        self.handed_on.append((datagram, address, taken))


class LateRepliesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.port = Port()
        self.addCleanup(self.port.socket.close)
        self.late = LateReplies(self.port, Outbox(16))
        self.clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(2)]
        for client in self.clients:
            self.addCleanup(client.close)
            client.bind(("127.0.0.1", 0))

    def origin(self, client: int, came: float) -> Origin:
        ticket = self.port.admission.admit(self.port.admission.client("127.0.0.1"), 0.0)
        assert ticket is not None
        return name_of(self.clients[client]), ticket, came

    def seconds(self) -> list[float]:
        """How many took how long, by the histogram's bounds, and how long all together."""
        (sample,) = (one for one in self.port.counts.samples() if one.labels == ("main", "parent"))
        return list(sample.value)

    def test_replies_are_sent_with_the_next_flush(self) -> None:
        """Each to who asked, once; with nothing to send it does nothing."""
        self.late.flush()
        for number in range(3):
            self.late.reply(self.origin(number % 2, 999.0), question("www.lab.test"), b"reply %d" % number)
        self.assertRaises(BlockingIOError, self.clients[0].recv, 99)
        self.late.flush()
        self.late.flush()
        self.assertEqual([self.clients[client].recv(99) for client in (0, 1, 0)], [b"reply 0", b"reply 1", b"reply 2"])
        for client in self.clients:
            self.assertRaises(BlockingIOError, client.recv, 99)

    def test_each_is_counted_with_its_own_time(self) -> None:
        """Also where the system does not take it; a clock that was set back counts as no time. None is in flight."""
        for came in (1000.5, 999.97, 999.97, 998.0):
            self.late.reply(self.origin(0, came), question("www.lab.test"), b"reply")
        self.port.socket.close()
        self.late.flush()
        self.assertEqual(self.late.outbox.unsent, 4)
        self.assertEqual(self.port.counts.cell("udp", "dns", "NOERROR", "parent").answered, 4)
        *counts, total = self.seconds()
        expected = [0.0] * (len(BOUNDS) + 1)
        for bound, count in ((BOUNDS[0], 1), (0.05, 2), (2.5, 1)):
            expected[BOUNDS.index(bound)] = count
        self.assertEqual((counts, round(total, 6)), (expected, 2.06))
        self.assertEqual(self.port.admission.in_flight, 0)

    def test_the_query_log_has_its_share(self) -> None:
        """Of all or of some, each with its own client, name and time."""
        for share, expected in ((1.0, [0, 1, 2, 3, 4]), (0.5, [0, 2]), (0.25, [0]), (0.0, [])):
            self.port.counts.log = log = Log(share)
            origins = [self.origin(number % 2, 999.0 - number) for number in range(5)]
            for number, origin in enumerate(origins):
                self.late.reply(origin, question(f"host{number}.lab.test"), reply(f"192.0.2.{number}"))
            self.late.flush()
            asked, labels = ("main", "192.0.2.53:53"), ("udp", "dns")
            self.assertEqual(
                log.logged,
                [
                    AnsweredQuery(
                        1000.0,
                        *asked,
                        *address_in(origins[n][0]),
                        *labels,
                        f"host{n}.lab.test",
                        "A",
                        "NOERROR",
                        "parent",
                        f"192.0.2.{n}",
                        300,
                        f"from host{n}.lab.test A",
                        1.0 + n,
                    )
                    for n in expected
                ],
            )

    def test_what_goes_the_full_path_is_in_flight_no_more(self) -> None:
        """The port has it answered, as one that is within its client's rate."""
        origin = self.origin(0, 999.0)
        self.late.go_full(origin, b"question")
        self.assertEqual(self.port.handed_on, [(b"question", self.clients[0].getsockname(), True)])
        self.assertEqual(self.port.admission.in_flight, 0)
