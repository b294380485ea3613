"""``labnet lookup``, ``add``, ``remove``, ``requests``, ``stats``, ``log-level``, ``flush`` and ``transfer``.

The lab is played.
"""

from __future__ import annotations

import json
from typing import Any

from labnet.console.control import ControlError
from tests.console.test_commands import CommandTestCase


class OrderTestCase(CommandTestCase):
    """One command, what was asked of the lab, and what was printed."""

    def order(self, *words: str, **answers: Any) -> tuple[int, list[str], str]:
        """The exit status, the lines of standard output, and standard error."""
        self.out.seek(0)
        self.out.truncate()
        self.control.answers = {do.replace("_", "-"): [answer] for do, answer in answers.items()}
        return self.run_command(*words), self.out.getvalue().splitlines(), self.err.getvalue()


class LookupTests(OrderTestCase):
    """labnet lookup."""

    FOUND = {
        "resolver": "main",
        "steps": ["The cache has it."],
        "status": "NOERROR",
        "answer": ["a.test. 5 IN A 192.0.2.1"],
        "parents": [],
    }

    def test_an_answer_is_shown_behind_its_reasons(self) -> None:
        status, out, err = self.order("lookup", "a.test", lookup=self.FOUND)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out, ["resolver main:", "  The cache has it.", "NOERROR:", "  a.test. 5 IN A 192.0.2.1"])
        self.assertEqual(
            self.control.asked, [("lookup", {"name": "a.test", "type": "A", "resolver": None, "client": None})]
        )

    def test_what_is_not_there_has_no_records(self) -> None:
        found = self.FOUND | {"status": "NXDOMAIN", "answer": []}
        self.assertEqual(self.order("lookup", "a.test", lookup=found)[1][-1], "NXDOMAIN, no records")

    def test_parents_that_would_be_asked_are_status_1(self) -> None:
        found = self.FOUND | {"status": None, "answer": [], "asked": "a.test. MX", "parents": ["192.0.2.1:53 (down)"]}
        status, out, _ = self.order(
            "lookup", "--resolver", "main", "--client", "192.0.2.7", "a.test", "mx", lookup=found
        )
        self.assertEqual((status, out[2:]), (1, ["a.test. MX would be asked of:", "  192.0.2.1:53 (down)"]))
        self.assertEqual(
            self.control.asked,
            [("lookup", {"name": "a.test", "type": "mx", "resolver": "main", "client": "192.0.2.7"})],
        )

    def test_json_has_all_of_it(self) -> None:
        self.assertEqual(json.loads("\n".join(self.order("lookup", "--json", "x", lookup=self.FOUND)[1])), self.FOUND)


class RecordTests(OrderTestCase):
    """labnet add and labnet remove."""

    def test_a_record_is_one_word_or_several(self) -> None:
        for words in ["a.test 60 A 192.0.2.1"], ["a.test", "60", "A", "192.0.2.1"]:
            done = {"resolver": "main", "lines": ["a.test. 60 IN A 192.0.2.1"]}
            status, out, _ = self.order("add", *words, add=done)
            self.assertEqual((status, out), (0, ["main serves until its next reload: a.test. 60 IN A 192.0.2.1"]))
            self.assertEqual(self.control.asked.pop(), ("add", {"record": "a.test 60 A 192.0.2.1", "resolver": None}))

    def test_what_cannot_be_served_is_status_2(self) -> None:
        self.assertEqual(
            self.order("add", "x", add=ControlError("\x1b is no record")), (2, [], "labnet: \\x1b is no record\n")
        )

    def test_how_many_went_is_said(self) -> None:
        status, out, _ = self.order("remove", "a.test", "MX", "10", "b.test", remove={"resolver": "main", "count": 1})
        self.assertEqual((status, out), (0, ["main serves 1 record(s) no longer, until its next reload"]))
        fields = {"name": "a.test", "type": "MX", "data": "10 b.test", "resolver": None}
        self.assertEqual(self.control.asked, [("remove", fields)])

    def test_none_that_went_are_status_1(self) -> None:
        status, out, err = self.order("remove", "a.test", remove={"resolver": "main", "count": 0})
        self.assertEqual((status, out, err), (1, [], "labnet: the records of main have none like that\n"))


