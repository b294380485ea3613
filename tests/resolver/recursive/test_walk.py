"""A walk from the root: referrals, minimised names, CNAMEs, servers without glue, what is remembered."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from labnet.interfaces import IParent
from labnet.resolver.files.root_hints import Hints, NameServer
from labnet.resolver.recursive.walks import Limits
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import key_of
from labnet.wire.types import Question, Rcode, Reply
from tests.resolver.recursive.fakes import LAB, OTHER, ROOT, TLD, WalkTestCase, addresses, records, shown


class DescentTests(WalkTestCase):
    """The way down."""

    def test_is_a_parent(self) -> None:
        """A walk is a parent like any other."""
        verifyObject(IParent, self.walk)
        self.assertEqual(self.walk.address, "root")

    def test_referrals_are_followed(self) -> None:
        """Each zone's servers are asked for one label more, the last ones for the whole name."""
        answer = self.resolve("www.lab.test A")
        self.assertEqual((answer.rcode, answer.parent), (Rcode.NOERROR, f"ns.lab.test ({LAB})"))
        self.assertEqual(addresses(answer), ["192.0.2.80"])
        self.assertEqual(self.asked(), [f"{ROOT} test A", f"{TLD} lab.test A", f"{LAB} www.lab.test A"])

    def test_every_server_is_asked_at_the_port_of_the_tree(self) -> None:
        """NS records carry no port, so a lab's tree shares one."""
        self.walk = self.make(port=5300)
        self.resolve("www.lab.test A")
        self.assertEqual(self.servers.ports, {5300})

    def test_only_the_last_zone_sees_the_type(self) -> None:
        """Above it, type A is asked for."""
        self.assertEqual(self.resolve("www.lab.test TXT").rrsets, ())
        self.assertEqual(self.asked()[1:], [f"{TLD} lab.test A", f"{LAB} www.lab.test TXT"])

    def test_no_such_name(self) -> None:
        """NXDOMAIN comes with the SOA that says how long it holds."""
        answer = self.resolve("nothing.lab.test A")
        self.assertEqual((answer.rcode, shown([answer.soa])), (Rcode.NXDOMAIN, ["lab.test SOA"]))

    def test_no_such_record(self) -> None:
        """NODATA comes with the SOA too."""
        answer = self.resolve("www.lab.test AAAA")
        self.assertEqual((answer.rcode, answer.rrsets, shown([answer.soa])), (Rcode.NOERROR, (), ["lab.test SOA"]))

    def test_the_root_itself_can_be_asked_for(self) -> None:
        """A question about the root goes to the root."""
        self.servers.serve(OTHER, ".", "@ NS a.root-servers.test.")
        self.walk = self.make(hints=Hints((NameServer(key_of("a.root-servers.test"), (OTHER,)),)))
        self.assertAnswers(self.resolve(". NS"), ". NS")

    def test_a_ds_record_is_asked_of_the_parent_zone(self) -> None:
        """Also where the servers of the zone itself are known."""
        self.resolve("www.lab.test A")
        self.asked()
        self.servers.tell(f"{TLD} lab.test DS", Reply(0, True, answer=records("lab.test. DS 1 8 2 " + "00" * 32)))
        self.assertAnswers(self.resolve("lab.test DS"), "lab.test DS")
        self.assertEqual(self.asked(), [f"{TLD} lab.test DS"])

    def test_a_ds_record_of_the_root_is_asked_of_the_root(self) -> None:
        """It has no parent zone."""
        self.servers.tell(f"{ROOT} . DS", Reply(0, True))
        self.assertEqual((self.resolve(". DS").rrsets, self.asked()), ((), [f"{ROOT} . DS"]))

    def test_any_is_answered_with_what_the_server_gives(self) -> None:
        """ANY has no RRset of its own type."""
        both = records("www.lab.test. A 192.0.2.80\nwww.lab.test. TXT x")
        self.servers.tell(f"{LAB} www.lab.test ANY", Reply(0, True, answer=both))
        self.assertAnswers(self.resolve("www.lab.test ANY"), "www.lab.test A", "www.lab.test TXT")

    def test_names_that_dns_cannot_carry_are_not_asked_for(self) -> None:
        """A course name with an empty label fails at once."""
        failure = self.failureResultOf(self.walk.ask(Question(key_of("a..b"), 1)), ParentFailed)
        self.assertEqual((str(failure.value), self.asked()), ("DNS cannot carry the name a..b", []))


