"""The welcome port, the gate on it, EXIT and stopping."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred

from labnet.command import ports
from labnet.command import service as service_module
from labnet.command.service import CommandService
from labnet.config.services import CommandConfig
from labnet.interfaces import StartError
from tests.command.running import EVERYONE, RunningServer
from tests.fakes import Client, MemoryReactor

FAR = "198.51.100.9"
NEAR = "127.0.0.1"


def clients_of(reactor: MemoryReactor, count: int) -> list[Client]:
    """``count`` clients that connect between two turns of the server."""
    return reactor.arrive(*((NEAR, number) for number in range(1, count + 1)))


class WelcomePortTests(RunningServer):
    """Where it listens."""

    def test_it_listens_on_every_endpoint(self) -> None:
        """TCP, TCP over IPv6, UNIX."""
        self.start(listen=["tcp:8080:interface=127.0.0.1", r"tcp6:8081:interface=\:\:1", "unix:/run/labnet.sock"])
        hosts = [port.getHost() for port in self.service.ports]
        self.assertEqual([(host.host, host.port) for host in hosts[:2]], [("127.0.0.1", 8080), ("::1", 8081)])
        self.assertEqual(hosts[2], UNIXAddress("/run/labnet.sock"))

    def test_a_port_that_is_taken_ends_the_start_in_one_sentence(self) -> None:
        """It says which port, why, and what to do."""
        self.reactor.taken.add(8080)
        with self.assertRaises(StartError) as raised:
            self.start()
        self.assertEqual(
            str(raised.exception),
            "labnet: cannot listen on tcp:8080:interface=127.0.0.1: Address already in use; "
            "free it or change the listener",
        )

    def test_an_endpoint_that_cannot_be_made_ends_the_start_in_one_sentence(self) -> None:
        """A systemd socket can be looked for only now."""
        with self.assertRaises(StartError) as raised:
            self.start(listen="systemd:domain=INET:index=7")
        self.assertTrue(str(raised.exception).startswith("labnet: cannot listen on systemd:domain=INET:index=7: "))

    def test_an_endpoint_that_is_not_ready_at_once_ends_the_start(self) -> None:
        """Privileges are dropped right after, so it cannot be waited for."""

        class Slow:
            def listen(self, factory: object) -> Deferred[None]:
                return Deferred()

        self.patch(ports, "endpoint_of", lambda reactor, description: Slow())
        with self.assertRaises(StartError) as raised:
            self.start()
        self.assertIn("it is not ready at once", str(raised.exception))


class GateOnThePortTests(RunningServer):
    """One at a time on a port that accepts several in one wake-up."""

    def test_the_second_client_is_greeted_when_the_first_has_left(self) -> None:
        """Until then it is connected and hears nothing; what it sent in the meantime is answered."""
        self.start()
        first = self.greeted(NEAR, 1)
        second = self.reactor.connect(NEAR, 2)
        second.send(b"TIME\n")
        self.reactor.pass_time(5)
        self.assertEqual(second.received(), b"")
        first.half_close()
        self.assertTrue(second.received().endswith(b"and your port is 2\n" + self.time()))

    def test_the_systems_queue_is_long_unless_the_endpoint_says_how_long(self) -> None:
        """So that a class that connects in one moment is not told to try again after a second."""
        self.start(listen=["tcp:8080", "tcp:8081:backlog=7"])
        self.assertEqual([port.backlog for port in self.service.ports], [511, 7])

    def test_several_accepted_in_one_wake_up_are_served_in_order(self) -> None:
        """Those that the port took in before it was held wait in the gate."""
        self.start()
        clients = clients_of(self.reactor, 5)
        for client in clients:
            self.assertEqual([other.received() != b"" for other in clients], [other is client for other in clients])
            client.half_close()

    def test_the_port_accepts_no_more_while_somebody_waits(self) -> None:
        """The others stay in the system's queue, where they cost nothing."""
        self.start()
        first, second = clients_of(self.reactor, 2)
        third, fourth = self.reactor.connect(NEAR, 3), self.reactor.connect(NEAR, 4)
        (port,) = self.service.ports
        self.assertEqual(len(port.welcome.queue), 2)
        first.half_close()
        self.assertNotEqual(second.received(), b"")
        second.half_close()
        self.assertNotEqual(third.received(), b"")
        self.assertEqual(fourth.received(), b"")
        self.assertEqual(len(port.welcome.queue), 0)

    def test_one_who_waits_and_leaves_holds_up_nobody(self) -> None:
        """Its leaving is seen when its turn comes, whether it closed or was reset."""
        self.start()
        first, second, third, fourth = clients_of(self.reactor, 4)
        second.half_close()
        third.vanish()
        first.half_close()
        self.assertNotEqual(fourth.received(), b"")
        self.assertEqual(len(self.service.gate.sessions), 1)

    def test_no_limit_serves_everybody_at_once(self) -> None:
        """clients = 0."""
        self.start(clients=0)
        clients = clients_of(self.reactor, 50)
        self.assertTrue(all(client.received() for client in clients))

    def test_three_at_a_time(self) -> None:
        """clients = 3: the fourth is served when one of them leaves."""
        self.start(clients=3)
        clients = clients_of(self.reactor, 5)
        self.assertEqual([client.received() != b"" for client in clients], [True, True, True, False, False])
        clients[1].half_close()
        self.assertEqual([client.received() != b"" for client in clients[3:]], [True, False])

    def test_a_session_has_an_end_while_others_wait(self) -> None:
        """Commands keep it open for ten minutes in all; then the next is served, and each has as long."""
        self.start()
        first, second, third = clients_of(self.reactor, 3)
        for client, after in (first, second), (second, third):
            client.received()
            self.assertEqual(after.received(), b"")
            for _ in range(59):
                self.reactor.pass_time(10)
                client.send(b"TIME\n")
            self.assertFalse(client.closed)
            self.reactor.pass_time(10)
            self.assertTrue(client.closed)
            self.reactor.turn()
        self.assertNotEqual(third.received(), b"")
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"turn": 2})

    def test_a_session_lasts_while_none_waits(self) -> None:
        """One that waits later ends it at once, if it has had its time, and one of several places is given a second."""
        self.start(clients=2, turn=60)
        clients = clients_of(self.reactor, 2)
        for _ in range(10):
            self.reactor.pass_time(10)
            for client in clients:
                client.send(b"TIME\n")
        self.assertEqual([client.closed for client in clients], [False, False])
        waiting = clients_of(self.reactor, 2)
        self.assertEqual([client.closed for client in clients], [True, False])
        self.reactor.pass_time(1)
        self.assertEqual([client.closed for client in clients], [True, True])
        self.assertTrue(all(client.received() for client in waiting))

    def test_a_reload_may_shorten_the_turn(self) -> None:
        """It counts for the session that is served."""
        service = self.start()
        first, second = clients_of(self.reactor, 2)
        self.reactor.pass_time(10)
        service.prepare(CommandConfig(turn=5)).commit()
        self.reactor.turn()
        self.assertTrue(first.closed)
        self.assertNotEqual(second.received(), b"")

    def test_a_port_that_cannot_be_held_has_its_clients_wait_in_the_gate(self) -> None:
        """A listener that is no file descriptor of Twisted's accepts on."""
        self.start(listen=["tcp:8080", "unix:/run/labnet.sock"])
        clients = clients_of(self.reactor, 2)
        self.assertEqual([client.received() != b"" for client in clients], [True, False])


