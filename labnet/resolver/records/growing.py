"""Records that a file adds to one RRset, one after the other: they are merged together, not each with all before it."""

from __future__ import annotations

from typing import Final

from labnet.resolver.records.packed import MOST_RECORDS
from labnet.wire.types import RRset, RRType

_ALONE: Final = frozenset((RRType.CNAME, RRType.SOA, RRType.DNAME))
"""Types of which a name has one record: each more is a fault, which is said of its line."""


class Growing:
    """What is still to be merged into the RRset of :meth:`begin`; ``flags`` are those of its records."""

    def __init__(self) -> None:
        self._of: tuple[bytes, int, int] | None = None
        self._name = b""
        self._ttl = 0
        self._rdatas: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._rdatas)

    def begin(self, rrset: RRset, flags: int) -> None:
        """``rrset`` was just added to its name: more of the kind can stand there too. What was left is taken before."""
        self._of = None if rrset.rrtype in _ALONE else (rrset.key, rrset.rrtype, flags)
        self._name = rrset.name

    def takes(self, rrset: RRset, flags: int) -> bool:
        """Whether ``rrset`` is more of the same, and kept until :meth:`take`."""
        if self._of != (rrset.key, rrset.rrtype, flags) or len(self._rdatas) >= MOST_RECORDS:
            return False
        self._ttl = min(self._ttl, rrset.ttl) if self._rdatas else rrset.ttl
        self._rdatas += rrset.rdatas
        return True

    def take(self) -> tuple[RRset, int] | None:
        """What is to be merged, and its flags; None where nothing is. Nothing grows any more."""
        of, self._of = self._of, None
        rdatas, self._rdatas = self._rdatas, []
        if of is None or not rdatas:
            return None
        return RRset(self._name, of[1], self._ttl, tuple(rdatas)), of[2]
