"""Tests for :mod:`labnet.resolver.ready.turns`: each hit gives the addresses of a name in another order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.counts import Cell
from labnet.resolver.ready.packetcache import PacketCache
from labnet.resolver.ready.turns import MOST_ORDERS, Turns, turns_of
from labnet.wire.dns_common import record_places
from labnet.wire.dns_request import decode_query
from labnet.wire.dns_response import Options, encode_answer
from labnet.wire.types import Answer, Rcode, RRset
from tests.resolver.dnsfakes import A, rrset, wire
from tests.resolver.lab import Lab, shown

CELL = Cell("udp", "dns", "NOERROR", "records")
HOSTS = "10.0.0.1 www.lab\n10.0.0.2 www.lab\n10.0.0.3 www.lab\n10.0.0.9 one.lab\n"


def addresses(count: int, name: str = "www.lab") -> RRset:
    return rrset(name, 60, A, *[b"\x0a\0\0" + bytes((number,)) for number in range(count)])


def encoded(answer: Answer, payload: int = 1232) -> bytes:
    query = dns.message.make_query("www.lab", "A", use_edns=0, payload=payload, id=0)
    return encode_answer(decode_query(query.to_wire()), answer, False, True, Options())


class OrderTests(SynchronousTestCase):
    """Of one answer."""

    def orders(self, answer: Answer, hits: int) -> list[list[str]]:
        """The addresses in the order of each hit; nothing else of the reply changes."""
        reply = encoded(answer)
        turns = turns_of(record_places(reply), answer)
        assert turns is not None
        turns.begin(reply[2:], CELL)
        found = []
        for _ in range(hits):
            _, whole = turns.next()
            message = dns.message.from_wire(reply[:2] + whole)
            found.append([rdata.to_text() for rdata in message.answer[-1]])
            self.assertEqual((len(whole), sorted(whole)), (len(reply) - 2, sorted(reply[2:])))
        return found

    def test_each_address_is_the_first_equally_often(self) -> None:
        """And no two hits in a row have the same order."""
        for count in (2, 3, 7):
            orders = self.orders(Answer(Rcode.NOERROR, (addresses(count),)), 4 * count)
            self.assertEqual(set(Counter(order[0] for order in orders).values()), {4}, count)
            self.assertTrue(all(one != other for one, other in pairwise(orders)))

    def test_addresses_behind_a_chain_take_turns(self) -> None:
        """Its CNAMEs stay where they are."""
        alias = rrset("www.lab", 60, 5, wire("a.lab"))
        orders = self.orders(Answer(Rcode.NOERROR, (alias, addresses(3, "a.lab"))), 3)
        self.assertEqual(len({order[0] for order in orders}), 3)

    def test_a_crowd_has_a_bounded_number_of_orders(self) -> None:
        orders = self.orders(Answer(Rcode.NOERROR, (addresses(40),)), 2 * MOST_ORDERS)
        self.assertEqual(len({order[0] for order in orders}), MOST_ORDERS)

    def test_what_has_one_address_has_no_turns(self) -> None:
        """Nor what has other records, or was truncated."""
        mail = rrset("www.lab", 60, 15, b"\0\1" + wire("a.lab"), b"\0\2" + wire("b.lab"))
        for answer in (Answer(Rcode.NOERROR, (addresses(1),)), Answer(Rcode.NOERROR, (mail,)), Answer(Rcode.NXDOMAIN)):
            self.assertIsNone(turns_of(record_places(encoded(answer)), answer))
        crowd = Answer(Rcode.NOERROR, (addresses(100),))
        self.assertIsNone(turns_of(record_places(encoded(crowd, 512)), crowd))


class CacheTests(SynchronousTestCase):
    """What a packet cache has of them."""

    def test_its_bytes_are_counted_and_given_back(self) -> None:
        cache = PacketCache(100_000)
        for number in range(200):
            cache.put(b"q%d" % number, bytes(40), 1e12, CELL, turns=Turns([[slice(0, 4), slice(4, 8)]]))
        self.assertLessEqual(cache.bytes, 100_000)
        self.assertEqual((len(cache.turns), cache.vectors), (len(cache.packets), {}))
        cache.put(b"q199", bytes(40), 1e12, CELL)
        self.assertEqual((len(cache.turns), len(cache.vectors)), (len(cache.packets) - 1, 1))
        cache.expire(2e12)
        self.assertEqual((cache.bytes, cache.turns, cache.packets), (0, {}, {}))

    def test_one_that_is_too_long_to_stay_is_answered_still(self) -> None:
        """The bound is too small for its orders."""
        cache = PacketCache(500)
        cache.put(b"q", bytes(40), 1e12, CELL, turns=Turns([[slice(0, 4), slice(4, 8)]]))
        self.assertEqual((cache.find(b"q", 0.0), cache.bytes), (None, 0))


class LabTests(SynchronousTestCase):
    """Through a whole resolver, by Twisted's own port."""

    def firsts(self, lab: Lab, hits: int) -> list[str]:
        return [shown(lab.ask("www.lab"))[0].split()[-1] for _ in range(hits)]

    def test_addresses_of_records_take_turns(self) -> None:
        lab = Lab(self, {"hosts": HOSTS})
        lab.ask("www.lab")
        self.assertEqual(set(Counter(self.firsts(lab, 30)).values()), {10})

    def test_learned_addresses_take_turns(self) -> None:
        """Within a second, and from one to the next."""
        lab = Lab(self)
        lab.resolve("www.lab", *[f"www.lab. 100 A 192.0.2.{number}" for number in (1, 2, 3)])
        lab.ask("www.lab")
        for _ in range(3):
            self.assertEqual(set(Counter(self.firsts(lab, 30)).values()), {10})
            lab.pass_time(1)
