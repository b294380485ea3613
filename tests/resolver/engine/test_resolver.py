"""Tests for :mod:`labnet.resolver.engine.resolver`, through a whole resolver on a network in memory."""

from __future__ import annotations

import dns.flags
from twisted.trial.unittest import SynchronousTestCase

from labnet.events import SENTENCES
from labnet.resolver.engine import flight
from tests.resolver.lab import CLIENT, COURSE, OTHER, Lab, codes, errors, rcode, shown

ZONE = """\
$TTL 60
www      IN A     10.0.0.1
alias    IN CNAME www
away     IN CNAME web.example.
loop     IN CNAME pool
pool     IN CNAME loop
sub      IN NS    ns.sub
ns.sub   IN A     10.0.0.53
"""


def zone_file(text: str = ZONE, origin: str = "lab.") -> dict[str, str]:
    """A zone file below ``origin``."""
    return {"db.lab": f"$ORIGIN {origin}\n{text}"}


class OrderTests(SynchronousTestCase):
    """The records come before the cache, and the cache before the parents."""

    def test_records_are_told_without_a_parent(self) -> None:
        """A name of the records is told at once; no parent hears of it."""
        lab = Lab(self, zone_file())
        self.assertEqual(shown(lab.ask("www.lab")), ["www.lab. 60 IN A 10.0.0.1"])

    def test_records_win_over_the_cache(self) -> None:
        """What was learned of a name is not told once the records have the name."""
        lab = Lab(self, zone_file())
        lab.resolve("new.example", "new.example. 3600 A 192.0.2.1")
        (lab.folder / "db.lab").write_text("$TTL 60\nnew.example. IN A 10.0.0.9\n")
        lab.restart()
        self.assertEqual(shown(lab.ask("new.example")), ["new.example. 60 IN A 10.0.0.9"])

    def test_cache_is_asked_before_the_parent(self) -> None:
        """A second question is answered by what the first one learned, its TTL counted down."""
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        lab.pass_time(20)
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 40 IN A 192.0.2.1"])
        lab.pass_time(41)
        reply = lab.resolve("web.example", "web.example. 60 A 192.0.2.2")
        self.assertEqual(shown(reply), ["web.example. 60 IN A 192.0.2.2"])

    def test_special_names_stay_here(self) -> None:
        """What RFC 6761 keeps in is answered without records and parents."""
        lab = Lab(self)
        self.assertEqual(shown(lab.ask("localhost")), ["localhost. 10800 IN A 127.0.0.1"])
        self.assertEqual(rcode(lab.ask("x.invalid")), "NXDOMAIN")

    def test_nobody_to_ask_is_refused(self) -> None:
        """Without a parent a name that is not known is refused, which is said, and recursion is not offered."""
        lab = Lab(self, zone_file(), parents=[])
        for rd in (True, False):
            reply = lab.ask("web.example", rd=rd)
            self.assertEqual((rcode(reply), codes(reply)), ("REFUSED", [20]))
            self.assertEqual(errors(reply), [SENTENCES["no-parent"]])
            self.assertFalse(reply.flags & dns.flags.RA)
        lab.course("web.example")
        self.assertEqual(lab.course_told(), b"[]")

    def test_without_recursion_desired_no_parent_is_asked(self) -> None:
        """A question with RD clear is answered from records and cache alone (RFC 1034, section 4.3.1)."""
        lab = Lab(self, zone_file())
        reply = lab.ask("web.example", rd=False)
        self.assertEqual((rcode(reply), codes(reply)), ("REFUSED", [20]))
        self.assertEqual(errors(reply), [SENTENCES["recursion-not-asked"]])
        self.assertEqual(shown(lab.ask("www.lab", rd=False)), ["www.lab. 60 IN A 10.0.0.1"])
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        self.assertEqual(shown(lab.ask("web.example", rd=False)), ["web.example. 60 IN A 192.0.2.1"])


