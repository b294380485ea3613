"""Lists, through a whole resolver on a network in memory: who is answered what, and who is told why."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.metrics import FAMILIES
from labnet.resolver.clients.transport import Transport
from tests.recorded import Recorded, steps
from tests.resolver.lab import CLIENT, PARENT, Lab, codes, errors, rcode, shown
from tests.resolver.test_change import ChangingLab
from tests.resolver.test_query_log import Log

CHILD = ("198.51.100.7", 40001)
RPZ = "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n  NS localhost.\n"


def listed(*names: str, **table: Any) -> dict[str, Any]:
    """A list of the configuration."""
    return {"names": list(names), **table}


class BlockingTestCase(SynchronousTestCase):
    """A resolver with lists."""

    def lab(self, **block: Any) -> ChangingLab:
        return ChangingLab(self, block=block)

    def file(self, text: str) -> Path:
        """A file with that ``text``."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "list"
        path.write_text(text, encoding="utf-8")
        return path

    def policy(self, text: str, **config: Any) -> ChangingLab:
        """One whose list is a policy zone."""
        return ChangingLab(self, block={"policy": {"file": str(self.file(RPZ + text)), "form": "rpz"}}, **config)


class AnswerTests(BlockingTestCase):
    """What is answered about a name on a list."""

    def test_a_listed_name_is_not_asked_for(self) -> None:
        """There is no such name, and the client is told by which list; others are asked for."""
        lab = self.lab(ads=listed("ads.example", "*.wild.example"))
        for name, entry in (("ads.example", "ads.example"), ("a.b.wild.example", "*.wild.example")):
            reply = lab.ask(name)
            self.assertEqual((rcode(reply), codes(reply)[0]), ("NXDOMAIN", 15))
            self.assertEqual(errors(reply)[0], f"{name} is on the list ads, as {entry}: the answer is NXDOMAIN.")
            self.assertEqual(reply.authority[0].ttl, 60)
        lab.resolve("www.ads.example", "www.ads.example. 60 A 192.0.2.1")

    def test_each_kind_of_answer(self) -> None:
        """By the key answer; other types than those of the addresses have no record."""
        table = {
            "nodata": ("NOERROR", [], []),
            "refused": ("REFUSED", [], []),
            "zero": ("NOERROR", ["ads.example. 60 IN A 0.0.0.0"], ["ads.example. 60 IN AAAA ::"]),
            "192.0.2.7": ("NOERROR", ["ads.example. 60 IN A 192.0.2.7"], []),
        }
        for answer, (code, ipv4, ipv6) in table.items():
            lab = self.lab(ads=listed("ads.example", answer=answer))
            for rrtype, expected in (("A", ipv4), ("AAAA", ipv6), ("MX", [])):
                for _ in range(2):  # the second one is ready
                    reply = lab.ask("ads.example", rrtype)
                    self.assertEqual((rcode(reply), shown(reply)), (code, expected), f"{answer} {rrtype}")
            lab.stop()

    def test_the_course_has_the_same_answers(self) -> None:
        """An address, or that the name is unknown."""
        lab = self.lab(ads=listed("ads.example", answer="192.0.2.7"), gone=listed("gone.example"))
        lab.course("ads.example")
        self.assertIn(b"192.0.2.7", lab.course_told())
        lab.course("gone.example")
        self.assertEqual(lab.course_told(), b"[]")

    def test_the_records_come_first(self) -> None:
        """What a house has of its own is not the lists' to say: so local overrides are written."""
        lab = ChangingLab(self, {"own.txt": "ads.example,10.0.0.9,60\n"}, block={"ads": listed("*.example")})
        self.assertEqual(shown(lab.ask("ads.example")), ["ads.example. 60 IN A 10.0.0.9"])
        self.assertEqual(rcode(lab.ask("b.example")), "NXDOMAIN")

    def test_an_alias_of_a_listed_name_ends_there(self) -> None:
        """Whether the parent says the whole chain, or it is in the cache; what is before the name is told."""
        lab = self.lab(ads=listed("*.tracker.example"))
        chain = "www.shop.example. 60 CNAME a.tracker.example.", "a.tracker.example. 60 A 192.0.2.1"
        for reply in (lab.resolve("www.shop.example", *chain), lab.ask("www.shop.example")):
            self.assertEqual(shown(reply), ["www.shop.example. 60 IN CNAME a.tracker.example."])
            self.assertEqual((rcode(reply), codes(reply)[0]), ("NXDOMAIN", 15))
        lab.change(block={})
        self.assertEqual(len(shown(lab.ask("www.shop.example"))), 2)

    def test_a_list_that_allows_comes_first(self) -> None:
        """Wherever it stands, and for the whole chain."""
        lab = self.lab(ads=listed("*.example"), mine=listed("shop.example", answer="allow"))
        chain = "shop.example. 60 CNAME cdn.example.", "cdn.example. 60 A 192.0.2.1"
        self.assertEqual(len(shown(lab.resolve("shop.example", *chain))), 2)
        self.assertEqual(rcode(lab.ask("cdn.example")), "NXDOMAIN")

    def test_the_first_list_that_has_a_name_counts(self) -> None:
        """In the order of the configuration."""
        lab = self.lab(one=listed("ads.example", answer="refused"), two=listed("ads.example"))
        self.assertEqual(rcode(lab.ask("ads.example")), "REFUSED")

    def test_without_recursion_desired_it_is_the_same(self) -> None:
        """What is in the cache is kept from such a client too."""
        lab = self.lab()
        lab.resolve("ads.example", "ads.example. 60 A 192.0.2.1")
        lab.change(block={"ads": listed("ads.example")})
        self.assertEqual(rcode(lab.ask("ads.example", rd=False)), "NXDOMAIN")

    def test_lists_that_clients_asked_for_are_told_as_filtered(self) -> None:
        """By the code of the extended error (RFC 8914, section 4.18)."""
        lab = self.lab(ads=listed("ads.example", asked_for=True))
        self.assertEqual(codes(lab.ask("ads.example"))[0], 17)


