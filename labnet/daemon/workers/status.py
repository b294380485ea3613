"""How the lab is that several workers are, from what each says (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Status = dict[str, Any]


def merged_services(statuses: Iterable[Mapping[str, Any]]) -> list[Status]:
    """The services of the workers with these ``statuses`` (:meth:`labnet.daemon.service.LabService.status`) as those of
    one.

    What every worker knows is not added up: what is learned is the same in all of them.
    """
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for status in statuses:
        for service in status["services"]:
            found.setdefault((service["kind"], service["name"]), []).append(service)
    return [_merged(services) if kind == "resolver" else dict(services[0]) for (kind, _), services in found.items()]


def _merged(services: list[Mapping[str, Any]]) -> Status:
    caches = [service["cache"] for service in services]
    cache = {key: max(cache[key] for cache in caches) for key in ("entries", "bytes", "most_bytes")}
    cache |= {key: sum(cache[key] for cache in caches) for key in ("hits", "misses", "evictions")}
    parents: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for service in services:
        for parent in service["parents"]:
            parents.setdefault((parent["domain"], parent["address"]), []).append(parent)
    return {
        **services[0],
        "in_flight": sum(service["in_flight"] for service in services),
        "packet_cache_bytes": sum(service["packet_cache_bytes"] for service in services),
        "cache": cache,
        "parents": [_merged_parent(seen) for seen in parents.values()],
    }


def _merged_parent(seen: list[Mapping[str, Any]]) -> Status:
    """A parent as most of the workers see it: each asks it by itself."""
    trips = [parent["round_trip"] for parent in seen if parent["round_trip"] is not None]
    again = [parent["asked_again_in"] for parent in seen if parent["asked_again_in"] is not None]
    up = 2 * sum(bool(parent["up"]) for parent in seen) >= len(seen)
    return {
        **seen[0],
        "up": up,
        "round_trip": sum(trips) / len(trips) if trips else None,
        "failures": sum(parent["failures"] for parent in seen),
        "asked_again_in": None if up else min(again, default=None),
    }
