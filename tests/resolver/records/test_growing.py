"""Tests for :mod:`labnet.resolver.records.growing`: an RRset of thousands is put together once, not once a record."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records import zonedata
from labnet.resolver.records.growing import Growing
from labnet.resolver.records.packed import FROM_HOSTS, IS_ALIAS, Node
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.types import RRset, RRType
from tests.resolver.records.zones import TXT, static
from tests.resolver.zonefiles import ip, wire

MANY = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(4000)]
Add = Callable[[ZoneData], str | None]


def record(name: str, address: str, ttl: int = 60, hosts: int = 0) -> Add:
    rrset = RRset(wire(name), RRType.A, ttl, (ip(address),))
    return lambda data: data.add(rrset, hosts)


def text(name: str, value: bytes) -> Add:
    return lambda data: data.add(RRset(wire(name), TXT, 60, (value,)))


def alias(name: str, target: str) -> Add:
    return lambda data: data.add(RRset(wire(name), RRType.CNAME, 60, (wire(target),)))


def line(name: str, address: str, ttl: int = 60) -> Add:
    return lambda data: data.add_mapping(static(name, address, ttl))


NAMES = st.sampled_from(["a.lab", "A.lab", "b.lab"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
TTLS = st.integers(1, 3)
ADDS = st.one_of(
    st.builds(record, NAMES, ADDRESSES, TTLS, st.sampled_from([0, FROM_HOSTS, FROM_HOSTS | IS_ALIAS])),
    st.builds(text, NAMES, st.sampled_from([b"\1x", b"\1y"])),
    st.builds(alias, NAMES, NAMES),
    st.builds(line, NAMES, ADDRESSES, TTLS),
)


class GrowingTests(SynchronousTestCase):
    """Of a zone while it is filled."""

    def packed(self, adds: list[Add]) -> int:
        """How often records were packed while these were added; no more than that is left to be done."""
        data = ZoneData()
        with mock.patch.object(zonedata, "pack", wraps=zonedata.pack) as pack:
            self.assertEqual({add(data) for add in adds}, {None})
            data.finish()
        node = data.node(wire("big.lab"))
        assert node is not None
        self.assertEqual(node.rrsets[RRType.A][1], tuple(map(ip, MANY)))
        return pack.call_count

    def test_thousands_of_addresses_are_put_together_a_few_times(self) -> None:
        """From a zone file, a hosts file and a course's file."""
        self.assertLess(self.packed([record("big.lab", address) for address in MANY]), 5)
        self.assertLess(self.packed([record("big.lab", address, hosts=FROM_HOSTS) for address in MANY]), 5)
        self.assertLess(self.packed([line("big.lab", address) for address in MANY]), 5)

    @given(st.lists(ADDS, max_size=20))
    def test_the_records_are_those_of_adding_each_by_itself(self, adds: list[Add]) -> None:
        """What is said of each is the same too."""
        together, alone = ZoneData(), ZoneData()
        said = [add(together) for add in adds]
        with mock.patch.object(Growing, "begin"):
            self.assertEqual([add(alone) for add in adds], said)
        for data in together, alone:
            data.finish()
        for name in "a.lab", "b.lab":
            found: list[Node | None] = [data.node(wire(name)) for data in (together, alone)]
            self.assertEqual(found[0], found[1])
        self.assertEqual(together._not_reversed, alone._not_reversed)
        self.assertEqual(together.written, alone.written)
