"""The versions of a zone that differences are kept of."""

from __future__ import annotations

from itertools import pairwise

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.listing import serial_of
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.resolver.transfers import journal
from labnet.resolver.transfers.journal import VERSIONS, Journal
from labnet.wire.names import key_of
from labnet.wire.types import RRset, RRType

APEX = key_of("lab")


def zone(serial: int, hosts: int = 1) -> Zone:
    """The zone with this serial, and so many names of its own."""
    data = ZoneData([APEX])
    data.add(RRset(APEX, RRType.SOA, 60, (b"\0\0" + serial.to_bytes(4, "big") + bytes(16),)))
    for number in range(hosts):
        data.add(RRset(b"\4%04d" % number + APEX, RRType.A, 60, (serial.to_bytes(4, "big"),)))
    data.finish()
    return Zone(data)


class JournalTests(SynchronousTestCase):
    """What is kept, and how long."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.journal = Journal(self.clock)

    def change(self, *serials: int, hosts: int = 1) -> None:
        """The zone goes from each version to the next, and there is time to compare them."""
        zones = [zone(serial, hosts) for serial in serials]
        for before, now in pairwise(zones):
            self.journal.change(before, now, [APEX])
            while self.clock.getDelayedCalls():
                self.clock.advance(0)

    def since(self, serial: int, now: int) -> list[tuple[int, int]] | None:
        """The serials of the differences."""
        found = self.journal.since(APEX, serial, now)
        return found and [(serial_of(each.before), serial_of(each.now)) for each in found]

    def test_differences_lead_from_one_version_to_the_newest(self) -> None:
        """From a version that there was, to the one that there is, and to no other."""
        self.change(1, 2, 4)
        self.assertEqual(self.since(1, 4), [(1, 2), (2, 4)])
        self.assertEqual(self.since(2, 4), [(2, 4)])
        for serial, now in ((0, 4), (3, 4), (4, 4), (1, 2), (1, 5)):
            self.assertIsNone(self.since(serial, now), (serial, now))

    def test_oldest_versions_are_forgotten(self) -> None:
        """There is a bound on the versions, and one on the records in them."""
        self.change(*range(1, VERSIONS + 4))
        self.assertIsNone(self.since(2, VERSIONS + 3))
        self.assertEqual(len(self.since(3, VERSIONS + 3) or ()), VERSIONS)
        self.patch(journal, "MOST_RECORDS", 5)
        self.change(VERSIONS + 3, VERSIONS + 4, hosts=2)
        self.assertEqual(self.since(VERSIONS + 3, VERSIONS + 4), [(VERSIONS + 3, VERSIONS + 4)])
        self.assertIsNone(self.since(VERSIONS + 2, VERSIONS + 4))

    def test_too_many_changes_are_not_kept(self) -> None:
        """Whoever has the old version gets the zone in full."""
        self.patch(journal, "MOST_RECORDS", 5)
        self.change(1, 2, hosts=3)
        self.assertIsNone(self.since(1, 2))

    def test_version_that_is_not_newer_has_no_differences(self) -> None:
        """A serial that stays the same or goes back says nothing of the records."""
        self.change(2, 2, 1)
        self.assertIsNone(self.since(2, 1))
        self.assertIsNone(self.since(2, 2))

    def test_gap_makes_what_was_before_it_useless(self) -> None:
        """After a change that was given up, or went back, older versions do not lead to the newest."""
        self.change(1, 2)
        self.change(3, 4)
        self.assertIsNone(self.since(1, 4))
        self.assertEqual(self.since(3, 4), [(3, 4)])

    def test_large_zone_is_compared_in_turns(self) -> None:
        """A change that comes meanwhile takes its place."""
        before, now, then = zone(1, 2000), zone(2, 2000), zone(3, 2000)
        turns: list[float] = []
        later = self.clock.callLater
        self.patch(self.clock, "callLater", lambda delay, do: (turns.append(delay), later(delay, do))[1])
        self.journal.change(before, now, [APEX])
        self.journal.change(now, then, [APEX])
        self.clock.advance(0)
        self.assertEqual(turns, [0] * (2 + 2 * 2000 // journal.STEPS))
        self.assertIsNone(self.since(1, 3))
        self.assertEqual(self.since(2, 3), [(2, 3)])

    def test_zone_that_is_no_longer_there_is_forgotten(self) -> None:
        """So is what is compared at a stop."""
        self.change(1, 2)
        self.journal.change(zone(2), zone(3), [])
        self.assertIsNone(self.since(1, 2))
        self.journal.change(zone(2), zone(3), [APEX])
        self.journal.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