class ChainTests(SynchronousTestCase):
    """CNAMEs are followed across records, cache and parents."""

    def test_chain_within_the_records(self) -> None:
        """A CNAME of the records is followed to the address."""
        lab = Lab(self, zone_file())
        self.assertEqual(shown(lab.ask("alias.lab")), ["alias.lab. 60 IN CNAME www.lab.", "www.lab. 60 IN A 10.0.0.1"])

    def test_chain_from_the_records_to_the_parent(self) -> None:
        """A CNAME of the records leads to a name that a parent is asked for, and to the cache the second time."""
        lab = Lab(self, zone_file())
        lab.begin("away.lab")
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        expected = ["away.lab. 60 IN CNAME web.example.", "web.example. 60 IN A 192.0.2.1"]
        self.assertEqual(shown(lab.told()), expected)
        self.assertEqual(shown(lab.ask("away.lab")), expected)

    def test_chain_from_the_parent_to_the_records(self) -> None:
        """A parent's CNAME to a name of the records ends in the records; so does that of the cache."""
        lab = Lab(self, zone_file())
        expected = ["web.example. 60 IN CNAME www.lab.", "www.lab. 60 IN A 10.0.0.1"]
        self.assertEqual(shown(lab.resolve("web.example", "web.example. 60 CNAME www.lab.")), expected)
        self.assertEqual(shown(lab.ask("web.example")), expected)

    def test_course_protocol_is_told_where_the_chain_ends(self) -> None:
        """The information line of an alias has the alias's own name and the address it leads to."""
        lab = Lab(self, zone_file())
        lab.course("alias.lab")
        self.assertTrue(lab.course_told().startswith(b'["alias.lab", "10.0.0.1", "60", "0"'))

    def test_own_records_win_over_a_parents_chain(self) -> None:
        """What a parent says of our own names is not told: the chain goes on in our records."""
        lab = Lab(self, zone_file())
        told = ("web.example. 60 CNAME www.lab.", "www.lab. 60 A 203.0.113.66")
        expected = ["web.example. 60 IN CNAME www.lab.", "www.lab. 60 IN A 10.0.0.1"]
        self.assertEqual(shown(lab.resolve("web.example", *told)), expected)
        self.assertEqual(shown(lab.ask("web.example")), expected)
        lab.course("web.example")
        self.assertTrue(lab.course_told().startswith(b'["web.example", "10.0.0.1", "60"'))

    def test_chain_that_was_kept_is_cut_by_new_records(self) -> None:
        """Records that come later win over the middle of a chain that was learned before."""
        lab = Lab(self)
        told = ("web.example. 60 CNAME www.lab.", "www.lab. 60 A 203.0.113.66")
        self.assertEqual(shown(lab.resolve("web.example", *told))[1], "www.lab. 60 IN A 203.0.113.66")
        (lab.folder / "db.lab").write_text(zone_file()["db.lab"])
        lab.restart(records=[str(lab.folder / "db.lab")])
        self.assertEqual(shown(lab.ask("web.example"))[1], "www.lab. 60 IN A 10.0.0.1")

    def test_special_names_win_over_a_parents_chain(self) -> None:
        """A parent cannot say what localhost is."""
        lab = Lab(self)
        reply = lab.resolve("web.example", "web.example. 60 CNAME localhost.", "localhost. 60 A 203.0.113.66")
        self.assertEqual(shown(reply)[1:], ["localhost. 10800 IN A 127.0.0.1"])

    def test_another_domains_parent_is_asked_for_the_rest_of_a_chain(self) -> None:
        """A name below a domain with parents of its own is asked there, whatever the other parent says of it."""
        lab = Lab(self, forward={"corp.example": ["dns:192.0.2.54"]})
        lab.begin("web.example")
        told = ("web.example. 60 CNAME x.corp.example.", "x.corp.example. 60 A 203.0.113.66")
        lab.tell(lab.asked("web.example"), *told)
        lab.tell(lab.asked("x.corp.example", parent=OTHER), "x.corp.example. 60 A 192.0.2.7")
        self.assertEqual(shown(lab.told())[1:], ["x.corp.example. 60 IN A 192.0.2.7"])

    def test_ds_records_of_a_domain_are_asked_of_the_parents_of_the_zone_above(self) -> None:
        """The domain's own parent is asked for them where there is no other (RFC 4035, section 3.1.4.1)."""
        forward = {"corp.example": ["dns:192.0.2.54"]}
        ds = "corp.example. 60 DS 4711 8 2 " + "00" * 32
        lab = Lab(self, forward=forward)
        self.assertEqual(len(shown(lab.resolve("corp.example", ds, rrtype="DS"))), 1)
        lab.begin("x.corp.example", "DS")
        lab.tell(lab.asked("x.corp.example", "DS", parent=OTHER), "x." + ds)
        lab = Lab(self, parents=[], forward=forward)
        lab.begin("corp.example", "DS")
        lab.tell(lab.asked("corp.example", "DS", parent=OTHER), ds)
        self.assertEqual(len(shown(lab.told())), 1)

    def test_whole_chain_counts_where_nobody_else_could_be_asked(self) -> None:
        """A domain's parent may lead out of the domain where there is no parent for the rest."""
        lab = Lab(self, parents=[], forward={"corp.example": ["dns:192.0.2.54"]})
        lab.begin("x.corp.example")
        told = ("x.corp.example. 60 CNAME web.example.", "web.example. 60 A 192.0.2.7")
        lab.tell(lab.asked("x.corp.example", parent=OTHER), *told)
        self.assertEqual(shown(lab.told())[1:], ["web.example. 60 IN A 192.0.2.7"])

    def test_chain_that_leads_away_without_parents_is_told_so_far(self) -> None:
        """An authority gives the CNAME it has, with AA and NOERROR, where it cannot follow it (RFC 1034, 4.3.2)."""
        lab = Lab(self, zone_file(), parents=[], zones=["lab"])
        for rd in (True, False):
            reply = lab.ask("away.lab", rd=rd)
            self.assertEqual(rcode(reply), "NOERROR")
            self.assertEqual(shown(reply), ["away.lab. 60 IN CNAME web.example."])
            self.assertTrue(reply.flags & dns.flags.AA)

    def test_chain_is_told_so_far_to_who_wants_no_recursion(self) -> None:
        """With RD clear the chain ends where a parent would have to be asked, and nobody is asked."""
        lab = Lab(self, zone_file(), zones=["lab"])
        reply = lab.ask("away.lab", rd=False)
        self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", ["away.lab. 60 IN CNAME web.example."]))
        self.assertTrue(reply.flags & dns.flags.AA)
        lab.resolve("web.example", "web.example. 60 CNAME www.lab.", "www.lab. 60 A 203.0.113.66")
        self.assertEqual(shown(lab.ask("away.lab", rd=False))[2:], ["www.lab. 60 IN A 10.0.0.1"])

    def test_authority_is_of_the_first_name(self) -> None:
        """AA says that we are the authority for the name that was asked for, not for where it leads."""
        lab = Lab(self, zone_file(), zones=["lab"])
        lab.begin("away.lab")
        lab.tell(lab.asked(), "web.example. 60 A 192.0.2.1")
        self.assertTrue(lab.told().flags & dns.flags.AA)
        reply = lab.resolve("other.example", "other.example. 60 CNAME www.lab.")
        self.assertEqual(len(reply.answer), 2)
        self.assertFalse(reply.flags & dns.flags.AA)

    def test_cname_asked_for_is_not_followed(self) -> None:
        """Who asks for the CNAME itself, or for any type, gets it alone."""
        lab = Lab(self, zone_file())
        for rrtype in ("CNAME", "ANY"):
            self.assertEqual(shown(lab.ask("alias.lab", rrtype)), ["alias.lab. 60 IN CNAME www.lab."])
        told = ("web.example. 60 CNAME www.lab.", "web.example. 60 TXT x")
        self.assertEqual(len(shown(lab.resolve("web.example", *told, rrtype="ANY"))), 2)

    def test_loop_is_a_failure(self) -> None:
        """CNAMEs in a circle give SERVFAIL, whether the records have them, the cache, or both and a parent."""
        lab = Lab(self, zone_file(ZONE + "there IN CNAME back.example.\n"))
        for _ in range(2):
            reply = lab.ask("loop.lab")
            self.assertEqual((rcode(reply), shown(reply)), ("SERVFAIL", []))
            self.assertIn("the CNAME chain does not end", errors(reply))
        lab.begin("there.lab")
        lab.tell(lab.asked("back.example"), "back.example. 60 CNAME there.lab.")
        self.assertEqual(rcode(lab.told()), "SERVFAIL")
        self.assertEqual(rcode(lab.ask("there.lab")), "SERVFAIL")

    def test_loop_of_a_parent_is_a_failure_after_a_bounded_number_of_questions(self) -> None:
        """A parent whose chain has no lifetime and no end is asked a dozen times at most."""
        lab = Lab(self)
        lab.begin("n0.example")
        for number in range(12):
            lab.tell(lab.asked(f"n{number}.example"), f"n{number}.example. 0 CNAME n{number + 1}.example.")
        self.assertEqual(rcode(lab.told()), "SERVFAIL")
        self.assertFalse(lab.network.sent)

    def test_eleven_cnames_are_followed(self) -> None:
        """A chain of eleven CNAMEs is answered, one of twelve is not."""
        chain = "".join(f"n{number} IN CNAME n{number + 1}\n" for number in range(12))
        lab = Lab(self, zone_file("$TTL 60\n" + chain + "n12 IN A 10.0.0.1\n"))
        self.assertEqual(len(shown(lab.ask("n1.lab"))), 12)
        self.assertEqual(rcode(lab.ask("n0.lab")), "SERVFAIL")

    def test_chain_of_an_authoritative_zone_is_answered_as_far_as_it_goes(self) -> None:
        """Twenty CNAMEs of a zone are followed to the address; of more, and of a circle, the CNAMEs are the answer."""
        chain = "".join(f"n{number} IN CNAME n{number + 1}\n" for number in range(22))
        lab = Lab(self, zone_file(f"{ZONE}{chain}n22 IN A 10.0.0.1\n"), zones=["lab"])
        whole, cut, circle = (lab.ask(name) for name in ("n2.lab", "n1.lab", "loop.lab"))
        self.assertEqual((len(shown(whole)), shown(whole)[-1]), (21, "n22.lab. 60 IN A 10.0.0.1"))
        self.assertEqual((len(shown(cut)), shown(cut)[-1]), (21, "n21.lab. 60 IN CNAME n22.lab."))
        self.assertEqual(shown(circle), ["loop.lab. 60 IN CNAME pool.lab.", "pool.lab. 60 IN CNAME loop.lab."])
        for reply in (whole, cut, circle):
            self.assertEqual((rcode(reply), bool(reply.flags & dns.flags.AA)), ("NOERROR", True))

    def test_dname_that_leads_below_itself_is_followed_ten_times(self) -> None:
        """Each time the name grows; the DNAME stands in the answer once."""
        lab = Lab(self, zone_file(f"{ZONE}grow IN DNAME a.grow\n"), zones=["lab"])
        reply = lab.ask("x.grow.lab")
        self.assertEqual((rcode(reply), len(shown(reply))), ("NOERROR", 12))
        first = ["grow.lab. 60 IN DNAME a.grow.lab.", "x.grow.lab. 60 IN CNAME x.a.grow.lab."]
        self.assertEqual(shown(reply)[:2], first)

    def test_chain_to_a_name_that_does_not_exist(self) -> None:
        """The CNAME is told with NXDOMAIN and the SOA of the name it leads to (RFC 2308, 2.1), from one reply."""
        lab = Lab(self)
        soa = ["example. 300 SOA ns.example. h.example. 1 2 3 4 60"]
        reply = lab.resolve("web.example", "web.example. 90 CNAME gone.example.", rcode="NXDOMAIN", authority=soa)
        for passed in 0, 20:
            self.assertEqual((rcode(reply), len(reply.answer)), ("NXDOMAIN", 1))
            self.assertEqual((reply.answer[0].ttl, reply.authority[0].ttl), (90 - passed, 60 - passed))
            lab.pass_time(20 - passed)
            reply = lab.ask("web.example")
        lab.restart()
        self.assertEqual(rcode(lab.ask("web.example")), "NXDOMAIN")
        lab.pass_time(41)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")

    def test_chain_to_a_name_without_such_records(self) -> None:
        """One reply says so (RFC 2308, section 2.2); flushing the name that it leads to drops it."""
        lab = Lab(self)
        soa = ["example. 300 SOA ns.example. h.example. 1 2 3 4 60"]
        for _ in range(2):
            reply = lab.resolve("web.example", "web.example. 90 CNAME to.example.", rrtype="AAAA", authority=soa)
            self.assertEqual((rcode(reply), len(reply.answer), len(reply.authority)), ("NOERROR", 1, 1))
            lab.service.flush("to.example")

    def test_what_a_chain_leads_to_is_asked_for_where_no_soa_says_that_it_is_not_there(self) -> None:
        """The parent may have stopped at the CNAME."""
        lab = Lab(self)
        lab.begin("web.example")
        lab.tell(lab.asked("web.example"), "web.example. 60 CNAME to.example.", rcode="NXDOMAIN")
        lab.tell(lab.asked("to.example"), "to.example. 60 A 192.0.2.1")
        self.assertEqual((rcode(reply := lab.told()), len(reply.answer)), ("NOERROR", 2))

    def test_a_parent_cannot_deny_what_another_domains_parent_has(self) -> None:
        """Behind a CNAME neither; the denial is no part of the answer."""
        lab = Lab(self, forward={"corp.example": ["dns:192.0.2.54"]})
        soa = ["example. 300 SOA ns.example. h.example. 1 2 3 4 60"]
        lab.begin("web.example")
        lab.tell(lab.asked("web.example"), "web.example. 60 CNAME x.corp.example.", rcode="NXDOMAIN", authority=soa)
        lab.tell(lab.asked("x.corp.example", parent=OTHER), "x.corp.example. 60 A 192.0.2.7")
        reply = lab.told()
        self.assertEqual((rcode(reply), len(reply.answer), reply.authority), ("NOERROR", 2, []))


