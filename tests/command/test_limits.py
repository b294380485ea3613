"""Connections that are refused, and what the log and the metrics say of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.logger import LogEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from labnet.command import service
from labnet.command.protocol import CommandFactory
from labnet.interfaces import IMeasured
from labnet.metrics import FAMILIES
from labnet.net.kernel import memory
from tests.command.running import EVERYONE, TIME, RunningServer

NEAR = "127.0.0.1"
FAR = "198.51.100.9"


class RefusalTests(RunningServer):
    """Who may not connect is closed at once."""

    def setUp(self) -> None:
        super().setUp()
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def refusals(self) -> list[LogEvent]:
        return [event for event in self.events if event.get("event") == "command.refused"]

    def test_who_is_not_allowed_is_closed_at_once(self) -> None:
        """Without a word; it is counted, and others are served."""
        self.start()
        client = self.reactor.connect(FAR)
        self.assertTrue(client.closed)
        self.assertEqual(client.received(), b"")
        self.assertNotEqual(self.reactor.connect(NEAR).received(), b"")
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"denied": 1})

    def test_an_ipv4_client_of_an_ipv6_port_is_known_by_its_ipv4_address(self) -> None:
        """For the networks and for the limit."""
        self.start(listen=r"tcp6:8080:interface=\:\:", clients=0, sessions_per_address=1)
        self.assertTrue(self.reactor.connect("::ffff:198.51.100.9", 1, 0, 0).closed)
        self.assertFalse(self.reactor.connect("::ffff:127.0.0.1", 1, 0, 0).closed)
        self.assertTrue(self.reactor.connect(NEAR, 2).closed)
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"denied": 1, "limit": 1})

    def test_a_client_on_a_unix_socket_counts_as_loopback(self) -> None:
        """It is served where loopback is."""
        factory = CommandFactory(self.start(allow=["192.0.2.0/24"]))
        self.assertIsNone(factory.buildProtocol(None))
        self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))

    def test_waiting_sessions_count_too(self) -> None:
        """The limit on all of them is on what the server holds."""
        self.start(sessions=3)
        clients = self.reactor.arrive(*((NEAR, number) for number in range(5)))
        self.assertEqual([client.closed for client in clients], [False] * 3 + [True] * 2)
        self.assertEqual(self.counted("labnet_sessions"), {"served": 1, "waiting": 2})

    def test_one_that_leaves_makes_room(self) -> None:
        """For another of its address."""
        self.start(clients=0, sessions_per_address=2)
        first, _ = self.greeted(NEAR, 1), self.greeted(NEAR, 2)
        self.assertTrue(self.reactor.connect(NEAR, 3).closed)
        first.half_close()
        client = self.greeted(NEAR, 4)
        client.send(b"TIME\n")
        self.assertEqual(client.received(), TIME)

    def test_new_connections_are_limited_in_their_rate(self) -> None:
        """And come again as time passes."""
        self.start(clients=0, connect_rate=3)
        clients = self.reactor.arrive(*((NEAR, number) for number in range(8)))
        self.assertEqual(sum(client.closed for client in clients), 2)
        self.reactor.pass_time(1)
        self.assertFalse(self.reactor.connect(NEAR, 9).closed)
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"rate": 2})

    def test_refusals_are_told_once_a_second_at_most(self) -> None:
        """With their number, and why the last one was."""
        self.start(clients=0, sessions=1)
        self.greeted(NEAR)
        for _ in range(5):
            self.reactor.connect(NEAR)
        self.reactor.pass_time(1)
        self.reactor.connect(NEAR)
        self.assertEqual([event["count"] for event in self.refusals()], [1, 5])
        self.assertIn("`sessions`", self.refusals()[0]["why"])

    def test_who_is_not_allowed_is_told_once_a_minute_for_each_network(self) -> None:
        """With how many they were."""
        self.start(allow=["192.0.2.0/24"])
        for _ in range(5):
            self.reactor.connect(FAR)
        self.reactor.pass_time(1)
        self.reactor.connect(NEAR)
        self.reactor.pass_time(59)
        self.reactor.connect(FAR)
        told = [(event["count"], event["host"]) for event in self.refusals()]
        self.assertEqual(told, [(1, FAR), (1, NEAR), (5, FAR)])
        self.assertIn("`allow`", self.refusals()[0]["why"])

    def test_an_http_request_closes_the_connection(self) -> None:
        """A web page's form or fetch: nothing in its body is a command, and the log says so once a second at most."""
        self.start(clients=0)
        for number in range(3):
            client = self.greeted(NEAR, number)
            client.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\nx=1\r\nEXIT\r\n")
            self.assertTrue(client.closed)
            self.assertEqual(client.received(), b"")
        self.assertEqual(self.exits, 0)
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"http": 3})
        self.assertEqual(self.counted("labnet_commands_total"), {})
        (event,) = self.refusals()
        self.assertIn("HTTP", event["why"])

    def test_an_http_request_in_pieces_closes_the_connection(self) -> None:
        """Its head comes in one segment and its body in another, or its line is longer than a command."""
        self.start(clients=0)
        for segments in (
            [b"GET / HT", b"TP/1.1\r\n", b"Host: x\r\n\r\n", b"EXIT\r\n"],
            [b"POST /" + b"x" * 5000, b" HTTP/1.1\r\nHost: x\r\n\r\nEXIT\r\n"],
            [b"Host: x\r\n", b"EXIT\r\n"],
        ):
            client = self.greeted()
            client.send(*segments)
            self.assertTrue(client.closed)
        self.assertEqual(self.exits, 0)


