"""The names of a zone, held against a dictionary."""

from __future__ import annotations

import pickle
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records import table as module
from labnet.resolver.records.packed import pack_address
from labnet.resolver.records.packed_records import PackedRecords
from labnet.wire.names import key_of, parent
from labnet.wire.types import RRset, RRType

KEYS = [key_of(f"h{n}.lab.test") for n in range(30)]
OTHER = b"\x02another value"


def value(ttl: int, address: bytes) -> bytes:
    packed = pack_address(RRset(b"\0", RRType.A, ttl, (address,)))
    assert packed is not None
    return packed


def filled(count: int, first: int = 0) -> tuple[list[bytes], list[int], list[bytes]]:
    numbers = range(first, first + count)
    return (
        [key_of(f"h{n}.lab.test") for n in numbers],
        [n % 7 for n in numbers],
        [n.to_bytes(4, "big") for n in numbers],
    )


def add(nodes: PackedRecords, keys: list[bytes], ttls: list[int], addresses: list[bytes]) -> bool:
    return nodes.add_addresses(keys, ttls, addresses, {parent(key) for key in keys})


class PackedRecordsTests(SynchronousTestCase):
    def test_what_came_in_bulk_is_found(self) -> None:
        """Through every growth of the index, with TTL and address, in both directions."""
        nodes = PackedRecords()
        for first in range(0, 5000, 500):
            self.assertTrue(add(nodes, *filled(500, first)))
        self.assertEqual(len(nodes), 5000)
        for key, ttl, address in zip(*filled(5000), strict=True):
            self.assertEqual(nodes.get(key), value(ttl, address))
            self.assertEqual(nodes.one_addresses([key]), [ttl.to_bytes(4, "big") + b"\0\4" + address])
            self.assertIn(key, nodes)
        self.assertNotIn(key_of("h5000.lab.test"), nodes)
        table = nodes.bulk()
        addresses, places = zip(*table.addresses(), strict=True)
        self.assertEqual(addresses, tuple(range(5000)))
        names = [key_of(f"h{n}.lab.test") for n in (0, 17, 4999)]
        self.assertEqual([table.key(places[n]) for n in (0, 17, 4999)], names)
        self.assertLess(max(places), table.end)
        self.assertEqual(nodes.parents(), {key_of("lab.test")})

    def test_room_is_made_for_what_comes(self) -> None:
        """And for no more than that, whether it is the first or comes after others."""
        nodes = PackedRecords()
        for first, size in ((0, 4096), (1000, 8192), (2000, 16384)):
            nodes.expect(1000)
            table = nodes.bulk()
            self.assertEqual(len(table._index), size)
            add(nodes, *filled(1000, first))
            self.assertEqual(len(table._index), size)

    def test_a_key_that_is_there_refuses_all(self) -> None:
        """One that came in bulk, one of the dictionary, one that comes twice: and all that was is as it was."""
        nodes = PackedRecords()
        add(nodes, *filled(100))
        nodes[key_of("x.lab.test")] = OTHER
        keys, ttls, addresses = filled(10, 200)
        for wrong in (KEYS[3], key_of("x.lab.test"), keys[0]):
            self.assertFalse(add(nodes, [*keys, wrong], [*ttls, 1], [*addresses, b"abcd"]))
            self.assertEqual(len(nodes), 101)
            self.assertNotIn(keys[0], nodes)
            self.assertEqual(nodes.get(KEYS[3]), value(3, b"\0\0\0\x03"))
        self.assertTrue(add(nodes, keys, ttls, addresses))
        self.assertEqual(nodes.get(keys[9]), value(ttls[9], addresses[9]))

    def test_a_value_replaces_what_came_in_bulk(self) -> None:
        """It is not found twice, and no address of it is left."""
        nodes = PackedRecords()
        add(nodes, *filled(10))
        nodes[KEYS[4]] = OTHER
        nodes.setdefault(KEYS[5], OTHER)
        nodes.setdefault(key_of("new"), OTHER)
        self.assertEqual(
            (nodes.get(KEYS[4]), nodes.get(KEYS[5]), nodes.get(key_of("new"))), (OTHER, value(5, b"\0\0\0\x05"), OTHER)
        )
        self.assertEqual(len(nodes), 11)
        self.assertEqual(nodes.one_addresses([KEYS[4], key_of("none"), KEYS[6]]), [None, None, b"\0\0\0\6\0\4\0\0\0\6"])
        self.assertEqual([address for address, _ in nodes.bulk().addresses()], [0, 1, 2, 3, 5, 6, 7, 8, 9])
        self.assertEqual(nodes.get(key_of("none"), OTHER), OTHER)

    def test_one_address_in_the_dictionary_is_one_too(self) -> None:
        """However it came."""
        nodes = PackedRecords()
        nodes[KEYS[0]] = value(60, b"abcd")
        nodes[KEYS[1]] = OTHER
        nodes[KEYS[2]] = b""
        self.assertEqual(nodes.one_addresses(KEYS[:4]), [b"\0\0\0\x3c\0\4abcd", None, None, None])

    def test_another_process_finds_the_same(self) -> None:
        """Though hashes are each process's own; whether keys have one length or several, and one was replaced."""
        nodes = PackedRecords()
        keys, ttls, addresses = filled(3000)
        for part in slice(0, 1000), slice(1000, 3000):
            add(nodes, keys[part], ttls[part], addresses[part])
        nodes[keys[7]] = OTHER
        expected, records = [nodes.get(key) for key in keys], nodes.one_addresses(keys)
        with mock.patch.object(module, "hash", lambda key: hash((key, "elsewhere")), create=True):
            found = pickle.loads(pickle.dumps(nodes))
            self.assertEqual([found.get(key) for key in keys], expected)
            self.assertEqual(found.one_addresses(keys), records)
            more = filled(10, 3000)
            self.assertFalse(add(found, [*more[0], keys[99]], [*more[1], 1], [*more[2], b"abcd"]))
            self.assertTrue(add(found, *more))
            self.assertEqual(len(found), 3010)
            self.assertEqual(found.get(more[0][9]), value(more[1][9], more[2][9]))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("bulk"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=6)),
                st.tuples(st.just("set"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=1)),
            )
        )
    )
    def test_it_is_a_dictionary(self, steps: list[tuple[str, list[bytes]]]) -> None:
        """Whatever comes, in whatever order."""
        nodes, expected = PackedRecords(), dict[bytes, bytes]()
        for number, (kind, keys) in enumerate(steps):
            if kind == "set":
                nodes[keys[0]] = expected[keys[0]] = OTHER
                continue
            address = number.to_bytes(4, "big")
            fresh = len(set(keys)) == len(keys) and expected.keys().isdisjoint(keys)
            self.assertEqual(add(nodes, keys, [60] * len(keys), [address] * len(keys)), fresh)
            expected |= dict.fromkeys(keys, value(60, address)) if fresh else {}
        self.assertEqual({key: nodes.get(key) for key in KEYS}, {key: expected.get(key) for key in KEYS})
        self.assertEqual(len(nodes), len(expected))
