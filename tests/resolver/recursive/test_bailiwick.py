"""What counts of one reply from a zone's server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.bailiwick import MOST_ADDRESSES, MOST_SERVERS, Found, Lame, read_reply
from labnet.resolver.recursive.delegation import Delegation
from labnet.wire.names import key_of
from labnet.wire.types import Rcode, Reply
from tests.resolver.recursive.fakes import ask, records, shown


def read(reply: Reply, question: str = "www.lab.test A", zone: str = "test") -> Found | Delegation:
    return read_reply(reply, ask(question), key_of(zone), 1000.0)


def refer(authority: str, additional: str = "", authoritative: bool = False) -> Delegation:
    """The referral in a reply."""
    found = read(Reply(0, authoritative, authority=records(authority), additional=records(additional)))
    assert isinstance(found, Delegation)
    return found


def answer(text: str, question: str = "www.lab.test A") -> Found:
    """The answer in a reply."""
    found = read(Reply(0, True, answer=records(text)), question)
    assert isinstance(found, Found)
    return found


class ReferralTests(SynchronousTestCase):
    """Who is to be asked next."""

    def test_servers_with_glue_come_first(self) -> None:
        """Names are compared without case."""
        found = refer("Lab.Test. NS ns.example.\nlab.test. NS NS.Lab.Test.", "ns.LAB.test. A 192.0.2.3")
        servers = (NameServer(key_of("ns.lab.test"), ("192.0.2.3",)), NameServer(key_of("ns.example")))
        self.assertEqual((found.zone, found.servers), (key_of("lab.test"), servers))

    def test_it_ends_with_the_first_of_its_records(self) -> None:
        """The NS or one of the glue that is used; other records do not count."""
        glue = "ns.lab.test. 70 A 192.0.2.3\nns.lab.test. 60 AAAA 2001:db8::3\nmail.lab.test. 5 A 192.0.2.25"
        self.assertEqual(refer("lab.test. 50 NS ns.lab.test.", glue).expires, 1050.0)
        self.assertEqual(refer("lab.test. 80 NS ns.lab.test.", glue).expires, 1060.0)

    def test_the_deepest_zone_counts(self) -> None:
        """Where a server names several on the way."""
        self.assertEqual(refer("lab.test. NS a.example.\nwww.lab.test. NS b.example.").zone, key_of("www.lab.test"))

    def test_its_size_is_bounded(self) -> None:
        """Thirteen servers with eight addresses each are looked at; those with glue count first."""
        names = "".join(f"lab.test. NS n{number}.lab.test.\n" for number in range(50))
        glue = "".join(f"n49.lab.test. A 192.0.2.{number}\n" for number in range(50))
        found = refer(names, glue)
        self.assertEqual((len(found.servers), found.servers[0].name), (MOST_SERVERS, key_of("n49.lab.test")))
        self.assertEqual(len(found.servers[0].addresses), MOST_ADDRESSES)

    def test_some_servers_refer_with_authority(self) -> None:
        """It is a referral all the same."""
        self.assertEqual(refer("lab.test. NS ns.example.", authoritative=True).zone, key_of("lab.test"))

    def test_a_soa_makes_it_a_negative_answer(self) -> None:
        """Whatever NS records stand beside it (RFC 2308, section 2.2)."""
        soa = records("@ SOA a.example. b.example. 1 1 1 1 60", "lab.test.")
        found = read(Reply(0, True, authority=(*records("lab.test. NS ns.example."), *soa)))
        self.assertEqual(found, Found(Rcode.NOERROR, soa=soa[0]))


class AnswerTests(SynchronousTestCase):
    """Answers and their CNAMEs."""

    def test_records_are_put_in_the_order_of_the_chain(self) -> None:
        """However the server sends them, and in whatever case."""
        found = answer("web.lab.test. A 192.0.2.80\nWWW.lab.test. CNAME Web.Lab.Test.")
        self.assertEqual((shown(found.rrsets), found.target), (["www.lab.test CNAME", "web.lab.test A"], None))

    def test_a_chain_that_ends_open_says_what_to_ask_next(self) -> None:
        """The name that its last CNAME leads to."""
        self.assertEqual(answer("www.lab.test. CNAME Web.Lab.Test.").target, key_of("web.lab.test"))

    def test_a_circle_is_walked_once(self) -> None:
        """Each CNAME stands in the chain once."""
        found = answer("www.lab.test. CNAME a.lab.test.\na.lab.test. CNAME www.lab.test.")
        self.assertEqual(shown(found.rrsets), ["www.lab.test CNAME", "a.lab.test CNAME"])
        self.assertEqual(found.target, key_of("www.lab.test"))

    def test_rcodes_that_nobody_knows_are_lame(self) -> None:
        """They have a number all the same."""
        with self.assertRaises(Lame) as raised:
            read(Reply(3841))
        self.assertEqual(str(raised.exception), "answered 3841")
