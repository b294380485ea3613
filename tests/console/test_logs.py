"""What the log's lines look like, and that nobody forges one."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogPublisher, textFileLogObserver
from twisted.logger._legacy import LegacyLogObserverWrapper
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.linefile import LineFile
from labnet.console.logs import JSONLog, Logs, Quoting, encoded, iso8601
from labnet.wire.quoting import quoted

HOSTILE = (
    "x\n2023-10-01T13:33:03+0000 [labnet#info] forged",
    "x\r\n\tforged",
    "\x1b[2J\x1b]0;title\x07",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "\u202egnp.exe\u2066\u200f\u061c",
    "\x00\x7f\x9b31m",
    "\udcff\ud800",
    "\ufeff\u200b\U000e0041",
)


class QuotedTests(SynchronousTestCase):
    """Text made harmless."""

    def test_what_can_be_read_stays(self) -> None:
        """Letters of any language, spaces and signs are as they were."""
        for text in ("", "www.google.co.il", "עברית 漢字 é", "100 % {x} \\n"):
            self.assertEqual(quoted(text), text)

    def test_what_acts_is_written_out(self) -> None:
        """Each such character becomes the letters that Python writes for it."""
        self.assertEqual(quoted("a\nb\r\t\x1b[0m\x85"), "a\\nb\\r\\t\\x1b[0m\\x85")
        self.assertEqual(quoted("\u2028\u2029\u202e\udcff\U000e0041"), "\\u2028\\u2029\\u202e\\udcff\\U000e0041")

    @given(st.text(st.characters()))
    def test_any_text_is_one_line(self, text: str) -> None:
        """Whatever the text, what comes of it is one printable line, and stays as it is from then on."""
        result = quoted(text)
        self.assertTrue(result.isprintable())
        self.assertEqual(quoted(result), result)
        result.encode("utf-8")


class LogTestCase(SynchronousTestCase):
    """A publisher with twistd's own text observer, an older observer as for syslog, and the lab's logs."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "lab.json"
        self.text = io.StringIO()
        self.syslog: list[str | None] = []
        self.publisher = LogPublisher(
            textFileLogObserver(self.text, timeFormat="%H"),
            LegacyLogObserverWrapper(lambda event: self.syslog.append(legacy.textFromEventDict(event))),
        )
        self.logs = Logs(self.publisher, str(self.path))
        self.logs.open()
        self.addCleanup(self.logs.close)
        self.log = Logger(namespace="lab", observer=self.publisher)
        self.legacy = legacy.LogPublisher(self.publisher, self.publisher)

    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text("ascii").split("\n")[:-1]]


class LevelTests(LogTestCase):
    """From which level on the log is written."""

    def test_what_is_below_the_level_is_not_written_anywhere(self) -> None:
        """An observer that came later, which only counts, has all of it."""
        counted: list[Any] = []
        self.publisher.addObserver(counted.append)
        self.log.info("one")
        self.logs.set_level("warn")
        self.log.info("two")
        self.log.warn("three")
        self.legacy.msg("four", isError=1)
        self.logs.set_level("error")
        self.log.warn("five")
        self.logs.set_level("info")
        self.log.info("six")
        self.assertEqual([line.split("] ")[1] for line in self.lines()], ["one", "three", "four", "six"])
        self.assertEqual([one["message"] for one in self.objects()], ["one", "three", "four", "six"])
        self.assertEqual(len(self.syslog), 4)
        self.assertEqual(len(counted), 6)

    def test_closing_leaves_the_publisher_as_it_was(self) -> None:
        before = [one for one in self.publisher._observers if not isinstance(one, Quoting | JSONLog)]
        self.logs.set_level("critical")
        self.logs.close()
        self.assertEqual(self.publisher._observers, before)

    def test_a_level_that_is_none_is_a_sentence(self) -> None:
        with self.assertRaisesRegex(ValueError, "'loud' is no level of the log: debug, info, warn, error, critical"):
            self.logs.set_level("loud")
        self.assertEqual(self.logs.level, "info")