class LookTests(OrderTestCase):
    """labnet requests and labnet stats."""

    def test_questions_in_flight_are_a_line_each(self) -> None:
        one = {"resolver": "main", "name": "a.", "type": "A", "seconds": 0.25, "clients": 2, "parents": "p"}
        other = one | {"clients": 0, "worker": 2}
        self.assertEqual(
            self.order("requests", requests=[one, other])[1],
            [
                "a. A 0.250 s, 2 client(s) wait, main asks p",
                "a. A 0.250 s, for nobody, main, worker 2 asks p",
                "2 question(s) in flight",
            ],
        )
        self.assertEqual(json.loads("\n".join(self.order("requests", "--json", requests=[one])[1])), [one])

    def test_counts_have_the_names_of_the_metrics(self) -> None:
        samples = [
            ["labnet_records", ["main"], 3],
            ["labnet_reactor_late_seconds", [], [1, 2, 0.5]],
            ["labnet_unknown", [], 1],
        ]
        self.assertEqual(
            self.order("stats", samples=samples)[1],
            ["labnet_records{resolver=main} 3", "labnet_reactor_late_seconds 3 in 0.5 s"],
        )
        self.assertEqual(self.order("stats", "records", samples=samples)[1], ["labnet_records{resolver=main} 3"])


class LevelTests(OrderTestCase):
    """labnet log-level."""

    def test_it_is_shown_or_set(self) -> None:
        self.assertEqual(self.order("log-level", log_level="info")[:2], (0, ["info"]))
        self.assertEqual(self.order("log-level", "WARN", log_level="warn")[:2], (0, ["warn"]))
        self.assertEqual(self.control.asked, [("log-level", {"level": None}), ("log-level", {"level": "warn"})])

    def test_a_level_that_is_none_is_told(self) -> None:
        status, _, err = self.order("log-level", "loud")
        self.assertEqual(status, 2)
        self.assertIn("'loud' is no level of the log: debug, info, warn, error, critical", err)


class FlushTests(OrderTestCase):
    """labnet flush."""

    def test_a_name_all_or_what_is_not_there(self) -> None:
        for words, asked in [
            (["a.test"], ("flush", {"name": "a.test"})),
            (["--all"], ("flush", {"name": "."})),
            (["--negative"], ("flush-negative", {})),
        ]:
            self.assertEqual(self.order("flush", *words, flush=3, flush_negative=3)[1], ["3 answer(s) forgotten"])
            self.assertEqual(self.control.asked.pop(), asked)

    def test_one_of_them_it_has_to_be(self) -> None:
        for words in [], ["a.test", "--all"], ["--all", "--negative"]:
            status, out, err = self.order("flush", *words)
            self.assertEqual((status, out), (2, []))
            self.assertIn("; labnet flush --help says more", err)


class TransferTests(OrderTestCase):
    """labnet transfer."""

    def test_what_came_of_each_zone_is_said(self) -> None:
        """Those that are not to be had are errors, and make it status 1."""
        found = [["main", "a.test", True, "serial 5 came"], ["main", "b.test", False, "it cannot be reached"]]
        status, out, err = self.order("transfer", transfer=found)
        self.assertEqual(
            (status, out, err), (1, ["main: a.test: serial 5 came"], "main: b.test: it cannot be reached\n")
        )
        self.assertEqual(self.control.asked, [("transfer", {"name": None})])
        self.assertEqual(self.order("transfer", "a.test", transfer=found[:1])[0], 0)

    def test_zone_that_there_is_not_is_status_2(self) -> None:
        """No resolver has it from others."""
        status, _, err = self.order("transfer", "c.test", transfer=ControlError("no resolver has c.test"))
        self.assertEqual((status, err), (2, "labnet: no resolver has c.test\n"))
