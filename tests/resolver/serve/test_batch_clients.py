"""Tests for :mod:`labnet.resolver.serve.batch_clients`: nobody is given more than the rules say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches.batch import BATCH, Incoming
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.filtering.lists import BlockList
from labnet.resolver.filtering.screen import Screens
from labnet.resolver.serve.batch_clients import BatchClients
from labnet.values.addresses import IPNetwork
from tests.net.sockaddr import put

UNLIMITED, ALSO_UNLIMITED, OUTSIDE, DENIED, NO_RECURSION, LIMITED = (f"10.0.{number}.1" for number in range(6))
REMEMBERED = 10_000
"""Clients after which all are forgotten."""


def networks(*texts: str) -> list[IPNetwork]:
    return [ipaddress.ip_network(text) for text in texts]


ALL = networks("0.0.0.0/0", "::/0")
MIXED = Rules(
    allow=networks(UNLIMITED, ALSO_UNLIMITED, DENIED, NO_RECURSION, LIMITED),
    deny=networks(DENIED),
    recursion=networks(UNLIMITED, ALSO_UNLIMITED, DENIED, LIMITED),
    exempt=networks(UNLIMITED, ALSO_UNLIMITED, OUTSIDE, DENIED, NO_RECURSION),
    rate=1,
    burst=5,
)


class Batches:
    """Batches of datagrams that the test makes up, and what has the rules."""

    def __init__(self, rules: Rules = MIXED, ipv6: bool = False) -> None:
        self.admission = Admission(rules)
        self.incoming = Incoming(-1, ipv6)
        self.clients = BatchClients(self.incoming, self)

    def limited(self, hosts: Iterable[str], now: float = 0.0) -> list[int]:
        """Which slots of a batch from ``hosts`` may not simply be given what is ready."""
        count = 0
        for host in hosts:
            put(self.incoming, count, host)
            count += 1
        limited = self.clients.rate_limited(count, now)
        return [slot for slot in range(count) if slot in limited]


class BatchClientsTests(SynchronousTestCase):
    def test_each_by_the_rules(self) -> None:
        """Of a batch those are told apart who are outside, denied, or may have the records alone."""
        for hosts, limited in (
            ((UNLIMITED,), []),
            ((OUTSIDE,), [0]),
            ((DENIED,), [0]),
            ((NO_RECURSION,), [0]),
            ((LIMITED,), []),
            ((UNLIMITED, ALSO_UNLIMITED, UNLIMITED), []),
            ((UNLIMITED, OUTSIDE, ALSO_UNLIMITED, DENIED, UNLIMITED, NO_RECURSION, OUTSIDE), [1, 3, 5, 6]),
            ((OUTSIDE, UNLIMITED), [0]),
        ):
            batches = Batches()
            for _ in range(3):
                self.assertEqual(batches.limited(hosts), limited, hosts)

    def test_whoever_came_before(self) -> None:
        """A batch of one sender after another's, and a mixed one after both."""
        batches = Batches()
        for host, others in ((UNLIMITED, (OUTSIDE, DENIED)), (ALSO_UNLIMITED, (NO_RECURSION, OUTSIDE))):
            for _ in range(2):
                for _ in range(2):
                    self.assertEqual(batches.limited([host] * BATCH), [])
                self.assertTrue(batches.incoming.is_from_most_recent(BATCH))
                for other in others:
                    self.assertEqual(batches.limited([host] * (BATCH - 1) + [other]), [BATCH - 1])
                    self.assertEqual(batches.limited([other]), [0])

    def test_who_has_lists_of_its_own_is_not_given_what_is_ready(self) -> None:
        """That is made for those who have the usual ones."""
        only = BlockList("only", only_for=tuple(networks("10.0.1.0/24")))
        batches = Batches(replace(MIXED, screens=Screens([only], None, Clock())))
        for _ in range(2):
            self.assertEqual(batches.limited([UNLIMITED, ALSO_UNLIMITED, LIMITED]), [1])
            self.assertEqual(batches.limited([ALSO_UNLIMITED] * 3), [0, 1, 2])
            self.assertEqual(batches.limited([UNLIMITED] * 3), [])

    def test_ipv6(self) -> None:
        """Neighbours and those of another network with the same end are others."""
        usual, neighbour, far = "2001:db8::1", "2001:db8::2", "2001:db9::1"
        batches = Batches(Rules(networks(usual)), ipv6=True)
        for _ in range(2):
            self.assertEqual(batches.limited([usual] * 3), [])
            self.assertEqual(batches.limited([usual, neighbour, usual, far]), [1, 3])
            self.assertEqual(batches.limited([neighbour]), [0])
            self.assertEqual(batches.limited([far]), [0])

    def test_a_rate_is_taken_from(self) -> None:
        """By as many as there are of a sender in the batch: all of them or none; who is exempt is not counted."""
        batches = Batches()
        self.assertEqual(batches.limited([LIMITED, UNLIMITED, LIMITED, LIMITED]), [])
        self.assertEqual(batches.limited([UNLIMITED, LIMITED, LIMITED, LIMITED]), [1, 2, 3])
        self.assertEqual(batches.limited([LIMITED, LIMITED]), [])
        self.assertEqual(batches.limited([LIMITED]), [0])
        self.assertEqual(batches.limited([UNLIMITED] * BATCH), [])
        self.assertEqual(batches.limited([LIMITED], now=1.0), [])
        self.assertEqual(batches.limited([LIMITED], now=1.0), [0])

    def test_the_rate_of_the_usual_sender(self) -> None:
        """Is taken from as any other's, by all of the batch; who comes after him is not charged for it."""
        batches = Batches(replace(MIXED, burst=20))
        self.assertEqual(batches.limited([UNLIMITED]), [])
        for _ in range(3):
            self.assertEqual(batches.limited([LIMITED] * 4), [])
        self.assertTrue(batches.incoming.is_from_most_recent(4))
        self.assertEqual(batches.limited([LIMITED] * 9), [*range(9)])
        self.assertEqual(batches.limited([LIMITED] * 8), [])
        for _ in range(3):
            self.assertEqual(batches.limited([UNLIMITED] * 2), [])
            self.assertEqual(batches.limited([LIMITED] * 2), [0, 1])
        self.assertEqual(batches.limited([LIMITED] * 3, now=3.0), [])
        batches.admission.change(MIXED)
        self.assertEqual(batches.limited([LIMITED] * 6), [*range(6)])

    def test_rules_change(self) -> None:
        """From the next batch on those of now count, whatever was remembered by the earlier ones."""
        batches = Batches()
        for _ in range(2):
            self.assertEqual(batches.limited([UNLIMITED] * 3), [])
        batches.admission.change(Rules(networks(OUTSIDE)))
        for _ in range(2):
            self.assertEqual(batches.limited([UNLIMITED] * 3), [0, 1, 2])
        self.assertEqual(batches.limited([UNLIMITED, OUTSIDE]), [0])
        batches.admission.change(MIXED)
        self.assertEqual(batches.limited([UNLIMITED, OUTSIDE]), [1])

    def test_the_client_of_a_slot(self) -> None:
        """As the rules see him, also of the usual sender; nobody who was not asked about."""
        batches = Batches()
        put(batches.incoming, 0, UNLIMITED)
        self.assertIsNone(batches.clients.client(0))
        for _ in range(2):
            batches.limited([UNLIMITED, UNLIMITED])
            self.assertEqual(batches.clients.client(1), batches.admission.client(UNLIMITED))
        batches.limited([UNLIMITED, DENIED])
        self.assertEqual(batches.clients.client(1), batches.admission.client(DENIED))
        batches.admission.change(Rules(networks(DENIED)))
        batches.limited([UNLIMITED, DENIED])
        self.assertEqual(batches.clients.client(1), batches.admission.client(DENIED))
        self.assertIs(batches.clients.client(0), batches.admission.client(UNLIMITED))

    def test_so_many_are_remembered(self) -> None:
        """Then all are forgotten, and learned anew."""
        batches = Batches(Rules(ALL))
        hosts = [str(ipaddress.ip_address("10.0.0.0") + number) for number in range(REMEMBERED + BATCH)]
        for first in range(0, REMEMBERED, BATCH):
            self.assertEqual(batches.limited(hosts[first : first + BATCH]), [])
        put(batches.incoming, 0, hosts[0])
        self.assertIsNotNone(batches.clients.client(0))
        self.assertEqual(batches.limited(["192.0.2.1"]), [])
        put(batches.incoming, 0, hosts[0])
        self.assertIsNone(batches.clients.client(0))
        self.assertEqual(batches.limited(hosts[:BATCH]), [])
        self.assertIsNotNone(batches.clients.client(0))
