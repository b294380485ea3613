"""What a reload replaces is let go at once, not when Python next looks for garbage: that may be hours later."""

from __future__ import annotations

import gc

from labnet.resolver.filtering.names import NameSet
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


LISTS = """\
[resolver.main.block.ads]
file = "ads.hosts"
form = "hosts"
clients = "192.0.2.0/24"
[resolver.main.block.policy]
file = "policy.rpz"
form = "rpz"
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

    def names(self) -> int:
        return sum(type(one) is NameSet for one in gc.get_objects())

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

    def test_the_lists_before_are_let_go(self) -> None:
        """Also where some of their lines are skipped, and clients were answered by them."""
        others = self.names()
        self.records(1)
        (self.folder / "ads.hosts").write_text("0.0.0.0 ads.example\nbroken\n")
        (self.folder / "policy.rpz").write_text(
            "$TTL 60\n@ SOA a. b. 1 2 3 4 5\nx CNAME .\nbroken\ny.rpz-nsip CNAME .\n"
        )
        lab = self.started(RESOLVER + LISTS)
        for _ in range(3):
            for client in "192.0.2.1", "198.51.100.1":
                self.assertIsNotNone(lab.resolvers["main"].admission.client(client).screen)
            self.assertEqual(self.reload(lab, RESOLVER + LISTS), [])
            self.assertEqual(self.names() - others, 2)
        self.assertEqual(self.reload(lab, RESOLVER), [])
        self.assertEqual(self.names() - others, 0)
