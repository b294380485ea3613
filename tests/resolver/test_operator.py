"""What an operator asks of a resolver that runs."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver import operator
from labnet.resolver.operator import OperatorError
from tests.resolver.lab import COURSE, Lab, rcode, shown

ZONE = """\
$ORIGIN lab.test.
$TTL 60
@ SOA ns root 1 2 3 4 5
@ NS ns
ns A 192.0.2.53
www A 192.0.2.1
www A 192.0.2.2
alias CNAME www
far CNAME www.example.
a.b.deep A 192.0.2.9
*.wild A 192.0.2.8
"""

REVERSE = "1.2.0.192.in-addr.arpa"


class OperatorTestCase(SynchronousTestCase):
    """A resolver that is the authority for lab.test and knows a line of the course."""

    def setUp(self) -> None:
        files = {"lab.zone": ZONE, "ips.txt": "www.course,21.09.1992.8,60\n"}
        self.lab = Lab(self, files, zones=["lab.test", "2.0.192.in-addr.arpa"])
        self.operator = self.lab.service.operator

    def answers(self, name: str, rrtype: str = "A") -> list[str]:
        return shown(self.lab.ask(name, rrtype))

    def records(self) -> int:
        return int(self.lab.service.status()["records"])


class LookupTests(OperatorTestCase):
    """Why what would be answered; nobody is asked."""

    def test_each_source_is_named(self) -> None:
        for name, status, answer, step in [
            ("www.lab.test", "NOERROR", ["www.lab.test. 60 IN A 192.0.2.1", "www.lab.test. 60 IN A 192.0.2.2"], "have"),
            ("none.lab.test", "NXDOMAIN", [], "The records say that there is no none.lab.test A."),
            ("www.course", "NOERROR", ["www.course,21.09.1992.8,60"], "The records have www.course A."),
        ]:
            found = self.operator.lookup(name)
            self.assertEqual((found["status"], found["answer"], found["parents"]), (status, answer, []))
            self.assertIn(step, found["steps"][0])

    def test_what_the_cache_has_is_told_and_nothing_is_counted(self) -> None:
        self.lab.resolve("www.example", "www.example. 60 A 192.0.2.7")
        before = self.lab.service.status()["cache"]
        self.lab.pass_time(55)
        found = self.operator.lookup("www.example")
        self.assertEqual(found["answer"], ["www.example. 5 IN A 192.0.2.7"])
        self.assertIn("5 s of its 60 s are left", found["steps"][1])
        self.assertEqual(self.lab.service.status()["cache"], before)
        self.assertEqual(list(self.operator.requests()), [])

    def test_what_nobody_knows_has_the_parents_that_would_be_asked(self) -> None:
        """With how they are; behind an alias it is its target that they would be asked for."""
        found = self.operator.lookup("far.lab.test", "AAAA")
        self.assertEqual(
            (found["status"], found["asked"], found["parents"]),
            (None, "www.example. AAAA", ["192.0.2.53:53 (not asked yet)"]),
        )
        self.lab.resolve("www.other", "www.other. 60 A 192.0.2.7")
        self.assertRegex(self.operator.lookup("www.example")["parents"][0], r"^192\.0\.2\.53:53 \(up, [\d.]+ ms\)$")

    def test_without_a_parent_it_is_refused(self) -> None:
        self.lab.restart(parents=[])
        found = self.lab.service.operator.lookup("www.example")
        self.assertEqual((found["status"], found["answer"]), ("REFUSED", []))
        self.assertEqual(found["steps"][-1], "There is no parent to ask.")

    def test_a_type_that_is_none_is_a_sentence(self) -> None:
        with self.assertRaisesRegex(OperatorError, r"'X\\x1b' is no record type"):
            self.operator.lookup("www.lab.test", "X\x1b")


class AddTests(OperatorTestCase):
    """Records that are served until a reload."""

    def test_a_record_is_served_at_once(self) -> None:
        """Also where the answer that it was not there was ready."""
        self.assertEqual(rcode(self.lab.ask("new.lab.test")), "NXDOMAIN")
        before = self.records()
        self.assertEqual(self.operator.add("new.lab.test 30 A 192.0.2.3"), ["new.lab.test. 30 IN A 192.0.2.3"])
        self.assertEqual(self.answers("new.lab.test"), ["new.lab.test. 30 IN A 192.0.2.3"])
        self.assertEqual(self.records(), before + 1)

    def test_it_joins_the_records_of_its_name(self) -> None:
        self.operator.add("www.lab.test. 60 IN A 192.0.2.3")
        self.operator.add("www.lab.test. 60 IN A 192.0.2.4")
        self.assertEqual(len(self.answers("www.lab.test")), 4)

    def test_what_follows_from_it_is_there_too(self) -> None:
        """Names above it, its reverse name, and a wildcard's names."""
        self.operator.add("x.y.new.lab.test 60 A 192.0.2.77")
        self.assertEqual(rcode(self.lab.ask("y.new.lab.test")), "NOERROR")
        self.assertIn("x.y.new.lab.test.", self.answers("77.2.0.192.in-addr.arpa", "PTR")[0])
        self.operator.add("*.stars.lab.test 60 A 192.0.2.5")
        self.assertIn("192.0.2.5", self.answers("any.stars.lab.test")[0])

    def test_a_name_with_escapes_is_taken_as_it_is_shown(self) -> None:
        self.operator.add(r"foo\.bar.lab.test 60 A 192.0.2.6")
        self.assertEqual(self.operator.lookup(r"foo\046bar.lab.test")["status"], "NOERROR")
        self.assertEqual(self.operator.remove(r"foo\.bar.lab.test"), 1)

    def test_a_line_of_the_course_is_served_to_it(self) -> None:
        self.lab.restart(parents=[f"text:{COURSE[0]}:{COURSE[1]}"])
        self.assertEqual(self.lab.service.operator.add("x.course,1.2.3,60"), ["x.course,1.2.3,60"])
        self.lab.course("x.course")
        self.assertIn(b"1.2.3", self.lab.course_told())

    def test_a_record_of_a_resolver_without_any_is_found(self) -> None:
        lab = Lab(self)
        lab.service.operator.add("a.test A 192.0.2.1")
        self.assertEqual(shown(lab.ask("a.test")), ["a.test. 3600 IN A 192.0.2.1"])
        self.assertEqual(shown(lab.ask("a.test")), ["a.test. 3600 IN A 192.0.2.1"])

    def test_what_cannot_be_is_a_sentence_and_changes_nothing(self) -> None:
        before = self.records()
        for text, says in [
            ("", "there is no record"),
            ("www.lab.test", "cannot be read"),
            ("www.lab.test FOO x", "'FOO' is no record type"),
            ("www.lab.test A 300.1.1.1", "cannot be read"),
            ("www.lab.test CNAME x.test.", "CNAME"),
            ("lab.test SOA ns root 1 2 3 4 5", "SOA of a zone is changed in its file"),
            ("www.lab.test NSEC x.test. A", "DNSSEC"),
            ("x.invalid A 192.0.2.1", "invalid"),
            ("x,1.2.3.4", "2 field"),
        ]:
            with self.assertRaisesRegex(OperatorError, says):
                self.operator.add(text)
        self.assertEqual(self.records(), before)

    def test_there_is_a_bound_until_the_next_reload(self) -> None:
        self.patch(operator, "MOST_EDITS", 2)
        for number in range(2):
            self.operator.add(f"n{number}.test A 192.0.2.1")
        with self.assertRaisesRegex(OperatorError, "2 records were added since the last reload"):
            self.operator.add("n3.test A 192.0.2.1")
        self.lab.service._take(self.lab.service._config, self._loaded())
        self.operator.add("n3.test A 192.0.2.1")

    def test_a_reload_forgets_it(self) -> None:
        self.operator.add("new.lab.test 30 A 192.0.2.3")
        self.lab.service._take(self.lab.service._config, self._loaded())
        self.assertEqual(rcode(self.lab.ask("new.lab.test")), "NXDOMAIN")

    def _loaded(self) -> Any:
        from labnet.resolver.loading.files import load_files

        return load_files(self.lab.service._config, self.lab.reactor.seconds())