class ClientTests(BlockingTestCase):
    """Lists for some clients alone."""

    def test_a_list_for_a_network_is_for_no_other(self) -> None:
        """However the answers came to be ready, and in whatever order they ask."""
        for first, second in ((CLIENT, CHILD), (CHILD, CLIENT)):
            lab = self.lab(games=listed("games.example", clients=["198.51.100.0/24"]))
            lab.resolve("games.example", "games.example. 600 A 192.0.2.1")
            for client in (first, second, first, second, first):
                reply = lab.ask("games.example", client=client)
                self.assertEqual(rcode(reply), "NXDOMAIN" if client == CHILD else "NOERROR")
            lab.stop()

    def test_the_same_holds_for_the_course_and_for_questions_with_a_cookie(self) -> None:
        """What is ready for them is kept elsewhere."""
        cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
        asked = dns.message.make_query("games.example", "A", use_edns=0, options=[cookie]).to_wire()
        for clients in ((CLIENT, CHILD), (CHILD, CLIENT)):
            lab = self.lab(games=listed("games.example", clients="198.51.100.0/24", answer="192.0.2.7"))
            lab.resolve("games.example", "games.example. 600 A 192.0.2.1")
            for client in clients * 3:
                expected = "192.0.2.1" if client == CLIENT else "192.0.2.7"
                lab.course("games.example", client)
                self.assertIn(expected.encode(), lab.course_told(client))
                lab.send(asked, client)
                reply = dns.message.from_wire(lab.take(client).payload)
                self.assertEqual([str(rdata) for rdata in reply.answer[0]], [expected])
            lab.stop()

    def test_a_list_for_all_is_for_those_of_a_network_too(self) -> None:
        """Each client has the lists that are for it, in their order."""
        lab = self.lab(
            ads=listed("ads.example"), games=listed("games.example", "ads.example", clients="198.51.100.0/24")
        )
        for _ in range(2):
            self.assertEqual(rcode(lab.ask("ads.example", client=CHILD)), "NXDOMAIN")
            self.assertEqual(rcode(lab.ask("games.example", client=CHILD)), "NXDOMAIN")
            self.assertEqual(rcode(lab.ask("ads.example")), "NXDOMAIN")
        lab.resolve("games.example", "games.example. 60 A 192.0.2.1")

    def test_other_clients_of_a_network_come_with_a_reload(self) -> None:
        """What was remembered of a client is forgotten."""
        lab = self.lab(games=listed("games.example", clients="198.51.100.0/24"))
        lab.resolve("games.example", "games.example. 600 A 192.0.2.1")
        self.assertEqual(rcode(lab.ask("games.example", client=CHILD)), "NXDOMAIN")
        lab.change(block={"games": listed("games.example", clients="172.16.0.0/12")})
        self.assertEqual(rcode(lab.ask("games.example", client=CHILD)), "NOERROR")
        self.assertEqual(rcode(lab.ask("games.example")), "NXDOMAIN")


