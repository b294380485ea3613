"""A grade for its readers: the totals agree, nothing that a program says becomes markup, formats have their fields."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path

from junit2htmlreport.parser import Junit
from junitparser import JUnitXml
from twisted.trial.unittest import SynchronousTestCase

from labnet.grade.model import Check, Evidence, Grade, Happening, Outcome, Result
from labnet.grade.report import formats, text
from labnet.grade.report.evidence import Detail, difference, dump, ladder_of, lines_of
from labnet.grade.report.gradescope import write_autograder
from labnet.grade.report.page import page

HOSTILE = '<script>alert(1)</script>\x1b[31m\u202e"&\x00'


def _check(id: str, points: float = 10) -> Check:
    return Check(id, f"The title of {id}", f"The sentence of {id}.", "Does.", "Counts.", points, (), lambda scene: None)


def _evidence() -> Evidence:
    evidence = Evidence(argv=["python3", HOSTILE], output=HOSTILE.encode(), errors=b"Traceback\n" + HOSTILE.encode())
    evidence.events += [
        Happening(evidence.began, "judge", "", kind="note", note=f"started {HOSTILE}"),
        Happening(evidence.began + 0.001, "client", "server", HOSTILE.encode()),
        Happening(evidence.began + 0.002, "server", "client", bytes(range(256)), note="from port 5"),
        Happening(evidence.began + 4.002, "server", "client", kind="silence", note="nothing for 4 s"),
        Happening(evidence.began + 4.003, "server", "client", kind="closed", note="closes the connection"),
    ]
    return evidence


def _grade() -> Grade:
    grade = Grade("command", "The TCP command server", HOSTILE, "A", "own network", 7, given=HOSTILE, seconds=12.5)
    failed = Result(_check("fails", 15), Outcome.FAILED, HOSTILE, "a cause", runs=3, failures=3, evidence=_evidence())
    failed.expected, failed.got = b"Connected: 1", b"Connected? 1" + HOSTILE.encode()
    grade.results = [
        Result(_check("passes"), Outcome.PASSED, runs=1),
        failed,
        Result(_check("waits"), Outcome.BLOCKED, "needs fails", blocked_by="fails"),
        Result(_check("sways", 5), Outcome.UNSTABLE, "now and then", runs=3, failures=2, evidence=_evidence()),
        Result(_check("troubles", 20), Outcome.TROUBLE, "this machine stood still for 3 s"),
        Result(_check("advises", 0), Outcome.FAILED, "no harm", runs=3, failures=3),
    ]
    return grade


class TotalsTests(SynchronousTestCase):
    """30 of 60 points: our trouble costs none, blocked and unstable checks earn none."""

    def test_every_format_has_the_same_total(self) -> None:
        """JSON, Gradescope, Classroom 50, JUnit and the text."""
        grade = _grade()
        whole = json.loads(formats.as_json(grade))
        scope = json.loads(formats.as_gradescope(grade))
        room = json.loads(formats.as_classroom50(grade, {}))
        suite = next(iter(JUnitXml.fromstring(formats.as_junit(grade).encode())))
        told = {one.name: one.value for one in suite.properties()}
        self.assertEqual((whole["score"], whole["max_score"]), (30, 60))
        self.assertEqual(sum(test["score"] for test in scope["tests"]), scope["score"])
        self.assertEqual((scope["score"], sum(test["max_score"] for test in scope["tests"])), (30, 60))
        self.assertEqual((room["score"], room["max-score"]), (30, 60))
        self.assertEqual((float(told["score"]), float(told["max_score"])), (30, 60))
        self.assertIn("30 of 60 points", text.summary(grade))

    def test_what_was_not_run_is_said(self) -> None:
        """Nobody reads that all passed."""
        grade = _grade()
        grade.results, grade.hidden = grade.results[:1], 17
        self.assertEqual(text.summary(grade), "10 of 10 points: 1 passed; 17 checks of the assignment were not run")

    def test_the_status_says_how_it_went(self) -> None:
        """0 all passed, 1 something failed, 2 our trouble alone."""
        grade = _grade()
        self.assertEqual(grade.status, 1)
        grade.results = [grade.results[0], grade.results[4]]
        self.assertEqual(grade.status, 2)
        grade.results = grade.results[:1]
        self.assertEqual(grade.status, 0)


class JUnitTests(SynchronousTestCase):
    """as_junit()."""

    def test_two_readers_see_the_same_cases(self) -> None:
        """junitparser and junit2html: six cases, three failures, two skipped."""
        xml = formats.as_junit(_grade())
        suite = next(iter(JUnitXml.fromstring(xml.encode())))
        self.assertEqual((suite.tests, suite.failures, suite.skipped, suite.errors), (6, 3, 2, 0))
        report = Junit(xmlstring=xml.encode())
        cases = [case for one in report.suites for kind in one.classes.values() for case in kind.cases]
        self.assertEqual(len(cases), 6)
        self.assertEqual(sum(case.failed() for case in cases), 3)
        self.assertEqual(sum(bool(case.skipped) for case in cases), 2)


class GradescopeTests(SynchronousTestCase):
    """The fields are those of Gradescope's specification, and no other."""

    def test_the_fields_are_known(self) -> None:
        """At the top and of each test; values that are words are words of its list."""
        result = json.loads(formats.as_gradescope(_grade()))
        top = {"score", "execution_time", "output", "output_format", "visibility", "stdout_visibility", "extra_data"}
        self.assertLessEqual(set(result), top | {"tests", "leaderboard", "test_output_format", "test_name_format"})
        fields = {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags"}
        for test in result["tests"]:
            self.assertLessEqual(set(test), fields | {"visibility", "extra_data"})
            self.assertIn(test["status"], ("passed", "failed"))
            self.assertIn(test["visibility"], ("hidden", "after_due_date", "after_published", "visible"))
        self.assertIn(result["stdout_visibility"], ("hidden", "after_due_date", "after_published", "visible"))

    def test_the_zip_has_its_two_files_in_its_root(self) -> None:
        """Both executable; the commands quote what the teacher said."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "autograder.zip")
            write_autograder(str(path), "resolver", "python3 'my dns.py'", "actual")
            with zipfile.ZipFile(path) as archive:
                self.assertEqual(sorted(archive.namelist()), ["run_autograder", "setup.sh"])
                self.assertTrue(all(one.external_attr >> 16 & 0o111 for one in archive.infolist()))
                run = archive.read("run_autograder").decode()
        self.assertIn("grade resolver /autograder/submission --run 'python3 '\"'\"'my dns.py'\"'\"''", run)
        self.assertIn("/autograder/results/results.json", run)


class Classroom50Tests(SynchronousTestCase):
    """The fields are those of classroom50/result/v1."""

    def test_the_fields_are_known_and_filled(self) -> None:
        """What its runner says is taken over; no text is empty."""
        environment = {"CLASSROOM": "net1", "ASSIGNMENT": "tcp", "SUBMISSION_TAG": "submit/1", "COMMIT_URL": "c"}
        result = json.loads(formats.as_classroom50(_grade(), environment | {"RELEASE_URL": "r"}))
        self.assertEqual(
            set(result),
            {
                "schema", "classroom", "assignment", "submission", "commit", "release", "review", "datetime", "score",
                "max-score", "tests",
            },
        )  # fmt: skip
        self.assertEqual(
            (result["schema"], result["classroom"], result["review"]), ("classroom50/result/v1", "net1", "c")
        )
        self.assertRegex(result["datetime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for test in result["tests"]:
            self.assertEqual(set(test), {"test-name", "passed", "score", "max-score"})
            self.assertIn(test["score"], (0, test["max-score"]))
            self.assertIsInstance(test["score"], int)


class HarmlessTests(SynchronousTestCase):
    """What a program prints or is named cannot steer a terminal, a browser or a parser."""

    def test_the_page_has_no_markup_of_the_program(self) -> None:
        """Neither a tag nor a control character; its policy allows no script."""
        shown = page(_grade())
        self.assertNotIn("<script", shown)
        self.assertNotRegex(shown, "[\x00-\x09\x0b-\x1f\u202e]")
        self.assertIn("default-src 'none'", shown)
        self.assertEqual(len(re.findall("<svg", shown)), 2)

    def test_the_text_has_no_control_characters(self) -> None:
        """But for the colours that were asked for."""
        shown = "\n".join(text.report(_grade()))
        self.assertNotRegex(shown, "[\x00-\x09\x0b-\x1f\u202e]")


class EvidenceTests(SynchronousTestCase):
    """All bytes, and where two differ."""

    def test_all_bytes_are_shown_and_the_first_difference_is_marked(self) -> None:
        """Not one is left out, however many there are."""
        data = bytes(range(256)) * 5
        rows = list(dump(data, 300))
        shown = bytes.fromhex("".join(re.sub(r"[\[\]]", " ", row[5:69]) for row in rows).replace(" ", ""))
        self.assertEqual(shown, data)
        self.assertEqual([row for row in rows if "[" in row[5:69]], [rows[300 // 16]])
        self.assertIn("[2c]", rows[300 // 16])

    def test_a_difference_is_found_in_the_middle_at_the_end_and_not_in_a_final_newline(self) -> None:
        """The offset of the first byte that differs."""
        self.assertEqual(difference(b"abc", b"abd"), 2)
        self.assertEqual(difference(b"abc", b"ab"), 2)
        self.assertIsNone(difference(b"abc\r\n", b"abc\n"))

    def test_the_ladder_has_a_column_for_each_and_an_arrow_for_each_datagram(self) -> None:
        """Silence is drawn from who waited."""
        ladder = ladder_of(_evidence(), "x")
        self.assertEqual([column.role for column in ladder.columns], ["client", "server"])
        self.assertEqual([(arrow.start, arrow.end) for arrow in ladder.arrows], [(0, 1), (1, 0), (0, 1), (1, 0)])

    def test_a_student_sees_as_much_as_the_teacher_says(self) -> None:
        """Full; without what was expected; the title alone."""
        grade = _grade()
        full, actual, title = ("\n".join(lines_of(grade, grade.results[1], detail)) for detail in Detail)
        self.assertIn("Expected, for example: Connected: 1", full)
        self.assertIn("--only fails --seed 7", full)
        self.assertNotIn("Expected", actual)
        self.assertIn("Connected? 1", actual)
        self.assertEqual(title, "")
