"""Orders to the resolvers of a lab in several processes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.control import ControlError
from labnet.daemon.workers import operating
from labnet.daemon.workers.operating import Operating
from tests.daemon.workers.test_fleet import FakeClient

ADD = {"record": "a.test 60 A 192.0.2.1"}


class FakeFleet:
    """Workers that answer what they were told to."""

    def __init__(self) -> None:
        self.greet: Any = None
        self.results: dict[int, Any] = {1: {"count": 1}, 2: {"count": 1}}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, do: str, **fields: Any) -> Deferred[dict[int, Any]]:
        self.asked.append((do, fields))
        return succeed(self.results)


class FakeJournal:
    """What the workers learned."""

    def flush_negative(self) -> int:
        return 5


class OperatingTests(SynchronousTestCase):
    """Each worker gets the order."""

    def setUp(self) -> None:
        self.fleet: Any = FakeFleet()
        journals: Any = {"main": FakeJournal(), "parent": FakeJournal()}
        self.operating = Operating(self.fleet, journals)

    def operate(self, do: str, is_shared: bool = False, **request: Any) -> Any:
        return self.successResultOf(self.operating.operate(do, request, is_shared))

    def fails(self, do: str, is_shared: bool = False, **request: Any) -> str:
        failed = self.failureResultOf(self.operating.operate(do, request, is_shared), ControlError)
        return failed.getErrorMessage()

    def test_the_answer_is_that_of_a_worker(self) -> None:
        self.assertEqual(self.operate("add", **ADD), {"count": 1})
        self.assertEqual(self.fleet.asked, [("add", ADD)])

    def test_a_worker_that_does_not_answer_hinders_nothing(self) -> None:
        self.fleet.results = {1: Failure(ValueError()), 2: {"count": 2}}
        self.assertEqual(self.operate("remove", name="x"), {"count": 2})

    def test_what_a_worker_refuses_is_said(self) -> None:
        self.fleet.results = {1: Failure(ControlError("no")), 2: Failure(ControlError("no"))}
        self.assertEqual(self.fails("add", **ADD), "no")
        self.fleet.results = {}
        self.assertEqual(self.fails("lookup", name="x"), "no worker answers")

    def test_what_is_in_flight_says_where(self) -> None:
        self.fleet.results = {1: [{"name": "a."}], 2: []}
        self.assertEqual(self.operate("requests"), [{"name": "a.", "worker": 1}])

    def test_what_is_not_there_is_forgotten_by_the_journals_too(self) -> None:
        self.fleet.results = {1: 3, 2: 7}
        self.assertEqual(self.operate("flush-negative"), 10)
        self.assertEqual(self.operate("flush-negative", resolver="main"), 7)
        self.assertIn("stays in Redis", self.fails("flush-negative", is_shared=True))

    def test_a_worker_that_begins_anew_gets_every_change_since_the_last_reload(self) -> None:
        self.operate("add", **ADD)
        self.operate("lookup", name="x")
        self.fleet.results = {}
        self.fails("add", record="refused")
        client = FakeClient()
        client.answers["add"] = succeed(None)
        self.fleet.greet(client)
        self.assertEqual(client.asked, [("add", ADD)])
        self.operating.forget()
        self.fleet.greet(client)
        self.assertEqual(len(client.asked), 1)

    def test_there_is_a_bound(self) -> None:
        self.patch(operating, "MOST_EDITS", 1)
        self.operate("add", **ADD)
        self.assertIn("1 records were changed since the last reload", self.fails("add", **ADD))
