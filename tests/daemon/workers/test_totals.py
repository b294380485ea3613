"""What all workers counted, and how they are together."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.workers.status import merged_services
from labnet.daemon.workers.totals import Totals
from labnet.metrics import BOUNDS, Sample

LABELS = ["main", "udp", "dns", "NOERROR", "ready"]


def counted(queries: int, sessions: int = 0) -> list[Any]:
    """Samples as JSON has them."""
    histogram = [queries, *[0] * len(BOUNDS), 0.5]
    return [
        ["labnet_queries_total", LABELS, queries],
        ["labnet_sessions", ["served"], sessions],
        ["labnet_query_seconds", ["main", "ready"], histogram],
        ["from_another_version", [], 1],
    ]


class TotalsTests(SynchronousTestCase):
    """Counters over the workers' lives."""

    def value(self, samples: list[Sample], name: str) -> Any:
        return {sample.name: sample.value for sample in samples}.get(name)

    def test_workers_are_added_up(self) -> None:
        """What two workers counted is added up, of each the last; families that are not known are left out."""
        totals = Totals()
        totals.counted("1", counted(5, 1))
        totals.counted("1", counted(7, 2))
        totals.counted("2", counted(3, 3))
        self.assertEqual(self.value(totals.samples(), "labnet_queries_total"), 10)
        self.assertEqual(self.value(totals.samples(), "labnet_sessions"), 5)
        self.assertEqual(self.value(totals.samples(), "labnet_query_seconds")[0], 10)
        self.assertEqual(self.value(totals.of("1"), "labnet_queries_total"), 7)
        self.assertIsNone(self.value(totals.samples(), "from_another_version"))

    def test_no_counter_goes_backwards(self) -> None:
        """What a worker counted stays when it ends, once and again; what it had open does not."""
        totals = Totals()
        totals.counted("1", counted(5, 1))
        totals.counted("2", counted(1, 1))
        for ended in range(1, 4):
            totals.ended("1")
            self.assertEqual(self.value(totals.samples(), "labnet_queries_total"), 5 * ended + 1)
            self.assertEqual(self.value(totals.samples(), "labnet_sessions"), 1)
            totals.counted("1", counted(5, 1))
        totals.ended("2")
        totals.ended("2")
        self.assertEqual(self.value(totals.of("2"), "labnet_queries_total"), 1)
        self.assertEqual(self.value(totals.of("1"), "labnet_query_seconds")[-1], 2.0)


def a_status(up: bool = True, trip: float | None = 0.1, hits: int = 1, command: bool = False) -> dict[str, Any]:
    again = None if up else 3.0 + hits
    parent = {"domain": ".", "address": "p", "up": up, "round_trip": trip, "failures": hits, "asked_again_in": again}
    cache = {"entries": hits, "bytes": 10, "most_bytes": 99, "hits": hits, "misses": 1, "evictions": 0}
    services: list[dict[str, Any]] = [{"name": "command", "kind": "command"}] if command else []
    services.append(
        {
            "name": "main",
            "kind": "resolver",
            "in_flight": 1,
            "packet_cache_bytes": 5,
            "cache": cache,
            "parents": [parent],
        }
    )
    return {"services": services}


class StatusTests(SynchronousTestCase):
    """The status of all workers."""

    def test_services_are_one(self) -> None:
        """A service of every worker is one: what each does is added up, what all know is not."""
        command, main = merged_services([a_status(hits=1, command=True), a_status(hits=5, trip=0.3)])
        self.assertEqual(command, {"name": "command", "kind": "command"})
        self.assertEqual(main["in_flight"], 2)
        self.assertEqual(main["packet_cache_bytes"], 10)
        cache = {"entries": 5, "bytes": 10, "most_bytes": 99, "hits": 6, "misses": 2, "evictions": 0}
        self.assertEqual(main["cache"], cache)
        self.assertEqual(main["parents"][0]["failures"], 6)
        self.assertAlmostEqual(main["parents"][0]["round_trip"], 0.2)

    def test_a_parent_is_as_most_see_it(self) -> None:
        """A parent is down where most of the workers say so, and is asked again when the first of them does."""
        (main,) = merged_services([a_status(False, None, 1), a_status(False, None, 2), a_status()])
        self.assertEqual(main["parents"][0]["up"], False)
        self.assertEqual(main["parents"][0]["asked_again_in"], 4.0)
        (main,) = merged_services([a_status(False, None), a_status()])
        self.assertEqual((main["parents"][0]["up"], main["parents"][0]["asked_again_in"]), (True, None))

    def test_nobody_serves(self) -> None:
        """Without a worker there is no service."""
        self.assertEqual(merged_services([]), [])
