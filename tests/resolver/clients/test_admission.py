"""Tests for :mod:`labnet.resolver.clients.admission`: who gets how much of a resolver, decided without a socket."""

from __future__ import annotations

import ipaddress
from functools import partial
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
            told = (client.allowed, client.denied, client.may_recurse, client.limited)
            self.assertEqual(told, (allowed, denied, recursion, limited), host)

    def test_who_is_allowed_may_recurse_where_nothing_else_is_said(self) -> None:
        """Without networks of its own recursion is for all who are allowed, and for nobody else."""
        admission = Admission(Rules(LAN))
        self.assertTrue(admission.client("192.0.2.1").may_recurse)
        self.assertFalse(admission.client("203.0.113.1").may_recurse)

    def test_recursion_does_not_allow(self) -> None:
        """Who may recurse and is not allowed gets nothing."""
        client = Admission(Rules(LAN, recursion=networks("0.0.0.0/0"))).client("203.0.113.1")
        self.assertFalse(client.allowed or client.may_recurse)

    def test_without_a_rate_nobody_is_limited(self) -> None:
        """A rate of 0 sets no limit, whoever is not exempt from it."""
        self.assertTrue(Admission(Rules(LAN)).client("192.0.2.1").unlimited)

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
        """One more is refused until a ticket is given back; another network has its own."""
        admission = Admission(Rules(LAN, in_flight=2))
        one, other = admission.client("192.0.2.1"), admission.client("2001:db8::1")
        tickets = [admission.admit(one, 0.0) for _ in range(3)]
        self.assertEqual([ticket is None for ticket in tickets], [False, False, True])
        self.assertIsNotNone(admission.admit(other, 0.0))
        self.assertEqual(admission.in_flight, 3)
        assert tickets[0] is not None
        tickets[0].give_back()
        self.assertIsNotNone(admission.admit(one, 0.0))
        self.assertIsNone(admission.admit(one, 0.0))

    def test_a_ticket_that_is_given_back_twice_counts_once(self) -> None:
        """Whoever is done with it may give it back; a network that has nothing in flight takes no memory."""
        admission = Admission(Rules(LAN))
        client = admission.client("192.0.2.1")
        first, second = admission.admit(client, 0.0), admission.admit(client, 0.0)
        assert first is not None
        assert second is not None
        first.give_back()
        first.give_back()
        self.assertEqual(admission.in_flight, 1)
        second.give_back()
        second.give_back()
        self.assertEqual((admission.in_flight, admission._in_flight), (0, {}))

    def test_a_ticket_of_earlier_rules_is_given_back_under_the_new_ones(self) -> None:
        """The count goes on over a change."""
        admission = Admission(Rules(LAN))
        ticket = admission.admit(admission.client("192.0.2.1"), 0.0)
        assert ticket is not None
        admission.change(Rules((), LAN))
        self.assertEqual(admission.in_flight, 1)
        ticket.give_back()
        self.assertEqual(admission.in_flight, 0)

    def test_a_slow_question_of_the_address_that_has_most_gives_way(self) -> None:
        """The oldest of those: a neighbour's older one is not touched. Who gave way is told, and its place is taken."""
        admission = Admission(Rules(LAN, in_flight=3))
        neighbour, greedy = admission.client("192.0.2.1"), admission.client("192.0.2.2")
        over: list[str] = []
        for name, client, now in (("old", neighbour, 1.0), ("first", greedy, 2.0), ("second", greedy, 2.1)):
            ticket = admission.admit(client, now)
            assert ticket is not None
            ticket.gave_way = partial(over.append, name)
        self.assertIsNotNone(admission.admit(neighbour, 2.25))
        self.assertEqual((over, admission.in_flight), (["first"], 3))
        self.assertIsNotNone(admission.admit(greedy, 2.25))
        self.assertEqual((over, admission.in_flight), (["first", "old"], 3))

    def test_no_question_gives_way_before_its_time(self) -> None:
        """A fifth of a second: a burst of questions does not drive itself out."""
        admission = Admission(Rules(LAN, in_flight=1))
        client = admission.client("192.0.2.1")
        ticket = admission.admit(client, 1.0)
        assert ticket is not None
        self.assertIsNone(admission.admit(client, 1.2))
        self.assertIsNotNone(admission.admit(client, 1.3))
        self.assertFalse(ticket.give_back())
