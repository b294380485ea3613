"""The records of one zone file on their way to the zones that they belong to."""

from __future__ import annotations

from collections.abc import Collection

from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import ancestors, is_below
from labnet.wire.types import RRset, RRType


class ZoneFileRecords:
    """The records of one zone file on their way into ``data``.

    Where the file has the SOA of an upper zone but none of a zone below it, what it has there is the upper zone's.
    """

    def __init__(self, data: ZoneData) -> None:
        self._data = data
        self.own: set[bytes] = set()
        """The authoritative zones that the file has the SOA of."""
        self._below: frozenset[bytes] = frozenset()

    def add(self, rrset: RRset) -> str | None:
        """Add records as :meth:`ZoneData.add` does."""
        if rrset.rrtype == RRType.SOA and rrset.key in self._data.authoritative:
            self.own.add(rrset.key)
            if rrset.key in self._below:
                self._data.give_down(rrset.key)
            others = self._data.authoritative - self.own
            self._below = frozenset(apex for apex in others if any(is_below(apex, own) for own in self.own))
        upper = self._upper_of(rrset.key) if self._below else None
        return self._data.add(rrset) if upper is None else self._data.add_upper(upper, rrset)

    def add_addresses(
        self, keys: list[bytes], ttls: list[int], addresses: list[bytes], parents: Collection[bytes]
    ) -> bool:
        """Add names as :meth:`ZoneData.add_addresses` does; False too where one is at or below another zone's apex."""
        if self._below and (
            not self._below.isdisjoint(keys) or any(self._upper_of(above) is not None for above in parents)
        ):
            return False
        return self._data.add_addresses(keys, ttls, addresses, parents)

    def _upper_of(self, key: bytes) -> bytes | None:
        """The zone of this file that has ``key`` beyond a cut; None where the name is not beyond one."""
        apex = self._data.apex_of(key)
        if apex not in self._below:
            return None
        return next(name for name in ancestors(key) if name in self.own)