class MinimisedTests(WalkTestCase):
    """What servers that stumble over a part of the name do to the walk (RFC 9156)."""

    def setUp(self) -> None:
        super().setUp()
        self.servers.serve(LAB, "lab.test.", "a.b A 192.0.2.7\nc CNAME a.b.lab.test.\nd.c A 192.0.2.8\nb.b A 192.0.2.9")
        self.servers.zones[LAB] = self.servers.zones[LAB][1:]

    def test_empty_non_terminals_are_passed(self) -> None:
        """NODATA for a part of the name says that it is there."""
        self.assertEqual(addresses(self.resolve("a.b.lab.test A")), ["192.0.2.7"])
        self.assertEqual(self.asked()[2:], [f"{LAB} b.lab.test A", f"{LAB} a.b.lab.test A"])

    def test_nxdomain_for_a_part_is_not_believed(self) -> None:
        """Some servers deny empty non-terminals: the whole name is asked for."""
        self.servers.tell(f"{LAB} b.lab.test A", Reply(Rcode.NXDOMAIN, True))
        self.assertEqual(addresses(self.resolve("a.b.lab.test A")), ["192.0.2.7"])
        self.assertEqual(self.asked()[2:], [f"{LAB} b.lab.test A", f"{LAB} a.b.lab.test A"])

    def test_an_error_for_a_part_is_not_believed(self) -> None:
        """Nor SERVFAIL or REFUSED."""
        self.servers.tell(f"{LAB} b.lab.test A", Reply(Rcode.SERVFAIL))
        self.assertEqual(addresses(self.resolve("a.b.lab.test A")), ["192.0.2.7"])

    def test_a_cname_at_a_part_is_passed(self) -> None:
        """It is of no interest to the names below it."""
        self.servers.tell(f"{LAB} d.c.lab.test A", Reply(0, True, answer=records("d.c.lab.test. A 192.0.2.8")))
        self.assertAnswers(self.resolve("d.c.lab.test A"), "d.c.lab.test A")
        self.assertEqual(self.asked()[2:], [f"{LAB} c.lab.test A", f"{LAB} d.c.lab.test A"])

    def test_a_missing_name_is_missing_whole(self) -> None:
        """NXDOMAIN counts when it is for the whole name."""
        self.assertEqual(self.resolve("x.y.lab.test A").rcode, Rcode.NXDOMAIN)
        self.assertEqual(self.asked()[2:], [f"{LAB} y.lab.test A", f"{LAB} x.y.lab.test A"])


class CnameTests(WalkTestCase):
    """CNAMEs, in a zone and across zones."""

    def test_a_chain_in_one_zone_takes_one_reply(self) -> None:
        """What the zone's own server adds about the zone counts."""
        self.assertAnswers(self.resolve("web.lab.test A"), "web.lab.test CNAME", "www.lab.test A")
        self.assertEqual(len(self.asked()), 3)

    def test_a_target_in_another_zone_is_resolved_anew(self) -> None:
        """From the root, or the deepest zone known."""
        alias = records("www.lab.test. CNAME www.example.")
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, answer=alias))
        answer = self.resolve("www.lab.test A")
        self.assertAnswers(answer, "www.lab.test CNAME", "www.example A")
        self.assertEqual((addresses(answer), answer.parent), (["198.51.100.7"], f"a.nic.test ({TLD})"))
        self.assertEqual(self.asked()[3:], [f"{ROOT} example A", f"{TLD} www.example A"])

    def test_a_target_that_does_not_exist(self) -> None:
        """The RCODE is that of the end of the chain (RFC 6604), and the chain stays."""
        self.servers.tell(f"{LAB} www.lab.test A", Reply(3, True, answer=records("www.lab.test. CNAME no.example.")))
        answer = self.resolve("www.lab.test A")
        self.assertAnswers(answer, "www.lab.test CNAME")
        self.assertEqual((answer.rcode, shown([answer.soa])), (Rcode.NXDOMAIN, ["example SOA"]))

    def test_a_cname_asked_for_is_not_followed(self) -> None:
        """It is the answer."""
        self.assertAnswers(self.resolve("web.lab.test CNAME"), "web.lab.test CNAME")