class InFlightTests(SynchronousTestCase):
    """Questions that wait for a parent."""

    def test_equal_questions_are_asked_once(self) -> None:
        """Any number of clients, of both protocols, share one query of the same name and type."""
        lab = Lab(self)
        clients = [(CLIENT[0], 54700 + number) for number in range(5)]
        for client in clients[:-1]:
            lab.begin("web.example", client=client)
        lab.course("WEB.example", clients[-1])
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        for client in clients[:-1]:
            self.assertEqual(shown(lab.told(client)), ["web.example. 60 IN A 192.0.2.1"])
        self.assertIn(b'"192.0.2.1"', lab.course_told(clients[-1]))

    def test_other_types_are_asked_for_themselves(self) -> None:
        """A question of another type is another question."""
        lab = Lab(self)
        lab.begin("web.example", client=(CLIENT[0], 1))
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        lab.told((CLIENT[0], 1))
        self.assertEqual(len(lab.resolve("web.example", "web.example. 60 AAAA 2001:db8::1", rrtype="AAAA").answer), 1)

    def test_slow_questions_give_way_where_the_list_is_full(self) -> None:
        """The oldest that takes more than a fifth of a second fails; what it is told late is not learned."""
        lab = Lab(self, in_flight=2)
        first, second, third = ((CLIENT[0], 1000 + number) for number in range(3))
        lab.begin("n0.example", client=first)
        slow = lab.asked("n0.example")
        lab.pass_time(0.15)
        lab.begin("n1.example", client=second)
        lab.asked("n1.example")
        lab.pass_time(0.15)
        lab.begin("n2.example", client=third)
        reply = lab.told(first)
        self.assertEqual(
            (rcode(reply), errors(reply)),
            ("SERVFAIL", [SENTENCES["gave-way"]]),
        )
        lab.tell(lab.asked("n2.example"), "n2.example. 60 A 192.0.2.2")
        self.assertEqual(shown(lab.told(third)), ["n2.example. 60 IN A 192.0.2.2"])
        self.assertNotIn(slow.source, lab.network.sockets)
        self.assertEqual(lab.service.status()["in_flight"], 1)

    def test_one_client_does_not_end_recursion_for_its_network(self) -> None:
        """It asks 200 names of servers that are silent; a neighbour behind the same switch is answered at once."""
        lab = Lab(self)
        greedy, neighbour = (CLIENT[0], 1000), ("172.16.20.66", 2000)
        for number in range(200):
            lab.begin(f"slow{number}.example", client=greedy)
            lab.pass_time(0.01)
            lab.network.sent.clear()
        lab.begin("web.example", client=neighbour)
        self.assertEqual(
            errors(lab.told(greedy)),
            [SENTENCES["gave-way-to-own"]],
        )
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        self.assertEqual(shown(lab.told(neighbour)), ["web.example. 60 IN A 192.0.2.1"])

    def test_course_question_that_gives_way_is_unknown_and_may_be_asked_again(self) -> None:
        lab = Lab(self, in_flight_per_client=1)
        lab.course("a.example")
        lab.asked("a.example")
        lab.pass_time(0.3)
        lab.course("b.example", client=(CLIENT[0], 1))
        self.assertEqual(lab.course_told(), b"[]")
        lab.tell(lab.asked("b.example"), "b.example. 60 A 192.0.2.1")
        self.assertIn(b"192.0.2.1", lab.course_told((CLIENT[0], 1)))
        lab.course("a.example")
        lab.pass_time(0.0)
        lab.network.sent.clear()

    def test_so_many_may_wait_for_one_question(self) -> None:
        """One more fails at once; those who wait are all answered."""
        self.patch(flight, "MOST_WAITING", 3)
        lab = Lab(self, explain=False)
        clients = [(CLIENT[0], 1000 + number) for number in range(4)]
        for client in clients:
            lab.begin("web.example", client=client)
        reply = lab.told(clients[3])
        self.assertEqual((rcode(reply), errors(reply)), ("SERVFAIL", [SENTENCES["crowded"]]))
        lab.tell(lab.asked("web.example"), "web.example. 60 A 192.0.2.1")
        self.assertEqual([rcode(lab.told(client)) for client in clients[:3]], ["NOERROR"] * 3)

    def test_more_than_the_limit_is_refused_at_once(self) -> None:
        """With ``in_flight`` questions at the parents the next one fails, which is said; then there is room again."""
        lab = Lab(self, in_flight=2)
        for number in range(3):
            lab.begin(f"n{number}.example", client=(CLIENT[0], 1000 + number))
        reply = lab.told((CLIENT[0], 1002))
        self.assertEqual((rcode(reply), errors(reply)), ("SERVFAIL", [SENTENCES["full"]]))
        first, second = list(lab.network.sent)
        lab.network.sent.clear()
        lab.tell(first, "n0.example. 60 A 192.0.2.1")
        self.assertEqual(rcode(lab.told((CLIENT[0], 1000))), "NOERROR")
        lab.begin("n2.example")
        self.assertEqual(len(lab.network.sent), 1)
        lab.tell(lab.asked("n2.example"), "n2.example. 60 A 192.0.2.1")
        self.assertEqual(rcode(lab.told()), "NOERROR")
        lab.tell(second, "n1.example. 60 A 192.0.2.1")
        lab.told((CLIENT[0], 1001))

    def test_stop_answers_who_waits(self) -> None:
        """Who waits when the service stops is told that it failed, over either protocol."""
        lab = Lab(self)
        lab.begin("web.example")
        lab.course("web.example", (CLIENT[0], 2))
        lab.asked("web.example")
        lab.stop()
        reply = lab.told()
        self.assertEqual((rcode(reply), errors(reply)), ("SERVFAIL", ["the server stops or failed"]))
        self.assertEqual(lab.course_told((CLIENT[0], 2)), b"[]")


