"""Clients that are silent, dribble, half-close or do not read."""

from __future__ import annotations

from labnet.command.framing import SETTLE
from labnet.command.protocol import BATCH
from labnet.command.reader import SEGMENT
from tests.command.running import INVALID, TIME, RunningServer


class TimeoutTests(RunningServer):
    """15 seconds without a command."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.client = self.greeted()

    def test_a_silent_client_is_closed_after_fifteen_seconds(self) -> None:
        """Without a word, and the next one is served."""
        second = self.reactor.connect("127.0.0.1", 2)
        self.reactor.pass_time(14.9)
        self.assertFalse(self.client.closed)
        self.reactor.pass_time(0.1)
        self.assertTrue(self.client.closed)
        self.assertEqual(self.client.received(), b"")
        self.assertNotEqual(second.received(), b"")

    def test_the_seconds_count_from_the_last_command(self) -> None:
        """A valid one, an invalid one, one without its newline."""
        for command in b"TIME\n", b"foo\n", b"TIME", b"\nfoo\n":
            self.client.send(command)
            self.reactor.pass_time(14)
            self.assertFalse(self.client.closed)
        self.reactor.pass_time(1.25)
        self.assertTrue(self.client.closed)

    def test_blank_lines_do_not_keep_a_connection_alive(self) -> None:
        """Each is answered, and none counts; a line that is too long is a command."""
        for _ in range(14):
            self.client.send(b"\n", b" \r\n")
            self.reactor.pass_time(1)
        self.assertEqual(self.client.received(), INVALID * 28)
        self.reactor.pass_time(1.25)
        self.assertTrue(self.client.closed)
        client = self.greeted()
        client.send(b"x" * 2000 + b"\n")
        self.reactor.pass_time(14)
        client.send(b"y" * 2000 + b"\n")
        self.reactor.pass_time(14)
        self.assertFalse(client.closed)

    def test_dribbling_bytes_does_not_keep_a_connection_alive(self) -> None:
        """The beginning of a command, of another line, or white space, a byte a second or faster."""
        for drip, pause in (b"T", 1), (b"x", 1), (b" ", 1), (b"\0", 0.6), (b"x", 0.1), (b"\xff", 0.02):
            client = self.client = self.reactor.connect() if self.client.closed else self.client
            for _ in range(int(14.8 / pause)):
                client.send(drip)
                self.reactor.pass_time(pause)
            self.assertFalse(client.closed)
            self.reactor.pass_time(1)
            self.assertTrue(client.closed, drip)

    def test_never_reading_the_replies_does_not_keep_a_connection_alive(self) -> None:
        """Commands that nobody reads from the wire any more are no commands; unread replies are dropped."""
        self.client.stop_reading()
        for _ in range(100):
            self.client.post(b"foo\n" * 20_000)
        self.reactor.turn()
        self.assertGreater(self.client.unread_by_server, 0)
        self.reactor.pass_time(14.9)
        self.assertFalse(self.client.closed)
        self.reactor.pass_time(0.2)
        self.assertFalse(self.client.closed)  # its replies have a moment to leave
        self.reactor.pass_time(0.6)
        self.assertTrue(self.client.closed)
        self.assertTrue(self.client.reset)

    def test_a_closed_connection_has_a_moment_to_send_its_replies(self) -> None:
        """A client that reads them then gets them whole, and an orderly end."""
        for commands in 1, BATCH:
            client = self.client = self.reactor.connect() if self.client.closed else self.client
            client.received()
            client.stop_reading(room=1)
            client.send(b"foo\n" * commands)
            self.reactor.pass_time(15.1)
            self.assertFalse(client.closed)
            client.read_on()
            self.assertEqual(client.received(), INVALID * commands)
            self.assertTrue(client.closed)
            self.assertFalse(client.reset)

    def test_half_closing_does_not_outlast_the_time_out(self) -> None:
        """Replies that are still unread then are dropped."""
        self.reactor.pass_time(10)
        self.client.stop_reading()
        self.client.post(b"TIME\n")
        self.client.half_close()
        self.reactor.pass_time(14.9)
        self.assertFalse(self.client.closed)
        self.reactor.pass_time(0.3)
        self.assertTrue(self.client.closed)
        self.assertTrue(self.client.reset)

    def test_replies_after_a_half_close_arrive_within_the_time_out(self) -> None:
        """A slow reader gets all of them."""
        self.client.stop_reading()
        self.client.post(b"TIME\n" * 1000)
        self.client.half_close()
        self.reactor.pass_time(14)
        self.client.read_on()
        replies = self.client.received()
        # What was not answered yet when the client stopped to read is answered now.
        self.assertEqual(set(replies.splitlines(keepends=True)), {TIME, self.time()})
        self.assertEqual(len(replies), len(TIME) * 1000)
        self.assertTrue(self.client.closed)
        self.assertFalse(self.client.reset)

    def test_sessions_share_one_timer(self) -> None:
        """Ten thousand idle clients cost no ten thousand timers."""
        self.service.stopService()
        self.reactor.pass_time(1)
        self.start(clients=0)
        self.reactor.arrive(*(("127.0.0.1", number) for number in range(100)), port=1)
        self.assertEqual(len(self.service.gate.sessions), 100)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_one_who_waits_is_not_timed_out(self) -> None:
        """Its seconds count from its greeting."""
        waits = self.reactor.connect("127.0.0.1", 2)
        for _ in range(3):
            self.client.send(b"TIME\n")
            self.reactor.pass_time(10)
        self.assertFalse(waits.closed)
        self.client.half_close()
        self.reactor.pass_time(14.9)
        self.assertFalse(waits.closed)
        self.reactor.pass_time(0.1)
        self.assertTrue(waits.closed)


class BackPressureTests(RunningServer):
    """A client that sends and does not read."""

    def setUp(self) -> None:
        super().setUp()
        self.start(timeout=60)
        self.client = self.greeted()

    def test_unread_replies_stop_the_reading_of_commands(self) -> None:
        """The server's memory is bounded by what one read can ask for; all is answered when the client reads on."""
        self.client.stop_reading()
        for _ in range(100):
            self.client.post(b"foo\n" * 10_000)
        self.reactor.turn()
        self.assertGreater(self.client.unread_by_server, 3_500_000)
        self.client.read_on()
        self.assertEqual(self.client.received(), INVALID * 1_000_000)

    def test_silence_while_the_reading_is_stopped_is_not_the_clients(self) -> None:
        """A line of which a part is still in the system's buffer stays one command."""
        self.client.stop_reading()
        self.client.post(b"nonsense\n" * 20_000)
        self.reactor.turn()
        self.assertGreater(self.client.unread_by_server, 0)
        self.assertNotEqual(SEGMENT % len(b"nonsense\n"), 0)
        self.reactor.pass_time(10)
        self.client.read_on()
        self.reactor.pass_time(10)
        self.assertEqual(self.client.received(), INVALID * 20_000)

    def test_a_command_without_newline_is_answered_when_the_client_reads_on(self) -> None:
        """Its silence counts from then."""
        self.client.stop_reading()
        self.client.send(b"foo\n" * 10_000 + b"TIME")
        self.reactor.pass_time(10)
        self.client.read_on()
        self.assertEqual(self.client.received(), INVALID * 10_000)
        self.reactor.pass_time(SETTLE)
        self.assertEqual(self.client.received(), self.time())

    def test_reading_is_not_resumed_for_a_client_that_waits(self) -> None:
        """Before its turn nothing of it is read, whatever its transport says."""
        waits = self.reactor.connect("127.0.0.1", 2)
        _, session = self.service.gate.sessions
        session.resumeProducing()
        waits.send(b"TIME\n")
        self.assertEqual(waits.unread_by_server, 5)
        self.assertEqual(waits.received(), b"")
