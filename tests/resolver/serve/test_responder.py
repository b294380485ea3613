"""Tests for :mod:`labnet.resolver.serve.responder`, beside compliance."""

from __future__ import annotations

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.metrics import version
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

    def chaos(self, lab: Lab, name: str, rrtype: str = "TXT", rrclass: str = "CH") -> tuple[str, list[str]]:
        """The RCODE and the texts of the answer to a question in another class than IN."""
        lab.send(dns.message.make_query(name, rrtype, rrclass, id=CLIENT[1]).to_wire())
        reply = lab.told()
        return rcode(reply), [rdata.to_text() for rrset in reply.answer for rdata in rrset]

    def test_server_identifies_itself_in_class_chaos_where_it_may(self) -> None:
        """With ``identify``: by the text of nsid (RFC 4892) and by the version; any other question is REFUSED."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, nsid="the lab", identify=True)
        for name in ("id.server", "Hostname.Bind"):
            self.assertEqual(self.chaos(lab, name), ("NOERROR", ['"the lab"']))
        for name in ("version.bind", "version.server"):
            self.assertEqual(self.chaos(lab, name, "ANY"), ("NOERROR", [f'"labnet {version()}"']))
        refused = ("REFUSED", [])
        self.assertEqual(self.chaos(lab, "version.bind", rrclass="HS"), refused)
        self.assertEqual(self.chaos(lab, "version.bind", "A"), refused)
        self.assertEqual(self.chaos(lab, "www.lab"), refused)
        lab.restart(allow=["192.0.2.0/24"])
        self.assertEqual(self.chaos(lab, "version.bind"), refused)

    def test_server_says_nothing_of_itself_by_default(self) -> None:
        """Neither its name nor its version; without a name there is none to say."""
        lab = Lab(self, nsid="the lab")
        for name in ("id.server", "version.bind"):
            self.assertEqual(self.chaos(lab, name), ("REFUSED", []))
        lab.restart(identify=True, nsid="")
        self.assertEqual(self.chaos(lab, "id.server"), ("REFUSED", []))

    def test_negative_answer_of_an_authority(self) -> None:
        """Below a zone of ours a name that is not there is NXDOMAIN, with AA and the SOA."""
        lab = Lab(self, {"ips.txt": "www.lab,10.0.0.1,60\n"}, zones=["lab"])
        reply = lab.ask("x.lab")
        self.assertEqual((rcode(reply), reply.authority[0].rdtype), ("NXDOMAIN", RRType.SOA))
        self.assertTrue(reply.flags & dns.flags.AA)
