"""A lab with zones of other servers: they are taken as files are, by the configuration that runs."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred

from labnet.console.actions import actions_of
from labnet.console.control import ControlError
from labnet.daemon import base
from labnet.daemon.service import LabService
from labnet.resolver.transfers.secondary import SOONEST
from labnet.wire.names import key_of
from tests.daemon.test_service_reload import ReloadTestCase
from tests.resolver.dnsfakes import FakeConnection
from tests.resolver.transfers.test_incoming import a, message, soa

SECONDARY = '[resolver.main]\nlisten = "udp:1199"\n[resolver.main.secondary]\n"lab.test" = "192.0.2.1"\n'


class SecondaryLabTests(ReloadTestCase):
    """One resolver that has ``lab.test`` from a primary."""

    def started(self) -> LabService:
        """The lab, which has asked for the zone."""
        self.patch(base, "deferToThreadPool", lambda reactor, pool, work: maybeDeferred(work))
        self.reactor.getThreadPool = lambda: None
        lab = self.lab(SECONDARY)
        lab.privilegedStartService()
        lab.startService()
        self.addCleanup(lab.stopService)
        self.reactor.advance(0)
        return lab

    def transfer(self, *records: str) -> None:
        """The primary answers."""
        connection = FakeConnection(self.reactor)
        connection.receive(message(*records, id=int.from_bytes(connection.query[:2], "big")))
        self.reactor.advance(0)

    def test_zone_that_came_is_served_without_a_look_at_the_configuration(self) -> None:
        """What an operator is writing there counts only when it is reloaded."""
        lab = self.started()
        self.write("[half a table\n")
        self.transfer(soa(5), a("www", 1), soa(5))
        self.assertEqual(lab.status()["secondary"][0]["state"], "served")
        self.assertEqual(lab.status()["reload"]["problems"], [])
        self.assertIn(key_of("www.lab.test"), lab.resolvers["main"]._resolver.zone)
        lab.reload()
        self.assertNotEqual(lab.status()["reload"]["problems"], [])

    def test_transfer_is_an_order(self) -> None:
        """It tells what came of it; a zone of files is none of others."""
        lab = self.started()
        order = actions_of(lab)["transfer"]
        self.transfer(soa(5), a("www", 1), soa(5))
        told: list[Any] = []
        order({"name": "lab.test"}).addCallback(told.append)
        self.reactor.advance(SOONEST)
        self.transfer(soa(5))
        self.assertEqual(told, [[["main", "lab.test", True, "serial 5 is the newest, from 192.0.2.1:53"]]])
        with self.assertRaisesRegex(ControlError, "no resolver has other from other servers"):
            order({"name": "other"})

    def test_notify_has_the_primary_asked(self) -> None:
        """It comes to the resolver, and goes to what has the zones; so it does from a worker."""
        lab = self.started()
        self.transfer(soa(5), a("www", 1), soa(5))
        self.reactor.advance(SOONEST)
        lab.zones.notified("main", key_of("lab.test"), 6, "192.0.2.1")
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.tcpClients), 2)

    def test_what_was_counted_is_told(self) -> None:
        """With what every service counts."""
        lab = self.started()
        self.transfer(soa(5), a("www", 1), soa(5))
        samples = {(sample.name, sample.labels): sample.value for sample in lab.samples()}
        self.assertEqual(samples["labnet_transfers_total", ("main", "in", "axfr", "done")], 1)
        self.assertEqual(samples["labnet_secondary_expires_seconds", ("main", "lab.test")], 86400)
