"""Tests for a resolver that validates, as a whole: what its clients are told, and what it keeps."""

from __future__ import annotations

from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name

from labnet.config.resolver import ResolverConfig
from labnet.events import SENTENCES
from labnet.interfaces import AnsweredQuery
from labnet.metrics import Sample
from labnet.resolver.loading.files import load_files
from tests.resolver.lab import EPOCH, PARENT, Lab, codes, errors, rcode, shown
from tests.resolver.validation.trees import Tree, TreeTests

AD, CD, RD = dns.flags.AD, dns.flags.CD, dns.flags.RD


class ValidatingTests(TreeTests):
    """A resolver whose parent says what the tree does, and which begins at the tree's root."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = Tree()
        for origin, how in self.tree.how.items():
            self.tree.how[origin] = type(how)(EPOCH)
        self.tree.grow()
        self.lab = self.started()

    def started(self, **config: Any) -> Lab:
        """A resolver with ``config``; the anchors are in its folder."""
        lab = Lab(self, {"learned.anchors": self.anchor()}, **config)
        lab.restart(**{"dnssec": "validate", "trust_anchors": str(lab.folder / "learned.anchors"), **config})
        return lab

    def anchor(self) -> str:
        return f". DS {self.tree.keys['.'].ds(dns.name.root)}\n"

    def answer(self, lab: Lab | None = None) -> int:
        """Have the parent answer all that it is asked; how much that was."""
        lab = lab or self.lab
        count = 0
        while asked := [sent for sent in lab.network.sent if sent.destination == PARENT]:
            for query in asked:
                lab.network.sent.remove(query)
                reply = self.tree.world.reply(dns.message.from_wire(query.payload))
                lab.network.deliver(reply.to_wire(max_size=65535), query.destination, query.source)
                count += 1
        return count

    def ask(self, text: str, flags: int = RD | AD, lab: Lab | None = None, **edns: Any) -> dns.message.Message:
        """What a client is told that sets these ``flags``."""
        lab = lab or self.lab
        name, rrtype = text.split()
        query = dns.message.make_query(name, rrtype, use_edns=0, id=4007, flags=flags, payload=1232, **edns)
        lab.send(query.to_wire(), ("172.16.20.65", 4007))
        self.answer(lab)
        return lab.told(("172.16.20.65", 4007))

    def broken(self) -> None:
        """The address of www.lab.test has no signature any more."""
        self.tree.zones["lab.test."].delete_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")

    def test_ad_says_that_all_of_an_answer_is_secure(self) -> None:
        """To who sets AD or DO; of negative answers, too. What is insecure comes without."""
        for text in (
            "www.lab.test A",
            "alias.lab.test A",
            "x.wild.lab.test A",
            "nothing.lab.test A",
            "www.lab.test MX",
        ):
            self.assertTrue(self.ask(text).flags & AD, text)
        self.assertTrue(self.ask("www.lab.test A", RD, want_dnssec=True).flags & AD)
        self.assertFalse(self.ask("www.lab.test A", RD).flags & AD)
        for text in ("www.plain.test A", "out.lab.test A", "nothing.plain.test A"):
            reply = self.ask(text)
            self.assertFalse(reply.flags & AD, text)
            self.assertIn(rcode(reply), ("NOERROR", "NXDOMAIN"))

    def test_ready_replies_differ_by_what_the_client_asked_for(self) -> None:
        """Each is given again from its bytes to who asks alike, also where a cookie makes it the client's own."""
        for options in ([], [dns.edns.GenericOption(10, b"12345678")]):
            for flags, has_ad in ((RD | AD, True), (RD, False), (RD | AD, True), (RD, False)):
                self.assertEqual(bool(self.ask("www.lab.test A", flags, options=options).flags & AD), has_ad)
            self.assertTrue(self.ask("www.lab.test A", RD, want_dnssec=True, options=options).flags & AD)

    def test_what_is_bogus_is_servfail_and_says_why(self) -> None:
        """The second time from memory, without a question to the parent; no stale answer takes its place."""
        self.lab = self.started(serve_stale=86400)
        self.assertEqual(rcode(self.ask("www.lab.test A")), "NOERROR")
        self.broken()
        self.lab.pass_time(301)
        reply = self.ask("www.lab.test A")
        self.assertEqual((rcode(reply), codes(reply)), ("SERVFAIL", [10]))
        self.assertEqual(errors(reply), ["www.lab.test A has no signature, and lab.test is signed"])
        again = self.ask("www.lab.test A")
        self.assertEqual((rcode(again), codes(again)), ("SERVFAIL", [10, 13]))
        self.assertFalse(again.flags & AD)

    def test_with_cd_the_client_gets_what_is_bogus(self) -> None:
        """And validates by itself; others still get none of it."""
        self.broken()
        reply = self.ask("www.lab.test A", RD | CD)
        self.assertEqual((rcode(reply), shown(reply)), ("NOERROR", ["www.lab.test. 300 IN A 192.0.2.1"]))
        self.assertFalse(reply.flags & AD)
        self.assertEqual(rcode(self.ask("www.lab.test A")), "SERVFAIL")
        self.assertFalse(self.ask("mail.lab.test A", RD | CD | AD).flags & AD)

    def test_answers_of_the_cache_are_as_secure_as_they_came(self) -> None:
        """After a restart as well: the log has it."""
        self.ask("www.lab.test A")
        self.ask("www.plain.test A")
        self.lab.pass_time(10)
        for _ in range(2):
            self.assertTrue(self.ask("www.lab.test A").flags & AD)
            self.assertFalse(self.ask("www.plain.test A").flags & AD)
            self.lab.restart()
            self.lab.network.sent.clear()

    def test_after_a_restart_nobody_is_asked_for_what_the_log_has(self) -> None:
        """It was validated when it was learned."""
        self.ask("www.lab.test A")
        self.lab.restart()
        self.lab.begin("www.lab.test")
        self.assertEqual(shown(self.lab.told()), ["www.lab.test. 300 IN A 192.0.2.1"])

    def test_what_was_learned_without_validation_does_not_count_with_it(self) -> None:
        """Nor does what a course parent said count less; and without validation nothing is called secure."""
        self.lab.restart(dnssec="off")
        self.ask("www.lab.test A")
        self.broken()
        self.lab.restart(dnssec="validate")
        self.assertEqual(rcode(self.ask("www.lab.test A")), "SERVFAIL")
        self.assertTrue(self.ask("alias.lab.test CNAME").flags & AD)
        self.lab.restart(dnssec="off")
        reply = self.ask("alias.lab.test CNAME")
        self.assertEqual((rcode(reply), reply.flags & AD), ("NOERROR", 0))

    def test_a_reload_that_changes_validation_forgets_what_was_learned(self) -> None:
        """One that does not change it keeps all."""
        self.ask("www.lab.test A")
        self.reload()
        self.assertEqual(self.answer(), 0)
        self.lab.begin("www.lab.test")
        self.lab.told()
        self.broken()
        self.reload(insecure=["lab.test"])
        self.assertFalse(self.ask("www.lab.test A").flags & AD)
        self.reload(insecure=[])
        self.assertEqual(rcode(self.ask("www.lab.test A")), "SERVFAIL")

    def reload(self, **config: Any) -> None:
        config = self.lab.config | config
        self.lab.config = config
        read = ResolverConfig.model_validate(config)
        self.lab.service.prepare(read, load_files(read, self.lab.reactor.seconds())).commit()

    def test_domains_with_parents_of_their_own_are_asked_for_their_links(self) -> None:
        """The DS of such a domain is asked of the parent above; a course parent's domain is not validated."""
        self.lab = self.started(forward={"lab.test": "dns:192.0.2.53", "course": "text:192.0.2.60:1200"})
        self.assertTrue(self.ask("www.lab.test A").flags & AD)

    def test_what_dns64_makes_is_not_signed(self) -> None:
        """And a bogus answer is no reason to make one."""
        self.lab = self.started(dns64="2001:db8:64::/96", dns64_exclude=[])
        made = self.ask("www.lab.test AAAA")
        self.assertEqual(shown(made), ["www.lab.test. 60 IN AAAA 2001:db8:64::c000:201"])
        self.assertFalse(made.flags & AD)
        self.tree.world.mangles[dns.name.from_text("lab.test.")] = lambda reply: reply.authority.clear()
        self.assertEqual(rcode(self.ask("a.new.lab.test AAAA")), "SERVFAIL")

    def test_what_a_list_says_is_not_signed(self) -> None:
        """It is no word of the zone's."""
        self.lab = self.started()
        (self.lab.folder / "ads").write_text("www.lab.test\n")
        self.lab.restart(block={"ads": {"file": str(self.lab.folder / "ads")}})
        reply = self.ask("www.lab.test A")
        self.assertFalse(reply.flags & AD)
        self.assertFalse(self.ask("alias.lab.test A").flags & AD)

    def test_results_are_counted(self) -> None:
        """By what they are."""
        self.ask("www.lab.test A")
        self.ask("www.plain.test A")
        self.broken()
        self.ask("www.lab.test A", RD | AD, want_dnssec=True)
        counted = {each.labels[1]: each.value for each in self.samples()}
        self.assertEqual(counted, {"secure": 1, "insecure": 1, "bogus": 1})

    def samples(self) -> list[Sample]:
        return [each for each in self.lab.service.samples() if each.name == "labnet_validations_total"]

    def test_the_query_log_has_what_was_found(self) -> None:
        """By whichever way the question is answered; of the resolver's own records nothing."""
        noted: list[str] = []

        class Log:
            share = 1.0

            def query_log(self, answered: AnsweredQuery) -> None:
                noted.append(answered.security)

        self.lab.service.counts.log = Log()
        self.broken()
        for text in (
            "alias.lab.test CNAME",
            "alias.lab.test CNAME",
            "www.plain.test A",
            "www.lab.test A",
            "www.lab.test A",
        ):
            self.ask(text)
        self.ask("localhost A")
        self.assertEqual(noted, ["secure", "secure", "insecure", "bogus", "bogus", ""])

    def test_the_steps_of_validation_have_their_sentences(self) -> None:
        """What the live page shows."""
        self.assertEqual(SENTENCES["validated"].format(result="secure", why="so"), "Validated: secure: so.")

    def test_without_validation_nothing_of_it_is_done(self) -> None:
        """The parent is asked as the client asked, and nothing else."""
        self.lab.restart(dnssec="off")
        self.lab.begin("www.lab.test")
        query = dns.message.from_wire(self.lab.asked("www.lab.test").payload)
        self.assertFalse(query.ednsflags & dns.flags.DO or query.flags & CD)
