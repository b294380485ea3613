"""What a primary sends: whole zones, changes, and all that is neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dns.flags
import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.transfers import incoming
from labnet.resolver.transfers.incoming import IncomingTransfer, TransferError, TransferKind, TransferLine

ZONE = b"\3lab\4test\0"
ID = 4711


def soa(serial: int) -> str:
    """An SOA of the zone."""
    return f"lab.test. 60 IN SOA ns.lab.test. admin.lab.test. {serial} 3600 900 86400 120"


def a(name: str, address: int) -> str:
    """An address of a name in the zone."""
    return f"{name}.lab.test. 60 IN A 192.0.2.{address}"


def message(*records: str, id: int = ID, flags: int = dns.flags.QR, rcode: int = 0) -> bytes:
    """A message with these records, in this order."""
    made = dns.message.QueryMessage(id=id)
    made.flags = dns.flags.Flag(flags)
    made.set_rcode(rcode)
    for record in records:
        name, ttl, rrclass, rrtype, data = record.split(" ", 4)
        made.answer.append(dns.rrset.from_text(name, int(ttl), rrclass, rrtype, data))
    return made.to_wire(max_size=65535)


class Receiver:
    """Takes what comes for who has the version ``serial``."""

    def __init__(self, serial: int | None = None) -> None:
        self.lines: list[TransferLine] = []
        self.transfer = IncomingTransfer(ZONE, ID, serial, self.lines.extend)

    def receive(self, *messages: bytes) -> bool:
        """Take messages; whether the last one was the last of all."""
        last = False
        for each in messages:
            assert not last
            last = self.transfer.receive(each)
        return last

    def shown(self) -> list[str]:
        """The lines, what is removed with a minus before it."""
        return ["-" * line.removed + line.text for line in self.lines]


class WholeZoneTests(SynchronousTestCase):
    """AXFR."""

    def test_zone_is_whole_with_the_second_soa(self) -> None:
        """However its records are spread over messages."""
        records = [soa(5), a("a", 1), a("b", 2), soa(5)]
        for parts in ([records], [records[:1], records[1:]], [records[:2], records[2:3], records[3:]]):
            receiver = Receiver()
            self.assertTrue(receiver.receive(*[message(*part) for part in parts]))
            self.assertEqual((receiver.transfer.kind, receiver.transfer.serial), (TransferKind.WHOLE, 5))
            self.assertEqual(receiver.shown(), [a("a", 1), a("b", 2)])
            self.assertEqual(receiver.transfer.soa_line, soa(5))

    def test_zone_may_come_where_changes_were_asked_for(self) -> None:
        """The second record says which it is (RFC 1995, section 4)."""
        receiver = Receiver(3)
        self.assertTrue(receiver.receive(message(soa(5), a("a", 1), soa(5))))
        self.assertEqual((receiver.transfer.kind, receiver.shown()), (TransferKind.WHOLE, [a("a", 1)]))

    def test_version_that_is_not_newer_is_not_wanted(self) -> None:
        """Be it the SOA alone or the whole zone behind it."""
        for records in ([soa(5)], [soa(5), a("a", 1), soa(5)], [soa(4)], [soa(4), a("a", 1)]):
            receiver = Receiver(5)
            self.assertTrue(receiver.receive(message(*records)))
            self.assertEqual((receiver.transfer.kind, receiver.shown()), (TransferKind.CURRENT, []))

    def test_records_of_other_zones_are_left_out(self) -> None:
        """A server cannot say anything about names that are not its own."""
        receiver = Receiver()
        receiver.receive(message(soa(5), "www.other. 60 IN A 192.0.2.1", a("a", 1), "test. 60 IN NS ns.test.", soa(5)))
        self.assertEqual(receiver.shown(), [a("a", 1)])


class ChangesTests(SynchronousTestCase):
    """IXFR."""

    def test_changes_of_several_versions_come_in_order(self) -> None:
        """Each is what is removed, behind the old SOA, then what is added, behind the new one."""
        first = [soa(3), a("a", 1), soa(4), a("a", 2), a("b", 2)]
        second = [soa(4), a("b", 2), soa(6)]
        receiver = Receiver(3)
        self.assertTrue(receiver.receive(message(soa(6), *first), message(*second, soa(6))))
        self.assertEqual(receiver.transfer.kind, TransferKind.CHANGES)
        self.assertEqual(receiver.shown(), ["-" + a("a", 1), a("a", 2), a("b", 2), "-" + a("b", 2)])
        self.assertEqual(receiver.transfer.serial, 6)

    def test_changes_that_do_not_follow_each_other_are_none(self) -> None:
        """Each begins where the one before ended, goes forward, and the last ends with the newest."""
        for records in (
            [soa(6), soa(3), a("a", 1), soa(3), soa(6)],
            [soa(6), soa(3), a("a", 1), soa(2), soa(6)],
            [soa(6), soa(3), a("a", 1), soa(4), a("a", 2), soa(5)],
            [soa(6), soa(3), a("a", 1), soa(4), a("a", 2), soa(6)],
            [soa(6), soa(4), a("a", 1), soa(6)],
        ):
            with self.assertRaises(TransferError, msg=records):
                Receiver(3).receive(message(*records))

    def test_too_many_changes_are_refused(self) -> None:
        """They are kept in memory until they are whole."""
        self.patch(incoming, "MOST_CHANGES", 2)
        with self.assertRaisesRegex(TransferError, "more than 2"):
            Receiver(3).receive(message(soa(6), soa(3), a("a", 1), a("b", 1), a("c", 1)))


class NoZoneTests(SynchronousTestCase):
    """What is not what was asked for."""

    def refused(self, says: str, *messages: bytes, serial: int | None = None) -> None:
        """It is no zone, for this reason."""
        with self.assertRaisesRegex(TransferError, says):
            Receiver(serial).receive(*messages)

    def test_what_is_no_zone_is_refused_with_the_reason(self) -> None:
        """Wrong ends, wrong order, other questions, other classes, refusals."""
        whole = [soa(5), a("a", 1), soa(5)]
        self.refused("ends with 6", message(soa(5), a("a", 1), soa(6)))
        self.refused("no SOA", message(a("a", 1), soa(5)))
        self.refused("behind the end", message(*whole, a("b", 1)))
        self.refused("behind the end", message(*whole, soa(5)))
        self.refused("SOA of www", message(soa(5), "www.lab.test. 60 IN SOA a. b. 5 1 1 1 1"))
        self.refused("SOA of other", message("other. 60 IN SOA a. b. 5 1 1 1 1"))
        self.refused("class or type", message(soa(5), "a.lab.test. 60 CH TXT x"))
        self.refused("class or type", message(soa(5), "a.lab.test. 60 IN TYPE252 \\# 0"))
        self.refused("another question", message(*whole, id=ID + 1))
        self.refused("another question", message(*whole, flags=0))
        self.refused("another question", message(*whole, flags=dns.flags.QR | 4 << 11))
        self.refused("REFUSED", message(rcode=5))
        self.refused("no records", message())
        self.refused("no records", message(soa(5), a("a", 1)), message())
        for length in (0, 11, 20, len(message(*whole)) - 1):
            self.refused("cannot be read", message(*whole)[:length])

    def test_message_about_another_name_is_refused(self) -> None:
        """Where a message has a question, it is that of the zone."""
        made = dns.message.from_wire(message(soa(5)))
        made.question.append(dns.rrset.RRset(dns.name.from_text("other"), 1, 252))
        self.refused("another name", made.to_wire())

    def test_endless_zone_is_cut_off(self) -> None:
        """There is a bound on its bytes, whatever is in them."""
        self.patch(incoming, "MOST_BYTES", 1000)
        receiver = Receiver()
        receiver.receive(message(soa(5)))
        with self.assertRaisesRegex(TransferError, "more than 1,000 bytes"):
            for number in range(100):
                receiver.receive(message(a(f"n{number}", 1)))

    @given(st.lists(st.sampled_from([soa(3), soa(4), soa(5), a("a", 1)]), max_size=8), st.sampled_from([None, 3]))
    def test_any_order_of_records_is_a_zone_or_refused(self, records: Sequence[str], serial: int | None) -> None:
        """It ends, or it is refused, or more has to come; what ends begins and ends with the same SOA."""
        receiver = Receiver(serial)
        try:
            last = receiver.receive(message(*records))
        except TransferError:
            return
        if last and receiver.transfer.kind is not TransferKind.CURRENT:
            self.assertEqual(records[0], records[-1])

    @given(st.binary(max_size=80))
    def test_any_bytes_are_refused(self, data: bytes) -> None:
        """Whatever comes, it ends in a sentence."""
        with self.assertRaises(TransferError):
            Receiver().receive(message(soa(5))[:12] + data if len(data) % 2 else data)


def joined(lines: Iterable[str]) -> str:
    """Lines of a file."""
    return "".join(f"{line}\n" for line in lines)
