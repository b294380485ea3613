"""Stub zones: recursion that begins at the servers of a zone, through a whole resolver on a network in memory."""

from __future__ import annotations

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.fakes import Datagram
from tests.resolver.lab import OTHER, PARENT, Address, Lab, errors, rcode, shown

CHILD: Address = ("192.0.2.60", 53)


class StubTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lab = Lab(self, stub={"corp.example": [OTHER[0]]}, parents=[f"dns:{PARENT[0]}"])

    def asked(self, name: str, server: Address = OTHER, rrtype: str = "A") -> Datagram:
        """What ``server`` is asked: without recursion."""
        query = self.lab.asked(name, rrtype, server)
        self.assertFalse(dns.message.from_wire(query.payload).flags & dns.flags.RD)
        return query

    def tell(self, query: Datagram, *answer: str, flags: str = "QR AA", **reply: object) -> None:
        self.lab.tell(query, *answer, flags=flags, **reply)

    def test_names_of_the_zone_are_asked_of_its_servers(self) -> None:
        """Without recursion; all others of the parent, with it."""
        self.lab.begin("www.corp.example")
        self.tell(self.asked("www.corp.example"), "www.corp.example. 60 A 192.0.2.1")
        reply = self.lab.told()
        self.assertEqual(shown(reply), ["www.corp.example. 60 IN A 192.0.2.1"])
        self.assertEqual(errors(reply), ["from corp.example (192.0.2.54)"])
        self.lab.resolve("www.example", "www.example. 60 A 192.0.2.2")

    def test_a_referral_is_followed(self) -> None:
        """To the servers of the zone below, at the same port; the next name of that is asked there at once."""
        self.lab.begin("www.sub.corp.example")
        self.tell(
            self.asked("sub.corp.example"),
            flags="QR",
            authority=["sub.corp.example. 600 NS ns.sub.corp.example."],
            additional=["ns.sub.corp.example. 600 A 192.0.2.60"],
        )
        self.tell(self.asked("www.sub.corp.example", CHILD), "www.sub.corp.example. 60 A 192.0.2.1")
        self.assertEqual(len(shown(self.lab.told())), 1)
        self.lab.begin("mail.sub.corp.example")
        self.tell(self.asked("mail.sub.corp.example", CHILD), "mail.sub.corp.example. 60 A 192.0.2.1")
        self.assertEqual(len(shown(self.lab.told())), 1)

    def test_an_alias_that_leads_out_of_the_zone_is_the_parents(self) -> None:
        """What the zone's servers say about it does not count."""
        self.lab.begin("www.corp.example")
        chain = "www.corp.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.66"
        self.tell(self.asked("www.corp.example"), *chain)
        self.lab.tell(self.lab.asked("cdn.example"), "cdn.example. 60 A 192.0.2.1")
        self.assertEqual(shown(self.lab.told())[-1], "cdn.example. 60 IN A 192.0.2.1")

    def test_servers_that_know_nothing_are_a_failure(self) -> None:
        """Nobody else is asked for the zone's names, also where the server's name is elsewhere."""
        self.lab.begin("www.corp.example")
        self.tell(self.asked("www.corp.example"), flags="QR", rcode="REFUSED")
        reply = self.lab.told()
        self.assertEqual(rcode(reply), "SERVFAIL")
        self.assertIn("no server of corp.example answered", errors(reply)[0])
        self.lab.begin("www.sub.corp.example")
        referral = ["sub.corp.example. 600 NS ns.example."]
        self.tell(self.asked("sub.corp.example"), flags="QR", authority=referral)
        reply = self.lab.told()
        self.assertIn("ns.example is outside of the stub zone corp.example", errors(reply)[0])
        self.assertEqual(self.lab.network.sent, [])

    def test_the_zone_s_ds_is_asked_above(self) -> None:
        """It is the parent zone's (RFC 4035, section 3.1.4.1)."""
        self.lab.resolve("corp.example", rrtype="DS", authority=["example. 60 SOA ns.example. h.example. 1 2 3 4 5"])

    def test_its_servers_are_shown_as_a_parent(self) -> None:
        """By the zone's name."""
        rows = [(row["domain"], row["address"]) for row in self.lab.service.inspection.parents()]
        self.assertEqual(rows, [(".", "192.0.2.53:53"), ("corp.example", "stub corp.example")])