class PolicyZoneTests(BlockingTestCase):
    """A policy zone as a list."""

    def test_its_own_records_are_the_answer(self) -> None:
        """With their TTL; a CNAME is followed, and what it leads to is not looked for on lists again."""
        lab = self.policy(
            "here.example 300 A 192.0.2.9\n*.far.example CNAME *.walled.example.\n"
            "www.far.example.walled.example CNAME .\n"
        )
        self.assertEqual(shown(lab.ask("here.example")), ["here.example. 300 IN A 192.0.2.9"])
        self.assertEqual(shown(lab.ask("here.example", "MX")), [])
        lab.begin("www.far.example")
        query = lab.asked("www.far.example.walled.example")
        lab.tell(query, "www.far.example.walled.example. 60 A 192.0.2.1")
        self.assertEqual(
            shown(lab.told()),
            [
                "www.far.example. 60 IN CNAME www.far.example.walled.example.",
                "www.far.example.walled.example. 60 IN A 192.0.2.1",
            ],
        )

    def test_a_dropped_question_has_no_reply(self) -> None:
        """Neither the first nor the second; it counts by its reason and by the list."""
        lab = self.policy("drop.example CNAME rpz-drop.\n")
        for _ in range(2):
            lab.begin("drop.example")
            lab.course("drop.example")
        self.assertEqual(lab.network.sent, [])
        counted = {(sample.name, *sample.labels): sample.value for sample in lab.service.samples()}
        self.assertEqual(counted["labnet_queries_dropped_total", "main", "list"], 4)
        self.assertEqual(counted["labnet_blocked_total", "main", "policy"], 4)

    def test_by_tcp_it_is_refused(self) -> None:
        """The connection is there for other questions."""
        lab = self.policy("drop.example CNAME rpz-drop.\n")
        sent: list[bytes] = []
        query = dns.message.make_query("drop.example", "A").to_wire()
        responder = lab.service.streams.responder
        self.assertTrue(responder.respond(query, (CLIENT, None), Transport.TCP, sent.append))
        self.assertEqual(rcode(dns.message.from_wire(sent[0])), "REFUSED")
        lab.send(query)
        self.assertEqual(lab.network.sent, [])

    def test_what_it_passes_no_later_list_has(self) -> None:
        """Nor does its own wider entry."""
        lab = self.policy("*.example CNAME .\nok.example CNAME rpz-passthru.\n")
        lab.resolve("ok.example", "ok.example. 60 A 192.0.2.1")
        self.assertEqual(rcode(lab.ask("no.example")), "NXDOMAIN")

    def test_answers_with_listed_addresses_are_replaced(self) -> None:
        """From the parent and from the cache."""
        lab = self.policy("24.0.2.0.192.rpz-ip CNAME *.\n32.1.2.0.192.rpz-ip CNAME rpz-passthru.\n")
        for reply in (lab.resolve("a.example", "a.example. 60 A 192.0.2.7"), lab.ask("a.example")):
            self.assertEqual((rcode(reply), shown(reply), codes(reply)[0]), ("NOERROR", [], 15))
        self.assertEqual(len(shown(lab.resolve("b.example", "b.example. 60 A 192.0.2.1"))), 1)
        self.assertEqual(len(shown(lab.resolve("c.example", "c.example. 60 A 198.51.100.1"))), 1)
        chain = "d.example. 60 CNAME e.example.", "e.example. 60 A 192.0.2.7"
        self.assertEqual(shown(lab.resolve("d.example", *chain)), ["d.example. 60 IN CNAME e.example."])
        lab.pass_time(7)
        for _ in range(2):
            self.assertEqual(shown(lab.ask("d.example")), ["d.example. 53 IN CNAME e.example."])
        lab.pass_time(60)
        self.assertEqual(len(shown(lab.resolve("a.example", "a.example. 60 A 198.51.100.1"))), 1)

    def test_clients_are_listed_by_their_address(self) -> None:
        """Whatever they ask; what is ready for others is not for them."""
        lab = self.policy("24.0.100.51.198.rpz-client-ip CNAME *.\n")
        lab.resolve("a.example", "a.example. 600 A 192.0.2.7")
        for _ in range(2):
            self.assertEqual(shown(lab.ask("a.example", client=CHILD)), [])
            self.assertEqual(len(shown(lab.ask("a.example"))), 1)


