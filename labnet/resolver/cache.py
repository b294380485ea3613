"""Answers with a lifetime."""

from __future__ import annotations

from collections.abc import Iterable

from labnet.resolver.model import Mapping, fold


class Cache:
    """What was learned, each mapping for its TTL. It is told the time and reads no clock.

    ``most`` bounds the number of names; past it the one learned longest ago is forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._mappings: dict[str, Mapping] = {}

    def __len__(self) -> int:
        return len(self._mappings)

    def find(self, key: str, now: float) -> Mapping | None:
        """The valid mapping of a folded name at ``now`` (epoch seconds), or None; one past its TTL is forgotten."""
        mapping = self._mappings.get(key)
        if mapping is None:
            return None
        if mapping.is_valid(now):
            return mapping
        del self._mappings[key]
        return None

    def learn(self, mapping: Mapping) -> None:
        """Keep ``mapping``, in place of an earlier one of that name."""
        key = fold(mapping.name)
        self._mappings.pop(key, None)
        self._mappings[key] = mapping
        if len(self._mappings) > self._most:
            del self._mappings[next(iter(self._mappings))]

    def learn_all(self, mappings: Iterable[Mapping], now: float) -> None:
        """Keep those of ``mappings`` that are still valid at ``now``; of one name the last counts."""
        for mapping in mappings:
            if mapping.is_valid(now):
                self.learn(mapping)
            else:
                self._mappings.pop(fold(mapping.name), None)

    def valid(self, now: float) -> list[Mapping]:
        """All mappings valid at ``now``, oldest first; the others are forgotten."""
        self._mappings = {key: mapping for key, mapping in self._mappings.items() if mapping.is_valid(now)}
        return list(self._mappings.values())
