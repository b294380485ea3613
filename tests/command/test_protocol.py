"""One connection to the command server: its greeting, the facts about real clients, what Twisted asks of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface.verify import verifyObject

from labnet.command.framing import GIVE_UP, SETTLE
from labnet.command.protocol import CommandFactory, CommandProtocol
from labnet.interfaces import ISession
from tests.command.running import EVERYONE, GREETING, INVALID, TIME, RunningServer
from tests.command.test_framing import SEGMENTS
from tests.fakes import MemoryReactor, UnixTransport


class GreetingTests(RunningServer):
    """What a client hears first."""

    def test_a_client_is_told_its_address_and_port(self) -> None:
        """In the assignment's words by default."""
        self.start()
        self.assertEqual(self.reactor.connect("127.0.0.1", 39770).received(), GREETING)

    def test_the_transcripts_greeting_is_a_tuple(self) -> None:
        """As the published solution prints it."""
        self.start(replies="transcript")
        greeting = b"MESSAGE!!! ----> We are now connected to ('127.0.0.1', 39770)\n"
        self.assertEqual(self.reactor.connect("127.0.0.1", 39770).received(), greeting)

    def test_an_ipv4_client_of_an_ipv6_port_is_told_its_ipv4_address(self) -> None:
        """The mapped form is the system's, not the client's; an IPv6 address stays, and so does its scope."""
        self.start(listen=r"tcp6:8080:interface=\:\:", clients=0, allow=EVERYONE)
        for host, shown in ("::ffff:192.0.2.7", b"192.0.2.7"), ("2001:db8::7", b"2001:db8::7"):
            client = self.reactor.connect(host, 39770, 0, 0)
            self.assertEqual(client.received(), GREETING.replace(b"127.0.0.1", shown))
        client = self.reactor.connect("fe80::7%1", 39770, 0, 0)
        self.assertIn(b"your IP address is fe80::7", client.received())

    def test_a_client_on_a_unix_socket_counts_as_loopback(self) -> None:
        """It has no address; it is on this machine, so its EXIT closes all."""
        self.start(listen="unix:/run/labnet.sock")
        (_, factory, *_), *_ = self.reactor.unixServers
        protocol, transport = factory.buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        self.assertEqual(transport.value(), GREETING.replace(b"39770", b"0"))
        transport.clear()
        protocol.dataReceived(b"TIME\nEXIT\n")
        self.assertEqual(transport.value(), TIME)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()
        self.reactor.turn()
        self.assertEqual(self.exits, 1)


