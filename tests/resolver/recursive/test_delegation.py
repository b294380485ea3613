"""What a walk remembers: delegations, and how each server's address behaved."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.delegation import (
    LONGEST_DELEGATION,
    Delegation,
    Delegations,
    Memory,
    Reachable,
    RoundTrips,
)
from labnet.wire.names import key_of

HINTS = (NameServer(key_of("a.root"), ("192.0.2.1",)),)


def delegation(zone: str, expires: float) -> Delegation:
    return Delegation(key_of(zone), (NameServer(key_of("ns." + zone), ("192.0.2.2",)),), expires)


class MemoryTests(SynchronousTestCase):
    """Values with an end of life."""

    def test_a_value_is_forgotten_at_its_end(self) -> None:
        """Not before."""
        memory: Memory[str, int] = Memory(10)
        memory.keep("a", 1, 100.0)
        self.assertEqual((memory.find("a", 99.9), memory.find("a", 100.0), len(memory)), (1, None, 0))

    def test_what_was_used_longest_ago_goes_first(self) -> None:
        """Both finding and keeping count as use."""
        memory: Memory[str, int] = Memory(3)
        for key in "abc":
            memory.keep(key, 1, 100.0)
        memory.find("a", 0.0)
        memory.keep("b", 2, 100.0)
        memory.keep("d", 1, 100.0)
        self.assertEqual([memory.find(key, 0.0) for key in "abcd"], [1, 2, None, 1])


class DelegationsTests(SynchronousTestCase):
    """Where to begin for a name."""

    def test_the_deepest_zone_known_is_found(self) -> None:
        """The root, from the hints, where there is none."""
        known = Delegations(HINTS, 10)
        known.keep(delegation("test", 100.0), 0.0)
        known.keep(delegation("lab.test", 50.0), 0.0)
        zones = [known.find(key_of(name), now).zone for name, now in _PLACES]
        self.assertEqual(zones, [key_of("lab.test"), key_of("lab.test"), key_of("test"), b"\0", key_of("test"), b"\0"])

    def test_no_delegation_is_kept_for_more_than_a_day(self) -> None:
        """Whatever its TTL."""
        known = Delegations(HINTS, 10)
        known.keep(delegation("test", 1e9), 0.0)
        self.assertEqual(known.find(key_of("test"), LONGEST_DELEGATION - 1.0).zone, key_of("test"))
        self.assertEqual(known.find(key_of("test"), LONGEST_DELEGATION + 0.0).zone, b"\0")

    def test_one_can_be_forgotten(self) -> None:
        """What is above it stays, and the hints always do."""
        known = Delegations(HINTS, 10)
        known.keep(delegation("test", 100.0), 0.0)
        known.keep(delegation("lab.test", 100.0), 0.0)
        for zone in ("lab.test", "."):
            known.forget(key_of(zone))
        self.assertEqual(known.find(key_of("www.lab.test"), 0.0).zone, key_of("test"))
        self.assertEqual(known.find(key_of("example"), 0.0).servers, HINTS)


_PLACES = [
    ("www.lab.test", 0.0),
    ("lab.test", 0.0),
    ("www.xlab.test", 0.0),
    ("example", 0.0),
    ("lab.test", 50.0),
    ("lab.test", 100.0),
]


class RoundTripsTests(SynchronousTestCase):
    """In which order servers are asked."""

    def setUp(self) -> None:
        self.trips = RoundTrips(Random(1), 10)

    def first(self, *addresses: str, zone: bytes = b"\0", now: float = 0.0) -> set[str]:
        """Who may come first."""
        return set(Counter(self.trips.in_order(addresses, zone, now)[0] for _ in range(50)))

    def test_about_equal_servers_take_turns(self) -> None:
        """Within 400 ms of the fastest."""
        self.trips.answered("a", 0.01, 0.0)
        self.trips.answered("b", 0.40, 0.0)
        self.trips.answered("c", 0.42, 0.0)
        self.assertEqual(self.first("a", "b", "c"), {"a", "b"})

    def test_each_address_comes_once(self) -> None:
        """And none at all is fine too."""
        self.assertEqual(self.trips.in_order(["a", "b", "a"], b"\0", 0.0).count("a"), 1)
        self.assertEqual(self.trips.in_order([], b"\0", 0.0), [])

    def test_one_that_failed_comes_later(self) -> None:
        """The more often it failed, the later; after 900 seconds that is forgotten."""
        for address in ("b", "c", "c"):
            self.trips.failed(address, 0.0)
        self.assertEqual(self.trips.in_order(["c", "b", "a"], b"\0", 1.0), ["a", "b", "c"])
        self.assertEqual(self.first("a", "b", "c", now=900.0), {"a", "b", "c"})

    def test_one_that_failed_and_is_back_takes_its_turn_again(self) -> None:
        """One answer is enough."""
        for _ in range(20):
            self.trips.failed("a", 0.0)
        self.assertEqual(self.first("a", "b"), {"b"})
        self.trips.answered("a", 0.01, 0.0)
        self.assertEqual(self.first("a", "b"), {"a", "b"})

    def test_a_single_slow_answer_does_not_count_for_much(self) -> None:
        """The measured time is smoothed."""
        self.trips.answered("a", 0.01, 0.0)
        self.trips.answered("a", 1.0, 0.0)
        self.trips.answered("b", 0.01, 0.0)
        self.assertEqual(self.first("a", "b"), {"a", "b"})

    def test_a_lame_server_comes_last_in_that_zone(self) -> None:
        """In others it does as before."""
        self.trips.was_lame("a", b"\1x\0", 0.0)
        self.trips.failed("b", 0.0)
        self.assertEqual(self.first("a", "b", zone=b"\1x\0"), {"b"})
        self.assertEqual(self.first("a", "b", zone=b"\1y\0"), {"a"})


class ReachableTests(SynchronousTestCase):
    """Where a referral may lead."""

    def test_addresses_of_no_other_machine_are_refused(self) -> None:
        """Multicast, unspecified, reserved, and this machine's own."""
        reachable = Reachable(HINTS, ipv6=True)
        refused = [
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
        ]
        self.assertEqual([address for address in [*refused, "::ffff:192.0.2.1"] if reachable(address)], [])
        for address in ("192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"):
            self.assertTrue(reachable(address), address)

    def test_a_tree_on_loopback_addresses_is_walked(self) -> None:
        """The hints say that it is meant so."""
        self.assertTrue(Reachable((NameServer(key_of("a.root"), ("127.0.1.1",)),), ipv6=False)("127.0.1.2"))

    def test_ipv6_can_be_off(self) -> None:
        """Then no IPv6 address is asked."""
        self.assertFalse(Reachable(HINTS, ipv6=False)("2001:db8::1"))
