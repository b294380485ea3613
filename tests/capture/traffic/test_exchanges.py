"""Datagrams into exchanges."""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.model import RAW
from labnet.capture.packet.applications import recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.traffic.exchanges import MOST_OPEN, CapturedExchange, Exchanges
from tests.capture import samples
from tests.capture.frames import packets

CLIENT, CHILD, PARENT = ("10.0.0.1", 54699), ("10.0.0.2", 1199), ("10.0.0.3", 1200)
ASKING = ("10.0.0.2", 42460)

Datagram = tuple[float, tuple[str, int], tuple[str, int], bytes]


def exchanges(*datagrams: Datagram) -> tuple[list[CapturedExchange], list[CapturedExchange]]:
    """Those that are over, and those still open at the end."""
    found = Exchanges()
    over = []
    timed = [(when, bytes(samples.udp(*source, *to, data))) for when, source, to, data in datagrams]
    for packet in packets(timed, RAW):
        frame = dissect(packet)
        message = recognise(frame, found.expects(frame), lambda frame: True)
        if message is not None:
            over.extend(found.add(frame, message))
    return over, list(found.rest())


class ParentTests(SynchronousTestCase):
    """Questions that lead to questions."""

    def test_the_transcripts_four_packets_are_one_exchange(self) -> None:
        """Query, question to the parent, the parent's answer, answer."""
        (exchange,), rest = exchanges(
            (1.0, CLIENT, CHILD, samples.NAME),
            (1.1, ASKING, PARENT, samples.NAME),
            (1.3, PARENT, ASKING, samples.LINE),
            (1.4, CHILD, CLIENT, samples.LEARNED),
        )
        self.assertEqual(rest, [])
        self.assertEqual((exchange.client, exchange.server, exchange.outcome), (CLIENT, CHILD, "21.09.1992.8"))
        (parent,) = exchange.parents
        self.assertEqual((parent.client, parent.server, parent.outcome), (ASKING, PARENT, "21.09.1992.8"))
        self.assertEqual([step.frame for step in exchange.steps()], [1, 2, 3, 4])

    def test_a_child_that_asks_from_another_of_its_addresses_is_known_all_the_same(self) -> None:
        """As where the parent is on the loopback and the client is not."""
        here = ("127.0.0.1", 42460)
        (exchange,), _ = exchanges(
            (1.0, CLIENT, CHILD, samples.NAME),
            (1.1, here, ("127.0.0.1", 1200), samples.NAME),
            (1.3, ("127.0.0.1", 1200), here, samples.LINE),
            (1.4, CHILD, CLIENT, samples.LEARNED),
        )
        self.assertEqual(len(exchange.parents), 1)

    def test_all_on_one_machine_are_told_apart_by_their_ports(self) -> None:
        """The transcript's own way: every address is 127.0.0.1."""
        one = "127.0.0.1"
        (exchange,), _ = exchanges(
            (1.0, (one, 54699), (one, 1199), samples.NAME),
            (1.1, (one, 42460), (one, 1200), samples.NAME),
            (1.3, (one, 1200), (one, 42460), samples.LINE),
            (1.4, (one, 1199), (one, 54699), samples.LEARNED),
        )
        self.assertEqual((exchange.server[1], exchange.parents[0].server[1]), (1199, 1200))

    def test_a_parent_that_asks_its_own_parent_is_nested(self) -> None:
        """Six packets."""
        grand, asking = ("10.0.0.4", 1201), ("10.0.0.3", 5000)
        (exchange,), _ = exchanges(
            (1.0, CLIENT, CHILD, samples.NAME),
            (1.1, ASKING, PARENT, samples.NAME),
            (1.2, asking, grand, samples.NAME),
            (1.3, grand, asking, samples.LINE),
            (1.4, PARENT, ASKING, samples.LINE),
            (1.5, CHILD, CLIENT, samples.LEARNED),
        )
        self.assertEqual(exchange.parents[0].parents[0].server, grand)

    def test_another_clients_question_for_the_same_name_is_its_own_exchange(self) -> None:
        """Both go to the same server, so neither caused the other."""
        other = ("10.0.0.9", 6000)
        over, _ = exchanges(
            (1.0, CLIENT, CHILD, samples.NAME),
            (1.1, other, CHILD, samples.NAME),
            (1.2, CHILD, other, samples.LINE),
            (1.3, CHILD, CLIENT, samples.LINE),
        )
        self.assertEqual([one.client for one in over], [other, CLIENT])

    def test_two_clients_of_one_server_on_one_machine_are_two_exchanges(self) -> None:
        """And the parent's question belongs to the last of them."""
        one = "127.0.0.1"
        over, _ = exchanges(
            (1.0, (one, 5001), (one, 1199), samples.NAME),
            (1.1, (one, 5002), (one, 1199), samples.NAME),
            (1.2, (one, 42460), (one, 1200), samples.NAME),
            (1.3, (one, 1200), (one, 42460), samples.LINE),
            (1.4, (one, 1199), (one, 5001), samples.LEARNED),
            (1.5, (one, 1199), (one, 5002), samples.LEARNED),
        )
        self.assertEqual([(exchange.client[1], len(exchange.parents)) for exchange in over], [(5001, 0), (5002, 1)])


