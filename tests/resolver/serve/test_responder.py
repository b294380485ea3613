"""Tests for :mod:`labnet.resolver.serve.responder`, beside compliance."""

from __future__ import annotations

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.types import InfoCode, RRType
from tests.resolver.lab import CLIENT, Lab, codes, errors, rcode, shown


class ResponderTests(SynchronousTestCase):
    """Through a whole resolver."""

    def test_recursion_is_offered_where_there_is_a_parent(self) -> None:
        """RA says whether there is anybody to ask."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"})
        self.assertTrue(lab.ask("www.lab").flags & dns.flags.RA)
        lab.restart(parents=[])
        self.assertFalse(lab.ask("www.lab").flags & dns.flags.RA)

    def test_parents_own_reasons_are_passed_on(self) -> None:
        """The extended errors of a parent reach the client, behind what we say ourselves."""
        lab = Lab(self)
        told = dns.edns.EDEOption(dns.edns.EDECode.BLOCKED, "not in this school")
        reply = lab.resolve("web.example", rcode="SERVFAIL", options=[told])
        self.assertEqual((rcode(reply), codes(reply)[0]), ("SERVFAIL", int(InfoCode.NO_REACHABLE_AUTHORITY)))
        self.assertIn("not in this school", " ".join(errors(reply)))

    def test_any_is_answered_with_one_rrset(self) -> None:
        """ANY is told one RRset of the records (RFC 8482)."""
        zone = "$TTL 60\nwww.lab. IN A 10.0.0.1\nwww.lab. IN TXT something-longer\n"
        self.assertEqual(len(Lab(self, {"db.lab": zone}).ask("www.lab", "ANY").answer), 1)

    def test_waiting_client_keeps_its_own_case_and_options(self) -> None:
        """Two clients that wait for one query each get their own id and case."""
        lab = Lab(self)
        lab.begin("web.EXAMPLE", client=(CLIENT[0], 1))
        lab.begin("WEB.example", client=(CLIENT[0], 2))
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        for number, name in ((1, "web.EXAMPLE."), (2, "WEB.example.")):
            reply = lab.told((CLIENT[0], number))
            self.assertEqual((reply.question[0].name.to_text(), len(shown(reply))), (name, 1))

    def test_negative_answer_of_an_authority(self) -> None:
        """Below a zone of ours a name that is not there is NXDOMAIN, with AA and the SOA."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, zones=["lab"])
        reply = lab.ask("x.lab")
        self.assertEqual((rcode(reply), reply.authority[0].rdtype), ("NXDOMAIN", RRType.SOA))
        self.assertTrue(reply.flags & dns.flags.AA)