class CommandTests(RunningServer):
    """Every way in which real clients send commands."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.client = self.greeted()

    def assertReplies(self, *replies: bytes) -> None:
        self.assertEqual(self.client.received(), b"".join(replies))

    def test_a_command_without_newline_is_answered(self) -> None:
        """Course clients send b"TIME" and wait; each of their commands gets its own reply."""
        for _ in range(3):
            self.client.send(b"TIME")
            self.reactor.pass_time(SETTLE)
            self.assertReplies(self.time())

    def test_an_invalid_command_without_newline_is_answered(self) -> None:
        """It takes a moment longer, for its end may be on the way."""
        self.client.send(b"time")
        self.reactor.pass_time(GIVE_UP)
        self.assertReplies(INVALID)

    def test_a_line_is_answered_at_once(self) -> None:
        """Nc and telnet end their lines with LF, CR LF or CR NUL."""
        for end in b"\n", b"\r\n", b"\r\0":
            self.client.send(b"TIME" + end)
            self.assertReplies(TIME)

    def test_several_lines_in_one_segment_get_a_reply_each_in_order(self) -> None:
        """The replies leave in one write."""
        self.client.send(b"TIME\nfoo\nTIME\n")
        self.assertReplies(TIME, INVALID, TIME)

    def test_a_line_split_over_segments_is_one_command(self) -> None:
        """Even when the network takes its time between them, as long as it may become a command."""
        self.client.send(b"TI")
        self.reactor.pass_time(5)
        self.assertReplies()
        self.client.send(b"ME\n")
        self.assertReplies(self.time())
        self.client.send(b"nonsense th")
        self.reactor.pass_time(GIVE_UP / 2)
        self.client.send(b"at goes on\n")
        self.assertReplies(INVALID)

    def test_a_telnet_in_character_mode_is_answered_when_the_command_is_whole(self) -> None:
        """T is not yet a command; the Enter that comes after the reply is not another one."""
        for letter in b"TIME":
            self.assertReplies()
            self.client.send(bytes([letter]))
            self.reactor.pass_time(1)
        self.assertReplies(self.time().replace(b":07 ", b":06 "))
        self.client.send(b"\r")
        self.reactor.pass_time(1)
        self.client.send(b"\0")
        self.reactor.pass_time(1)
        self.assertReplies()

    def test_white_space_around_a_command_is_ignored(self) -> None:
        """With a newline and without."""
        self.client.send(b" \tTIME \r\n")
        self.assertReplies(TIME)
        self.client.send(b" TIME ")
        self.reactor.pass_time(SETTLE)
        self.assertReplies(TIME)

    def test_commands_are_case_sensitive(self) -> None:
        """Lower case is something else."""
        self.client.send(b"time\nTime\nexit\n")
        self.assertReplies(INVALID * 3)

    def test_odd_bytes_are_an_invalid_command(self) -> None:
        """No UTF-8, NUL bytes, telnet's negotiation, an empty line: answered like any other text."""
        for odd in b"\xff\xfe", b"TIME\0", b"\0", b"\xff\xfd\x18\xff\xfd\x20", b"", "שעה".encode():
            self.client.send(odd + b"\n")
            self.assertReplies(INVALID)
        self.client.send(b"\xff\xfb\x01")
        self.reactor.pass_time(GIVE_UP)
        self.assertReplies(INVALID)

    def test_an_over_long_line_is_one_invalid_command(self) -> None:
        """However long it is, with a newline and without; the next command is served."""
        self.client.send(*[b"x" * 50_000] * 20, b"\nTIME\n")
        self.assertReplies(INVALID, TIME)
        self.client.send(b"x" * 50_000)
        self.reactor.pass_time(GIVE_UP)
        self.client.send(b"TIME\n")
        self.assertReplies(INVALID, TIME)

    def test_the_reply_reaches_a_client_that_half_closes(self) -> None:
        """printf 'TIME\\n' | nc: the reply comes, then the connection closes."""
        self.client.post(b"TIME\n")
        self.client.half_close()
        self.assertReplies(TIME)
        self.assertTrue(self.client.closed)
        self.assertFalse(self.client.reset)

    def test_input_that_ends_without_newline_is_a_command(self) -> None:
        """At the end of file nothing more can come."""
        self.client.send(b"TIME\nTI")
        self.client.half_close()
        self.assertReplies(TIME, INVALID)
        self.assertTrue(self.client.closed)

    def test_exit_at_the_end_of_file_is_an_exit(self) -> None:
        """printf EXIT | nc closes the server."""
        self.client.post(b"EXIT")
        self.client.half_close()
        self.assertTrue(self.client.closed)
        self.reactor.turn()
        self.assertEqual(self.exits, 1)

    def test_a_client_that_vanishes_is_forgotten(self) -> None:
        """With unfinished input and its timers."""
        self.client.send(b"foo")
        self.client.vanish()
        self.assertEqual(self.service.gate.sessions, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_an_overridden_line_received_answers_by_reply(self) -> None:
        """As with any LineReceiver, a subclass adds commands there."""

        class Echo(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                self.reply(line + b"\n")

        protocol, transport = Echo(self.service), UnixTransport()
        self.client.send(b"foo\n")
        self.client.half_close()
        protocol.makeConnection(transport)
        transport.clear()
        protocol.dataReceived(b"one\ntwo\n")
        self.assertEqual(transport.value(), b"one\ntwo\n")
        protocol.connectionLost()


class SubclassTests(RunningServer):
    """A LineReceiver to whoever makes another protocol of it."""

    def run_as(self, kind: type[CommandProtocol]) -> CommandProtocol:
        """One of ``kind`` that has greeted a client; :attr:`transport` has what it sends."""
        self.start(clients=0)
        self.transport = UnixTransport()
        protocol = kind(self.service)
        protocol.makeConnection(self.transport)
        self.transport.clear()
        self.addCleanup(protocol.connectionLost)
        return protocol

    def test_reply_and_send_line_keep_their_order(self) -> None:
        """Whichever is used, and out of a segment too."""

        class Both(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                self.reply(b"1" + line + b"\n")
                self.sendLine(b"2" + line)
                self.reply(b"3" + line + b"\n")

        protocol = self.run_as(Both)
        protocol.dataReceived(b"a\nb\n")
        self.assertEqual(self.transport.value(), b"1a\n2a\n3a\n1b\n2b\n3b\n")
        protocol.sendLine(b"unasked")
        self.assertTrue(self.transport.value().endswith(b"unasked\n"))

    def test_many_lines_are_answered_in_few_writes(self) -> None:
        """A subclass's replies to one segment leave together."""

        class Echo(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                self.reply(line + b"\n")

        protocol, writes = self.run_as(Echo), []
        self.patch(self.transport, "write", writes.append)
        protocol.dataReceived(b"line\n" * 1000)
        self.assertEqual(b"".join(writes), b"line\n" * 1000)
        self.assertLessEqual(len(writes), 3)

    def test_raw_mode_begins_behind_the_line_that_asked_for_it(self) -> None:
        """In the middle of a segment, and line mode is back where raw mode says so."""
        raw = []

        class Raw(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                if line == b"RAW":
                    self.setRawMode()
                else:
                    super().lineReceived(line)

            def rawDataReceived(self, data: bytes) -> None:
                body, end, lines = data.partition(b".")
                raw.append(body)
                if end:
                    self.setLineMode(lines)

        protocol = self.run_as(Raw)
        protocol.dataReceived(b"foo\nRAW\nTIME\nEXIT\n")
        protocol.dataReceived(b"TIME\n")
        protocol.dataReceived(b".TIME\nfoo\n")
        self.assertEqual(b"".join(raw), b"TIME\nEXIT\nTIME\n")
        self.assertEqual(self.transport.value(), INVALID + TIME + INVALID)
        protocol.dataReceived(b"RAW\n")
        protocol.readConnectionLost()
        self.assertTrue(self.transport.disconnecting)

    def test_a_line_may_stop_the_lines_behind_it(self) -> None:
        """They come when it reads on."""
        seen = []

        class Slow(CommandProtocol):
            def lineReceived(self, line: bytes) -> None:
                seen.append(line)
                self.pauseProducing()

        protocol = self.run_as(Slow)
        protocol.dataReceived(b"a\nb\nc\n")
        self.assertEqual(seen, [b"a"])
        protocol.resumeProducing()
        self.assertEqual(seen, [b"a", b"b"])


class WritingTests(RunningServer):
    """When a reply goes to the socket, and when to the transport."""

    def test_a_reply_does_not_overtake_what_waits(self) -> None:
        """Be it another reply or what somebody else has written."""
        self.start()
        client = self.greeted()
        (session,) = self.service.gate.sessions
        session.transport.write(b"first\n")
        client.send(b"TIME\n")
        self.assertEqual(client.received(), b"first\n" + TIME)
        client.stop_reading(room=10)
        client.send(b"TIME\n", b"foo\n")
        client.read_on()
        self.assertEqual(client.received(), TIME + INVALID)

    def test_a_transport_that_is_looked_at_is_written_to(self) -> None:
        """What passes by it would not be seen: TLS, a capture."""
        self.start()
        protocol, transport = CommandFactory(self.service).buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"TIME\n")
        self.assertEqual(transport.value(), GREETING.replace(b"39770", b"0") + TIME)
        protocol.connectionLost()

    def test_a_client_that_is_gone_is_no_fault(self) -> None:
        """The transport finds out, and ends the connection."""
        self.start()
        client = self.greeted()
        client.post(b"TIME\n")
        client.vanish()
        self.assertEqual(self.service.gate.sessions, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_commands_are_counted(self) -> None:
        """However they came."""
        self.start(replies="transcript")
        client = self.greeted()
        client.send(b"TIME\nTIME\nfoo\n", b"TIME\nEXIT\nTIME\n")
        self.assertEqual(self.counted("labnet_commands_total"), {"TIME": 3, "EXIT": 1, "invalid": 1})


class ProtocolTests(RunningServer):
    """What Twisted and the service ask of a protocol."""

    def test_it_provides_what_it_says(self) -> None:
        """A session, a half-closeable protocol, and a producer of replies."""
        protocol = CommandFactory(self.start()).buildProtocol(None)
        for interface in ISession, IHalfCloseableProtocol, IPushProducer:
            self.assertTrue(verifyObject(interface, protocol))

    def test_closing_twice_is_closing_once(self) -> None:
        """The moment to send what is unsent is not counted anew."""
        service = self.start()
        client = self.greeted()
        client.stop_reading()
        client.send(b"TIME\n")
        (session,) = service.gate.sessions
        session.close()
        self.reactor.pass_time(0.4)
        session.close()
        self.reactor.pass_time(0.2)
        self.assertTrue(client.reset)

    def test_what_arrives_after_the_closing_is_not_a_command(self) -> None:
        """Neither data, nor the end of it, nor its turn."""
        service = self.start()
        protocol, transport = CommandFactory(service).buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        protocol.close()
        transport.clear()
        protocol.dataReceived(b"TIME\n")
        protocol.dataReceived(b"foo")
        protocol.readConnectionLost()
        protocol.serve()
        self.assertEqual(transport.value(), b"")
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)  # the one that would abort it
        protocol.connectionLost()

    def test_last_words_that_fill_the_transport_are_said_once(self) -> None:
        """A transport that pauses the replies in the middle of the last words, and resumes them, gets no others."""
        service = self.start()
        protocol, transport = CommandFactory(service).buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        transport.clear()
        write = transport.write

        def write_and_pause(data: bytes) -> None:
            write(data)
            protocol.pauseProducing()

        self.patch(transport, "write", write_and_pause)
        protocol.dismiss(b"bye\n", "server")
        protocol.resumeProducing()
        self.assertEqual(transport.value(), b"bye\n")
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()

    def test_a_client_that_leaves_while_its_replies_wait_gets_all_of_them(self) -> None:
        """The commands behind the pause are answered before the connection closes."""
        service = self.start()
        protocol, transport = CommandFactory(service).buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        transport.clear()
        protocol.pauseProducing()
        protocol.dataReceived(b"foo\n" * 200)
        protocol.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        protocol.resumeProducing()
        self.assertEqual(transport.value(), INVALID * 200)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()

    def test_a_connection_that_cannot_be_written_to_is_aborted(self) -> None:
        """There is nothing to send replies on."""
        service = self.start()
        protocol, transport = CommandFactory(service).buildProtocol(None), UnixTransport()
        protocol.makeConnection(transport)
        protocol.writeConnectionLost()
        self.assertTrue(transport.disconnected)
        protocol.connectionLost()

    @given(SEGMENTS, st.sampled_from(["handout", "transcript"]), st.booleans())
    def test_any_bytes_give_replies_and_never_an_exception(
        self, parts: list[bytes | None], replies: str, ends: bool
    ) -> None:
        """In any segments, with pauses, with or without an end; unless it said EXIT, the client is still served."""
        self.reactor = MemoryReactor()
        self.start(replies=replies, timeout=3600)
        client = self.greeted()
        for part in parts:
            if part is None:
                self.reactor.pass_time(GIVE_UP)
            elif part:
                client.send(part)
        client.send(b"\n")
        if client.closed:
            self.assertIn(b"EXIT", b"".join(filter(None, parts)))
        else:
            client.received()
            client.send(b"TIME\n")
            self.assertEqual(client.received(), self.time())
            if ends:
                client.half_close()
                self.assertTrue(client.closed)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.tearDown()
