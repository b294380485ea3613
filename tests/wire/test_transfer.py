"""The messages of zone transfers and NOTIFY, read by dnspython."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import pytest
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire import transfer
from labnet.wire.dns_common import BadMessage
from labnet.wire.dns_request import Query, Refusal, decode_query
from labnet.wire.names import wire_of
from labnet.wire.transfer import Row, notify_query, notify_reply, read_notify, serial_in, transfer_messages
from labnet.wire.types import Rcode

ZONE = wire_of("lab.test") or b""
SOA: Row = (
    ZONE,
    6,
    300,
    b"\2ns" + ZONE + b"\5admin" + ZONE + bytes.fromhex("0000000500000e10000003840009 3a8000000078"),
)


def query(rrtype: str = "AXFR") -> Query:
    """The question for the whole zone."""
    with pytest.raises(Refusal) as caught:
        decode_query(dns.message.make_query("Lab.test", rrtype, id=7).to_wire())
    assert caught.value.query is not None
    return caught.value.query


def rows(count: int) -> list[Row]:
    """Addresses of so many names."""
    return [(b"\6" + b"%06d" % number + ZONE, 1, 60, number.to_bytes(4, "big")) for number in range(count)]


class TransferMessagesTests(SynchronousTestCase):
    """The records of a zone in messages."""

    def test_all_records_come_in_order_in_messages_of_the_limit(self) -> None:
        """Each message has the question, id and AA, and as many records as it has room for."""
        wanted = [SOA, *rows(2000), SOA]
        messages = list(transfer_messages(query(), wanted))
        self.assertGreater(len(messages), 2)
        found: list[Row] = []
        for wire in messages:
            self.assertLessEqual(len(wire), transfer.MESSAGE)
            message = dns.message.from_wire(wire, one_rr_per_rrset=True)
            self.assertEqual((message.id, message.question[0].name.to_text()), (7, "Lab.test."))
            self.assertTrue(message.flags & dns.flags.AA)
            found += [(rrset.name.to_wire(), rrset.rdtype, rrset.ttl, rrset[0].to_wire()) for rrset in message.answer]
        self.assertEqual(found, wanted)

    def test_wait_in_between_is_an_empty_message(self) -> None:
        """It is nothing to send, and costs no record."""
        messages = list(transfer_messages(query(), [SOA, None, SOA]))
        self.assertEqual([bool(message) for message in messages], [False, True])
        self.assertEqual(len(dns.message.from_wire(messages[1], one_rr_per_rrset=True).answer), 2)

    def test_names_are_compressed_with_their_case_kept(self) -> None:
        """A pointer to the same letters in another case would change the name (RFC 5936, section 3.4)."""
        upper = (b"\3WWW" + ZONE.upper(), 1, 60, b"\1\2\3\4")
        (wire,) = transfer_messages(query(), [rows(1)[0], upper, upper])
        self.assertEqual(wire.count(b"\3WWW"), 1)
        names = [rrset.name.to_text() for rrset in dns.message.from_wire(wire, one_rr_per_rrset=True).answer]
        self.assertEqual(names, ["000000.lab.test.", "WWW.LAB.TEST.", "WWW.LAB.TEST."])

    def test_large_record_has_a_message_of_its_own(self) -> None:
        """Up to what a message by TCP can have; past that there is no way to send it."""
        large = (ZONE, 65400, 60, b"x" * 40_000)
        messages = list(transfer_messages(query(), [SOA, large, SOA]))
        counts = [len(dns.message.from_wire(message, one_rr_per_rrset=True).answer) for message in messages]
        self.assertEqual(counts, [1, 1, 1])
        with self.assertRaisesRegex(BadMessage, r"lab\.test TYPE65400"):
            list(transfer_messages(query(), [(ZONE, 65400, 60, b"x" * 65_300)]))


class QuestionTests(SynchronousTestCase):
    """What servers ask each other."""

    def test_question_for_changes_has_the_serial(self) -> None:
        """It is in the SOA of the authority section; without one, all is asked for (RFC 1995, section 3)."""
        asked = dns.message.from_wire(transfer.transfer_query(5, ZONE, SOA))
        self.assertEqual((asked.id, asked.question[0].rdtype, asked.flags), (5, dns.rdatatype.IXFR, 0))
        self.assertEqual(serial_in(asked.to_wire()), 5)
        asked = dns.message.from_wire(transfer.transfer_query(5, ZONE, None))
        self.assertEqual((asked.question[0].rdtype, serial_in(asked.to_wire())), (dns.rdatatype.AXFR, None))
        self.assertIsNone(serial_in(b"\0" * 5))

    def test_notify_is_read_and_answered(self) -> None:
        """The answer has the same id, opcode and question, and QR (RFC 1996, section 4.7)."""
        wire = notify_query(9, SOA)
        asked = dns.message.from_wire(wire)
        self.assertEqual((asked.opcode(), asked.flags & dns.flags.AA), (dns.opcode.NOTIFY, dns.flags.AA))
        self.assertEqual(read_notify(wire), (ZONE, 5))
        reply = dns.message.from_wire(notify_reply(wire, Rcode.REFUSED))
        self.assertTrue(asked.is_response(reply))
        self.assertEqual((reply.opcode(), reply.rcode(), len(reply.answer)), (dns.opcode.NOTIFY, 5, 0))

    def test_notify_that_cannot_be_read_is_none(self) -> None:
        """Cut anywhere, about another type, without a question; its answer is a header then."""
        wire = notify_query(9, SOA)
        for length in range(12, len(ZONE) + 15):
            self.assertIsNone(read_notify(wire[:length]), length)
        other = dns.message.make_query("lab.test", "A")
        other.set_opcode(dns.opcode.NOTIFY)
        self.assertIsNone(read_notify(other.to_wire()))
        self.assertEqual(len(notify_reply(wire[:15], Rcode.FORMERR)), 12)
        self.assertEqual(read_notify(wire[: len(ZONE) + 16]), (ZONE, None))
