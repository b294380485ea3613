"""The servers that a records file of the course names for all names below a domain."""

from __future__ import annotations

from collections.abc import Sequence

from labnet.wire.types import Referral


class Referrals:
    """Referrals in the order of a file; of those that fit a name the longest suffix counts, then the first."""

    def __init__(self, found: Sequence[Referral] = ()) -> None:
        self.all = tuple(found)
        self._by_suffix: dict[str, Referral] = {}
        for referral in found:
            self._by_suffix.setdefault(referral.suffix.lower(), referral)

    def __bool__(self) -> bool:
        return bool(self.all)

    def find(self, name: str) -> Referral | None:
        """The referral for ``name``, if there is one."""
        rest = name.lower().removesuffix(".")
        at = rest.find(".")
        while at >= 0:
            found = self._by_suffix.get(rest[at:])
            if found is not None:
                return found
            at = rest.find(".", at + 1)
        return self._by_suffix.get("")
