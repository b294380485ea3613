"""Tests for :mod:`labnet.resolver.plain`: replies made of the records say what the long way says, byte for byte."""

from __future__ import annotations

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.lab import CLIENT, Lab

ZONE = """$ORIGIN lab.
$TTL 60
@ SOA ns root 1 2 3 4 5
@ NS ns
ns A 10.0.0.2
one A 10.0.0.1
other 300 A 10.0.0.3
Upper A 10.0.0.4
two A 10.0.0.5
two A 10.0.0.6
six AAAA 2001:db8::1
text A 10.0.0.7
text TXT more
*.wild A 10.0.0.8
alias CNAME one
"""
NAMES = ("one", "other", "upper", "two", "six", "text", "a.wild", "alias", "none", "ns")


class PlainTests(SynchronousTestCase):
    """The same questions, once answered the long way and once from what was learned of their shape."""

    def compare(self, lab: Lab, names: tuple[str, ...] = NAMES, origin: str = ".lab") -> int:
        """Ask all, with and without EDNS, twice and anew; gives how many the second time were made of the records."""
        made = 0
        for edns in (-1, 0):
            for name in names:
                for spelled in (name, name.upper()):
                    query = dns.message.make_query(spelled + origin, "A", use_edns=edns, id=7).to_wire()
                    replies = []
                    for _ in range(2):
                        lab.send(query)
                        replies.append(lab.take(CLIENT).payload)
                    lab.service.packets.dns.clear()
                    known = lab.service.packets.plain.find(query)
                    lab.service.packets.change(1_000_000, lab.service.packets.plain._zone)
                    lab.send(query)  # nothing is known of its shape: the long way
                    replies.append(lab.take(CLIENT).payload)
                    if name != "two":  # in any order
                        self.assertEqual(len(set(replies)), 1, spelled)
                    if known is not None:
                        made += 1
                        self.assertEqual(query[:2] + known[0], replies[-1])
        return made

    def test_both_ways_say_the_same(self) -> None:
        """Names with one IPv4 address and nothing else are answered from the records, all others the long way."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"], reverse=False)
        self.assertEqual(self.compare(lab), 2 * 2 * len(("one", "other", "ns")))

    def test_records_outside_of_zones_are_not_authoritative(self) -> None:
        """The shape of a reply knows whose the name is: AA is set in the zone alone."""
        lab = Lab(self, {"lab.zone": ZONE, "hosts": "10.1.1.1 printer.office\n"}, zones=["lab"])
        for name, flag in (("one.lab", True), ("printer.office", False)) * 2:
            self.assertEqual(bool(lab.ask(name).flags & 0x0400), flag)
        self.compare(lab, ("printer",), ".office")

    def test_below_a_delegation_nothing_is_made(self) -> None:
        """Where a zone has delegations, a record may be glue: the long way knows."""
        lab = Lab(self, {"lab.zone": ZONE + "sub NS ns.sub\nns.sub A 10.0.0.9\n"}, zones=["lab"], parents=[])
        self.assertEqual(self.compare(lab, (*NAMES, "ns.sub", "x.sub")), 0)

    def test_name_with_a_zero_byte_is_no_other_name(self) -> None:
        """A zero byte inside of a label ends no name."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"])
        lab.ask("one.lab")
        query = dns.message.make_query("one.lab", "A", use_edns=-1).to_wire()
        odd = query[:12] + b"\4one\0" + query[16:]
        lab.send(odd)
        self.assertEqual(dns.message.from_wire(lab.take(CLIENT).payload).rcode(), 3)

    def test_changed_records_change_the_answer(self) -> None:
        """Nothing of the records before a reload is told after it."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"])
        lab.ask("one.lab")
        other = Lab(self, {"lab.zone": ZONE.replace("10.0.0.1\n", "10.9.9.9\n")}, zones=["lab"])
        lab.service.packets.change(1_000_000, other.service.packets.plain._zone)
        self.assertIsNone(lab.service.packets.plain.find(dns.message.make_query("one.lab", "A").to_wire()))

    def test_shapes_are_bounded(self) -> None:
        """A client that asks in ever other shapes fills no memory."""
        lab = Lab(self, {"lab.zone": ZONE}, zones=["lab"])
        for payload in range(512, 1232):
            lab.send(dns.message.make_query("one.lab", "A", use_edns=0, payload=payload).to_wire())
            lab.take(CLIENT)
        self.assertLessEqual(len(lab.service.packets.plain._shapes), 200)
