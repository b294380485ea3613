"""What a resolver knows, for who looks at it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver import inspection
from labnet.resolver.inspection import Inspection
from tests.resolver.lab import COURSE, Lab

RECORDS = {"ips.txt": "www.lab,10.0.0.1,60\nodd.lab,1.2.3.999,60\nmail.lab,10.0.0.2,30\n"}


class InspectionTestCase(SynchronousTestCase):
    """A resolver that is looked at."""

    def setUp(self) -> None:
        self.lab = Lab(self, RECORDS)

    @property
    def looking(self) -> Inspection:
        return self.lab.service.inspection

    def shown(self, **wanted: Any) -> list[tuple[str, str, str, str]]:
        rows, _ = self.looking.names(**wanted)
        return [(row["name"], row["type"], row["data"], row["kind"]) for row in rows]


class NamesTests(InspectionTestCase):
    """Names of all kinds."""

    def test_records_are_shown_also_those_that_are_no_addresses(self) -> None:
        """As the course's files have them."""
        self.assertEqual(
            set(self.shown()),
            {
                ("www.lab", "A", "10.0.0.1", "record"),
                ("odd.lab", "A", "1.2.3.999", "record"),
                ("mail.lab", "A", "10.0.0.2", "record"),
            },
        )

    def test_what_was_learned_counts_down(self) -> None:
        """With its source, and what is left of its TTL."""
        self.lab.resolve("shop.example", "shop.example. 300 A 192.0.2.1")
        self.lab.pass_time(7)
        ((row,), _) = self.looking.names(kind="learned")
        self.assertEqual(
            (row["ttl"], row["left"], row["from"], row["data"]), (300, 293.0, "192.0.2.53:53", "192.0.2.1")
        )

    def test_negative_answers_and_failures_are_kinds_of_their_own(self) -> None:
        """Each says what it is."""
        soa = "example. 60 SOA a.example. b.example. 1 2 3 4 60"
        self.lab.resolve("no.example", rcode="NXDOMAIN", authority=[soa])
        self.lab.resolve("www.example", authority=[soa])
        self.lab.begin("fails.example")
        self.lab.pass_time(4.1)
        self.lab.network.sent.clear()
        self.assertEqual(
            self.shown(kind="negative"),
            [("no.example", "A", "no such name", "negative"), ("www.example", "A", "no such records", "negative")],
        )
        ((name, _, why, kind),) = self.shown(kind="failure")
        self.assertEqual((name, kind), ("fails.example", "failure"))
        self.assertIn("did not answer", why)

    def test_a_course_parents_answer_is_shown(self) -> None:
        """Be it no address of IP."""
        self.lab.restart(parents=["text:192.0.2.53:1200"])
        self.lab.course("shop.example")
        query = self.lab.take(COURSE)
        self.lab.network.deliver(b"shop.example,21.9.1992,60", query.destination, query.source)
        self.assertIn(("shop.example", "A", "21.9.1992", "learned"), self.shown(kind="learned"))

    def test_names_are_found_by_a_part_of_them(self) -> None:
        """Whatever its case."""
        self.assertEqual([row[0] for row in self.shown(find="WWW")], ["www.lab"])

    def test_a_look_goes_on_where_the_one_before_ended(self) -> None:
        """By a limit of rows, or of names looked at; at the end it says so."""
        seen, place = [], 0
        for _ in range(10):
            rows, then = self.looking.names(limit=1, after=place)
            seen += [row["name"] for row in rows]
            if then is None:
                break
            place = then
        self.assertEqual(sorted(seen), ["mail.lab", "odd.lab", "www.lab"])
        self.patch(inspection, "MOST_LOOKED_AT", 2)
        self.assertEqual(self.looking.names(find="nothing")[1], 2)
        self.assertEqual(self.looking.names(find="nothing", after=2), ([], None))


class ParentTests(InspectionTestCase):
    """Its parents."""

    def test_each_parent_says_how_it_is_and_who_is_next(self) -> None:
        """In the order in which they would be asked."""
        self.lab.restart(parents=["dns:192.0.2.53", "dns:192.0.2.54"])
        first, second = self.looking.parents()
        self.assertEqual((first["next"], second["next"]), (True, False))
        self.assertEqual(first["why"], "it has not been asked yet")
        self.lab.begin("shop.example")
        self.lab.pass_time(0.02)
        self.lab.tell(self.lab.asked("shop.example"), "shop.example. 300 A 192.0.2.1")
        first, second = self.looking.parents()
        self.assertEqual((first["address"], first["tries"], [round(trip, 2) for trip in first["rtts"]]), (
            "192.0.2.53:53", 1, [0.02]
        ))  # fmt: skip
        self.assertEqual(first["why"], "it is up, its round trip takes 20.0 ms")
        self.assertEqual(second["why"], "it comes after 1 other")

    def asked(self, name: str) -> Deferred[dict[str, Any]]:
        return self.looking.ask_parent("192.0.2.53:53", name)

    def test_one_parent_is_asked_whatever_is_known(self) -> None:
        """Nothing is learned of it."""
        asked = self.asked("www.lab")
        self.lab.tell(self.lab.asked("www.lab"), "www.lab. 300 A 192.0.2.1")
        told = self.successResultOf(asked)
        self.assertEqual((told["answered"], told["says"]), (True, "192.0.2.1"))
        self.assertEqual(self.shown(kind="learned"), [])

    def test_a_parent_that_is_silent_is_told(self) -> None:
        """With each try."""
        asked = self.asked("www.lab")
        self.lab.pass_time(5)
        told = self.successResultOf(asked)
        self.assertEqual((told["answered"], [step["kind"] for step in told["why"]]), (False, ["silence", "silence"]))
        self.lab.network.sent.clear()

    def test_somebody_elses_parent_is_none(self) -> None:
        """The error names it."""
        with self.assertRaises(LookupError) as raised:
            self.looking.ask_parent("192.0.2.99:53", "www.lab")
        self.assertIn("192.0.2.99:53", str(raised.exception))
