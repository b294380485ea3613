"""Tests for :mod:`labnet.resolver.cache.policy`: what is kept of what parents tell, and for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.policy import Bounds, answer_of_mapping, entry_of, negative_ttl
from labnet.wire.types import Mapping, Rcode, RRset, RRType, Upstream
from tests.resolver.dnsfakes import question, rrset
from tests.resolver.lab import CLIENT, COURSE, EPOCH, OTHER, Lab, errors, rcode, shown

FORGEABLE = "told by a text: parent, whose replies can be forged"

SOA = "example. 300 SOA ns.example. h.example. 1 2 3 4 {minimum}"


class LifetimeTests(SynchronousTestCase):
    """TTLs of DNS parents have bounds, and count down."""

    def test_ttl_is_bounded_from_above(self) -> None:
        """A TTL of more than ``ttl_max`` is that much, for the client too."""
        lab = Lab(self, ttl_max=100)
        self.assertEqual(
            shown(lab.resolve("web.example", "web.example. 1000 A 192.0.2.1")), ["web.example. 100 IN A 192.0.2.1"]
        )
        lab.pass_time(100.5)
        lab.resolve("web.example", "web.example. 1000 A 192.0.2.1")

    def test_ttl_is_bounded_from_below(self) -> None:
        """A TTL of less than ``ttl_min`` is that much."""
        lab = Lab(self, ttl_min=30)
        lab.resolve("web.example", "web.example. 0 A 192.0.2.1")
        lab.pass_time(10)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 20 IN A 192.0.2.1"])

    def test_chain_lives_as_long_as_its_shortest_part(self) -> None:
        """A chain is asked for anew once one TTL in it has passed; each part counts down by itself."""
        lab = Lab(self, prefetch=False)
        told = ("web.example. 300 CNAME www.example.", "www.example. 60 A 192.0.2.1")
        lab.resolve("web.example", *told)
        lab.pass_time(60)
        self.assertEqual(
            shown(lab.ask("web.example")),
            ["web.example. 240 IN CNAME www.example.", "www.example. 0 IN A 192.0.2.1"],
        )
        lab.pass_time(0.5)
        lab.resolve("web.example", *told)

    @given(st.integers(0, 2**31 - 1), st.integers(0, 1000), st.integers(1000, 10000))
    def test_any_ttl_is_within_the_bounds(self, ttl: int, least: int, most: int) -> None:
        """Whatever a parent tells, entry and records live from ``ttl_min`` to ``ttl_max`` seconds."""
        upstream = Upstream(Rcode.NOERROR, "parent", (rrset("a.example", ttl, 1, b"\1\2\3\4"),))
        kept = entry_of(question("a.example"), upstream, 5.0, Bounds(ttl_min=least, ttl_max=most))
        assert kept is not None
        entry = kept[1]
        self.assertEqual(entry.ttl, min(max(ttl, least), most))
        self.assertEqual([told.ttl for told in entry.answer.answer], [entry.ttl])


class NegativeTests(SynchronousTestCase):
    """Negative answers live by the SOA that comes with them (RFC 2308)."""

    def test_name_that_does_not_exist(self) -> None:
        """NXDOMAIN is kept for the lesser of the SOA's TTL and its MINIMUM, and counts down."""
        for minimum, lifetime in ((60, 60), (900, 300)):
            lab = Lab(self, prefetch=False)
            told = {"rcode": "NXDOMAIN", "authority": [SOA.format(minimum=minimum)]}
            self.assertEqual(lab.resolve("web.example", **told).authority[0].ttl, lifetime)
            lab.pass_time(lifetime - 10)
            reply = lab.ask("web.example")
            self.assertEqual((rcode(reply), reply.authority[0].ttl), ("NXDOMAIN", 10))
            lab.pass_time(10.5)
            lab.resolve("web.example", **told)

    def test_a_name_that_does_not_exist_has_no_type_and_nothing_below_it(self) -> None:
        """One NXDOMAIN answers all types (RFC 2308, section 5) and all names below (RFC 8020), while it lives."""
        lab = Lab(self, prefetch=False)
        denied = {"rcode": "NXDOMAIN", "authority": [SOA.format(minimum=60)]}
        lab.resolve("gone.example", rrtype="MX", **denied)
        lab.pass_time(10)
        for name, rrtype in ("gone.example", "A"), ("Gone.example", "HTTPS"), ("a.b.gone.example", "TXT"):
            reply = lab.ask(name, rrtype)
            self.assertEqual((rcode(reply), reply.authority[0].ttl), ("NXDOMAIN", 50), name)
        self.assertEqual(rcode(lab.resolve("a.begone.example", **denied)), "NXDOMAIN")
        lab.pass_time(50.5)
        lab.resolve("gone.example", "gone.example. 60 A 192.0.2.1")

    def test_what_is_cached_below_a_name_that_does_not_exist_is_answered(self) -> None:
        """A positive answer lives on, whichever of the two was learned first; and the name is there again by one."""
        lab = Lab(self)
        denied = {"rcode": "NXDOMAIN", "authority": [SOA.format(minimum=60)]}
        lab.resolve("web.gone.example", "web.gone.example. 60 A 192.0.2.1")
        lab.begin("gone.example")
        first = lab.asked("gone.example")
        lab.begin("gone.example", "MX")
        second = lab.asked("gone.example", "MX")
        lab.tell(first, **denied)
        lab.told()
        self.assertEqual(shown(lab.ask("web.gone.example")), ["web.gone.example. 60 IN A 192.0.2.1"])
        self.assertEqual(rcode(lab.ask("web.gone.example", "AAAA")), "NXDOMAIN")
        lab.tell(second, "gone.example. 60 MX 1 web.gone.example.")
        lab.told()
        no_data = lab.resolve("gone.example", rrtype="TXT", authority=[SOA.format(minimum=60)])
        self.assertEqual(rcode(no_data), "NOERROR")

    def test_a_name_behind_an_alias_that_does_not_exist_says_nothing_of_the_alias(self) -> None:
        """NXDOMAIN behind a CNAME speaks of its target: names below the alias are asked for."""
        lab = Lab(self)
        denied = {"rcode": "NXDOMAIN", "authority": [SOA.format(minimum=60)]}
        self.assertEqual(rcode(lab.resolve("web.example", "web.example. 60 CNAME gone.example.", **denied)), "NXDOMAIN")
        lab.resolve("x.web.example", "x.web.example. 60 A 192.0.2.1")

    def test_other_parents_are_asked_about_names_that_those_above_deny(self) -> None:
        """A forwarded domain may be one that the parents of all else say is not there."""
        lab = Lab(self, forward={"corp.example": ["dns:192.0.2.54"]})
        lab.resolve("example", rcode="NXDOMAIN", authority=[SOA.format(minimum=60)])
        self.assertEqual(rcode(lab.ask("www.example")), "NXDOMAIN")
        lab.begin("www.corp.example")
        lab.tell(lab.asked("www.corp.example", parent=OTHER), "www.corp.example. 60 A 192.0.2.1")
        self.assertEqual(shown(lab.told()), ["www.corp.example. 60 IN A 192.0.2.1"])

    def test_a_flushed_name_is_asked_for_although_one_above_it_did_not_exist(self) -> None:
        """Flushing it drops what denies it."""
        lab = Lab(self)
        lab.resolve("gone.example", rcode="NXDOMAIN", authority=[SOA.format(minimum=60)])
        self.assertEqual(rcode(lab.ask("web.gone.example")), "NXDOMAIN")
        self.assertEqual(lab.service.flush("web.gone.example"), 1)
        lab.resolve("web.gone.example", "web.gone.example. 60 A 192.0.2.1")

    def test_type_that_the_name_does_not_have(self) -> None:
        """NODATA is kept for its type alone."""
        lab = Lab(self)
        lab.resolve("web.example", rrtype="AAAA", authority=[SOA.format(minimum=60)])
        reply = lab.ask("web.example", "AAAA")
        self.assertEqual((rcode(reply), shown(reply), len(reply.authority)), ("NOERROR", [], 1))
        self.assertEqual(len(lab.resolve("web.example", "web.example. 60 A 192.0.2.1").answer), 1)

    def test_bound(self) -> None:
        """A negative answer lives ``negative_ttl_max`` seconds at most."""
        lab = Lab(self, negative_ttl_max=20, prefetch=False)
        told = {"rcode": "NXDOMAIN", "authority": [SOA.format(minimum=900)]}
        self.assertEqual(lab.resolve("web.example", **told).authority[0].ttl, 20)
        lab.pass_time(20.5)
        lab.resolve("web.example", **told)

    def test_without_a_soa_nothing_is_kept(self) -> None:
        """A negative answer without a SOA is told once and asked for again (RFC 2308, section 5)."""
        lab = Lab(self)
        for _ in range(2):
            self.assertEqual(rcode(lab.resolve("web.example", rcode="NXDOMAIN")), "NXDOMAIN")

    def test_soa_that_is_cut_has_no_lifetime(self) -> None:
        """A SOA without its five numbers gives zero seconds."""
        self.assertEqual(negative_ttl(RRset(b"\0", RRType.SOA, 60, (b"\0\0" + b"\1" * 18,))), 0)