class RebindingTests(BlockingTestCase):
    """Private addresses that a parent gives."""

    def test_a_private_address_is_not_passed_on(self) -> None:
        """From the parent and from the cache, which has it from before; public ones are."""
        lab = ChangingLab(self, parents=[f"dns:{PARENT[0]}"])
        lab.resolve("old.example", "old.example. 600 A 10.0.0.1")
        lab.change(rebind_protection=True)
        reply = lab.ask("old.example")
        self.assertEqual((rcode(reply), shown(reply), codes(reply)[0]), ("NOERROR", [], 15))
        self.assertEqual(
            errors(reply)[0], "A parent gives old.example the private address 10.0.0.1, which is not passed on."
        )
        for address in ("192.168.1.1", "127.0.0.1", "169.254.1.1", "172.31.0.1", "0.0.0.0"):
            name = f"x{address.replace('.', '-')}.example"
            self.assertEqual(shown(lab.resolve(name, f"{name}. 60 A {address}")), [], address)
        for address in ("fd00::1", "fe80::1", "::1", "::", "::ffff:10.0.0.1"):
            name = f"y{address.replace(':', '-')}.example".replace("-.", "-x.")
            self.assertEqual(shown(lab.resolve(name, f"{name}. 60 AAAA {address}", rrtype="AAAA")), [], address)
        for address in ("192.0.2.1", "172.32.0.1", "9.255.255.255", "11.0.0.1"):
            name = f"z{address.replace('.', '-')}.example"
            self.assertEqual(len(shown(lab.resolve(name, f"{name}. 60 A {address}"))), 1, address)
        self.flushLoggedErrors()

    def test_addresses_that_a_service_record_hints_at_are_looked_at(self) -> None:
        """A browser may go there without asking for addresses (RFC 9460, section 7.3)."""
        lab = ChangingLab(self, rebind_protection=True)
        for number, (hints, passed) in enumerate(
            (
                ("alpn=h2 ipv4hint=192.0.2.1,192.168.1.1", 0),
                ("ipv6hint=fd00::1", 0),
                ("ipv4hint=192.0.2.1 ipv6hint=2001:db8::1", 1),
                ("alpn=h2", 1),
            )
        ):
            name = f"w{number}.example"
            reply = lab.resolve(name, f"{name}. 60 HTTPS 1 svc.example. {hints}", rrtype="HTTPS")
            self.assertEqual(len(shown(reply)), passed, hints)

    def test_records_and_exempt_domains_may_have_them(self) -> None:
        """The house's own names."""
        lab = ChangingLab(
            self, {"own.txt": "nas.lab,10.0.0.9,60\n"}, rebind_protection=True, rebind_exempt=["corp.example"]
        )
        self.assertEqual(len(shown(lab.ask("nas.lab"))), 1)
        self.assertEqual(len(shown(lab.resolve("a.corp.example", "a.corp.example. 60 A 10.0.0.1"))), 1)
        chain = "away.example. 60 CNAME a.corp.example.", "a.corp.example. 60 A 10.0.0.1"
        self.assertEqual(len(shown(lab.resolve("away.example", *chain))), 2)
        self.assertEqual(shown(lab.resolve("b.example", "b.example. 60 A 10.0.0.1")), [])

    def test_names_that_a_list_allows_are_guarded_all_the_same(self) -> None:
        """The one has nothing to do with the other."""
        lab = ChangingLab(self, rebind_protection=True, block={"mine": listed("ok.example", answer="allow")})
        self.assertEqual(shown(lab.resolve("ok.example", "ok.example. 60 A 10.0.0.1")), [])