class ForwardTests(SynchronousTestCase):
    """Which parent is asked."""

    def test_longest_domain_counts(self) -> None:
        """The parents of the longest domain that the name is below are asked; labels count, not letters."""
        lab = Lab(self, forward={"example": ["dns:192.0.2.60"], "corp.example": ["dns:192.0.2.61"]})
        for name, host in (
            ("x.corp.example", "192.0.2.61"),
            ("corp.example", "192.0.2.61"),
            ("CORP.Example", "192.0.2.61"),
            ("xcorp.example", "192.0.2.60"),
            ("example", "192.0.2.60"),
            ("notexample", "192.0.2.53"),
        ):
            lab.begin(name)
            lab.tell(lab.asked(name.lower(), parent=(host, 53)), rcode="NXDOMAIN")
            lab.told()

    def test_domain_without_a_parent_for_the_rest(self) -> None:
        """With parents for single domains alone, other names are refused."""
        lab = Lab(self, parents=[], forward={"corp.example": ["dns:192.0.2.61"]})
        self.assertEqual(rcode(lab.ask("web.example")), "REFUSED")
        lab.begin("x.corp.example")
        lab.tell(lab.asked(parent=("192.0.2.61", 53)), "x.corp.example. 60 A 192.0.2.1")
        self.assertEqual(rcode(lab.told()), "NOERROR")

    def test_name_that_dns_cannot_carry_goes_to_a_course_parent(self) -> None:
        """An empty label or a long one is asked of a parent of the course, and of no DNS parent."""
        lab = Lab(self, parents=["dns:192.0.2.54", "text:192.0.2.53:1200"])
        for name in ("a..b", "x" * 64):
            lab.course(name)
            query = lab.take(COURSE)
            self.assertEqual(query.payload, name.encode())
            lab.network.deliver(f"{name},1.2.3.4,60".encode(), COURSE, query.source)
            self.assertIn(b'"1.2.3.4", "60", "1"', lab.course_told())

    def test_referral_is_given_where_nobody_is_asked(self) -> None:
        """Without parents, or RD, the answer below a delegation is its servers, with their addresses."""
        for parents, rd in (([], False), ([], True), (["dns:192.0.2.53"], False)):
            lab = Lab(self, zone_file(), zones=["lab"], parents=parents)
            reply = lab.ask("x.sub.lab", rd=rd)
            self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", []))
            self.assertEqual(reply.authority[0].to_text(), "sub.lab. 60 IN NS ns.sub.lab.")
            self.assertEqual(reply.additional[0].to_text(), "ns.sub.lab. 60 IN A 10.0.0.53")
            self.assertFalse(reply.flags & dns.flags.AA)

    def test_referral_is_followed_with_parents(self) -> None:
        """With parents the name below a delegation is asked of them."""
        lab = Lab(self, zone_file(), zones=["lab"])
        self.assertEqual(shown(lab.resolve("x.sub.lab", "x.sub.lab. 60 A 10.0.0.7")), ["x.sub.lab. 60 IN A 10.0.0.7"])
