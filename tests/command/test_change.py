"""Another configuration while it runs, and the end of a running server."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from labnet.config.services import CommandConfig
from labnet.interfaces import IChange, StartError
from tests.command.running import INVALID, TIME, RunningServer

NEAR = "127.0.0.1"
OTHER = "127.0.0.2"
LOCAL = "tcp:8080:interface=127.0.0.1"
CLOSING = b"The server is closing\n"


class ChangeTests(RunningServer):
    """What prepare() gives, committed or cancelled."""

    def change(self, **settings: Any) -> None:
        self.service.prepare(CommandConfig(**settings)).commit()

    def test_a_change_is_prepared_and_taken(self) -> None:
        """Nothing of it counts before."""
        service = self.start()
        change = service.prepare(CommandConfig(replies="transcript"))
        self.assertTrue(verifyObject(IChange, change))
        self.assertTrue(self.greeted().closed is False)
        change.commit()
        client = self.reactor.connect(NEAR, 2)
        self.reactor.pass_time(16)
        self.assertTrue(client.received().startswith(b"MESSAGE!!! ----> We are now connected"))

    def test_a_port_that_stays_is_the_same_port(self) -> None:
        """It is never closed, not even for a moment."""
        self.start()
        before = self.service.ports
        self.change(timeout=1)
        self.assertEqual(self.service.ports, before)
        self.reactor.turn()
        self.assertFalse(before[0].welcome.closed)

    def test_ports_are_opened_and_closed(self) -> None:
        """By their endpoints; sessions of one that is closed go on."""
        self.start(clients=0, listen=[LOCAL, "tcp:8081"])
        staying, gone = self.service.ports
        client = self.reactor.arrive((NEAR, 1), port=1)[0]
        self.change(clients=0, listen=["tcp:8082", LOCAL])
        self.reactor.turn()
        self.assertEqual([port.port for port in self.service.ports], [8080, 8082])
        self.assertIs(self.service.ports[0], staying)
        self.assertTrue(gone.welcome.closed)
        client.received()
        client.send(b"TIME\n")
        self.assertEqual(client.received(), TIME)
        self.assertNotEqual(self.reactor.arrive((NEAR, 2), port=2)[0].received(), b"")

    def test_who_waits_at_a_port_that_closes_is_taken_in(self) -> None:
        """It was connected already, as far as it knows."""
        self.start(listen=[LOCAL, "tcp:8081"])
        first, second = self.greeted(NEAR, 1), self.reactor.connect(NEAR, 2)
        third = self.reactor.arrive((NEAR, 3), port=1)[0]
        self.change()
        self.reactor.turn()
        for client in first, second:
            client.half_close()
        self.assertNotEqual(third.received(), b"")

    def test_a_port_that_is_taken_changes_nothing(self) -> None:
        """Those that were opened for it are closed again."""
        self.start()
        self.reactor.taken.add(8082)
        with self.assertRaises(StartError):
            self.service.prepare(CommandConfig(listen=["tcp:8081", "tcp:8082"], timeout=1))
        self.reactor.turn()
        self.assertEqual([port.welcome.closed for port in self.reactor.tcpPorts], [False, True])
        client = self.greeted()
        self.reactor.pass_time(14)
        self.assertFalse(client.closed)

    def test_a_cancelled_change_closes_what_was_opened(self) -> None:
        """And nobody was served there."""
        self.start(clients=0)
        change = self.service.prepare(CommandConfig(listen=[LOCAL, "tcp:8081"], clients=0))
        client = self.reactor.arrive((NEAR, 1), port=1)[0]
        self.assertEqual(client.received(), b"")
        change.cancel()
        self.reactor.turn()
        self.assertTrue(self.reactor.tcpPorts[1].welcome.closed)
        self.assertEqual([port.port for port in self.service.ports], [8080])

    def test_a_new_port_is_held_with_the_others(self) -> None:
        """While somebody waits."""
        self.start()
        first, second = self.greeted(NEAR, 1), self.reactor.connect(NEAR, 2)
        self.change(listen=[LOCAL, "tcp:8081"])
        third = self.reactor.arrive((NEAR, 3), port=1)[0]
        self.assertEqual(len(self.reactor.tcpPorts[1].welcome.queue), 1)
        first.half_close()
        second.half_close()
        self.assertNotEqual(third.received(), b"")

    def test_more_clients_serve_those_who_wait(self) -> None:
        """At once, in their order; without a limit, all."""
        self.start()
        clients = self.reactor.arrive(*((NEAR, number) for number in range(1, 6)))
        self.change(clients=3)
        self.assertEqual([client.received() != b"" for client in clients], [True, True, True, False, False])
        self.change(clients=0)
        self.assertTrue(all(client.received() for client in clients[3:]))
        self.assertFalse(self.reactor.connect(NEAR, 9).received() == b"")

    def test_fewer_clients_let_those_go_on_who_are_served(self) -> None:
        """New ones wait until there are few enough."""
        self.start(clients=0)
        clients = [self.greeted(NEAR, number) for number in range(3)]
        self.change(clients=1)
        waits = self.reactor.connect(NEAR, 9)
        for client in clients:
            self.assertEqual(waits.received(), b"")
            client.send(b"foo\n")
            self.assertEqual(client.received(), INVALID)
            client.half_close()
        self.assertNotEqual(waits.received(), b"")

    def test_a_shorter_time_out_counts_for_those_who_are_there(self) -> None:
        """From their last command."""
        self.start()
        client = self.greeted()
        self.reactor.pass_time(5)
        self.change(timeout=6)
        self.reactor.pass_time(0.9)
        self.assertFalse(client.closed)
        self.reactor.pass_time(0.3)
        self.assertTrue(client.closed)

    def test_replies_and_networks_change_at_once(self) -> None:
        """For a session that is there, too."""
        self.start()
        client = self.greeted()
        client.send(b"TIME\n")
        self.assertEqual(client.received(), TIME)
        self.change(replies="transcript", allow=["192.0.2.0/24"])
        client.send(b"TIME\n")
        self.assertEqual(client.received(), TIME[:-1])
        self.assertTrue(self.reactor.connect(NEAR, 2).closed)
        self.change(exit_from=[])
        client.send(b"EXIT\n")
        self.assertEqual(self.exits, 0)

    def test_after_an_exit_it_stays_closed(self) -> None:
        """Until the next start; what was opened for a change in the meantime is closed."""
        self.start()
        early = self.service.prepare(CommandConfig(listen="tcp:8081"))
        self.greeted().send(b"EXIT\n")
        self.change(listen="tcp:8082")
        early.commit()
        self.reactor.turn()
        self.assertEqual(self.service.ports, ())
        self.assertEqual([port.welcome.closed for port in self.reactor.tcpPorts], [True, True])


class DrainTests(RunningServer):
    """The end of a server with clients."""

    def test_clients_are_told_and_closed(self) -> None:
        """Those who are served and those who wait; nobody else comes in."""
        self.start(clients=2)
        (port,) = self.service.ports
        clients = self.reactor.arrive(*((NEAR, number) for number in range(1, 5)))
        for client in clients[:2]:
            client.received()
        drained = self.service.drain()
        self.assertNoResult(drained)
        self.reactor.turn()
        self.assertEqual([client.received() for client in clients], [CLOSING] * 4)
        self.assertEqual([(client.closed, client.reset) for client in clients], [(True, False)] * 4)
        self.assertTrue(port.welcome.closed)
        self.successResultOf(drained)
        self.assertEqual(self.counted("labnet_sessions_ended_total"), {"server": 4})

    def test_the_transcripts_words_are_its_own(self) -> None:
        """In the form of its warning."""
        self.start(replies="transcript")
        client = self.greeted()
        self.service.drain()
        self.assertEqual(client.received(), b"WARNING!!! ----> The server is closing\n")

    def test_what_has_come_is_answered_before(self) -> None:
        """A command without its newline, too."""
        self.start()
        client = self.greeted()
        client.send(b"foo\nTIME")
        self.service.drain()
        self.assertEqual(client.received(), INVALID + TIME + CLOSING)

    def test_who_does_not_read_has_time_until_the_stop(self) -> None:
        """Then it is closed, as a stop closes anybody."""
        for commands in 1, 100, 400:
            self.reactor = type(self.reactor)()
            self.start()
            slow = self.greeted()
            slow.stop_reading()
            slow.send(b"foo\n" * commands)
            drained = self.service.drain()
            self.reactor.pass_time(5)
            self.assertFalse(slow.closed)
            self.assertNoResult(drained)
            stopped = self.service.stopService()
            self.reactor.pass_time(0.6)
            self.assertTrue(slow.reset)
            self.successResultOf(drained)
            self.successResultOf(stopped)
            self.assertEqual(self.counted("labnet_sessions_ended_total"), {"server": 1})

    def test_who_reads_late_gets_everything(self) -> None:
        """The replies to all that the server had read, then its last words."""
        self.start()
        slow = self.greeted()
        slow.stop_reading()
        slow.send(b"foo\n" * 400)
        drained = self.service.drain()
        self.reactor.pass_time(5)
        slow.read_on()
        self.assertEqual(slow.received(), INVALID * 400 + CLOSING)
        self.assertTrue(slow.closed)
        self.assertFalse(slow.reset)
        self.successResultOf(drained)

    def test_one_that_has_half_closed_gets_its_replies_alone(self) -> None:
        """It is closing already."""
        self.start()
        slow = self.greeted()
        slow.stop_reading()
        slow.post(b"TIME\n")
        slow.half_close()
        drained = self.service.drain()
        slow.read_on()
        self.assertEqual(slow.received(), TIME)
        self.reactor.turn()
        self.successResultOf(drained)

    def test_a_server_without_clients_is_drained_at_once(self) -> None:
        """As soon as its port is closed; the stop finds nothing to do."""
        self.start()
        drained = self.service.drain()
        self.reactor.turn()
        self.successResultOf(drained)
        self.successResultOf(self.service.stopService())