class GluelessTests(WalkTestCase):
    """Name servers whose addresses do not come with the referral."""

    def setUp(self) -> None:
        super().setUp()
        self.servers.serve(TLD, "example.", "shop NS ns.lab.test.\ncafe NS ns.lab.test.")
        self.servers.zones[TLD] = [self.servers.zones[TLD][0], self.servers.zones[TLD][2]]
        self.servers.serve(LAB, "shop.example.", "www A 198.51.100.80")
        self.servers.serve(LAB, "cafe.example.", "www A 198.51.100.81")

    def test_their_addresses_are_resolved(self) -> None:
        """By a walk of their own, from the root."""
        self.assertEqual(addresses(self.resolve("www.shop.example A")), ["198.51.100.80"])
        aside = [f"{ROOT} test A", f"{TLD} lab.test A", f"{LAB} ns.lab.test A"]
        self.assertEqual(
            self.asked(), [f"{ROOT} example A", f"{TLD} shop.example A", *aside, f"{LAB} www.shop.example A"]
        )

    def test_their_addresses_are_remembered(self) -> None:
        """For other zones on the same servers."""
        self.resolve("www.shop.example A")
        self.asked()
        self.resolve("www.cafe.example A")
        self.assertEqual(self.asked(), [f"{TLD} cafe.example A", f"{LAB} www.cafe.example A"])

    def test_their_addresses_are_forgotten_with_their_ttl(self) -> None:
        """300 seconds here."""
        self.resolve("www.shop.example A")
        self.clock.advance(300)
        self.asked()
        self.resolve("www.cafe.example A")
        self.assertIn(f"{LAB} ns.lab.test A", self.asked())

    def test_a_name_without_addresses_is_not_asked_for_each_time(self) -> None:
        """The next zone on that server fails at once."""
        self.servers.tell(f"{LAB} ns.lab.test A", Reply(Rcode.NXDOMAIN, True))
        self.assertIn("ns.lab.test has no address", self.failing("www.shop.example A"))
        self.asked()
        self.failing("www.cafe.example A")
        self.assertEqual(self.asked(), [f"{TLD} cafe.example A"])

    def test_a_name_that_cannot_be_resolved_is_left_alone_for_five_seconds(self) -> None:
        """RFC 9520, section 3.2."""
        self.servers.serve(TLD, "example.", "shop NS ns2.lab.test.\ncafe NS ns2.lab.test.")
        del self.servers.zones[TLD][1]
        self.resolve("www.lab.test A")
        self.servers.silence(f"{LAB} ns2.lab.test A")
        self.failing("www.shop.example A")
        self.asked()
        self.failing("www.cafe.example A")
        self.assertEqual(self.asked(), [f"{TLD} cafe.example A"])
        self.clock.advance(5)
        self.servers.tell(f"{LAB} ns2.lab.test A", Reply(0, True, answer=records(f"ns2.lab.test. A {LAB}")))
        self.assertEqual(addresses(self.resolve("www.cafe.example A")), ["198.51.100.81"])

    def test_a_name_that_cannot_be_resolved_has_the_glue_of_its_own_zone(self) -> None:
        """Its servers are there, as the parent says, and may answer other questions."""
        self.servers.silence(f"{LAB} ns.lab.test A")
        self.assertEqual(addresses(self.resolve("www.shop.example A")), ["198.51.100.80"])

    def test_a_server_whose_glue_is_wrong_is_looked_for(self) -> None:
        """Once all that glue says is tried; the right address is remembered beside it."""
        cut, glue = records("shop.example. NS ns.web.example."), records("ns.web.example. A 203.0.113.66")
        self.servers.tell(f"{TLD} shop.example A", Reply(0, authority=cut, additional=glue))
        right = records(f"ns.web.example. A {LAB}")
        self.servers.tell(f"{TLD} web.example A", Reply(0, True, authority=records("@ SOA a. b. 1 1 1 1 1", "example")))
        self.servers.tell(f"{TLD} ns.web.example A", Reply(0, True, answer=right))
        self.assertEqual(addresses(self.resolve("www.shop.example A")), ["198.51.100.80"])
        self.asked()
        self.resolve("web.shop.example A")
        self.assertEqual(self.asked(), [f"{LAB} web.shop.example A"])

    def test_an_address_is_asked_once_whatever_names_it_has(self) -> None:
        """A server that was silent under one name is not asked under the next."""
        cut = records("shop.example. NS ns.lab.test.\nshop.example. NS ns.shop.example.")
        glue = records(f"ns.shop.example. A {LAB}")
        self.servers.tell(f"{TLD} shop.example A", Reply(0, authority=cut, additional=glue))
        self.servers.silence(f"{LAB} www.shop.example A")
        self.failing("www.shop.example A")
        self.assertEqual(self.asked().count(f"{LAB} www.shop.example A"), 1)

    def test_an_alias_is_no_name_server(self) -> None:
        """The name in an NS record may not be an alias (RFC 2181, section 10.3)."""
        alias = records(f"ns.lab.test. CNAME www.lab.test.\nwww.lab.test. A {LAB}")
        self.servers.tell(f"{LAB} ns.lab.test A", Reply(0, True, answer=alias))
        self.assertIn("ns.lab.test has no address", self.failing("www.shop.example A"))

    def test_ipv6_addresses_are_asked_for_where_there_is_no_ipv4_address(self) -> None:
        """And where there is no IPv4 address."""
        self.servers.tell(f"{LAB} ns.lab.test A", Reply(0, True))
        self.servers.tell(f"{LAB} ns.lab.test AAAA", Reply(0, True, answer=records("ns.lab.test. AAAA 2001:db8::53")))
        self.servers.serve("2001:db8::53", "shop.example.", "www A 198.51.100.80")
        self.assertEqual(addresses(self.resolve("www.shop.example A")), ["198.51.100.80"])
        self.assertEqual(self.asked()[-1], "2001:db8::53 www.shop.example A")

    def test_ipv6_addresses_are_not_asked_for_where_there_is_an_ipv4_address(self) -> None:
        """One kind is enough."""
        self.resolve("www.shop.example A")
        self.assertNotIn(f"{LAB} ns.lab.test AAAA", self.asked())

    def test_a_name_that_does_not_exist_has_no_ipv6_address_either(self) -> None:
        """It is not asked for."""
        self.servers.tell(f"{LAB} ns.lab.test A", Reply(Rcode.NXDOMAIN, True))
        self.failing("www.shop.example A")
        self.assertNotIn(f"{LAB} ns.lab.test AAAA", self.asked())

    def test_an_address_that_leads_to_this_machine_is_not_asked(self) -> None:
        """Whoever gives it."""
        self.servers.tell(f"{LAB} ns.lab.test A", Reply(0, True, answer=records("ns.lab.test. A 127.0.0.1")))
        self.failing("www.shop.example A")
        self.assertEqual(self.asked()[-1], f"{LAB} ns.lab.test A")

    def test_servers_with_glue_are_asked_first(self) -> None:
        """Addresses are looked for only where no server at hand answers."""
        cut = records("shop.example. NS ns.lab.test.\nshop.example. NS ns.shop.example.")
        glue = records(f"ns.shop.example. A {LAB}")
        self.servers.tell(f"{TLD} shop.example A", Reply(0, authority=cut, additional=glue))
        self.resolve("www.shop.example A")
        self.assertEqual(self.asked(), [f"{ROOT} example A", f"{TLD} shop.example A", f"{LAB} www.shop.example A"])


