"""A walk from the root among servers that lie and zones that lead nowhere: nothing is believed, nothing runs on."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.recursive.servers import Network, WalkOptions
from labnet.resolver.recursive.walk import RootWalk
from labnet.resolver.recursive.walks import Limits
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.infra import InfraCache
from labnet.wire.names import ancestors, key_of, wire_of
from labnet.wire.types import Question, Rcode, Reply, RRset, RRType
from tests.resolver.recursive.fakes import (
    EVIL,
    HINTS,
    LAB,
    ROOT,
    TLD,
    Servers,
    WalkTestCase,
    addresses,
    ask,
    records,
)


class PoisonTests(WalkTestCase):
    """What servers say about names that are not theirs is neither answered nor remembered."""

    def setUp(self) -> None:
        super().setUp()
        self.servers.serve(EVIL, ".", f"test. NS ns.evil.test.\nexample. NS ns.evil.test.\nns.evil.test. A {EVIL}")
        self.servers.serve(EVIL, "example.", f"www A {EVIL}")
        self.servers.serve(EVIL, "test.", f"www A {EVIL}\nwww.lab A {EVIL}")

    def assertBelievesNothing(self) -> None:
        """The servers of other zones are asked as before, the liar never about them."""
        self.asked()
        self.assertEqual(addresses(self.resolve("www.example A")), ["198.51.100.7"])
        self.assertEqual(self.resolve("no.test A").rcode, Rcode.NXDOMAIN)
        self.assertEqual([asked for asked in self.asked() if asked.startswith(EVIL)], [])

    def test_records_of_other_names_in_an_answer(self) -> None:
        """They are dropped, whichever section they stand in."""
        lies = records(f"www.example. A {EVIL}\nmail.lab.test. A {EVIL}")
        lying = records(
            f"example. NS ns.evil.test.\ntest. NS ns.evil.test.\n. NS ns.evil.test.\nns.evil.test. A {EVIL}"
        )
        truth = records("www.lab.test. A 192.0.2.80")
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, False, (*truth, *lies), lying, (*lying, *lies)))
        self.assertAnswers(self.resolve("www.lab.test A"), "www.lab.test A")
        self.assertBelievesNothing()
        self.assertEqual(addresses(self.resolve("mail.lab.test A")), ["192.0.2.25"])

    def test_records_of_other_names_alone_are_no_answer(self) -> None:
        """The server counts as lame, not as one that says that there is no such record."""
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, answer=records(f"www.example. A {EVIL}")))
        self.assertIn("records that are not www.lab.test's", self.failing("www.lab.test A"))
        self.assertBelievesNothing()

    def test_an_address_behind_a_cname_out_of_the_zone(self) -> None:
        """The CNAME counts, the address of its target is asked for anew."""
        lie = records(f"www.lab.test. CNAME www.example.\nwww.example. A {EVIL}")
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, answer=lie))
        answer = self.resolve("www.lab.test A")
        self.assertAnswers(answer, "www.lab.test CNAME", "www.example A")
        self.assertEqual(addresses(answer), ["198.51.100.7"])
        self.assertBelievesNothing()

    def test_glue_from_outside_the_zone_of_its_server(self) -> None:
        """The address of a name in another zone is resolved by a walk of its own."""
        cut, glue = records("lab.test. NS www.example."), records(f"www.example. A {EVIL}")
        self.servers.tell(f"{TLD} lab.test A", Reply(0, authority=cut, additional=glue))
        self.servers.serve("198.51.100.7", "lab.test.", "www A 192.0.2.81")
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.81"])
        self.assertBelievesNothing()

    def test_glue_for_names_that_are_no_server_of_the_zone(self) -> None:
        """It is dropped, even where it lies in the zone."""
        cut, glue = records("lab.test. NS ns.lab.test."), records(f"ns.lab.test. A {LAB}\na.nic.test. A {EVIL}")
        self.servers.tell(f"{TLD} lab.test A", Reply(0, authority=cut, additional=glue))
        self.resolve("www.lab.test A")
        self.assertBelievesNothing()

    def test_a_referral_sideways(self) -> None:
        """A server of lab.test has no say in example, nor in its own siblings."""
        for zone in ("example.", "other.test.", ".", "test.", "lab.test.", "a.b.lab.test."):
            lie, glue = records(f"{zone} NS ns.evil.test."), records(f"ns.evil.test. A {EVIL}")
            self.servers.tell(f"{LAB} www.lab.test A", Reply(0, authority=lie, additional=glue))
            self.assertIn("referred upwards or sideways", self.failing("www.lab.test A"))
            self.assertBelievesNothing()

    def test_a_lie_beside_a_good_referral(self) -> None:
        """The one above the question and below the zone is followed, the other dropped."""
        good, glue = records("lab.test. NS ns.lab.test."), records(f"ns.lab.test. A {LAB}\nns.evil.test. A {EVIL}")
        bad = records("example. NS ns.evil.test.\ntest. NS ns.evil.test.\nother.test. NS ns.evil.test.")
        self.servers.tell(f"{TLD} lab.test A", Reply(0, authority=(*bad, *good), additional=glue))
        self.assertEqual(addresses(self.resolve("www.lab.test A")), ["192.0.2.80"])
        self.assertBelievesNothing()

    def test_the_servers_that_a_zone_names_itself(self) -> None:
        """NS records beside another answer neither stretch a delegation nor add to it."""
        own = records(f"lab.test. 86400 NS ns.lab.test.\nns.lab.test. 86400 A {EVIL}")
        truth = records("www.lab.test. A 192.0.2.80")
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, answer=truth, authority=own[:1], additional=own[1:]))
        self.resolve("www.lab.test A")
        self.clock.advance(3600)
        self.asked()
        self.resolve("mail.lab.test A")
        self.assertEqual(self.asked(), [f"{ROOT} test A", f"{TLD} lab.test A", f"{LAB} mail.lab.test A"])

    def test_the_soa_of_another_zone(self) -> None:
        """A negative answer does not carry it: it would say how long somebody else's names are missing."""
        for owner in (".", "test.", "example.", "other.lab.test."):
            soa = records("@ SOA ns.evil.test. x.evil.test. 1 1 1 1 86400", owner)
            self.servers.tell(f"{LAB} www.lab.test A", Reply(Rcode.NXDOMAIN, True, authority=soa))
            answer = self.resolve("www.lab.test A")
            self.assertEqual((answer.rcode, answer.soa), (Rcode.NXDOMAIN, None))

    def test_glue_that_leads_to_this_machine(self) -> None:
        """Or to no machine: such addresses are never asked."""
        for address in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1"):
            self.servers.tell(
                f"{TLD} lab.test A",
                Reply(
                    0, authority=records("lab.test. NS ns.lab.test."), additional=records(f"ns.lab.test. A {address}")
                ),
            )
            self.assertIn("none has an address that can be asked", self.failing("www.lab.test A"))
            self.walk = self.make()

    def test_two_cnames_at_one_name(self) -> None:
        """There can be but one: the server is lame."""
        lie = RRset(key_of("www.lab.test"), RRType.CNAME, 60, (key_of("a.example"), key_of("b.example")))
        self.servers.tell(f"{LAB} www.lab.test A", Reply(0, True, answer=(lie,)))
        self.assertIn("2 CNAME records", self.failing("www.lab.test A"))


