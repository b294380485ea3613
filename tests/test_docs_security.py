"""docs/security.rst against the tests."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
TEST = re.compile(r"``(tests/[\w/]+\.py)::(\w+)``")


class SecurityPageTests(SynchronousTestCase):
    def test_each_promise_has_tests_and_each_of_them_is_there(self) -> None:
        page = (ROOT / "docs/security.rst").read_text(encoding="utf-8")
        promises = page.split("\n   * - ")[1:]
        named = 0
        for promise in promises:
            tests = TEST.findall(promise)
            if promise.startswith("threat\n"):
                continue
            self.assertTrue(tests, promise)
            for file, test in tests:
                self.assertRegex((ROOT / file).read_text(encoding="utf-8"), rf"\bdef {test}\(", test)
                named += 1
        self.assertEqual(named, page.count("::test_"))

    def test_who_reports_is_led_to_the_page(self) -> None:
        self.assertIn("(docs/security.rst)", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
