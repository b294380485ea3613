"""What was counted, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from labnet.metrics import BOUNDS, FAMILIES, Sample, merged

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = openmetrics_exposition.CONTENT_TYPE_LATEST

_BOUNDS: Final = [*(repr(bound) for bound in BOUNDS), "+Inf"]


def exposition(samples: Iterable[Sample], accept: str = "") -> tuple[bytes, str]:
    """``samples`` as a page and its content type: OpenMetrics where ``accept`` (the HTTP field) names it, else text."""
    counted = Counted(samples)
    if "application/openmetrics-text" in accept:
        return openmetrics_exposition.generate_latest(counted), OPENMETRICS
    return generate_latest(counted), TEXT


class Counted(Collector):
    """``samples`` as metric families, in the order of :data:`labnet.metrics.FAMILIES`; equal ones are added up."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._found: dict[str, list[Sample]] = {}
        for sample in merged([samples]):
            self._found.setdefault(sample.name, []).append(sample)

    def collect(self) -> Iterator[Metric]:
        for name in FAMILIES:
            if name in self._found:
                yield _family(name, self._found[name])


def _family(name: str, samples: Sequence[Sample]) -> Metric:
    kind, says, labels, _ = FAMILIES[name]
    if kind == "histogram":
        histogram = HistogramMetricFamily(name, says, labels=labels)
        for _, values, (*counts, total) in samples:
            histogram.add_metric(values, list(zip(_BOUNDS, accumulate(counts), strict=True)), total)
        return histogram
    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, says, labels=labels)
    for _, values, value in samples:
        family.add_metric(values, value)
    return family
