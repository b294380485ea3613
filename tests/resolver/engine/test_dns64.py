"""DNS64 (RFC 6147), through a whole resolver on a network in memory."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
from twisted.trial.unittest import SynchronousTestCase

from tests.recorded import Recorded, steps
from tests.resolver.lab import CLIENT, Lab, codes, rcode, shown

PREFIX = "2001:db8:64::/96"
NO_AAAA = "example. 300 SOA ns.example. hostmaster.example. 1 3600 600 86400 120"


class DNS64TestCase(SynchronousTestCase):
    def lab(self, files: dict[str, str] | None = None, **config: Any) -> Lab:
        return Lab(self, files, **{"dns64": PREFIX, **config})

    def answer(self, lab: Lab, name: str, aaaa: tuple[str, ...], a: tuple[str, ...], **reply: Any) -> list[str]:
        """What a client is told who asks for AAAA, where the parent says so of AAAA and of A."""
        lab.begin(name, "AAAA")
        authority = () if aaaa and aaaa[-1].split()[2] != "CNAME" else (NO_AAAA,)
        lab.tell(lab.asked(name, "AAAA"), *aaaa, authority=authority, **reply)
        lab.tell(lab.asked(name, "A"), *a)
        return shown(lab.told())


class MadeTests(DNS64TestCase):
    """Records that are made."""

    def test_a_name_without_aaaa_has_those_of_its_addresses(self) -> None:
        """For the lesser of both lifetimes; from the cache the seconds are counted down."""
        lab = self.lab()
        a = "www.example. 100 A 192.0.2.33", "www.example. 100 A 192.0.2.34"
        told = self.answer(lab, "www.example", (), a)
        self.assertEqual(
            sorted(told),
            ["www.example. 100 IN AAAA 2001:db8:64::c000:221", "www.example. 100 IN AAAA 2001:db8:64::c000:222"],
        )
        for passed, left in ((0, 100), (1, 99), (9, 90)):
            lab.pass_time(passed)
            for _ in range(2):
                self.assertEqual({line.split()[1] for line in shown(lab.ask("www.example", "AAAA"))}, {str(left)})
        self.assertEqual(len(shown(lab.ask("www.example"))), 2)

    def test_the_negative_ttl_bounds_it(self) -> None:
        """There may be AAAA records after that (section 5.1.7)."""
        told = self.answer(self.lab(), "www.example", (), ("www.example. 3600 A 192.0.2.33",))
        self.assertEqual(told, ["www.example. 120 IN AAAA 2001:db8:64::c000:221"])

    def test_a_name_with_aaaa_has_its_own(self) -> None:
        """No A is asked for."""
        reply = self.lab().resolve("www.example", "www.example. 60 AAAA 2001:db8::1", rrtype="AAAA")
        self.assertEqual(shown(reply), ["www.example. 60 IN AAAA 2001:db8::1"])

    def test_a_name_that_does_not_exist_has_none(self) -> None:
        """No A is asked for either."""
        reply = self.lab().resolve("www.example", rrtype="AAAA", rcode="NXDOMAIN", authority=[NO_AAAA])
        self.assertEqual((rcode(reply), shown(reply)), ("NXDOMAIN", []))

    def test_a_name_without_any_address_has_none(self) -> None:
        """What is said is what was said of AAAA."""
        lab = self.lab()
        lab.begin("www.example", "AAAA")
        for rrtype in "AAAA", "A":
            lab.tell(lab.asked("www.example", rrtype), authority=[NO_AAAA])
        reply = lab.told()
        self.assertEqual((rcode(reply), shown(reply), len(reply.authority)), ("NOERROR", [], 1))

    def test_aliases_are_followed(self) -> None:
        """The chain stands before what is made."""
        chain = ("www.example. 60 CNAME a.example.",)
        lab = self.lab()
        lab.begin("www.example", "AAAA")
        lab.tell(lab.asked("www.example", "AAAA"), *chain, authority=[NO_AAAA])
        lab.tell(lab.asked("www.example", "A"), *chain, "a.example. 60 A 192.0.2.33")
        expected = ["www.example. 60 IN CNAME a.example.", "a.example. 60 IN AAAA 2001:db8:64::c000:221"]
        self.assertEqual(shown(lab.told()), expected)

    def test_a_server_that_fails_for_aaaa_is_asked_for_a(self) -> None:
        """As if it had none (section 5.1.2)."""
        lab = self.lab()
        lab.begin("www.example", "AAAA")
        lab.tell(lab.asked("www.example", "AAAA"), rcode="SERVFAIL")
        lab.tell(lab.asked("www.example", "A"), "www.example. 60 A 192.0.2.33")
        self.assertEqual(len(shown(lab.told())), 1)

    def test_records_are_translated_too(self) -> None:
        """Who has no IPv4 reaches them by the same way."""
        lab = self.lab({"own.txt": "nas.house,192.0.2.9,300\n"})
        for _ in range(2):
            self.assertEqual(shown(lab.ask("nas.house", "AAAA")), ["nas.house. 300 IN AAAA 2001:db8:64::c000:209"])
        self.assertEqual(shown(lab.ask("nas.house")), ["nas.house. 300 IN A 192.0.2.9"])

    def test_what_a_list_says_is_left_as_it_is(self) -> None:
        """Blocked for AAAA is blocked."""
        for answer, expected in (("nodata", []), ("zero", ["ads.example. 60 IN AAAA ::"])):
            lab = self.lab(block={"ads": {"names": "ads.example", "answer": answer}})
            self.assertEqual(shown(lab.ask("ads.example", "AAAA")), expected)
            lab.stop()

    def test_private_addresses_are_not_translated_for_who_is_guarded(self) -> None:
        """The one does not undo the other."""
        lab = self.lab(rebind_protection=True)
        self.assertEqual(self.answer(lab, "www.example", (), ("www.example. 60 A 10.0.0.1",)), [])


class ExcludedTests(DNS64TestCase):
    """Addresses that count as none."""

    def test_aaaa_records_that_lead_nowhere(self) -> None:
        """Mapped ones always, others by the configuration; where some are left, those are the answer (5.1.4)."""
        lab = self.lab(dns64_exclude=["2001:db8:bad::/48"])
        a = ("www.example. 60 A 192.0.2.33",)
        for number, address in enumerate(("::ffff:192.0.2.1", "2001:db8:bad::1")):
            name = f"w{number}.example"
            told = self.answer(lab, name, (f"{name}. 60 AAAA {address}",), (a[0].replace("www.example", name),))
            self.assertEqual(told, [f"{name}. 60 IN AAAA 2001:db8:64::c000:221"])
        both = "w.example. 60 AAAA 2001:db8:bad::1", "w.example. 60 AAAA 2001:db8::1"
        reply = lab.resolve("w.example", *both, rrtype="AAAA")
        self.assertEqual(shown(reply), ["w.example. 60 IN AAAA 2001:db8::1"])

    def test_a_records_that_are_not_for_the_translator(self) -> None:
        """By the configuration; behind the well-known prefix all that are not global (RFC 6052, section 3.1)."""
        lab = self.lab(dns64_exclude=["198.51.100.0/24"])
        a = "www.example. 60 A 198.51.100.1", "www.example. 60 A 192.0.2.33"
        self.assertEqual(self.answer(lab, "www.example", (), a), ["www.example. 60 IN AAAA 2001:db8:64::c000:221"])
        lab.stop()
        lab = self.lab(dns64="64:ff9b::/96")
        a = "www.example. 60 A 10.0.0.1", "www.example. 60 A 9.9.9.9"
        self.assertEqual(self.answer(lab, "www.example", (), a), ["www.example. 60 IN AAAA 64:ff9b::909:909"])


class DNSSECTests(DNS64TestCase):
    """Clients that validate (section 5.5)."""

    def ask(self, lab: Lab, flags: int) -> None:
        query = dns.message.make_query("www.example", "AAAA", use_edns=0, want_dnssec=True, id=CLIENT[1])
        query.flags |= flags
        lab.send(query.to_wire())

    def test_who_sets_do_and_cd_gets_what_there_is(self) -> None:
        """It makes AAAA records itself."""
        lab = self.lab()
        self.ask(lab, dns.flags.CD)
        lab.tell(lab.asked("www.example", "AAAA"), authority=[NO_AAAA])
        self.assertEqual(shown(lab.told()), [])

    def test_who_sets_do_alone_gets_what_is_made(self) -> None:
        """Without a signature, and not as authentic."""
        lab = self.lab()
        self.ask(lab, 0)
        lab.tell(lab.asked("www.example", "AAAA"), authority=[NO_AAAA])
        lab.tell(lab.asked("www.example", "A"), "www.example. 60 A 192.0.2.33")
        reply = lab.told()
        self.assertEqual(shown(reply), ["www.example. 60 IN AAAA 2001:db8:64::c000:221"])
        self.assertFalse(reply.flags & dns.flags.AD)


class PrefixTests(DNS64TestCase):
    """The prefix, and who looks for it."""

    def test_clients_find_the_prefix(self) -> None:
        """By the name that has IPv4 addresses alone (RFC 7050); no parent hears of it (RFC 8880)."""
        lab = self.lab(dns64="64:ff9b::/96")
        self.assertEqual(
            sorted(shown(lab.ask("ipv4only.arpa", "AAAA"))),
            [f"ipv4only.arpa. 86400 IN AAAA 64:ff9b::c000:{last}" for last in ("aa", "ab")],
        )
        self.assertEqual(len(shown(lab.ask("ipv4only.arpa"))), 2)
        self.assertEqual(
            (rcode(lab.ask("ipv4only.arpa", "MX")), rcode(lab.ask("x.ipv4only.arpa"))), ("NOERROR", "NXDOMAIN")
        )

    def test_without_a_prefix_it_is_an_ordinary_name(self) -> None:
        """The parent is asked."""
        Lab(self).resolve("ipv4only.arpa", "ipv4only.arpa. 60 A 192.0.0.170")

    def test_reverse_names_of_the_prefix_lead_to_those_of_ipv4(self) -> None:
        """By a CNAME (section 5.3.1); others are asked for as they are."""
        lab = self.lab()
        reverse = "1.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.4.6.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        lab.begin(reverse, "PTR")
        lab.tell(lab.asked("33.2.0.192.in-addr.arpa", "PTR"), "33.2.0.192.in-addr.arpa. 60 PTR www.example.")
        expected = [
            f"{reverse}. 600 IN CNAME 33.2.0.192.in-addr.arpa.",
            "33.2.0.192.in-addr.arpa. 60 IN PTR www.example.",
        ]
        self.assertEqual(shown(lab.told()), expected)
        self.assertEqual(shown(lab.ask(reverse, "PTR")), expected)
        other = reverse.replace("4.6.0.0", "5.6.0.0")
        lab.resolve(other, f"{other}. 60 PTR six.example.", rrtype="PTR")

    def test_who_watches_reads_that_it_was_made(self) -> None:
        """And the operator, who looks at it."""
        lab = self.lab({"own.txt": "nas.house,192.0.2.9,300\n"})
        events = lab.service.counts.events = Recorded()
        lab.ask("nas.house", "AAAA")
        self.assertEqual(steps(events.exchange())[-1], "translated")
        found = lab.service.operator.lookup("nas.house", "AAAA")
        self.assertEqual(found["answer"], ["nas.house. 300 IN AAAA 2001:db8:64::c000:209"])
        self.assertEqual(codes(lab.ask("nas.house", "AAAA")), [0])