class MatchingTests(SynchronousTestCase):
    """Which reply answers which question."""

    def test_a_question_that_comes_again_is_a_retry(self) -> None:
        """Not a second exchange."""
        (exchange,), _ = exchanges(
            (1.0, CLIENT, CHILD, samples.NAME), (3.0, CLIENT, CHILD, samples.NAME), (3.1, CHILD, CLIENT, samples.LINE)
        )
        self.assertEqual(len(exchange.retries), 1)

    def test_replies_for_two_names_find_their_questions(self) -> None:
        """In whichever order they come."""
        over, _ = exchanges(
            (1.0, CLIENT, CHILD, b"a.example"),
            (1.1, CLIENT, CHILD, b"b.example"),
            (1.2, CHILD, CLIENT, b"b.example,2.2.2.2,60"),
            (1.3, CHILD, CLIENT, b"a.example,1.1.1.1,60"),
        )
        self.assertEqual(
            [(one.name, one.outcome) for one in over], [("b.example", "2.2.2.2"), ("a.example", "1.1.1.1")]
        )

    def test_a_reply_from_elsewhere_answers_nothing(self) -> None:
        """It must come back on the way of the question."""
        over, rest = exchanges((1.0, CLIENT, CHILD, samples.NAME), (1.1, ("10.0.0.7", 1199), CLIENT, samples.LINE))
        self.assertEqual((over, len(rest)), ([], 1))
        self.assertIsNone(rest[0].answer)

    def test_a_bare_address_answers_the_question_that_waits(self) -> None:
        """The assignment allows that reply too."""
        (exchange,), _ = exchanges((1.0, CLIENT, CHILD, samples.NAME), (1.1, CHILD, CLIENT, b"1.2.3.4"))
        self.assertEqual(exchange.outcome, "1.2.3.4")

    def test_silence_is_an_exchange_without_an_answer(self) -> None:
        """Thirty seconds of the capture's own time are enough."""
        over, _ = exchanges((1.0, CLIENT, CHILD, b"a.example"), (40.0, CLIENT, CHILD, b"b.example"))
        self.assertEqual([(one.name, one.answer) for one in over], [("a.example", None)])

    def test_questions_without_end_are_not_kept_without_end(self) -> None:
        """The oldest is told as unanswered."""
        many = [(1.0, ("10.0.0.1", 10000 + n), CHILD, b"host-%d.example" % n) for n in range(MOST_OPEN + 10)]
        over, rest = exchanges(*many)
        self.assertEqual((len(over) + len(rest), len(rest) <= MOST_OPEN + 1), (len(many), True))


class DNSTests(SynchronousTestCase):
    """Questions for one name that differ in type."""

    def test_questions_of_two_types_are_two_exchanges(self) -> None:
        """Even with one id and one port, as some stubs send them."""

        def message(rrtype: int, answers: int = 0) -> bytes:
            head = struct.pack("!HHHHHH", 7, 0x8180 if answers else 0x0100, 1, answers, 0, 0)
            record = b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, b"\xc0\0\2\7") if answers else b""
            return head + b"\1a\4test\0" + struct.pack("!HH", rrtype, 1) + record

        server = ("10.0.0.2", 53)
        over, left = exchanges(
            (1.0, CLIENT, server, message(28)), (1.1, CLIENT, server, message(1)), (1.2, server, CLIENT, message(1, 1))
        )  # fmt: skip
        self.assertEqual([one.rrtype for one in over], ["A"])
        self.assertEqual([one.rrtype for one in left], ["AAAA"])
