"""Tests for :mod:`labnet.resolver.records.reverse`, and for the PTR records that a zone derives by it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.reverse import MOST_NAMES, ReverseNames, reverse_name
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.types import RRset, RRType
from tests.resolver.records.zones import NOW, TXT, answer_of, course, gist, zone_of
from tests.resolver.zonefiles import ip, wire


class Reverse(SynchronousTestCase):
    """Tests for the PTR records that follow from addresses."""

    V6 = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"

    def test_an_address_leads_back_to_its_names(self) -> None:
        """The names have their case and the lowest TTL, in the order of the files; IPv6 likewise."""
        zone = zone_of("WWW 50 A 192.0.2.1\nmail 40 A 192.0.2.1\nmail A 192.0.2.2\nmail AAAA 2001:db8::1")
        answer = answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR)
        expected = RRset(wire("1.2.0.192.in-addr.arpa"), RRType.PTR, 40, (wire("WWW.lab"), wire("mail.lab")))
        self.assertEqual(answer.answer, (expected,))
        self.assertFalse(answer.authoritative)
        self.assertEqual(answer_of(zone, self.V6, RRType.PTR).answer[0].rdatas, (wire("mail.lab"),))
        self.assertEqual(gist(zone, self.V6), "nodata")

    def test_course_lines_have_reverse_names_too(self) -> None:
        """An address that is none has none."""
        zone = course(("www", "192.0.2.1", 60), ("a..b", "192.0.2.2", 60), ("old", "21.09.1992.8", 60))
        self.assertEqual(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("www"),))
        self.assertEqual(gist(zone, "2.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    def test_an_explicit_pointer_wins(self) -> None:
        """Where the files have a PTR record or a CNAME (RFC 2317), nothing is derived; beside other types it is."""
        zone = Zone(ZoneData((), NOW))
        for number in (1, 2, 3):
            zone.data.add(RRset(wire(f"a{number}"), RRType.A, 60, (ip(f"192.0.2.{number}"),)))
        zone.data.add(RRset(wire("1.2.0.192.in-addr.arpa"), RRType.PTR, 60, (wire("other"),)))
        zone.data.add(RRset(wire("2.2.0.192.in-addr.arpa"), RRType.CNAME, 60, (wire("other"),)))
        zone.data.add(RRset(wire("3.2.0.192.in-addr.arpa"), TXT, 60, (b"\1t",)))
        zone.data.finish()
        self.assertEqual(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("other"),))
        self.assertEqual(gist(zone, "2.2.0.192.in-addr.arpa", RRType.PTR), "CNAME")
        self.assertEqual(answer_of(zone, "3.2.0.192.in-addr.arpa", RRType.PTR).answer[0].rdatas, (wire("a3"),))

    def test_under_authority_the_names_between_exist(self) -> None:
        """Derived names make their ancestors exist; what has no address does not."""
        zone = zone_of("www A 192.0.2.1", "192.in-addr.arpa")
        table = [
            ("1.2.0.192.in-addr.arpa", "PTR"),
            ("2.0.192.in-addr.arpa", "nodata"),
            ("0.192.in-addr.arpa", "nodata"),
            ("192.in-addr.arpa", "nodata"),
            ("2.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("3.0.192.in-addr.arpa", "NXDOMAIN"),
            ("01.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("300.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("0.1.2.0.192.in-addr.arpa", "NXDOMAIN"),
            ("x.0.192.in-addr.arpa", "NXDOMAIN"),
            ("193.in-addr.arpa", "unknown"),
        ]
        for name, expected in table:
            self.assertEqual(gist(zone, name, RRType.PTR), expected, name)
        self.assertTrue(answer_of(zone, "1.2.0.192.in-addr.arpa", RRType.PTR).authoritative)

    def test_an_address_of_many_names_tells_a_few(self) -> None:
        """A block list gives one address a million names; the first ones are answered."""
        zone = course(*[(f"h{number}", "0.0.0.0", 60) for number in range(MOST_NAMES + 5)])
        (pointers,) = answer_of(zone, "0.0.0.0.in-addr.arpa", RRType.PTR).answer
        self.assertEqual(pointers.rdatas, tuple(wire(f"h{number}") for number in range(MOST_NAMES)))

    def test_wildcards_have_no_reverse_names(self) -> None:
        """There is no one name that the address belongs to."""
        self.assertEqual(gist(zone_of("*.w A 192.0.2.1"), "1.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    def test_it_can_be_left_out(self) -> None:
        """finish(reverse=False) derives nothing."""
        zone = zone_of("www A 192.0.2.1", reverse=False)
        self.assertEqual(gist(zone, "1.2.0.192.in-addr.arpa", RRType.PTR), "unknown")

    @given(st.lists(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), max_size=20))
    def test_every_address_is_found_and_no_other(self, addresses: list[bytes]) -> None:
        """What was put in is found under its reverse name, and every name above exists."""
        names = ReverseNames(owners=[(b"%d" % place, address) for place, address in enumerate(addresses)])
        for address in addresses:
            owners = [b"%d" % place for place, other in enumerate(addresses) if other == address]
            name = reverse_name(address)
            self.assertEqual(names.find(name), owners[:MOST_NAMES])
            while len(name) > len(b"\x07in-addr\x04arpa\0"):
                self.assertTrue(names.has_below(name))
                name = name[1 + name[0] :]
        for other in (bytes(4), b"\xff" * 4, bytes(16)):
            self.assertEqual(bool(names.find(reverse_name(other))), other in addresses)

    @given(st.binary(max_size=60))
    def test_any_labels_are_looked_up(self, label: bytes) -> None:
        """Whatever stands before in-addr.arpa or ip6.arpa, also one label with dots or lengths in it."""
        names = ReverseNames(owners=[(b"k", ip("192.0.2.1")), (b"k", bytes(16))])
        for suffix in (b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0", b"\x010\x07in-addr\x04arpa\0"):
            key = bytes((len(label),)) + label + suffix if label else suffix
            found = names.find(key)
            self.assertIn(found, ([], [b"k"]))
        last = b"x\x07in-addr\x04arpa"
        spelled = reverse_name(ip("192.0.2.1")).removesuffix(b"\x07in-addr\x04arpa\0")
        self.assertEqual(names.find(spelled + b"\x01x" + bytes((len(last),)) + last + b"\0"), [])
        last = b"x\x03ip6\x04arpa"
        spelled = reverse_name(bytes(16)).removesuffix(b"\x03ip6\x04arpa\0")
        self.assertEqual(names.find(spelled + b"\x01x" + bytes((len(last),)) + last + b"\0"), [])