class ForgeryTests(LogTestCase):
    """Nothing of a client's making looks like a line of its own."""

    def test_a_field_stays_in_its_line(self) -> None:
        """A hostile value is one line for twistd, for syslog and in the JSON file, and holds nothing that acts."""
        for value in HOSTILE:
            self.log.info("asked for {name}", name=value, event="test.asked")
        self.assertEqual(len(self.lines()), len(HOSTILE))
        for line, told, value in zip(self.lines(), self.syslog, HOSTILE, strict=True):
            self.assertRegex(line, r"^\d\d \[lab#info\] asked for ")
            self.assertTrue(line.isprintable(), line)
            self.assertEqual(told, f"asked for {quoted(value)}")
        for table, value in zip(self.objects(), HOSTILE, strict=True):
            self.assertEqual(table["fields"], {"name": quoted(value)})
            self.assertEqual(table["message"], f"asked for {quoted(value)}")

    def test_an_exceptions_text_stays_in_its_line(self) -> None:
        """A traceback has as many lines as for a harmless exception."""

        def fail(value: str) -> int:
            before = len(self.text.getvalue().split("\n"))
            try:
                raise ValueError(value)
            except ValueError:
                self.log.failure("cannot {do}", do="x\ny", event="test.failed")
            return len(self.text.getvalue().split("\n")) - before

        harmless = fail("harmless")
        self.assertEqual([fail(value) for value in HOSTILE], [harmless] * len(HOSTILE))
        for line in self.text.getvalue().split("\n"):
            self.assertTrue(line.lstrip("\t").isprintable(), line)
        for told in self.syslog:
            assert told is not None
            self.assertTrue(told.replace("\n", "").isprintable(), told)
            self.assertEqual(told.count("\n"), (self.syslog[0] or "").count("\n"))

    def test_what_twisted_logs_the_older_way_is_quoted_too(self) -> None:
        """Messages and errors of the older kind, as the reactor's own, are no exception."""
        for value in HOSTILE:
            self.legacy.msg(value, system=f"{value},0,127.0.0.1")
        self.assertEqual(len(self.lines()), len(HOSTILE))
        self.assertTrue(all(line.isprintable() for line in self.lines()))
        self.assertEqual(self.syslog, [quoted(value) for value in HOSTILE])

    def test_an_older_error_keeps_its_traceback(self) -> None:
        """Its first line is the reason, and its exception is quoted."""
        try:
            raise ValueError("a\nb")
        except ValueError:
            self.legacy.msg(failure=Failure(), why=None, isError=1)
        self.assertEqual(self.lines()[0].partition("] ")[2], "Unhandled Error")
        self.assertEqual(self.lines()[1], "\tTraceback (most recent call last):")
        self.assertEqual(self.lines()[-2:], ["\tbuiltins.ValueError: a\\nb", "\t"])
        self.assertEqual(self.objects()[0]["message"], "Unhandled Error")
        self.assertEqual(self.objects()[0]["traceback"][-1], "builtins.ValueError: a\\nb")

    def test_what_has_no_text_is_quoted(self) -> None:
        """An object whose own text fails does not get a line of its own either."""

        class Bad:
            def __str__(self) -> str:
                raise ValueError("a\nb")

        self.log.info("{bad}", bad=Bad(), event="test.bad")
        self.assertEqual(len(self.lines()), 1)
        self.assertEqual(len(self.objects()), 1)

    def test_a_format_in_a_value_is_no_format(self) -> None:
        """Braces that a client sends are written as they are."""
        self.log.info("{name}", name="{name.__class__} {log_text}", event="test.braces")
        self.assertIn("{name.__class__} {log_text}", self.lines()[0])

    def test_an_error_prints_to_where_it_is_told(self) -> None:
        """A quoted failure prints as Twisted's does, to the log's file where none is named."""
        self.patch(legacy, "logerr", io.StringIO())
        try:
            raise ValueError("a\nb")
        except ValueError:
            event: dict[str, Any] = {"log_format": "x", "log_failure": Failure()}
        Quoting()(event)
        event["log_failure"].printTraceback()
        self.assertEqual(legacy.logerr.getvalue().splitlines()[-1], "builtins.ValueError: a\\nb")
        self.assertIsNotNone(event["log_failure"].check(ValueError))


class JSONLogTests(LogTestCase):
    """One object a line."""

    def test_an_event_has_all_its_parts(self) -> None:
        """Time in UTC, level, event, namespace, message, and the fields with their types."""
        event = {
            "log_time": 1696167183.25,
            "log_level": None,
            "log_namespace": "labnet.x",
            "log_format": "{n} of {who}",
            "event": "test.done",
            "n": 3,
            "who": "é",
            "share": 0.5,
            "odd": float("nan"),
            "on": True,
            "nothing": None,
        }
        self.assertEqual(
            json.loads(encoded(event)),
            {
                "time": "2023-10-01T13:33:03.250000Z",
                "level": "info",
                "event": "test.done",
                "namespace": "labnet.x",
                "message": "3 of é",
                "fields": {"n": 3, "who": "é", "share": 0.5, "odd": "nan", "on": True, "nothing": None},
            },
        )
        self.assertEqual(iso8601(0), "1970-01-01T00:00:00.000000Z")

    def test_events_of_twisteds_own_are_named_so(self) -> None:
        """They have no id; their level is told."""
        self.log.warn("hello")
        self.legacy.msg("hello")
        self.assertEqual(
            [(one["event"], one["level"]) for one in self.objects()], [("twisted", "warn"), ("twisted", "info")]
        )
        self.assertEqual([one["fields"] for one in self.objects()], [{}, {}])

    def test_a_failing_file_is_said_where_it_can_be(self) -> None:
        """The text log says once that the JSON file cannot be written, and the lab goes on."""
        self.path.mkdir()
        self.patch(JSONLog, "close", lambda _: None)
        self.patch(LineFile, "log", self.log)
        for _ in range(3):
            self.log.info("hello", event="test.hello")
        self.assertEqual(sum("cannot write" in line for line in self.lines()), 1)
        self.assertEqual(len(self.lines()), 4)
        self.path.rmdir()
        self.log.info("hello", event="test.hello")
        self.assertEqual([one["event"] for one in self.objects()], ["test.hello", "console.file-recovered"])
        self.assertEqual(self.objects()[1]["fields"]["lost"], 4)

    def test_closed_logs_leave_no_trace(self) -> None:
        """After it is closed, twice if need be, the publisher is as it was."""
        self.logs.close()
        self.logs.close()
        self.log.info("a\nb", event="test.after")
        self.assertEqual(len(self.lines()), 2)
        self.assertFalse(self.path.exists())

    def test_without_a_file_there_is_the_quoting_alone(self) -> None:
        """The text is quoted where no JSON log is wanted."""
        self.logs.close()
        logs = Logs(self.publisher)
        logs.open()
        self.log.info("a{x}", x="\n", event="test.text")
        logs.close()
        self.assertEqual(len(self.lines()), 1)
        self.assertFalse(self.path.exists())
