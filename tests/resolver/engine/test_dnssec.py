"""DNSSEC records of a parent, end to end: passed on and cached for clients that ask for them, for no others."""

from __future__ import annotations

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.fakes import Datagram
from tests.resolver.lab import CLIENT, Lab, rcode, shown

SIGNATURE = "60 RRSIG {} 8 2 60 20300101000000 20200101000000 1 example. AAAA"
ADDRESS = "web.example. 60 A 192.0.2.1"
SIGNED = (ADDRESS, f"web.example. {SIGNATURE.format('A')}")
DENIED = (
    "example. 60 SOA ns.example. a.example. 1 2 3 4 60",
    f"example. {SIGNATURE.format('SOA')}",
    "a.example. 60 NSEC z.example. A RRSIG NSEC",
    f"a.example. {SIGNATURE.format('NSEC')}",
    "example. 60 NS ns.example.",
)


def types(section: list[dns.rrset.RRset]) -> list[str]:
    return [dns.rdatatype.to_text(rrset.rdtype) for rrset in section]


class PassedOnTests(SynchronousTestCase):
    """A resolver with a DNS parent that answers with signatures."""

    def setUp(self) -> None:
        self.lab = Lab(self)

    def begin(self, *, do: bool = True, cd: bool = False, name: str = "web.example") -> None:
        query = dns.message.make_query(name, "A", use_edns=0, want_dnssec=do, id=CLIENT[1])
        if cd:
            query.flags |= dns.flags.CD
        self.lab.send(query.to_wire())

    def ask(self, **bits: bool) -> dns.message.Message:
        """The reply to a question that is answered without a parent."""
        self.begin(**bits)
        reply = self.lab.told()
        self.assertEqual(self.lab.network.sent, [])
        return reply

    def asked(self) -> tuple[Datagram, bool, bool]:
        """What the parent was asked, whether with DO and with CD."""
        query = self.lab.asked()
        message = dns.message.from_wire(query.payload)
        return query, bool(message.ednsflags & dns.flags.DO), bool(message.flags & dns.flags.CD)

    def test_signatures_reach_a_client_that_asks_for_them_and_are_cached_with_their_answer(self) -> None:
        """The parent is asked with DO; AD of its reply is not passed on; TTLs of the signatures count down."""
        self.begin()
        query, do, cd = self.asked()
        self.assertEqual((do, cd), (True, False))
        self.lab.tell(query, *SIGNED, flags="QR RD RA AD", edns=True)
        reply = self.lab.told()
        self.assertEqual(types(reply.answer), ["A", "RRSIG"])
        self.assertEqual((bool(reply.flags & dns.flags.AD), bool(reply.ednsflags & dns.flags.DO)), (False, True))
        for seconds in (10, 1):
            self.lab.pass_time(seconds)
            again = self.ask()
            self.assertEqual((types(again.answer), again.answer[0].ttl), (["A", "RRSIG"], again.answer[1].ttl))
        self.assertEqual(again.answer[0].ttl, 49)

    def test_other_clients_get_no_signatures_and_make_a_question_of_their_own(self) -> None:
        """What is cached for DO is not for a client without; the parent is asked without DO for that one."""
        self.begin()
        self.lab.tell(self.asked()[0], *SIGNED, edns=True)
        self.lab.told()
        self.begin(do=False)
        query, do, _ = self.asked()
        self.assertFalse(do)
        self.lab.tell(query, ADDRESS)
        self.assertEqual(types(self.lab.told().answer), ["A"])
        self.assertEqual((types(self.ask(do=False).answer), types(self.ask().answer)), (["A"], ["A", "RRSIG"]))

    def test_proofs_of_a_negative_answer_are_passed_on_and_cached(self) -> None:
        """SOA, NSEC and their signatures, of the TTL of the negative answer; nothing else of the authority section."""
        self.begin()
        self.lab.tell(self.asked()[0], rcode="NXDOMAIN", authority=DENIED, edns=True)
        for reply in (self.lab.told(), self.ask()):
            self.assertEqual(
                (rcode(reply), sorted(types(reply.authority))), ("NXDOMAIN", ["NSEC", "RRSIG", "RRSIG", "SOA"])
            )
        self.lab.pass_time(10)
        self.assertEqual({rrset.ttl for rrset in self.ask().authority}, {50})

    def test_checking_disabled_is_the_parents_to_decide(self) -> None:
        """CD goes to the parent and back; what came with CD, not validated, answers no other question."""
        self.begin(do=False, cd=True)
        query, do, cd = self.asked()
        self.assertEqual((do, cd), (False, True))
        self.lab.tell(query, "web.example. 60 A 192.0.2.66")
        reply = self.lab.told()
        self.assertTrue(reply.flags & dns.flags.CD)
        self.begin(do=False)
        query, _, cd = self.asked()
        self.assertFalse(cd)
        self.lab.tell(query, ADDRESS)
        self.assertEqual(shown(self.lab.told()), ["web.example. 60 IN A 192.0.2.1"])
        self.assertEqual(shown(self.ask(do=False, cd=True)), ["web.example. 60 IN A 192.0.2.66"])

    def test_cname_chains_of_two_parents_have_all_their_signatures(self) -> None:
        """The CNAME's from the first reply, the address' from the one for the name that it leads to."""
        lab = self.lab
        alias = ("web.example. 60 CNAME x.other.", f"web.example. {SIGNATURE.format('CNAME')}")
        self.begin()
        lab.tell(self.asked()[0], *alias, edns=True)
        query, do, _ = self.asked()
        self.assertTrue(do)
        lab.tell(query, "x.other. 60 A 192.0.2.7", f"x.other. {SIGNATURE.format('A')}", edns=True)
        for reply in (lab.told(), self.ask()):
            self.assertEqual(sorted(types(reply.answer)), ["A", "CNAME", "RRSIG", "RRSIG"])

    def test_signatures_of_names_that_a_parent_has_no_say_in_are_dropped_with_their_records(self) -> None:
        """A CNAME leads to a name of the records: the parent's address for it is not passed on, nor its signature."""
        self.lab = lab = Lab(self, {"ips.txt": "own.lab,10.0.0.1,60\n"})
        self.begin()
        lab.tell(
            self.asked()[0],
            "web.example. 60 CNAME own.lab.",
            f"web.example. {SIGNATURE.format('CNAME')}",
            "own.lab. 60 A 192.0.2.66",
            f"own.lab. {SIGNATURE.format('A')}",
            edns=True,
        )
        for reply in (lab.told(), self.ask()):
            self.assertEqual(
                [(rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype)) for rrset in reply.answer],
                [("web.example.", "CNAME"), ("own.lab.", "A"), ("web.example.", "RRSIG")],
            )
            self.assertIn("own.lab. 60 IN A 10.0.0.1", shown(reply))

    def test_what_was_asked_with_do_is_not_logged(self) -> None:
        """After a restart the parent is asked again, whether it was learned before the log began or after that."""
        names = ("web.example", "new.example")
        self.begin(name=names[0])
        self.lab.tell(self.lab.asked(names[0]), *SIGNED, edns=True)
        self.lab.told()
        self.lab.resolve("other.example", "other.example. 60 A 192.0.2.9")
        self.begin(name=names[1])
        self.lab.tell(self.lab.asked(names[1]), "new.example. 60 A 192.0.2.1", edns=True)
        self.lab.told()
        self.lab.restart()
        for name in names:
            for do in (True, False):
                self.begin(name=name, do=do)
                self.lab.asked(name)
        self.assertEqual(shown(self.lab.ask("other.example")), ["other.example. 60 IN A 192.0.2.9"])
