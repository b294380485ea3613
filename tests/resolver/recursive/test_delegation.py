"""The zones that a walk knows, and which addresses it may ask."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.root_hints import NameServer
from labnet.resolver.recursive.delegation import (
    LONGEST_DELEGATION,
    Delegation,
    Delegations,
    Reachable,
)
from labnet.wire.names import key_of, parent

HINTS = (NameServer(key_of("a.root"), ("192.0.2.1",)),)


def delegation(zone: str, expires: float) -> Delegation:
    return Delegation(key_of(zone), (NameServer(key_of("ns." + zone), ("192.0.2.2",)),), expires)


def put(known: Delegations, referral: Delegation, now: float = 0.0) -> Delegation:
    """A server of the deepest zone known refers to another."""
    return known.put(referral, known.find(parent(referral.zone), now), now)


class DelegationsTests(SynchronousTestCase):
    """Where to begin for a name."""

    def test_the_deepest_zone_known_is_found(self) -> None:
        """The root, from the hints, where there is none."""
        known = Delegations(HINTS, 10)
        put(known, delegation("test", 100.0))
        put(known, delegation("lab.test", 50.0))
        zones = [known.find(key_of(name), now).zone for name, now in _PLACES]
        self.assertEqual(zones, [key_of("lab.test"), key_of("lab.test"), key_of("test"), b"\0", key_of("test"), b"\0"])

    def test_no_delegation_is_kept_for_more_than_a_day(self) -> None:
        """Whatever its TTL."""
        known = Delegations(HINTS, 10)
        put(known, delegation("test", 1e9))
        self.assertEqual(known.find(key_of("test"), LONGEST_DELEGATION - 1.0).zone, key_of("test"))
        self.assertEqual(known.find(key_of("test"), LONGEST_DELEGATION + 0.0).zone, b"\0")

    def test_a_delegation_ends_with_the_one_above_it(self) -> None:
        """Else a zone that its parent has dropped would live on in the zones below it (ghost domain names)."""
        known = Delegations(HINTS, 10)
        put(known, delegation("test", 100.0))
        self.assertEqual(put(known, delegation("lab.test", 5000.0), 90.0).expires, 100.0)
        self.assertEqual(known.find(key_of("lab.test"), 99.0).zone, key_of("lab.test"))
        self.assertEqual(known.find(key_of("lab.test"), 100.0).zone, b"\0")

    def test_the_servers_that_a_zone_names_itself_end_with_its_delegation(self) -> None:
        """Or with their own TTL, or when it is forgotten."""
        known = Delegations(HINTS, 10)
        above = put(known, delegation("test", 100.0))
        own = delegation("test", 5000.0)
        known.put_own(own, above)
        found = [known.find_own(key_of("test"), now) for now in (99.0, 100.0)]
        self.assertEqual(found, [own.servers, None])
        known.put_own(delegation("test", 50.0), above)
        self.assertIsNone(known.find_own(key_of("test"), 50.0))
        known.put_own(own, above)
        known.forget(key_of("test"))
        self.assertIsNone(known.find_own(key_of("test"), 0.0))

    def test_one_can_be_forgotten(self) -> None:
        """What is above it stays, and the hints always do."""
        known = Delegations(HINTS, 10)
        put(known, delegation("test", 100.0))
        put(known, delegation("lab.test", 100.0))
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


class ReachableTests(SynchronousTestCase):
    """Where a referral may lead."""

    def test_addresses_of_no_other_machine_are_refused(self) -> None:
        """Multicast, unspecified, reserved, and this machine's own."""
        reachable = Reachable(HINTS)
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
            "fe80::1",
        ]
        self.assertEqual([address for address in [*refused, "::ffff:192.0.2.1"] if reachable(address)], [])
        for address in ("192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"):
            self.assertTrue(reachable(address), address)

    def test_a_tree_on_loopback_addresses_is_walked(self) -> None:
        """The hints say that it is meant so."""
        self.assertTrue(Reachable((NameServer(key_of("a.root"), ("127.0.1.1",)),))("127.0.1.2"))