class BoundsTests(WalkTestCase):
    """Zones that lead nowhere cost a bounded number of questions."""

    def replace(self, address: str, origin: str, text: str) -> None:
        """Have ``address`` serve this zone in place of what it served under that name."""
        self.servers.zones[address] = [zone for zone in self.servers.zones[address] if zone.origin != key_of(origin)]
        self.servers.serve(address, origin, text)

    def chain(self, length: int) -> str:
        """CNAMEs c0, c1, …, each in a reply of its own; the last is an A record."""
        for number in range(length):
            alias = records(f"c{number}.lab.test. CNAME c{number + 1}.lab.test.")
            self.servers.tell(f"{LAB} c{number}.lab.test A", Reply(0, True, answer=alias))
        last = records(f"c{length}.lab.test. A 192.0.2.80")
        self.servers.tell(f"{LAB} c{length}.lab.test A", Reply(0, True, answer=last))
        return "c0.lab.test A"

    def test_eleven_cnames_are_followed(self) -> None:
        """As unbound does."""
        self.assertEqual(addresses(self.resolve(self.chain(11))), ["192.0.2.80"])

    def test_twelve_cnames_are_not(self) -> None:
        """The question fails."""
        self.assertEqual(self.failing(self.chain(12)), "c0.lab.test A leads over more than 11 CNAMEs")

    def test_cnames_in_a_circle(self) -> None:
        """They fail when the first name comes round, whether over one reply or over several."""
        self.replace(LAB, "lab.test.", "a CNAME b\nb CNAME a\nc CNAME c")
        for name in ("a", "c"):
            self.assertEqual(self.failing(f"{name}.lab.test A"), f"the CNAMEs of {name}.lab.test A lead in a circle")
        self.servers.tell(f"{LAB} a.lab.test A", Reply(0, True, answer=records("a.lab.test. CNAME d.lab.test.")))
        self.servers.tell(f"{LAB} d.lab.test A", Reply(0, True, answer=records("d.lab.test. CNAME a.lab.test.")))
        self.assertIn("lead in a circle", self.failing("a.lab.test A"))

    def test_zones_that_need_each_other(self) -> None:
        """The servers of a are in b, those of b in a, and nobody has an address."""
        self.replace(TLD, "test.", "a NS ns.b\nb NS ns.a")
        self.assertIn("leads in a circle back to itself", self.failing("www.a.test A"))
        self.assertEqual(self.asked(), [f"{ROOT} test A", f"{TLD} a.test A", f"{TLD} b.test A"])

    def test_zones_that_need_each_other_asked_for_at_once(self) -> None:
        """Two walks that join each other do not wait for ever."""
        self.replace(TLD, "test.", "a NS ns.b\nb NS ns.a")
        self.servers.holds = True
        waiting = [self.walk.ask(ask("www.a.test A")), self.walk.ask(ask("www.b.test A"))]
        for _ in range(8):
            self.servers.release()
        for asked in waiting:
            self.failureResultOf(asked, ParentFailed)

    def test_a_server_inside_its_own_zone_without_an_address(self) -> None:
        """The servers of the parent are asked for it, and for a minute nobody is asked again."""
        self.replace(TLD, "test.", "lab NS ns.lab")
        self.assertIn("ns.lab.test has no address", self.failing("www.lab.test A"))
        self.assertEqual(
            self.asked(), [f"{ROOT} test A", f"{TLD} lab.test A", f"{TLD} ns.lab.test A", f"{TLD} ns.lab.test AAAA"]
        )
        self.failing("mail.lab.test A")
        self.assertEqual(self.asked(), [])

    def test_servers_without_glue_are_resolved_for_a_few_zones_aside(self) -> None:
        """z0 is served by a name in z1, that by one in z2, and so on: five deep is too deep, four is not."""
        chain = "".join(f"z{number} NS ns.z{number + 1}\n" for number in range(9))
        self.replace(TLD, "test.", chain + f"z9 NS ns.z9\nns.z9 A {LAB}")
        for number in range(10):
            self.servers.serve(LAB, f"z{number}.test.", f"@ NS ns\nns A {LAB}\nwww A 192.0.2.80")
        self.assertIn("lead more than 4 zones aside", self.failing("www.z0.test A"))
        self.walk = self.make()
        self.assertEqual(addresses(self.resolve("www.z5.test A")), ["192.0.2.80"])

    def test_a_referral_to_many_names_without_glue(self) -> None:
        """Three of them are looked for, so that nobody is flooded through us (NXNSAttack)."""
        names = "".join(f"evil NS n{number}.victim.example.\n" for number in range(100))
        self.replace(TLD, "test.", names)
        self.assertIn("no server of evil.test answered", self.failing("www.evil.test A"))
        self.assertEqual(len({asked for asked in self.asked() if ".victim.example" in asked}), 3)

    def test_the_names_of_a_bad_zone_are_looked_for_once(self) -> None:
        """The next question for it begins with those that have no address, and looks for no other."""
        names = "".join(f"evil NS n{number}.victim.example.\n" for number in range(100))
        self.replace(TLD, "test.", names)
        self.failing("www.evil.test A")
        self.asked()
        for number in range(5):
            self.failing(f"n{number}.evil.test A")
        self.assertEqual(self.asked(), [])

    def test_a_zone_of_dead_servers_costs_one_packet_a_question(self) -> None:
        """Once each of them was silent three times."""
        names = range(8)
        servers = "".join(f"lab NS n{number}.lab\nn{number}.lab A 203.0.113.{number}\n" for number in names)
        self.replace(TLD, "test.", servers)
        for number in range(3):
            self.failing(f"a{number}.lab.test A")
        self.asked()
        for number in range(3):
            self.failing(f"b{number}.lab.test A")
        self.assertEqual(len(self.asked()), 3)

    def test_a_question_costs_so_many_packets_and_no_more(self) -> None:
        """Zones with more dead servers than that are given up."""
        self.walk = self.make(limits=Limits(packets=7))
        servers = "".join(f"lab NS n{number}.lab\nn{number}.lab A 203.0.113.{number}\n" for number in range(13))
        self.replace(TLD, "test.", servers)
        self.assertEqual(
            self.failing("www.lab.test A"),
            "www.lab.test A: gave up after 7 packets, on the way to a server of lab.test",
        )
        self.assertEqual(len(self.asked()), 7)

    def test_the_walks_aside_share_the_bound(self) -> None:
        """A tree of zones without glue, each served by names in three new ones, costs 32 packets in all."""
        counter = iter(range(1000))
        plain = self.servers._answer

        def answer(host: str, question: Question) -> Reply | Exception:
            if host != TLD:
                return plain(host, question)
            names = tuple(key_of(f"ns.x{next(counter)}.test") for _ in range(3))
            return Reply(0, authority=(RRset(list(ancestors(question.key))[-3], RRType.NS, 60, names),))

        self.servers._answer = answer
        self.walk = self.make(limits=Limits(depth=50))
        self.assertIn("gave up after 32 packets", self.failing("www.x.test A"))
        self.assertEqual(len(self.asked()), 32)

    def test_referrals_without_end(self) -> None:
        """A server that always refers one label further down is followed 30 times."""
        plain, name = self.servers._answer, ".".join("abcdefghij" * 4) + ".test"
        cuts, tld = list(ancestors(key_of(name)))[-3::-1], bytes(map(int, TLD.split(".")))

        def answer(host: str, question: Question) -> Reply | Exception:
            if host != TLD:
                return plain(host, question)
            cut = cuts.pop(0)
            ns, glue = RRset(cut, RRType.NS, 60, (b"\x02ns" + cut,)), RRset(b"\x02ns" + cut, RRType.A, 60, (tld,))
            return Reply(0, authority=(ns,), additional=(glue,))

        self.servers._answer = answer
        self.assertIn("gave up after 30 referrals", self.failing(f"{name} A"))

    def test_a_question_lasts_so_long_and_no_longer(self) -> None:
        """After 30 seconds no further server is asked."""
        servers = "".join(f"lab NS n{number}.lab\nn{number}.lab A 203.0.113.{number}\n" for number in range(13))
        self.replace(TLD, "test.", servers)
        self.servers.holds = True
        waiting = self.walk.ask(ask("www.lab.test A"))
        self.servers.release()
        self.servers.release()
        for _ in range(6):
            self.clock.advance(5)
            self.servers.release()
        failure = self.failureResultOf(waiting, ParentFailed)
        self.assertIn("www.lab.test A: gave up after 30 seconds", str(failure.value))


