"""What each fault makes of a datagram."""

from __future__ import annotations

from random import Random

import dns.flags
import dns.message
import dns.rrset
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.faults.datagrams import FORGED, Sending, name_of, struck
from labnet.faults.model import KINDS

LIST = b'["www.google.co.il", "21.09.1992.8", "60", "1", 1795296049.365775]'
LINE = b"www.google.co.il,21.09.1992.8,60\n"
PARENT = ("192.0.2.1", 1200)


def _reply() -> bytes:
    query = dns.message.make_query("www.example.org", "A", id=0x1234)
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text("www.example.org.", 300, "IN", "A", "192.0.2.7"))
    return reply.to_wire()


def _struck(kind: str, data: bytes, amount: int = 0) -> list[Sending]:
    return struck(kind, data, amount, Random(1), PARENT) or []


def _only(kind: str, data: bytes) -> bytes:
    (sending,) = _struck(kind, data)
    return sending.data


class WholeTests(SynchronousTestCase):
    """Faults of the way: the bytes stay what they are."""

    def test_what_is_lost_is_sent_nowhere(self) -> None:
        """A drop, a silent parent, one that is down."""
        for kind in "drop", "silent", "down":
            self.assertEqual(_struck(kind, LINE), [])

    def test_what_is_late_goes_after_its_milliseconds(self) -> None:
        """In seconds."""
        self.assertEqual(_struck("delay", LINE, 250), [Sending(0.25, LINE)])

    def test_what_is_doubled_goes_twice(self) -> None:
        """The second right behind."""
        self.assertEqual([one.data for one in _struck("duplicate", LINE)], [LINE, LINE])

    def test_what_is_overtaken_waits(self) -> None:
        """None says so."""
        self.assertIsNone(struck("reorder", LINE, 0, Random(1)))

    def test_another_port_is_said(self) -> None:
        """The bytes are the same."""
        self.assertEqual(_struck("wrong-port", LINE), [Sending(0, LINE, is_elsewhere=True)])


class ChangedTests(SynchronousTestCase):
    """Faults of the bytes."""

    def test_a_dns_message_gets_another_id_and_a_course_reply_has_none(self) -> None:
        """Nothing else changes."""
        changed = _only("wrong-id", _reply())
        self.assertEqual(changed[2:], _reply()[2:])
        self.assertNotEqual(changed[:2], _reply()[:2])
        self.assertEqual(_only("wrong-id", LINE), LINE)

    def test_the_name_becomes_another_one(self) -> None:
        """In both protocols; the rest stays readable."""
        self.assertEqual(
            dns.message.from_wire(_only("wrong-name", _reply())).question[0].name.to_text(), "xww.example.org."
        )
        self.assertEqual(_only("wrong-name", LINE), b"xww.google.co.il,21.09.1992.8,60\n")

    def test_a_forged_reply_comes_first(self) -> None:
        """With a forger's address; DNS has an id that is guessed wrong as well."""
        forged, real = _struck("spoof", _reply())
        told = dns.message.from_wire(forged.data)
        self.assertEqual((told.answer[0][0].to_text(), real.data), (FORGED, _reply()))
        self.assertNotEqual(told.id, 0x1234)
        self.assertEqual(_struck("spoof", LINE)[0].data, b"www.google.co.il,6.6.6.6,60\n")

    def test_one_bit_is_flipped_or_half_is_cut_or_nothing_is_left(self) -> None:
        """Of any datagram."""
        flipped = _only("corrupt", LINE)
        self.assertEqual(sum(bin(a ^ b).count("1") for a, b in zip(flipped, LINE, strict=True)), 1)
        self.assertEqual(_only("truncate", LINE), LINE[: len(LINE) // 2])
        self.assertEqual(_only("empty", LINE), b"")
        self.assertNotEqual(_only("garbage", LINE), LINE)

    def test_a_ttl_becomes_0(self) -> None:
        """In a DNS reply, a list and a line."""
        self.assertEqual(dns.message.from_wire(_only("stale-ttl", _reply())).answer[0].ttl, 0)
        self.assertEqual(_only("stale-ttl", LINE), b"www.google.co.il,21.09.1992.8,0\n")
        self.assertIn(b'"21.09.1992.8", "0"', _only("stale-ttl", LIST))

    def test_a_parent_refers_to_itself(self) -> None:
        """By NS and its own address, or by the line of the zone form."""
        told = dns.message.from_wire(_only("referral-loop", _reply()))
        self.assertEqual((told.answer, told.authority[0].name.to_text()), ([], "example.org."))
        self.assertEqual(told.additional[0][0].to_text(), PARENT[0])
        self.assertFalse(told.flags & dns.flags.AA)
        self.assertEqual(_only("referral-loop", LINE), b".google.co.il,192.0.2.1:1200,NS")

    @given(st.sampled_from(sorted(KINDS)), st.binary(max_size=200))
    def test_any_bytes_are_survived(self, kind: str, data: bytes) -> None:
        """No kind raises, whatever it is done to."""
        if "session" not in KINDS[kind].sides:
            struck(kind, data, 10, Random(1), PARENT)


class NameTests(SynchronousTestCase):
    """name_of()."""

    def test_the_name_is_found_in_every_message(self) -> None:
        """A question or a reply of either protocol; nothing where there is none."""
        for data in LIST, LINE, b"www.google.co.il", b"www.google.co.il\n":
            self.assertEqual(name_of(data), "www.google.co.il")
        self.assertEqual(name_of(_reply()), "www.example.org")
        for data in b"", b"\0", b"[]", b"\0" * 12, b"\xff\xfe":
            self.assertIsInstance(name_of(data), str)
