"""All records of a zone, and what two versions of it differ by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.zonefile import read_zone
from labnet.resolver.records import listing
from labnet.resolver.records.listing import Changes, ZoneRecord, all_records, compare, is_newer, serial_of, soa_of
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.resolver.records.zonefile_records import ZoneFileRecords
from labnet.wire.names import key_of

HEAD = "$TTL 60\nlab. SOA ns.lab. a.lab. 7 1 2 3 4\nlab. NS ns.lab.\n"
NAMES = st.sampled_from(["lab.", "a.lab.", "b.lab.", "b.a.lab.", "*.lab.", "sub.lab.", "ns.sub.lab.", "x.low.lab."])
DATA = st.sampled_from(["A 192.0.2.1", "A 192.0.2.2", "AAAA ::1", "TXT one", "30 TXT one", "MX 1 a.lab.", "TXT two"])
RECORDS = st.lists(st.tuples(NAMES, DATA).map(" ".join), max_size=12)


def zone(*lines: str, lower: str = "") -> Zone:
    """A zone with these lines besides its head, and one below it with a file of its own."""
    data = ZoneData([key_of(name) for name in ("lab", "low.lab", "2.0.192.in-addr.arpa")])
    for text in (HEAD + "\n".join(lines) + "\n", lower):
        own = ZoneFileRecords(data)
        problems = read_zone(text.encode(), own.add, own.add_addresses)
        assert not problems, problems
    data.finish()
    return Zone(data)


def listed(zone: Zone, apex: str = "lab") -> list[ZoneRecord]:
    """Every record of a zone, in the order of the alphabet."""
    return sorted(record for record in all_records(zone, key_of(apex)) if record is not None)


class AllRecordsTests(SynchronousTestCase):
    """What is in a zone."""

    @given(RECORDS)
    def test_each_record_comes_once_and_none_of_another_zone(self, lines: list[str]) -> None:
        """The record of the file, those beyond a cut and glue included, the SOA and what is a zone's below it not."""
        found = listed(zone(*lines))
        self.assertEqual(len(found), len(set(found)))
        wanted = {(line.split()[0], *line.split()[-2:]) for line in lines if "x.low" not in line}
        self.assertEqual(len(found) - 1, len(wanted))

    def test_glue_below_another_zone_is_the_upper_ones(self) -> None:
        """Delegation and glue are in the file of the upper zone, and are given with it."""
        lower = "low.lab. 60 SOA a. b. 1 2 3 4 5\nns.low.lab. 60 A 192.0.2.7\n"
        records = zone("low.lab. NS ns.low.lab.", "ns.low.lab. A 192.0.2.1", lower=lower)
        names = [record.name for record in listed(records)]
        self.assertEqual(names.count(b"\2ns\3low\3lab\0"), 1)
        self.assertEqual(names.count(b"\3low\3lab\0"), 1)

    def test_addresses_have_names_in_the_zone_of_reverse_mapping(self) -> None:
        """Each address once, but where a file has a PTR record or a CNAME of that name."""
        lines = ["a.lab. A 192.0.2.1", "b.lab. A 192.0.2.1", "b.lab. A 192.0.2.2", "c.lab. A 10.0.0.1"]
        found = listed(zone(*lines, "2.2.0.192.in-addr.arpa. PTR own.lab."), "2.0.192.in-addr.arpa")
        self.assertEqual([record.rdata for record in found], [b"\1a\3lab\0", b"\1b\3lab\0", b"\3own\3lab\0"])

    def test_many_names_of_other_zones_give_others_their_turn(self) -> None:
        """A step ends after so many names that are none of the zone's."""
        lines = [f"n{number}.low.lab. A 10.0.{number // 250}.{number % 250}" for number in range(3 * listing.TURN)]
        records = zone("low.lab. SOA a. b. 1 2 3 4 5", *lines)
        found = list(all_records(records, key_of("lab")))
        self.assertEqual(found.count(None), 3)
        self.assertEqual(len(list(all_records(records, key_of("low.lab")))), len(lines))

    def test_name_that_is_taken_out_meanwhile_is_passed_over(self) -> None:
        """An operator may take records out while a zone is on its way."""
        records = zone("a.lab. A 192.0.2.1", "b.lab. TXT one", "c.lab. TXT two")
        steps = all_records(records, key_of("lab"))
        next(steps)
        for name in "bc":
            records.data.records.discard(key_of(f"{name}.lab"))
        records.data.records[key_of("d.lab")] = records.data.records.get(key_of("a.lab")) or b""
        self.assertNotIn(b"\1b\3lab\0", [record.name for record in steps if record is not None])

    def test_soa_and_serials(self) -> None:
        """Serials go round (RFC 1982); a zone without records has none."""
        records = zone()
        soa = soa_of(records, key_of("lab"))
        assert soa is not None
        self.assertEqual(serial_of(soa), 7)
        self.assertIsNone(soa_of(records, key_of("a.lab")))
        records.data.unavailable = frozenset([key_of("lab")])
        self.assertIsNone(soa_of(records, key_of("lab")))
        for serial, than, newer in (
            (1, 0, True),
            (0, 0, False),
            (0, 1, False),
            (1, 2**32 - 1, True),
            (2**31, 0, False),
        ):
            self.assertEqual(is_newer(serial, than), newer, (serial, than))


class CompareTests(SynchronousTestCase):
    """What two versions differ by."""

    @given(RECORDS, RECORDS)
    def test_old_records_with_the_changes_are_the_new_ones(self, before: list[str], now: list[str]) -> None:
        """Every change is needed: what is removed was there, what is added was not."""
        first, second = zone(*before), zone(*now)
        for apex in ("lab", "low.lab", "2.0.192.in-addr.arpa"):
            changes = Changes()
            for _ in compare(first, second, key_of(apex), changes):
                pass
            had, removed, added = set(listed(first, apex)), set(changes.removed), set(changes.added)
            self.assertTrue(removed <= had)
            self.assertFalse(added & had)
            self.assertEqual((had - removed) | added, set(listed(second, apex)))
            self.assertEqual(len(changes), len(removed) + len(added))