NAMES = [
    ".",
    "test",
    "lab.test",
    "www.lab.test",
    "ns.lab.test",
    "example",
    "www.example",
    "a.b.c.lab.test",
    "b.c.lab.test",
]
WIRES = [wire_of(name) or b"\0" for name in NAMES]
ADDRESSES = [bytes(map(int, address.split("."))) for address in (ROOT, TLD, LAB, EVIL, "127.0.0.1")]


def rrsets(*rrtypes: RRType) -> st.SearchStrategy[tuple[RRset, ...]]:
    """A section of a reply, of records that may or may not fit together; those of one name and type are one RRset."""

    def of(rrtype: RRType) -> st.SearchStrategy[RRset]:
        soa = st.just(b"\0\0" + bytes(20))
        rdata = {RRType.A: st.sampled_from(ADDRESSES), RRType.SOA: soa}.get(rrtype, st.sampled_from(WIRES))
        lists = st.lists(rdata, min_size=1, max_size=3, unique=True).map(tuple)
        return st.builds(RRset, st.sampled_from(WIRES), st.just(rrtype), st.sampled_from([0, 60]), lists)

    sections = st.lists(st.one_of(*map(of, rrtypes)), max_size=4, unique_by=lambda rrset: (rrset.name, rrset.rrtype))
    return sections.map(tuple)


