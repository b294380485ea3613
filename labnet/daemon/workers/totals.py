"""What all workers counted, a worker's end notwithstanding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labnet.metrics import FAMILIES, Sample, merged


class Totals:
    """The last that each worker counted, and what those counted that have ended: no counter goes backwards."""

    def __init__(self) -> None:
        self._last: dict[str, list[Sample]] = {}
        self._ended: dict[str, list[Sample]] = {}

    def counted(self, worker: str, samples: Iterable[Sequence[Any]]) -> None:
        """``worker`` counted so far what ``samples`` say, as JSON has them."""
        known = [Sample(name, tuple(labels), value) for name, labels, value in samples if name in FAMILIES]
        self._last[worker] = known

    def ended(self, worker: str) -> None:
        """The process that is ``worker`` has ended; its next one starts at zero."""
        last = [sample for sample in self._last.pop(worker, ()) if FAMILIES[sample.name].kind != "gauge"]
        self._ended[worker] = merged([self._ended.get(worker, ()), last])

    def of(self, worker: str) -> list[Sample]:
        """What ``worker`` counted, all its processes together."""
        return merged([self._last.get(worker, ()), self._ended.get(worker, ())])

    def samples(self) -> list[Sample]:
        """What all of them counted."""
        return merged([*self._last.values(), *self._ended.values()])