class CountingTests(RunningServer):
    """What the metrics show of sessions."""

    def ends(self, **settings: Any) -> dict[str, int]:
        return self.counted("labnet_sessions_ended_total")

    def test_every_sample_is_of_a_family(self) -> None:
        """With its labels."""
        service = self.start()
        self.assertTrue(verifyObject(IMeasured, service))
        for sample in service.samples():
            self.assertEqual(len(sample.labels), len(FAMILIES[sample.name].labels))

    def test_ends_are_counted_by_their_reason(self) -> None:
        """The client's own, its time-out, its EXIT."""
        self.start(clients=0, replies="transcript")
        leaves, vanishes, exits, _ = (self.greeted(NEAR, number) for number in range(4))
        leaves.half_close()
        vanishes.vanish()
        exits.send(b"EXIT\n")
        self.reactor.pass_time(16)
        self.assertEqual(self.ends(), {"client": 2, "exit": 1, "timeout": 1})

    def test_an_unread_end_is_a_time_out(self) -> None:
        """Of one that half-closed and does not read."""
        self.start()
        client = self.greeted()
        client.stop_reading()
        client.send(b"TIME\n")
        client.half_close()
        self.reactor.pass_time(16)
        self.assertEqual(self.ends(), {"timeout": 1})

    def test_an_exit_ends_all(self) -> None:
        """Those who wait too; one that has ended already keeps its reason."""
        self.start(clients=2)
        first, *_ = self.reactor.arrive(*((NEAR, number) for number in range(4)))
        first.send(b"EXIT\n")
        self.assertEqual(self.ends(), {"exit": 4})

    def test_a_stop_ends_all(self) -> None:
        """By the server."""
        service = self.start(clients=0, allow=EVERYONE)
        self.greeted(NEAR, 1)
        self.greeted(FAR, 2)
        service.stopService()
        self.reactor.pass_time(1)
        self.assertEqual(self.ends(), {"server": 2})

    def test_the_memory_of_a_crowd_is_given_back(self) -> None:
        """When the last of it has left, and no sooner."""
        trims: list[None] = []
        self.patch(service, "CROWD", 3)
        self.patch(memory, "trim", lambda: trims.append(None))
        self.start(clients=0)
        for count, expected in (2, []), (3, [None]):
            clients = [self.greeted(NEAR, number) for number in range(count)]
            for client in clients:
                self.reactor.pass_time(4)
                self.assertEqual(trims, [])
                client.half_close()
            self.reactor.pass_time(4)
            self.assertEqual(trims, expected)
