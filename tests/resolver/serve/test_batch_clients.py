"""Tests for :mod:`labnet.resolver.serve.batch_clients`: nobody is given more than the rules say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batch import BATCH, Incoming
from labnet.resolver.clients.admission import Admission, Rules
from labnet.resolver.serve.batch_clients import Senders
from labnet.values import IPNetwork
from tests.net.test_batch import put

FREE, ALSO_FREE, OUTSIDE, DENIED, NO_RECURSION, LIMITED = (f"10.0.{number}.1" for number in range(6))
REMEMBERED = 10_000
"""Clients after which all are forgotten."""


def networks(*texts: str) -> list[IPNetwork]:
    return [ipaddress.ip_network(text) for text in texts]


ALL = networks("0.0.0.0/0", "::/0")
MIXED = Rules(
    allow=networks(FREE, ALSO_FREE, DENIED, NO_RECURSION, LIMITED),
    deny=networks(DENIED),
    recursion=networks(FREE, ALSO_FREE, DENIED, LIMITED),
    exempt=networks(FREE, ALSO_FREE, OUTSIDE, DENIED, NO_RECURSION),
    rate=1,
    burst=5,
)


class Batches:
    """Batches of datagrams that the test makes up, and what has the rules."""

    def __init__(self, rules: Rules = MIXED, ipv6: bool = False) -> None:
        self.admission = Admission(rules)
        self.incoming = Incoming(-1, ipv6)
        self.senders = Senders(self.incoming, self)

    def strange(self, hosts: Iterable[str], now: float = 0.0) -> list[int]:
        """Which slots of a batch from ``hosts`` are of strangers."""
        count = 0
        for host in hosts:
            put(self.incoming, count, host)
            count += 1
        strangers = self.senders.strangers(count, now)
        return [slot for slot in range(count) if slot in strangers]


class SendersTests(SynchronousTestCase):
    def test_each_by_the_rules(self) -> None:
        """Of a batch those are strangers who are outside, denied, or may have the records alone."""
        for hosts, strange in (
            ((FREE,), []),
            ((OUTSIDE,), [0]),
            ((DENIED,), [0]),
            ((NO_RECURSION,), [0]),
            ((LIMITED,), []),
            ((FREE, ALSO_FREE, FREE), []),
            ((FREE, OUTSIDE, ALSO_FREE, DENIED, FREE, NO_RECURSION, OUTSIDE), [1, 3, 5, 6]),
            ((OUTSIDE, FREE), [0]),
        ):
            batches = Batches()
            for _ in range(3):
                self.assertEqual(batches.strange(hosts), strange, hosts)

    def test_whoever_came_before(self) -> None:
        """A batch of one sender after another's, and a mixed one after both."""
        batches = Batches()
        for host, others in ((FREE, (OUTSIDE, DENIED)), (ALSO_FREE, (NO_RECURSION, OUTSIDE))):
            for _ in range(2):
                for _ in range(2):
                    self.assertEqual(batches.strange([host] * BATCH), [])
                self.assertTrue(batches.incoming.is_usual(BATCH))
                for other in others:
                    self.assertEqual(batches.strange([host] * (BATCH - 1) + [other]), [BATCH - 1])
                    self.assertEqual(batches.strange([other]), [0])

    def test_ipv6(self) -> None:
        """Neighbours and those of another network with the same end are others."""
        usual, neighbour, far = "2001:db8::1", "2001:db8::2", "2001:db9::1"
        batches = Batches(Rules(networks(usual)), ipv6=True)
        for _ in range(2):
            self.assertEqual(batches.strange([usual] * 3), [])
            self.assertEqual(batches.strange([usual, neighbour, usual, far]), [1, 3])
            self.assertEqual(batches.strange([neighbour]), [0])
            self.assertEqual(batches.strange([far]), [0])

    def test_a_rate_is_taken_from(self) -> None:
        """By as many as there are of a sender in the batch: all of them or none; who is exempt is not counted."""
        batches = Batches()
        self.assertEqual(batches.strange([LIMITED, FREE, LIMITED, LIMITED]), [])
        self.assertEqual(batches.strange([FREE, LIMITED, LIMITED, LIMITED]), [1, 2, 3])
        self.assertEqual(batches.strange([LIMITED, LIMITED]), [])
        self.assertEqual(batches.strange([LIMITED]), [0])
        self.assertEqual(batches.strange([FREE] * BATCH), [])
        self.assertEqual(batches.strange([LIMITED], now=1.0), [])
        self.assertEqual(batches.strange([LIMITED], now=1.0), [0])

    def test_the_rate_of_the_usual_sender(self) -> None:
        """Is taken from as any other's, by all of the batch; who comes after him is not charged for it."""
        batches = Batches(replace(MIXED, burst=20))
        self.assertEqual(batches.strange([FREE]), [])
        for _ in range(3):
            self.assertEqual(batches.strange([LIMITED] * 4), [])
        self.assertTrue(batches.incoming.is_usual(4))
        self.assertEqual(batches.strange([LIMITED] * 9), [*range(9)])
        self.assertEqual(batches.strange([LIMITED] * 8), [])
        for _ in range(3):
            self.assertEqual(batches.strange([FREE] * 2), [])
            self.assertEqual(batches.strange([LIMITED] * 2), [0, 1])
        self.assertEqual(batches.strange([LIMITED] * 3, now=3.0), [])
        batches.admission.change(MIXED)
        self.assertEqual(batches.strange([LIMITED] * 6), [*range(6)])

    def test_rules_change(self) -> None:
        """From the next batch on those of now count, whatever was remembered by the earlier ones."""
        batches = Batches()
        for _ in range(2):
            self.assertEqual(batches.strange([FREE] * 3), [])
        batches.admission.change(Rules(networks(OUTSIDE)))
        self.assertFalse(batches.senders.first_is_free())
        for _ in range(2):
            self.assertEqual(batches.strange([FREE] * 3), [0, 1, 2])
        self.assertEqual(batches.strange([FREE, OUTSIDE]), [0])
        batches.admission.change(MIXED)
        self.assertEqual(batches.strange([FREE, OUTSIDE]), [1])

    def test_the_first_is_free(self) -> None:
        """If of him nothing has to be counted, and that was found out under the rules of now."""
        for host, is_free in (
            (FREE, True),
            (OUTSIDE, False),
            (DENIED, False),
            (NO_RECURSION, False),
            (LIMITED, False),
        ):
            batches = Batches()
            put(batches.incoming, 0, host)
            self.assertFalse(batches.senders.first_is_free())
            batches.strange([host])
            self.assertEqual(batches.senders.first_is_free(), is_free, host)
            batches.strange([OUTSIDE, host])
            self.assertFalse(batches.senders.first_is_free())
            put(batches.incoming, 0, host)
            self.assertEqual(batches.senders.first_is_free(), is_free, host)
            batches.admission.change(MIXED)
            self.assertFalse(batches.senders.first_is_free())

    def test_the_client_of_a_slot(self) -> None:
        """As the rules see him, also of the usual sender; nobody who was not asked about."""
        batches = Batches()
        put(batches.incoming, 0, FREE)
        self.assertIsNone(batches.senders.client(0))
        for _ in range(2):
            batches.strange([FREE, FREE])
            self.assertEqual(batches.senders.client(1), batches.admission.client(FREE))
        batches.strange([FREE, DENIED])
        self.assertEqual(batches.senders.client(1), batches.admission.client(DENIED))
        batches.admission.change(Rules(networks(DENIED)))
        batches.strange([FREE, DENIED])
        self.assertEqual(batches.senders.client(1), batches.admission.client(DENIED))
        self.assertIs(batches.senders.client(0), batches.admission.client(FREE))

    def test_so_many_are_remembered(self) -> None:
        """Then all are forgotten, and learned anew."""
        batches = Batches(Rules(ALL))
        hosts = [str(ipaddress.ip_address("10.0.0.0") + number) for number in range(REMEMBERED + BATCH)]
        for first in range(0, REMEMBERED, BATCH):
            self.assertEqual(batches.strange(hosts[first : first + BATCH]), [])
        put(batches.incoming, 0, hosts[0])
        self.assertTrue(batches.senders.first_is_free())
        self.assertEqual(batches.strange(["192.0.2.1"]), [])
        put(batches.incoming, 0, hosts[0])
        self.assertFalse(batches.senders.first_is_free())
        self.assertEqual(batches.strange(hosts[:BATCH]), [])
        self.assertTrue(batches.senders.first_is_free())
