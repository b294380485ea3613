"""Tests for :mod:`labnet.resolver.records.packed`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records import packed as packing
from labnet.resolver.records.zone import Zone
from labnet.wire.names import key_of
from labnet.wire.types import Mapping, RRset, RRType
from tests.resolver.records.zones import NOW, answer_of, static
from tests.resolver.zonefiles import ip, wire


class Packed(SynchronousTestCase):
    """Tests for the packing of a name's records."""

    def test_a_name_with_one_address_takes_fifteen_bytes(self) -> None:
        """A million names are a million of these; 16 bytes would cost 16 MB more."""
        rrsets = {int(RRType.A): (60, (ip("192.0.2.1"),))}
        for mapping in (None, static("www.lab", "192.0.2.1")):
            value = packing.pack(packing.Node(key_of("www.lab"), mapping, rrsets), key_of("www.lab"), NOW)
            self.assertEqual(len(value), 15)
        one_address = packing.pack_address(RRset(key_of("www.lab"), RRType.A, 60, (ip("192.0.2.1"),)))
        assert one_address is not None
        self.assertEqual(len(one_address), 15)

    def test_an_rrset_has_no_more_records_than_a_message_can_count(self) -> None:
        """What is beyond is left out."""
        rdatas = tuple(number.to_bytes(4, "big") for number in range(packing.MOST_RECORDS + 5))
        zone = Zone()
        zone.data.add(RRset(wire("a"), RRType.A, 60, rdatas))
        self.assertEqual(answer_of(zone, "a").answer[0].rdatas, rdatas[: packing.MOST_RECORDS])

    mappings = st.builds(
        Mapping,
        st.sampled_from(["www.lab", "WWW.lab", "ü", "a..b"]),
        st.sampled_from(["192.0.2.1", "::1", "21.09.1992.8"]),
        st.integers(0, 2**31 - 1),
        st.just(False),
        st.sampled_from([NOW, 0.0]),
    )
    nodes = st.builds(
        packing.Node,
        st.sampled_from([b"\x03www\x03lab\0", b"\x03WWW\x03lab\0"]),
        st.none() | mappings,
        st.dictionaries(
            st.sampled_from([1, 2, 5, 6, 15, 28, 39, 65535]),
            st.tuples(
                st.integers(0, 2**31 - 1),
                st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3).map(tuple),
            ),
            max_size=3,
        ).map(
            lambda rrsets: {
                rrtype: (ttl, tuple(r * 4 if rrtype == 28 else r for r in rdatas))
                for rrtype, (ttl, rdatas) in rrsets.items()
            }
        ),
    )

    @given(nodes)
    def test_what_is_packed_comes_out_again(self, node: packing.Node) -> None:
        """Name, mapping and RRsets are the same, and the flags and addresses are those of the records."""
        key = b"\x03www\x03lab\0"
        value = packing.pack(node, key, NOW)
        self.assertEqual(packing.unpack(value, key, NOW), node)
        self.assertEqual(bool(value[0] & packing.HAS_NS), 2 in node.rrsets)
        self.assertEqual(bool(value[0] & packing.HAS_DNAME), 39 in node.rrsets)
        expected = [rdata for rrtype in (1, 28) for rdata in node.rrsets.get(rrtype, (0, ()))[1]]
        self.assertEqual(list(packing.addresses(value)), expected)
