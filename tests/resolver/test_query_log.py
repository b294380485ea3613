"""What the query log is told of each question: the answer, its TTL, and the parent behind it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import AnsweredQuery
from tests.resolver.lab import CLIENT, COURSE, Lab

Row = tuple[str, str, str, int | None, str]


class Log:
    """A query log of all questions."""

    share = 1.0

    def __init__(self) -> None:
        self.noted: list[AnsweredQuery] = []

    def query_log(self, answered: AnsweredQuery) -> None:
        self.noted.append(answered)

    def rows(self) -> list[Row]:
        """Source, result, answer, TTL and parent of each since the last look."""
        noted, self.noted = self.noted, []
        return [(one.source, one.result, one.answer, one.ttl, one.parent) for one in noted]


class QueryLogTests(SynchronousTestCase):
    def lab(self, **config: object) -> Lab:
        lab = Lab(self, {"own.txt": "www.lab,10.0.0.1,60\n"}, **config)
        self.log = lab.service.counts.log = Log()
        return lab

    def test_every_way_of_an_answer_tells_what_it_is_and_whose(self) -> None:
        """By the parent just now, from the cache, from what is ready."""
        lab, parent = self.lab(), "192.0.2.53:53"
        lab.resolve("www.example", "www.example. 300 A 192.0.2.1")
        lab.pass_time(7)
        lab.ask("www.example")
        lab.ask("www.example")
        self.assertEqual(
            self.log.rows(),
            [
                ("parent", "NOERROR", "192.0.2.1", 300, parent),
                ("cache", "NOERROR", "192.0.2.1", 293, parent),
                ("ready", "NOERROR", "192.0.2.1", 293, parent),
            ],
        )

    def test_the_resolver_and_its_listener_are_told(self) -> None:
        """With who asked."""
        lab = self.lab()
        lab.ask("www.lab")
        (one,) = self.log.noted
        at = lab.service.ports[0].getHost()
        self.assertEqual((one.resolver, one.listener), ("main", f"{at.host}:{at.port}"))
        self.assertEqual((one.host, one.port), CLIENT)

    def test_what_is_the_labs_own_has_no_parent(self) -> None:
        """The records' first answer and the ready one behind it, in both protocols."""
        lab = self.lab()
        for _ in range(2):
            lab.ask("www.lab")
        for _ in range(2):
            lab.course("www.lab")
            lab.course_told()
        self.assertEqual({row[2:] for row in self.log.rows()}, {("10.0.0.1", 60, "")})

    def test_no_such_name_is_told_with_who_said_so(self) -> None:
        """An answer without records has no TTL."""
        lab = self.lab()
        lab.resolve("none.example", rcode="NXDOMAIN")
        self.assertEqual(self.log.rows(), [("parent", "NXDOMAIN", "", None, "192.0.2.53:53")])

    def test_a_course_parents_answer_is_told_as_it_is(self) -> None:
        """It need not be an address; what is asked for a moment later has the same parent behind it."""
        lab = self.lab(parents=["text:192.0.2.53:1200"])
        lab.course("www.google.co.il")
        asked = lab.take(COURSE)
        lab.network.deliver(b"www.google.co.il,21.09.1992.8,60", asked.destination, asked.source)
        lab.course_told()
        lab.course("www.google.co.il")
        lab.course_told()
        told = ("found", "21.09.1992.8", 60, "192.0.2.53:1200")
        self.assertEqual(self.log.rows(), [("parent", *told), ("cache", *told)])

    def test_an_answer_that_is_not_kept_has_its_parent_too(self) -> None:
        """Its TTL is 0."""
        lab = self.lab()
        lab.resolve("www.example", "www.example. 0 A 192.0.2.1")
        self.assertEqual(self.log.rows(), [("parent", "NOERROR", "192.0.2.1", 0, "192.0.2.53:53")])
