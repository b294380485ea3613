"""Orders to the resolvers of a lab in one process."""

from __future__ import annotations

from typing import Any

from labnet.console.actions import ORDERS, actions_of
from labnet.console.control import ControlError
from tests.daemon.test_service import COMMAND, MAIN, PARENT, LabTestCase


class OperateTests(LabTestCase):
    """What comes by the control socket."""

    def setUp(self) -> None:
        super().setUp()
        self.running = self.started(MAIN, PARENT)
        self.actions = actions_of(self.running)

    def test_an_order_goes_to_the_first_resolver_or_to_the_one_that_is_named(self) -> None:
        record = {"record": "a.test 60 A 192.0.2.1"}
        self.assertEqual(self.actions["add"](record)["resolver"], "main")
        self.assertEqual(self.actions["add"]({**record, "resolver": "parent"})["resolver"], "parent")
        self.assertEqual(self.actions["lookup"]({"name": "a.test"})["answer"], ["a.test. 60 IN A 192.0.2.1"])
        found: Any = {"name": "a.test", "type": "A", "data": "192.0.2.1", "resolver": "parent"}
        self.assertEqual(self.actions["remove"](found), {"resolver": "parent", "count": 1})
        self.assertEqual(self.actions["remove"]({"name": "a.test", "type": None}), {"resolver": "main", "count": 1})
        self.assertEqual(list(self.actions["requests"]({})), [])
        self.assertEqual(self.actions["flush-negative"]({}), 0)

    def test_what_is_wrong_is_a_sentence(self) -> None:
        for do, request, says in [
            ("lookup", {}, "the request has no name"),
            ("lookup", {"name": 7}, "name is no text"),
            ("add", {"record": "a"}, "cannot be read"),
            ("lookup", {"name": "a", "resolver": "x"}, "there is no resolver 'x': there are main, parent"),
        ]:
            with self.assertRaisesRegex(ControlError, says):
                self.actions[do](request)

    def test_a_lab_without_resolvers_says_so(self) -> None:
        lab = self.lab(COMMAND)
        for do in ORDERS:
            with self.assertRaisesRegex(ControlError, "the lab has no resolver"):
                lab.operate(do, {"name": "x"})

    def test_what_labs_share_is_not_flushed_by_halves(self) -> None:
        self.patch(self.running, "_shared", object())
        self.addCleanup(setattr, self.running, "_shared", None)
        with self.assertRaisesRegex(ControlError, "what labs share stays in Redis"):
            self.actions["flush-negative"]({})

    def test_the_level_of_the_log_is_asked_and_set(self) -> None:
        self.assertEqual(self.actions["log-level"]({}), "info")
        self.assertEqual(self.actions["log-level"]({"level": "warn"}), "warn")
        self.assertEqual(self.actions["log-level"]({}), "warn")
        self.assertEqual(self.actions["log-level"]({"level": "info"}), "info")
        with self.assertRaisesRegex(ControlError, "'loud' is no level of the log: debug, info"):
            self.actions["log-level"]({"level": "loud"})