class RememberedTests(WalkTestCase):
    """The delegations that the next walk begins with."""

    def test_the_next_name_begins_lower(self) -> None:
        """At the servers of the deepest zone known."""
        self.resolve("www.lab.test A")
        self.asked()
        self.resolve("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{LAB} mail.lab.test A"])

    def test_a_delegation_ends_with_its_ttl_or_with_the_one_above_it(self) -> None:
        """The TLD's lasts 300 seconds, the zone's would last 3600."""
        self.resolve("www.lab.test A")
        self.clock.advance(299)
        self.asked()
        self.resolve("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{LAB} mail.lab.test A"])
        self.clock.advance(1)
        self.resolve("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{ROOT} test A", f"{TLD} lab.test A", f"{LAB} mail.lab.test A"])

    def test_a_ttl_of_zero_serves_the_walk_alone(self) -> None:
        """Nothing is remembered of it."""
        cut, glue = records("lab.test. 0 NS ns.lab.test."), records(f"ns.lab.test. 0 A {LAB}")
        self.servers.tell(f"{TLD} lab.test A", Reply(0, authority=cut, additional=glue))
        self.resolve("www.lab.test A")
        self.asked()
        self.resolve("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{TLD} lab.test A", f"{LAB} mail.lab.test A"])

    def test_the_number_of_zones_is_bounded(self) -> None:
        """What was used longest ago goes first."""
        self.walk = self.make(limits=Limits(zones=1))
        self.resolve("www.lab.test A")
        self.asked()
        self.resolve("no.test A")
        self.assertEqual(self.asked(), [f"{ROOT} test A", f"{TLD} no.test A"])

    def test_a_zone_that_moved_is_found_again(self) -> None:
        """Servers that no longer know the zone are given up, and its parent is asked."""
        self.resolve("www.lab.test A")
        self.servers.zones[LAB] = []
        self.servers.serve(OTHER, "lab.test.", "mail A 192.0.2.26")
        self.servers.serve(TLD, "test.", f"lab NS ns2.lab\nns2.lab A {OTHER}")
        self.servers.zones[TLD] = self.servers.zones[TLD][1:]
        self.asked()
        self.assertEqual(addresses(self.resolve("mail.lab.test A")), ["192.0.2.26"])
        self.assertEqual(self.asked(), [f"{LAB} mail.lab.test A", f"{TLD} lab.test A", f"{OTHER} mail.lab.test A"])

    def test_a_zone_that_is_gone_is_forgotten(self) -> None:
        """Its old servers are not asked a second time."""
        self.resolve("www.lab.test A")
        self.servers.zones[LAB] = []
        self.servers.tell(TLD, Reply(Rcode.NXDOMAIN, True))
        for _ in range(2):
            self.assertEqual(self.resolve("mail.lab.test A").rcode, Rcode.NXDOMAIN)
        self.assertEqual(len([asked for asked in self.asked() if asked == f"{LAB} mail.lab.test A"]), 1)

    def test_a_silent_zone_is_not_asked_for_at_its_parent_again(self) -> None:
        """That would put the load of every dead zone on its parent (RFC 4697, section 2.1.1)."""
        self.resolve("www.lab.test A")
        self.servers.silence(LAB)
        self.asked()
        self.failing("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{LAB} mail.lab.test A"])
