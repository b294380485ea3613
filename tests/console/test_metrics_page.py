"""docs/metrics.rst against the code: every event, every field."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.logs import encoded
from labnet.console.querylog import QueryLog
from tests.answered import an_answered_query

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {method: method for method in ("debug", "info", "warn", "error", "critical")} | {"failure": "critical"}
"""The methods of a logger and the levels that they give their events."""


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table under ``heading`` of the page, without the marks of code."""
    text = (ROOT / "docs/metrics.rst").read_text(encoding="utf-8")
    section = re.split(rf"^{heading}\n[-~]+$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^\S.*\n[-~]{3,}$", section, flags=re.MULTILINE)[0]
    for row in re.findall(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", section, re.DOTALL | re.MULTILINE):
        yield [" ".join(cell.replace("`", "").split()) for cell in re.split(r"^     - ", row, flags=re.MULTILINE)]


def log_calls() -> Iterator[tuple[str, str, list[str]]]:
    """Each call of a logger in the package: where it is, its method, and the ids that it may have."""
    for path in sorted((ROOT / "labnet").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS:
                on = call.func.value
                if (getattr(on, "attr", None) or getattr(on, "id", None)) in ("log", "_log"):
                    given = [keyword.value for keyword in call.keywords if keyword.arg == "event"]
                    parts = [given[0].body, given[0].orelse] if given and isinstance(given[0], ast.IfExp) else given
                    ids = [part.value for part in parts if isinstance(part, ast.Constant)]
                    yield f"{path.relative_to(ROOT)}:{call.lineno}", call.func.attr, [str(one) for one in ids]


class MetricsPageTests(SynchronousTestCase):
    """The tables of the page."""

    def test_every_log_call_has_an_id(self) -> None:
        """A constant of the form area.what-happened."""
        calls = list(log_calls())
        self.assertGreater(len(calls), 10)
        for where, _, ids in calls:
            self.assertTrue(ids, f"{where}: a log call has no event= with its id")
            for one in ids:
                self.assertRegex(one, r"^[a-z]+\.[a-z]+(-[a-z]+)*$", where)

    def test_every_event_is_explained(self) -> None:
        """Each id with its level; no others."""
        page = (ROOT / "docs/metrics.rst").read_text(encoding="utf-8")
        entries = re.findall(r"^\.\. event:: (\S+)\n\n   \*(\w+)\*: \S", page, re.MULTILINE)
        self.assertEqual(len(entries), page.count(".. event::"))
        table = dict(entries)
        self.assertEqual(len(table), len(entries))
        logged = {one: LEVELS[method] for _, method, ids in log_calls() for one in ids}
        self.assertEqual(set(logged) - set(table), set(), "the page lacks these")
        self.assertEqual(set(table) - set(logged), set(), "nothing logs these")
        self.assertEqual(table, logged)

    def test_every_field_of_the_query_log_is_explained(self) -> None:
        """Each, in its order; no others."""
        with tempfile.TemporaryDirectory() as folder:
            log = QueryLog(f"{folder}/q.json", 1.0, Clock())
            log.query_log(an_answered_query(security="secure"))
            log.stopService()
            fields = json.loads(Path(folder, "q.json").read_text("ascii"))
        named = [field for cells in rows("The query log") if cells[0] != "field" for field in cells[0].split(", ")]
        self.assertEqual(named, [*fields])

    def test_every_key_of_the_json_log_is_explained(self) -> None:
        """Each key that an object has, and the one that a fault adds."""
        keys = [cells[0] for cells in rows("The log") if cells[0] != "key"]
        self.assertEqual(keys, [*json.loads(encoded({})), "traceback"])
