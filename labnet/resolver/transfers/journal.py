"""What the versions of a zone differ by, for those who have an older one (RFC 1995).

It is found out by comparing the records that were with those that are, after each change, a few names in a turn of the
reactor. For versions that are too old or too different a zone is given in full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from labnet.resolver.records.listing import Changes, ZoneRecord, compare, is_newer, serial_of, soa_of
from labnet.resolver.records.zone import Zone

VERSIONS: Final = 10
"""Older versions of a zone that others can have the differences from."""

MOST_RECORDS: Final = 100_000
"""Records in the differences of one zone; past that the oldest are forgotten."""

STEPS: Final = 500
"""Names that are compared in one turn of the reactor."""


class Difference(NamedTuple):
    """What a zone with the SOA ``before`` has to lose and to get, to be the one with the SOA ``now``."""

    before: ZoneRecord
    now: ZoneRecord
    changes: Changes


class Journal:
    """The differences between the versions of the zones of one resolver."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kept: dict[bytes, deque[Difference]] = {}
        self._comparing: Iterator[None] | None = None
        self._pending: set[bytes] = set()
        self._call: IDelayedCall | None = None

    def since(self, apex: bytes, serial: int, now: int) -> list[Difference] | None:
        """The differences that lead from ``serial`` to the serial ``now``, the oldest first; None where they do not."""
        kept = self._kept.get(apex, ())
        found = [each for each in kept if not is_newer(serial, serial_of(each.before))]
        if not found or serial_of(found[0].before) != serial or serial_of(found[-1].now) != now:
            return None
        return found

    def is_pending(self, apex: bytes) -> bool:
        """Whether it is being found out still what the newest version of a zone differs by."""
        return apex in self._pending

    def change(self, before: Zone, now: Zone, apexes: Iterable[bytes]) -> None:
        """The records were ``before`` and are ``now``; find out what those of ``apexes`` with a newer SOA differ by.

        What is being compared still is given up.
        """
        self.stop()
        wanted = set(apexes)
        for apex in self._kept.keys() - wanted:
            del self._kept[apex]
        soas = [(apex, soa_of(before, apex), soa_of(now, apex)) for apex in wanted]
        newer = [
            (apex, was, then)
            for apex, was, then in soas
            if was is not None and then is not None and is_newer(serial_of(then), serial_of(was))
        ]
        if newer:
            self._pending = {apex for apex, _, _ in newer}
            self._comparing = self._compare(before, now, newer)
            self._call = self._clock.callLater(0, self._step)

    def stop(self) -> None:
        """Compare nothing any more."""
        self._comparing = None
        self._pending = set()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _step(self) -> None:
        self._call = None
        assert self._comparing is not None
        for _ in range(STEPS):
            try:
                next(self._comparing)
            except StopIteration:
                self._comparing = None
                return
        self._call = self._clock.callLater(0, self._step)

    def _compare(
        self, before: Zone, now: Zone, newer: Iterable[tuple[bytes, ZoneRecord, ZoneRecord]]
    ) -> Iterator[None]:
        for apex, was, then in newer:
            changes = Changes()
            for _ in compare(before, now, apex, changes):
                yield
                if len(changes) > MOST_RECORDS:
                    break
            else:
                self._keep(apex, Difference(was, then, changes))
            self._pending.discard(apex)

    def _keep(self, apex: bytes, difference: Difference) -> None:
        kept = self._kept.setdefault(apex, deque(maxlen=VERSIONS))
        if kept and serial_of(kept[-1].now) != serial_of(difference.before):
            kept.clear()
        kept.append(difference)
        while sum(len(each.changes) for each in kept) > MOST_RECORDS:
            kept.popleft()
