"""Two snapshots of a lab, and the rates between them (sans-IO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_NO_PARENT: Final = ("ready", "records", "cache", "stale", "blocked")
"""Sources of answers for which no parent was asked."""


@dataclass(frozen=True)
class Snapshot:
    """What a lab said ``at`` (seconds on any clock): its status, and its samples as JSON has them."""

    at: float
    status: Mapping[str, Any]
    samples: Sequence[Sequence[Any]]

    def answers(self, resolver: str) -> dict[str, float]:
        """How many answers ``resolver`` gave, by source."""
        found: dict[str, float] = {}
        for name, labels, value in self.samples:
            if name == "labnet_queries_total" and labels[0] == resolver:
                found[labels[-1]] = found.get(labels[-1], 0) + value
        return found


def rates(before: Snapshot, now: Snapshot) -> dict[str, dict[str, float | None]]:
    """Each resolver's ``queries_per_second``, and the share that no parent was asked for since ``before``, or ever."""
    found: dict[str, dict[str, float | None]] = {}
    for service in now.status["services"]:
        if service["kind"] != "resolver":
            continue
        then, answers = before.answers(service["name"]), now.answers(service["name"])
        grown = {source: count - then.get(source, 0) for source, count in answers.items()}
        seconds = now.at - before.at
        counted = grown if sum(grown.values()) > 0 else answers
        total = sum(counted.values())
        hits = sum(counted.get(source, 0) for source in _NO_PARENT)
        found[service["name"]] = {
            "queries_per_second": max(0.0, sum(grown.values()) / seconds) if seconds > 0 else None,
            "hit_ratio": hits / total if total > 0 else None,
        }
    return found