class ToldTests(BlockingTestCase):
    """Which list it was."""

    def test_the_query_log_and_the_metrics_have_the_list(self) -> None:
        """Of an answer that is made and of one that is ready; the others have none."""
        lab = self.lab(ads=listed("ads.example"), games=listed("games.example"))
        lab.service.counts.log = log = Log()
        lab.ask("ads.example")
        lab.ask("ads.example")
        lab.course("ads.example")
        lab.course_told()
        lab.resolve("www.example", "www.example. 60 A 192.0.2.1")
        noted = [(one.source, one.result, one.by, one.parent) for one in log.noted]
        self.assertEqual(noted[:2], [("blocked", "NXDOMAIN", "ads", ""), ("ready", "NXDOMAIN", "ads", "")])
        self.assertEqual(noted[2:], [("blocked", "unknown", "ads", ""), ("parent", "NOERROR", "", "192.0.2.53:53")])
        counted = {(sample.name, *sample.labels): sample.value for sample in lab.service.samples()}
        self.assertEqual(counted["labnet_blocked_total", "main", "ads"], 3)
        self.assertEqual(counted["labnet_block_list_names", "main", "games"], 1)
        self.assertTrue({name for name, *_ in counted} <= FAMILIES.keys())

    def test_who_watches_reads_the_steps(self) -> None:
        """Of one that is blocked, one that is allowed, and one on no list; ready answers are explained too."""
        lab = self.lab(ads=listed("*.example"), mine=listed("ok.example", answer="allow"))
        events = lab.service.counts.events = Recorded()
        lab.ask("ads.example")
        self.assertEqual(steps(events.exchange()), ["records-silent", "listed"])
        lab.ask("ads.example")
        told = events.exchange()
        self.assertEqual(steps(told), ["ready", "records-silent", "listed"])
        self.assertEqual(told.why[-1].sentence, "ads.example is on the list ads, as *.example: the answer is NXDOMAIN.")
        lab.resolve("ok.example", "ok.example. 60 A 192.0.2.1")
        self.assertEqual(steps(events.exchange())[:3], ["records-silent", "passed", "cache-silent"])
        lab.resolve("www.test", "www.test. 60 A 192.0.2.1")
        self.assertEqual(steps(events.exchange())[:3], ["records-silent", "unlisted", "cache-silent"])

    def test_the_operator_s_look_has_the_list(self) -> None:
        """For everybody, or for the client that is named."""
        lab = self.lab(ads=listed("ads.example"), games=listed("games.example", clients="198.51.100.0/24"))
        found = lab.service.operator.lookup("ads.example")
        self.assertEqual((found["status"], found["list"]), ("NXDOMAIN", "ads"))
        self.assertIn("ads.example is on the list ads, as ads.example: the answer is NXDOMAIN.", found["steps"])
        self.assertEqual(lab.service.operator.lookup("games.example")["status"], None)
        self.assertEqual(lab.service.operator.lookup("games.example", client=CHILD[0])["list"], "games")


class FileTests(BlockingTestCase):
    """Files that are not as they should be."""

    def test_a_bad_line_is_a_warning(self) -> None:
        """With file and line; the rest counts."""
        path = self.file("ads.example\nno name\n")
        lab = Lab(self, block={"ads": {"file": str(path)}})
        self.assertEqual(lab.warnings, [f"{path}:2: 'no name' is more than one name; the line was skipped"])
        self.assertEqual(rcode(lab.ask("ads.example")), "NXDOMAIN")

    def test_a_list_is_read_anew_with_a_reload(self) -> None:
        """And what was ready is not told again."""
        path = self.file("ads.example\n")
        lab = ChangingLab(self, block={"ads": {"file": str(path)}})
        for _ in range(2):
            self.assertEqual(rcode(lab.ask("ads.example")), "NXDOMAIN")
        path.write_text("other.example\n")
        lab.change()
        lab.resolve("ads.example", "ads.example. 60 A 192.0.2.1")