class RemoveTests(OperatorTestCase):
    """Records that are not served until a reload."""

    def test_all_of_a_type_or_one_go(self) -> None:
        self.answers("www.lab.test")
        self.assertEqual(self.operator.remove("www.lab.test", "A", "192.0.2.1"), 1)
        self.assertEqual(self.answers("www.lab.test"), ["www.lab.test. 60 IN A 192.0.2.2"])
        self.assertEqual(self.answers(REVERSE, "PTR"), [])
        self.assertEqual(self.operator.remove("www.lab.test", "TXT"), 0)
        self.assertEqual(self.operator.remove("www.lab.test"), 1)
        self.assertEqual(rcode(self.lab.ask("www.lab.test")), "NXDOMAIN")
        self.assertEqual(self.operator.remove("www.lab.test"), 0)

    def test_names_above_go_with_the_last_one_below(self) -> None:
        self.assertEqual(rcode(self.lab.ask("b.deep.lab.test")), "NOERROR")
        self.operator.add("deep.lab.test TXT x")
        self.operator.remove("a.b.deep.lab.test")
        self.assertEqual(rcode(self.lab.ask("b.deep.lab.test")), "NXDOMAIN")
        self.assertEqual(rcode(self.lab.ask("deep.lab.test")), "NOERROR")

    def test_a_name_with_others_below_stays_without_records(self) -> None:
        self.operator.add("deep.lab.test TXT x")
        self.operator.remove("deep.lab.test")
        self.assertEqual(rcode(self.lab.ask("deep.lab.test")), "NOERROR")
        self.assertEqual(self.answers("a.b.deep.lab.test"), ["a.b.deep.lab.test. 60 IN A 192.0.2.9"])

    def test_a_wildcard_goes(self) -> None:
        self.assertEqual(len(self.answers("x.wild.lab.test")), 1)
        self.operator.remove("*.wild.lab.test")
        self.assertEqual(rcode(self.lab.ask("x.wild.lab.test")), "NXDOMAIN")

    def test_a_zone_keeps_its_soa(self) -> None:
        self.assertEqual(self.operator.remove("lab.test"), 1)
        self.assertEqual(len(self.answers("lab.test", "SOA")), 1)
        with self.assertRaisesRegex(OperatorError, "SOA of a zone is changed in its file"):
            self.operator.remove("lab.test", "SOA")

    def test_a_line_of_the_course_goes_by_its_text(self) -> None:
        self.assertEqual(self.operator.remove("www.course", "A", "1.2"), 0)
        self.assertEqual(self.operator.remove("www.course", "AAAA"), 0)
        self.assertEqual(self.operator.remove("www.course", "A", "21.09.1992.8"), 1)
        self.assertEqual(self.operator.lookup("www.course")["status"], None)

    def test_data_that_is_none_is_a_sentence(self) -> None:
        with self.assertRaisesRegex(OperatorError, "cannot be read"):
            self.operator.remove("lab.test", "MX", "x")

    def test_a_signed_zone_is_changed_in_its_file(self) -> None:
        signed = ZONE + "@ RRSIG SOA 8 2 60 20300101000000 20200101000000 1 lab.test. AAAA\n"
        lab = Lab(self, {"lab.zone": signed}, zones=["lab.test"])
        for order in (lambda: lab.service.operator.add("x.lab.test A 192.0.2.1"),
                      lambda: lab.service.operator.remove("www.lab.test")):  # fmt: skip
            with self.assertRaisesRegex(OperatorError, r"the zone lab\.test is signed in its file"):
                order()


