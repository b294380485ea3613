"""What a reload replaces is let go at once, not when Python next looks for garbage: that may be hours later."""

from __future__ import annotations

import gc

from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from tests.daemon.test_service_reload import ReloadTestCase

RESOLVER = '[resolver.main]\nlisten = "udp:1199"\nrecords = "zone:lab.zone"\nzones = ["lab.test"]\n'
RECORDS = """\
$ORIGIN lab.test.
@ SOA ns root 1 2 3 4 5
www 60 IN A 192.0.2.{number}
$GENERATE 1-3 host$ A 192.0.2.$
alias CNAME www
@ 60 RRSIG SOA 13 2 60 20300101000000 20200101000000 1 lab.test. AAAA
elsewhere.test. A 192.0.2.1
"""


class ReloadMemoryTests(ReloadTestCase):
    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.others = self.zones()

    def zones(self) -> int:
        zones, data = (sum(type(one) is kind for one in gc.get_objects()) for kind in (Zone, ZoneData))
        self.assertEqual(zones, data)
        return zones

    def records(self, number: int, more: str = "") -> None:
        (self.folder / "lab.zone").write_text(RECORDS.format(number=number) + more)

    def test_the_records_before_are_let_go(self) -> None:
        """Also those of a reload that was refused, and those with lines that are left out."""
        self.records(1)
        lab = self.started(RESOLVER)
        for number in range(2, 5):
            self.records(number)
            self.assertEqual(self.reload(lab, RESOLVER), [])
            self.assertNotEqual(self.reload(lab, RESOLVER.replace("records", "recrods")), [])
            self.records(number, "broken broken broken\n")
            self.assertNotEqual(self.reload(lab, RESOLVER), [])
            self.assertEqual(self.zones() - self.others, 1)