REPLIES = st.builds(
    Reply,
    st.sampled_from([0, 0, 0, 2, 3, 5]),
    st.booleans(),
    st.booleans(),
    rrsets(RRType.A, RRType.CNAME, RRType.NS),
    rrsets(RRType.NS, RRType.SOA),
    rrsets(RRType.A),
)


class AnythingTests(SynchronousTestCase):
    """Servers that say anything."""

    @given(st.lists(REPLIES, min_size=1, max_size=12), st.sampled_from(["A", "NS", "CNAME", "TXT"]), st.integers(0, 99))
    def test_any_replies_give_a_chain_or_a_failure(self, replies: list[Reply], rrtype: str, seed: int) -> None:
        """Within the bounds, and never anything else than the question's own chain."""
        servers = Servers()
        random = Random(seed)
        servers._answer = lambda host, question: random.choice(replies)
        network = Network(servers, InfraCache(10), servers.clock, Random(seed))
        walk = RootWalk(network, HINTS, WalkOptions(limits=Limits(packets=40)))
        question = ask(f"a.b.c.lab.test {rrtype}")
        results: list[object] = []
        waiting: Deferred[object] = walk.ask(question)
        waiting.addErrback(lambda failure: failure.trap(ParentFailed) and None).addCallback(results.append)
        self.assertEqual(len(results), 1)
        self.assertLessEqual(len(servers.asked), 40)
        self.assertTrue(walk.is_idle)
        key = question.key
        for rrset in getattr(results[0], "rrsets", ()):
            self.assertEqual(rrset.key, key)
            self.assertIn(rrset.rrtype, (question.rrtype, RRType.CNAME))
            key = rrset.rdatas[0] if rrset.rrtype == RRType.CNAME else b""