class CourseParentTests(SynchronousTestCase):
    """A course parent knows names and addresses, no types."""

    def lab_told(self, told: bytes, name: str = "web.example") -> Lab:
        """A lab that has learned ``told`` by a course question."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"])
        lab.course(name)
        lab.network.deliver(told, COURSE, lab.take(COURSE).source)
        lab.course_told()
        return lab

    def test_parent_is_asked_once_for_every_type(self) -> None:
        """What was told of a name answers A, and NODATA to all other types, without asking again."""
        lab = self.lab_told(b"web.example,192.0.2.1,60")
        lab.pass_time(10)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 50 IN A 192.0.2.1"])
        self.assertEqual(shown(lab.ask("web.example", "ANY")), ["web.example. 50 IN A 192.0.2.1"])
        for rrtype in ("AAAA", "MX", "TXT", "SOA"):
            reply = lab.ask("web.example", rrtype)
            self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", []))
            self.assertEqual(errors(reply), [FORGEABLE, "from the cache, learned 10 s ago from 192.0.2.53:1200"])

    def test_first_question_may_be_of_another_type(self) -> None:
        """A DNS question for MX is asked of the course parent by name; A is answered from it."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"])
        lab.begin("Web.example", "MX")
        query = lab.take(COURSE)
        self.assertEqual(query.payload, b"web.example")
        lab.network.deliver(b"192.0.2.1", COURSE, query.source)
        self.assertEqual((rcode(lab.told()), shown(lab.ask("web.example"))[0][:15]), ("NOERROR", "web.example. 60"))

    def test_ipv6_address(self) -> None:
        """An IPv6 address is told as AAAA, its TTL counted down, and A as NODATA."""
        lab = self.lab_told(b"web.example,2001:db8::1,60")
        lab.pass_time(10)
        self.assertEqual(shown(lab.ask("web.example", "AAAA")), ["web.example. 50 IN AAAA 2001:db8::1"])
        self.assertEqual(shown(lab.ask("web.example")), [])

    def test_address_that_is_none(self) -> None:
        """An address such as the transcript's is told over the course protocol; over DNS it is NODATA, with the why."""
        lab = self.lab_told(b'["web.example", "21.09.1992.8", "60", "0", 1.5]')
        reply = lab.ask("web.example")
        self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", []))
        self.assertEqual(
            errors(reply),
            [
                "the address of the record is no IPv4 address: '21.09.1992.8'",
                FORGEABLE,
                "from the cache, learned 0 s ago from 192.0.2.53:1200",
            ],
        )
        lab.course("web.example")
        self.assertIn(b'"21.09.1992.8"', lab.course_told())

    def test_unknown_name_is_not_kept(self) -> None:
        """That a course parent does not know a name is told and not learned."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"])
        for _ in range(2):
            lab.begin("web.example")
            lab.network.deliver(b"[]", COURSE, lab.take(COURSE).source)
            self.assertEqual(rcode(lab.told()), "NXDOMAIN")

    def test_default_ttl(self) -> None:
        """A reply without a TTL lives ``default_ttl`` seconds; the bounds of DNS do not touch it."""
        lab = Lab(self, parents=["text:192.0.2.53:1200"], default_ttl=20, ttl_min=100, ttl_max=200)
        lab.begin("web.example")
        lab.network.deliver(b"web.example,192.0.2.1", COURSE, lab.take(COURSE).source)
        self.assertEqual(shown(lab.told()), ["web.example. 20 IN A 192.0.2.1"])

    def test_a_course_parent_is_believed_for_a_day_by_default(self) -> None:
        """Whoever forges its reply has it last no longer: for both protocols, and in the log."""
        for config, ttl in (({}, 86400), ({"course_ttl_max": 30}, 30)):
            lab = Lab(self, parents=["text:192.0.2.53:1200"], **config)
            lab.begin("web.example")
            lab.network.deliver(b"web.example,192.0.2.1,2147483647", COURSE, lab.take(COURSE).source)
            self.assertEqual(shown(lab.told()), [f"web.example. {ttl} IN A 192.0.2.1"])
            lab.course("web.example")
            self.assertEqual(lab.course_told().split(b", ")[2], b'"%d"' % ttl)
            self.assertIn(f"web.example,192.0.2.1,{ttl},1,", (lab.folder / "learned").read_text())

    def test_what_an_older_log_has_of_a_course_parent_lives_as_long_as_a_new_reply(self) -> None:
        """A line from before the bound may be good for 68 years."""
        old = f"web.example,192.0.2.1,2147483647,1,{EPOCH - 10}\nold.example,192.0.2.2,2147483647,1,{EPOCH - 86401}\n"
        lab = Lab(self, {"learned": old}, parents=["text:192.0.2.53:1200"])
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 86390 IN A 192.0.2.1"])
        lab.begin("old.example")
        lab.take(COURSE)

    def test_what_a_course_parent_said_is_marked_in_dns_answers(self) -> None:
        """At once, from the cache, from the log, for another type, past its lifetime; also without ``explain``."""
        for explain in (True, False):
            lab = Lab(self, parents=["text:192.0.2.53:1200"], explain=explain, serve_stale=1000)
            lab.begin("web.example")
            lab.network.deliver(b"web.example,192.0.2.1,60", COURSE, lab.take(COURSE).source)
            replies = [lab.told(), lab.ask("web.example"), lab.ask("web.example"), lab.ask("web.example", "TXT")]
            lab.restart()
            replies.append(lab.ask("web.example"))
            lab.reactor.advance(61)
            lab.begin("web.example")
            for _ in range(2):
                lab.take(COURSE)
                lab.pass_time(2.0)
            replies.append(lab.told())
            for reply in replies:
                self.assertIn(FORGEABLE, errors(reply))

    def test_what_others_said_is_not_marked_so(self) -> None:
        lab = Lab(self, {"static": "own.example,192.0.2.9,60\n"})
        lab.begin("web.example")
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        for reply in (lab.told(), lab.ask("web.example"), lab.ask("own.example")):
            self.assertFalse([text for text in errors(reply) if "forged" in text])

    def test_name_that_dns_cannot_carry_has_no_records(self) -> None:
        """A mapping of such a name is for the course protocol alone."""
        mapping = Mapping("a..b", "192.0.2.1", 60, True, 0.0)
        answer = answer_of_mapping(mapping, question("a..b"))
        self.assertEqual((answer.answer, answer.mapping), ((), mapping))


class ToldTests(SynchronousTestCase):
    """What DNS told, over the course protocol, and where it is said to come from."""

    def test_course_protocol_gets_the_first_address(self) -> None:
        """The information line has the name asked for, the first address, the whole TTL and the time of learning."""
        lab = Lab(self)
        lab.resolve(
            "web.example", "web.example. 90 CNAME x.example.", "x.example. 60 A 192.0.2.1", "x.example. 60 A 192.0.2.2"
        )
        lab.pass_time(5)
        lab.course("web.example")
        self.assertEqual(lab.course_told(), b'["web.example", "192.0.2.1", "60", "1", 1605280488.0]')

    def test_course_protocol_has_no_other_types(self) -> None:
        """A name without an A record is unknown to the course protocol."""
        lab = Lab(self)
        lab.course("web.example")
        lab.tell(lab.asked("web.example"), authority=[SOA.format(minimum=60)])
        self.assertEqual(lab.course_told(), b"[]")

    def test_origin(self) -> None:
        """An extended error says who told, and later for how long it has been known; without ``explain`` nothing is."""
        lab = Lab(self)
        self.assertEqual(errors(lab.resolve("web.example", "web.example. 60 A 192.0.2.1")), ["from 192.0.2.53:53"])
        lab.pass_time(7)
        self.assertEqual(errors(lab.ask("web.example")), ["from the cache, learned 7 s ago from 192.0.2.53:53"])
        lab.restart(explain=False)
        self.assertEqual(errors(lab.ask("web.example", client=(CLIENT[0], 3))), [])