class TimeTests(RunningServer):
    """The reply to TIME."""

    def test_the_time_goes_on(self) -> None:
        """It is that of the second in which the command came."""
        self.start()
        client = self.greeted()
        for second in b"03", b"04", b"05":
            client.send(b"TIME\nTIME\n")
            self.assertEqual(client.received(), (b"Sun Oct  1 13:33:%b 2023\n" % second) * 2)
            self.reactor.pass_time(1)

    def test_the_transcripts_time_has_no_newline(self) -> None:
        """Its client receives once and prints what it got."""
        self.start(replies="transcript")
        client = self.greeted()
        client.send(b"TIME\n", b"foo\n")
        self.assertEqual(client.received(), b"Sun Oct  1 13:33:03 2023WARNING!!! ----> Please enter a valid command!\n")


class ExitTests(RunningServer):
    """EXIT, and how far it reaches."""

    def test_exit_closes_every_socket(self) -> None:
        """The welcome socket, the sessions, those that wait; nothing is said."""
        self.start(clients=2)
        (port,) = self.service.ports
        clients = clients_of(self.reactor, 4)
        for client in clients:
            client.received()
        clients[1].send(b"EXIT\n")
        self.assertTrue(all(client.closed for client in clients))
        self.assertEqual(b"".join(client.received() for client in clients), b"")
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertTrue(port.welcome.closed)
        self.assertEqual(self.service.ports, ())
        self.assertEqual(self.exits, 1)

    def test_exit_is_told_when_all_is_closed(self) -> None:
        """A client that reads slowly has a moment; then it is aborted."""
        self.start(clients=0)
        slow, other = self.greeted(NEAR, 1), self.greeted(NEAR, 2)
        slow.stop_reading()
        slow.send(b"TIME\n")
        other.send(b"EXIT\n")
        self.assertTrue(other.closed)
        self.assertEqual(self.exits, 0)
        self.reactor.pass_time(0.6)
        self.assertTrue(slow.reset)
        self.assertEqual(self.exits, 1)

    def test_exit_does_not_wait_for_one_who_has_half_closed(self) -> None:
        """Its unread replies have that moment too, not the rest of the time-out."""
        self.start(clients=0)
        slow, other = self.greeted(NEAR, 1), self.greeted(NEAR, 2)
        slow.stop_reading()
        slow.post(b"TIME\n")
        slow.half_close()
        other.send(b"EXIT\n")
        self.reactor.pass_time(0.6)
        self.assertTrue(slow.closed)
        self.assertEqual(self.exits, 1)

    def test_commands_before_exit_are_answered_and_those_after_are_not(self) -> None:
        """All in one segment."""
        for replies in "handout", "transcript":
            self.reactor = MemoryReactor()
            self.start(replies=replies)
            client = self.greeted()
            client.send(b"TIME\nEXIT\nTIME\n")
            self.assertEqual(client.received(), self.time())
            self.assertTrue(client.closed)
            self.tearDown()

    def test_exit_without_newline_is_an_exit(self) -> None:
        """After the moment that a command without newline takes."""
        self.start()
        self.greeted().send(b"EXIT")
        self.assertEqual(self.exits, 0)
        self.reactor.pass_time(0.05)
        self.assertEqual(self.exits, 1)

    def test_exit_from_elsewhere_closes_that_connection_alone(self) -> None:
        """By default only this machine may close all."""
        self.start(clients=2, allow=EVERYONE)
        near, far, waits = self.greeted(NEAR, 1), self.greeted(FAR, 2), self.reactor.connect(NEAR, 3)
        far.send(b"EXIT\n")
        self.assertTrue(far.closed)
        self.assertFalse(near.closed)
        self.assertNotEqual(waits.received(), b"")
        self.assertEqual(self.exits, 0)

    def test_the_networks_whose_exit_closes_all_are_configured(self) -> None:
        """IPv4 networks hold mapped addresses too; with none of them nobody's EXIT closes all."""
        cases = [
            (["198.51.100.0/24"], FAR, 1),
            (["198.51.100.0/24"], NEAR, 0),
            (["198.51.100.0/24"], "::ffff:198.51.100.9", 1),
            (["::/0"], FAR, 0),
            (["2001:db8::/32", "10.0.0.0/8"], "2001:db8::1", 1),
            (["fe80::/10"], "fe80::1", 1),
            ([], NEAR, 0),
        ]
        for networks, host, exits in cases:
            self.reactor, self.exits = MemoryReactor(), 0
            self.start(listen=r"tcp6:8080:interface=\:\:", exit_from=networks, allow=EVERYONE)
            client = self.greeted(host, 1, *((0, 0) if ":" in host else ()))
            client.send(b"EXIT\n")
            self.assertTrue(client.closed)
            self.assertEqual((host, self.exits), (host, exits))
            self.tearDown()

    def test_users_whose_exit_closes_all_are_configured(self) -> None:
        """For machines on which everybody has the same address; one that is in a network is not looked up."""
        asked: list[Any] = []
        users: list[int | None] = []

        def user_of(transport: Any) -> int | None:
            asked.append(transport)
            return users[0]

        self.patch(service_module, "user_of", user_of)
        for exit_from, uid, exits, looks in (
            (["user:1000"], 1000, 1, 1),
            (["user:1000", "user:1001"], 1001, 1, 1),
            (["user:1000", "198.51.100.0/24"], 1001, 0, 1),
            (["user:1000"], None, 0, 1),
            (["127.0.0.0/8", "user:1000"], 1001, 1, 0),
            (["198.51.100.0/24"], 1000, 0, 0),
        ):
            self.reactor, self.exits = MemoryReactor(), 0
            asked.clear()
            users[:] = [uid]
            self.start(exit_from=exit_from)
            client = self.greeted()
            client.send(b"EXIT\n")
            self.assertTrue(client.closed)
            self.assertEqual((exit_from, self.exits, len(asked)), (exit_from, exits, looks))
            self.tearDown()

    def test_it_can_be_opened_again_after_an_exit(self) -> None:
        """By the configuration of then; a port that is taken leaves it closed."""
        service = self.start()
        self.greeted().send(b"EXIT\n")
        self.assertEqual((self.exits, service.ports), (1, ()))
        self.reactor.taken.add(8081)
        with self.assertRaises(StartError):
            service.open(CommandConfig(listen="tcp:8081"))
        self.assertEqual(service.ports, ())
        service.open(CommandConfig(timeout=5))
        (port,) = service.ports
        client = self.reactor.arrive((NEAR, 9), port=self.reactor.tcpPorts.index(port))[0]
        self.assertNotEqual(client.received(), b"")
        client.send(b"EXIT\n")
        self.assertEqual((self.exits, service.ports), (2, ()))

    def test_loopback_may_close_all_by_default(self) -> None:
        """In all its forms."""
        for host in "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1":
            self.reactor, self.exits = MemoryReactor(), 0
            self.start(listen=r"tcp6:8080:interface=\:\:")
            self.greeted(host, 1, *((0, 0) if ":" in host else ())).send(b"EXIT\n")
            self.assertEqual((host, self.exits), (host, 1))
            self.tearDown()

    def test_the_transcripts_exit_closes_its_own_connection(self) -> None:
        """From anywhere; the server goes on with the next client."""
        self.start(replies="transcript")
        first, second = clients_of(self.reactor, 2)
        first.received()
        first.send(b"EXIT\n")
        self.assertTrue(first.closed)
        self.assertEqual(first.received(), b"")
        self.assertNotEqual(second.received(), b"")
        self.assertEqual(self.exits, 0)


