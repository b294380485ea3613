"""Samples as Prometheus reads them."""

from __future__ import annotations

import shutil
import subprocess

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from twisted.trial.unittest import SynchronousTestCase

from labnet.console.metrics import OPENMETRICS, TEXT, exposition
from labnet.metrics import BOUNDS, FAMILIES, Histogram, Sample


def every_sample() -> list[Sample]:
    """Two samples of each family, with labels that need quoting."""
    samples = []
    for name, family in FAMILIES.items():
        for value in ("a", 'quo"te\\back\nline'):
            labels = tuple(value for _ in family.labels)
            if family.kind == "histogram":
                histogram = Histogram()
                histogram.observe(0.003, 2)
                histogram.observe(100.0)
                samples.append(histogram.sample(name, *labels))
            else:
                samples.append(Sample(name, labels, 2))
    return samples


class ExpositionTests(SynchronousTestCase):
    """The page of metrics."""

    def test_a_counter_has_its_labels(self) -> None:
        """Its line names the labels in the family's words."""
        sample = Sample("labnet_queries_total", ("main", "udp", "dns", "NOERROR", "cache"), 3)
        page, kind = exposition([sample])
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn("# TYPE labnet_queries_total counter", page.decode().splitlines())
        ((found,),) = (family.samples for family in plain(page.decode()))
        labels = {"resolver": "main", "transport": "udp", "protocol": "dns", "result": "NOERROR", "source": "cache"}
        self.assertEqual((found.labels, found.value), (labels, 3))

    def test_a_histogram_is_cumulative(self) -> None:
        """Each bucket holds what is in those below it, the last all."""
        histogram = Histogram()
        for seconds, times in ((0.00001, 1), (0.003, 2), (7.0, 1)):
            histogram.observe(seconds, times)
        (family,) = plain(exposition([histogram.sample("labnet_query_seconds", "main", "cache")])[0].decode())
        buckets = {one.labels["le"]: one.value for one in family.samples if one.name.endswith("_bucket")}
        self.assertEqual([float(le) for le in buckets], [*BOUNDS, float("inf")])
        self.assertEqual([*buckets.values()], [1, 1, 1, 3, *[3] * 9, 4])
        others = {one.name: one.value for one in family.samples if "le" not in one.labels}
        self.assertEqual(others["labnet_query_seconds_count"], 4)
        self.assertAlmostEqual(others["labnet_query_seconds_sum"], 7.00601)

    def test_what_stands_twice_is_added_up(self) -> None:
        """One parent of two domains is one series: Prometheus refuses a page with two."""
        parent = ("main", "dns:192.0.2.1")
        page, _ = exposition(
            [
                Sample("labnet_parent_questions_total", parent, 2),
                Sample("labnet_parent_up", parent, 1),
                Sample("labnet_parent_questions_total", parent, 3),
                Sample("labnet_parent_up", parent, 1),
            ]
        )
        values = {one.name: one.value for family in plain(page.decode()) for one in family.samples}
        self.assertEqual(values, {"labnet_parent_questions_total": 5, "labnet_parent_up": 1})

    def test_openmetrics_is_given_to_who_asks_for_it(self) -> None:
        """By the field that Prometheus sends; anything odd in it gets the text."""
        asks = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"
        page, kind = exposition(every_sample(), asks)
        self.assertEqual(kind, OPENMETRICS)
        self.assertTrue(page.endswith(b"# EOF\n"))
        self.assertEqual(len(list(openmetrics(page.decode()))), len(FAMILIES))
        self.assertEqual(exposition([], "*/*; q=\x00 version=x")[1], TEXT)

    def test_every_family_is_read_back(self) -> None:
        """With two series each where it has labels, whatever these hold."""
        for family in plain(exposition(every_sample())[0].decode()):
            name = family.name + ("_total" if family.type == "counter" else "")
            declared = FAMILIES[name]
            self.assertEqual((family.type, family.documentation), (declared.kind, declared.help))
            series = {tuple(sorted((k, v) for k, v in one.labels.items() if k != "le")) for one in family.samples}
            self.assertEqual(len(series), 2 if declared.labels else 1, name)

    def test_promtool_finds_nothing_wrong(self) -> None:
        """Prometheus's own check of names, units and texts."""
        promtool = shutil.which("promtool")
        assert promtool is not None, "promtool is not there: apt-get install prometheus"
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=exposition(every_sample())[0], capture_output=True, timeout=60
        )
        self.assertEqual((checked.returncode, checked.stderr), (0, b""), checked.stderr.decode())
