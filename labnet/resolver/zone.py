"""The static records of one resolver."""

from __future__ import annotations

from collections.abc import Iterable

from labnet.resolver.model import Mapping, fold


class Zone:
    """Names that never expire. Where a name stands twice, the first mapping is the one answered."""

    def __init__(self, mappings: Iterable[Mapping] = ()) -> None:
        self._mappings: dict[str, Mapping] = {}
        for mapping in mappings:
            self._mappings.setdefault(fold(mapping.name), mapping)

    def __len__(self) -> int:
        return len(self._mappings)

    def find(self, key: str) -> Mapping | None:
        """The mapping of a folded name, or None."""
        return self._mappings.get(key)
