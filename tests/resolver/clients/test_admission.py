"""Tests for :mod:`labnet.resolver.clients.admission`: who gets how much of a resolver, decided without a socket."""

from __future__ import annotations

import ipaddress
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.clients.admission import Admission, Over, Rules


def networks(*texts: str) -> tuple[Any, ...]:
    """The networks so written."""
    return tuple(ipaddress.ip_network(text) for text in texts)


LAN = networks("192.0.2.0/24", "2001:db8::/32")


class ClientTests(SynchronousTestCase):
    """What an address may have follows from the networks it is in."""

    def test_networks_decide(self) -> None:
        """Allowed, denied, with recursion, limited: each by its own networks; denied goes before allowed."""
        rules = Rules(LAN, networks("192.0.2.13/32", "198.51.100.0/24"), networks("192.0.2.0/28"), LAN, rate=10)
        admission = Admission(rules)
        for host, allowed, denied, recursion, limited in (
            ("192.0.2.1", True, False, True, False),
            ("192.0.2.200", True, False, False, False),
            ("192.0.2.13", False, True, False, False),
            ("198.51.100.1", False, True, False, True),
            ("203.0.113.1", False, False, False, True),
            ("2001:db8::1", True, False, False, False),
            ("::ffff:192.0.2.1", True, False, True, False),
            ("fe80::1%eth0", False, False, False, True),
        ):
            client = admission.client(host)
            told = (client.allowed, client.denied, client.recursion, client.limited)
            self.assertEqual(told, (allowed, denied, recursion, limited), host)

    def test_who_is_allowed_may_recurse_where_nothing_else_is_said(self) -> None:
        """Without networks of its own recursion is for all who are allowed, and for nobody else."""
        admission = Admission(Rules(LAN))
        self.assertTrue(admission.client("192.0.2.1").recursion)
        self.assertFalse(admission.client("203.0.113.1").recursion)

    def test_recursion_does_not_allow(self) -> None:
        """Who may recurse and is not allowed gets nothing."""
        client = Admission(Rules(LAN, recursion=networks("0.0.0.0/0"))).client("203.0.113.1")
        self.assertFalse(client.allowed or client.recursion or client.is_whole)

    def test_without_a_rate_nobody_is_limited(self) -> None:
        """A rate of 0 sets no limit, whoever is not exempt from it."""
        self.assertTrue(Admission(Rules(LAN)).client("192.0.2.1").is_free)

    def test_many_clients_are_forgotten_and_known_again(self) -> None:
        """Memory does not grow with the addresses that were seen."""
        admission = Admission(Rules(networks("10.0.0.0/8")))
        for number in range(10_005):
            self.assertTrue(admission.client(str(ipaddress.ip_address(0x0A000000 + number))).allowed)
        self.assertLess(len(admission._clients), 10_000)

    def test_changed_rules_count_for_known_clients(self) -> None:
        """Nothing of a verdict outlives the rules it came from, and who remembers one can see that."""
        admission = Admission(Rules(LAN))
        before = admission.generation
        self.assertTrue(admission.client("192.0.2.1").allowed)
        admission.change(Rules((), LAN))
        self.assertTrue(admission.client("192.0.2.1").denied)
        self.assertNotEqual(admission.generation, before)


class RateTests(SynchronousTestCase):
    """Answers by UDP are counted by client network."""

    def setUp(self) -> None:
        self.admission = Admission(Rules(LAN, rate=10, burst=2, slip=3))

    def take(self, host: str, now: float, answers: int = 1) -> bool:
        """Take for the client at ``host``."""
        return self.admission.takes(self.admission.client(host), now, answers)

    def test_a_network_has_its_rate(self) -> None:
        """A whole /24 has one bucket, another network its own; it fills again with time."""
        self.assertTrue(self.take("192.0.2.1", 100.0, 20))
        self.assertFalse(self.take("192.0.2.2", 100.0))
        self.assertTrue(self.take("198.51.100.1", 100.0))
        self.assertTrue(self.take("192.0.2.2", 100.125))
        self.assertFalse(self.take("192.0.2.2", 100.125))

    def test_who_is_exempt_is_never_over(self) -> None:
        """An exempt network has no bucket."""
        self.admission.change(Rules(LAN, exempt=LAN, rate=10))
        self.assertTrue(all(self.take("192.0.2.1", 100.0, 100) for _ in range(10)))

    def test_each_nth_over_the_rate_is_truncated(self) -> None:
        """With ``slip`` 3 each third is sent truncated; with 0 none is."""
        self.assertEqual([self.admission.over() for _ in range(6)], [Over.DROPPED, Over.DROPPED, Over.TRUNCATED] * 2)
        self.admission.change(Rules(LAN, rate=10, slip=0))
        self.assertEqual({self.admission.over() for _ in range(6)}, {Over.DROPPED})

    def test_a_reload_gives_no_new_rate(self) -> None:
        """What was used up stays used up where the rate is the same; another rate begins anew."""
        self.assertTrue(self.take("192.0.2.1", 100.0, 20))
        self.admission.change(Rules(LAN, rate=10, burst=2))
        self.assertFalse(self.take("192.0.2.1", 100.0))
        self.admission.change(Rules(LAN, rate=11, burst=2))
        self.assertTrue(self.take("192.0.2.1", 100.0))


class InFlightTests(SynchronousTestCase):
    """Questions that parents are being asked are counted by client network."""

    def test_a_network_has_so_many(self) -> None:
        """One more is refused until one has ended; another network has its own."""
        admission = Admission(Rules(LAN, in_flight=2))
        one, other = admission.client("192.0.2.1"), admission.client("2001:db8::1")
        self.assertEqual([admission.begins(one) for _ in range(3)], [True, True, False])
        self.assertTrue(admission.begins(other))
        self.assertEqual(admission.in_flight, 3)
        admission.ended(one)
        self.assertTrue(admission.begins(one))
        self.assertFalse(admission.begins(one))

    def test_nothing_is_left_when_all_have_ended(self) -> None:
        """A network that has nothing in flight takes no memory."""
        admission = Admission(Rules(LAN))
        client = admission.client("192.0.2.1")
        self.assertTrue(admission.begins(client))
        admission.ended(client)
        self.assertEqual((admission.in_flight, admission._in_flight), (0, {}))

    def test_an_older_verdict_ends_what_it_began(self) -> None:
        """A question that began under earlier rules is counted off under the new ones."""
        admission = Admission(Rules(LAN))
        client = admission.client("192.0.2.1")
        self.assertTrue(admission.begins(client))
        admission.change(Rules((), LAN))
        admission.ended(client)
        self.assertEqual(admission.in_flight, 0)