class StoppingTests(RunningServer):
    """The end of the process."""

    def test_stopping_closes_every_socket_and_waits_for_it(self) -> None:
        """It fires when the slowest has gone."""
        self.start(clients=1)
        (port,) = self.service.ports
        slow, waits = clients_of(self.reactor, 2)
        slow.stop_reading()
        slow.send(b"TIME\n")
        stopped = self.service.stopService()
        self.reactor.turn()
        self.assertNoResult(stopped)
        self.assertTrue(waits.closed)
        self.assertTrue(port.welcome.closed)
        self.reactor.pass_time(0.6)
        self.successResultOf(stopped)
        self.assertTrue(slow.closed)
        self.assertEqual(self.exits, 0)

    def test_stopping_does_not_serve_those_who_waited(self) -> None:
        """Their turn does not come any more."""
        self.start()
        _, second, third = clients_of(self.reactor, 3)
        self.service.stopService()
        self.reactor.turn()
        self.assertEqual(second.received() + third.received(), b"")

    def test_a_server_without_clients_stops_at_once(self) -> None:
        """As soon as its port is closed."""
        self.start()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.reactor.turn()
        self.successResultOf(stopped)

    def test_stopping_after_exit_finds_nothing_to_close(self) -> None:
        """Nor does a stop in the middle of an EXIT have its end told to a process that is ending already."""
        self.start()
        self.greeted().send(b"EXIT\n")
        self.assertEqual(self.exits, 1)
        self.successResultOf(self.service.stopService())

    def test_a_stop_overtakes_an_exit(self) -> None:
        """A process that is ending already is not told to end."""
        self.start(clients=0)
        slow, other = self.greeted(NEAR, 1), self.greeted(NEAR, 2)
        slow.stop_reading()
        slow.send(b"TIME\n")
        other.send(b"EXIT\n")
        stopped = self.service.stopService()
        self.reactor.pass_time(0.6)
        self.successResultOf(stopped)
        self.assertEqual(self.exits, 0)

    def test_a_server_that_never_listened_stops(self) -> None:
        """As when another service could not start."""
        self.reactor.taken.add(8080)
        server = CommandService(CommandConfig(), self.reactor, self._exited)
        self.assertRaises(StartError, server.privilegedStartService)
        self.successResultOf(server.stopService())

    def test_start_error_words_any_reason(self) -> None:
        """The system's words where there are some, else the error's own."""
        self.assertIn(": Permission denied; ", str(StartError("x", OSError(errno.EACCES, "Permission denied"))))
        self.assertIn(": no such thing; ", str(StartError("x", ValueError("no such thing"))))