class RequestTests(OperatorTestCase):
    """What is in flight."""

    def test_each_question_has_its_age_its_clients_and_its_parents(self) -> None:
        self.lab.begin("www.example")
        self.lab.pass_time(0.25)
        self.lab.begin("www.example", client=("172.16.20.66", 1))
        (one,) = self.operator.requests()
        self.assertEqual(
            one,
            {
                "resolver": self.lab.service.title,
                "name": "www.example.",
                "type": "A",
                "seconds": 0.25,
                "clients": 2,
                "parents": "192.0.2.53:53",
            },
        )


class FlushNegativeTests(OperatorTestCase):
    """What is not there, forgotten."""

    def test_only_what_is_not_there_and_failures_go(self) -> None:
        self.lab.resolve("www.example", "www.example. 60 A 192.0.2.7")
        self.lab.resolve("none.example", rcode="NXDOMAIN", authority=["example. 60 SOA a. b. 1 2 3 4 60"])
        self.assertEqual(self.operator.lookup("none.example")["status"], "NXDOMAIN")
        self.assertEqual(self.lab.service.flush_negative(), 1)
        self.assertEqual(self.operator.lookup("none.example")["status"], None)
        self.assertEqual(self.operator.lookup("www.example")["status"], "NOERROR")
        self.assertEqual(self.lab.service.flush_negative(), 0)

    def test_flush_takes_names_as_the_dump_prints_them(self) -> None:
        self.lab.resolve(r"foo\.bar.example", r"foo\.bar.example. 60 A 192.0.2.7")
        (line,) = self.lab.service.learning.dump()
        self.assertEqual(self.lab.service.flush(line.split()[0]), 1)
