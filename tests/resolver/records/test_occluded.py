"""Tests for :mod:`labnet.resolver.records.occluded`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.records.occluded import occluded
from labnet.resolver.records.zonedata import ZoneData
from labnet.resolver.records.zonefile_records import ZoneFileRecords
from labnet.wire.names import key_of

LAB = """$ORIGIN lab.
$TTL 60
@ SOA ns host 1 2 3 4 300
@ NS ns
ns A 192.0.2.1
"""


def warnings(*files: str, zones: tuple[str, ...] = ("lab",)) -> list[str]:
    """What is said of zone files, read in bulk as far as that goes."""
    data = ZoneData([key_of(zone) for zone in zones])
    for content in files:
        records = ZoneFileRecords(data)
        assert read_zone(content.encode(), records.add, records.add_addresses) == []
    data.finish()
    return [says for _, says in occluded(data)]


class Occluded(SynchronousTestCase):
    """Names beyond a cut are said once for each cut."""

    def test_records_at_and_below_a_delegation_are_said(self) -> None:
        """All that is no glue: other types, and addresses of names that are no servers, in bulk too."""
        hosts = "".join(f"h{number}.sub A 192.0.2.{number}\n" for number in range(5))
        says = warnings(f"{LAB}sub NS ns.sub\nsub TXT t\nns.sub A 192.0.2.7\nns.sub MX 1 ns\n{hosts}")
        self.assertEqual(
            says,
            [
                "h0.sub.lab, h1.sub.lab, h2.sub.lab and 4 more: at or below the delegation of sub.lab, so never "
                "answered by the zone above it; remove them there, or the delegation"
            ],
        )

    def test_glue_and_what_a_delegation_has_are_not_said(self) -> None:
        """NS, DS, addresses of servers, their own or another delegation's; and a zone of its own below the cut."""
        text = f"{LAB}sub NS ns.sub\nsub DS 1 8 1 {'00' * 20}\nns.sub AAAA ::7\nx.sub A 192.0.2.8\nother NS x.sub\n"
        self.assertEqual(warnings(f"{text}self NS self\nself A 192.0.2.9\n"), [])
        own = "$ORIGIN z.sub.lab.\n@ 60 SOA ns host 1 2 3 4 5\nwww 60 A 192.0.2.1\n"
        self.assertEqual(warnings(text, own, zones=("lab", "z.sub.lab")), [])

    def test_a_server_of_the_zone_itself_may_have_its_address_below_a_delegation(self) -> None:
        """As a root server whose name is in a top-level domain; its other records are said."""
        text = "$ORIGIN lab.\n$TTL 60\n@ SOA ns.sub host 1 2 3 4 5\n@ NS ns.sub\nsub NS other.\nns.sub A 192.0.2.7\n"
        self.assertEqual(warnings(text), [])
        (says,) = warnings(f"{text}ns.sub TXT t\n")
        self.assertTrue(says.startswith("ns.sub.lab: at or below the delegation of sub.lab"))

    def test_names_below_a_dname_are_said(self) -> None:
        """With or without authority; what stands beside the DNAME is fine."""
        for zones in ((), ("lab",)):
            (says,) = warnings(f"{LAB}old DNAME new\nold A 192.0.2.8\nx.old A 192.0.2.9\n", zones=zones)
            self.assertIn("x.old.lab: at or below the DNAME of old.lab", says)

    def test_a_zone_of_its_own_is_a_cut_of_the_upper_zones_file(self) -> None:
        """What that file has there beside delegation and glue is said."""
        upper = f"{LAB}sub NS ns.sub\nns.sub A 192.0.2.7\nwww.sub A 192.0.2.8\n"
        lower = "$ORIGIN sub.lab.\n@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.7\n"
        (says,) = warnings(upper, lower, zones=("lab", "sub.lab"))
        self.assertTrue(says.startswith("www.sub.lab: at or below the delegation of sub.lab"))

    def test_nothing_is_said_outside_authoritative_zones(self) -> None:
        """There every record is answered, whatever NS records there are."""
        self.assertEqual(warnings(f"{LAB}sub NS ns.sub\nwww.sub A 192.0.2.8\n", zones=()), [])
