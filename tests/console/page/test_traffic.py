"""Questions a second."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.page.traffic import MOST, Traffic
from labnet.metrics import Histogram, Sample


class TrafficTests(SynchronousTestCase):
    """What is counted while somebody looks."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counted: dict[tuple[str, str], int] = {}
        self.took = Histogram()
        self.dropped = 0
        self.looks = 0
        self.traffic = Traffic(self.samples, self.clock)

    def samples(self) -> list[Sample]:
        self.looks += 1
        found = [
            Sample("labnet_queries_total", ("main", "udp", "dns", result, source), count)
            for (result, source), count in self.counted.items()
        ]
        found.append(Sample("labnet_queries_dropped_total", ("main", "rate"), self.dropped))
        return [*found, self.took.sample("labnet_query_seconds", "main", "cache")]

    def test_each_second_has_what_came_in_it(self) -> None:
        """Questions, those answered from memory, failures, those past a limit, and how long they took."""
        self.counted["NOERROR", "ready"] = 100
        self.traffic.watch(True)
        self.assertEqual(self.traffic.shown()["series"], [])
        self.counted["NOERROR", "ready"] += 6
        self.counted["NOERROR", "parent"] = 2
        self.counted["SERVFAIL", "parent"] = 1
        self.dropped = 3
        self.took.observe(0.0002, 98)
        self.took.observe(0.02, 2)
        self.clock.advance(1)
        (second,) = self.traffic.shown()["series"]
        self.assertEqual((second["questions"], second["hits"], second["failures"], second["limited"]), (9, 6, 1, 3))
        self.assertEqual((second["p50"], second["p99"]), (0.001, 0.025))
        self.assertEqual(self.traffic.shown()["by_result"], {"NOERROR": 108, "SERVFAIL": 1})
        self.clock.advance(1)
        self.assertIsNone(self.traffic.shown()["series"][-1]["p99"])
        self.traffic.watch(False)

    def test_nobody_who_looks_costs_nothing(self) -> None:
        """Nothing is counted, and what came meanwhile is not of one second."""
        self.traffic.watch(True)
        self.traffic.watch(True)
        self.traffic.watch(False)
        self.traffic.watch(False)
        looks = self.looks
        self.clock.advance(10)
        self.assertEqual((self.looks, self.clock.getDelayedCalls()), (looks, []))
        self.counted["NOERROR", "ready"] = 100
        self.traffic.watch(True)
        self.clock.advance(1)
        self.assertEqual(self.traffic.shown()["series"][-1]["questions"], 0)
        self.traffic.watch(False)

    def test_the_series_is_bounded(self) -> None:
        """The last minutes are kept."""
        self.traffic.watch(True)
        self.clock.pump([1] * (MOST + 50))
        self.assertEqual(len(self.traffic.shown()["series"]), MOST)
        self.traffic.watch(False)
