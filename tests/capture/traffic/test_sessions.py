"""TCP segments into sessions of the command server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.narrative.explain import Understanding
from labnet.capture.traffic import stream
from labnet.capture.traffic.sessions import MOST_EVENTS, CapturedSession
from tests.capture import samples
from tests.capture.frames import packets, understood


def sessions(timed: list[tuple[float, bytes]]) -> list[CapturedSession]:
    """All sessions, in the order in which they ended."""
    understanding = Understanding()
    found = understanding.sessions
    over: list[CapturedSession] = []
    add = found.add
    found.add = lambda frame, message: iter(_keep(over, add(frame, message)))
    for packet in packets(timed):
        understanding.take(packet)
    return [*over, *found.rest()]


def _keep(over: list[CapturedSession], ended: object) -> list[CapturedSession]:
    ones = list(ended)
    over.extend(ones)
    return ones


def said(session: CapturedSession) -> list[tuple[str, str]]:
    """Commands and replies, in order."""
    return [(event.kind, event.says) for event in session.events if event.kind in ("greeting", "command", "reply")]


class CommandTests(SynchronousTestCase):
    """Commands with their replies."""

    def test_commands_without_a_newline_are_told_by_their_replies(self) -> None:
        """As most clients of the course send them."""
        talk = samples.greeting().say("client", b"TIME").say("server", b"Sun Oct  1 13:33:03 2023\n")
        talk.say("client", b"HELLO").say("server", b"Invalid command!\n")
        (session,) = sessions(talk.packets)
        self.assertEqual(
            said(session)[1:],
            [
                ("command", "'TIME'"), ("reply", "'Sun Oct  1 13:33:03 2023\\n'"),
                ("command", "'HELLO'"), ("reply", "'Invalid command!\\n'"),
            ],
        )  # fmt: skip

    def test_lines_are_commands_however_they_are_cut(self) -> None:
        """Two in one segment, one over three."""
        talk = samples.greeting().say("client", b"TIME\nTI").say("client", b"M").say("client", b"E\r\n")
        (session,) = sessions(talk.packets)
        self.assertEqual([says for kind, says in said(session) if kind == "command"], ["'TIME'", "'TIME'"])

    def test_a_retransmitted_command_is_one_command(self) -> None:
        """And is told to be one."""
        talk = samples.greeting().say("client", b"TIME\n")
        again = (talk.at + 0.2, talk.packets[-1][1])
        (session,) = sessions([*talk.packets, again])
        self.assertEqual([event.kind for event in session.events][-2:], ["command", "again"])

    def test_segments_out_of_order_are_put_in_order(self) -> None:
        """The second half waits for the first."""
        talk = samples.greeting().say("client", b"TI").say("client", b"ME\n")
        first, second = talk.packets[-2:]
        (session,) = sessions([*talk.packets[:-2], second, first])
        self.assertEqual(said(session)[-1], ("command", "'TIME'"))

    def test_a_segment_long_after_the_end_belongs_to_a_session_of_its_own(self) -> None:
        """More than a minute after a reset the connection is forgotten; a new SYN or data begin another."""
        for flags in ("S", "PA"):
            talk = samples.greeting()
            end, ether = talk.packets[-1][0], talk.packets[-1][1]
            reset = bytearray(ether)
            reset[47] = 0x04
            late = bytearray(ether)
            late[47] = {"S": 0x02, "PA": 0x18}[flags]
            found = sessions([*talk.packets, (end + 1, bytes(reset)), (end + 100, bytes(late))])
            self.assertEqual(len(found), 2, flags)

    def test_what_waits_in_a_session_that_is_over_takes_no_room_from_another(self) -> None:
        """Hundreds of connections with a gap, one after the other: the last one is put in order all the same."""
        self.patch(stream, "MOST_PENDING_BYTES", 10)
        understanding = Understanding()
        for number in range(5):
            talk = samples.greeting().say("client", b"TI").say("client", b"ME\n")
            first, second = talk.packets[-2:]
            shifted = [(at + 100.0 * number, data) for at, data in [*talk.packets[:-2], second]]
            for packet in packets(shifted):
                understanding.take(packet)
            if number < 4:
                list(understanding.sessions.rest())
        for packet in packets([(first[0] + 400.0, first[1])]):
            understanding.take(packet)
        (session,) = understanding.sessions.rest()
        self.assertEqual(said(session)[-1], ("command", "'TIME'"))

    def test_commands_without_end_are_counted(self) -> None:
        """A session is told up to a bound."""
        (session,) = sessions(samples.greeting().say("client", b"x\n" * (MOST_EVENTS + 50)).packets)
        self.assertEqual(len(session.events), MOST_EVENTS)
        self.assertGreater(session.untold, 50)


class ClosingTests(SynchronousTestCase):
    """Who closed, and why."""

    def closed(self, talk: samples.Talk) -> str:
        (session,) = sessions(talk.packets)
        return session.closed

    def test_the_server_after_exit(self) -> None:
        """The command says so."""
        talk = samples.greeting().say("client", b"EXIT").say("server", b"", "FA").say("client", b"", "FA")
        self.assertEqual(self.closed(talk), "The server closed because of EXIT")

    def test_the_server_after_fifteen_seconds_without_a_command(self) -> None:
        """Counted from the last command."""
        talk = samples.greeting().say("client", b"TIME\n", after=4).say("server", b"Sun Oct  1 13:33:03 2023\n")
        talk.say("server", b"", "FA", after=15).say("client", b"", "FA").say("server", b"", "A")
        self.assertEqual(
            self.closed(talk), "The server closed after 15.0 s without a command: its time-out (15 s in the assignment)"
        )

    def test_dribbled_bytes_are_no_command(self) -> None:
        """The fifteen seconds count on."""
        talk = samples.greeting()
        for _ in range(7):
            talk.say("client", b" ", after=2)
        talk.say("server", b"", "FA", after=1)
        self.assertIn("without a command", self.closed(talk))

    def test_the_client(self) -> None:
        """It sent its FIN before the server did."""
        talk = samples.greeting().say("client", b"", "FA").say("server", b"", "FA")
        self.assertEqual(self.closed(talk), "The client closed first")

    def test_the_exit_of_another_client(self) -> None:
        """EXIT closes every socket of the server."""
        one = samples.greeting()
        other = samples.Talk(client=("10.0.0.9", 40000), at=one.at).say(
            "server", b"Connected: your IP address is x and your port is 1\n"
        )
        other.say("client", b"EXIT\n").say("server", b"", "FA")
        one.at = other.at
        one.say("server", b"", "FA")
        everything = sorted([*one.packets, *other.packets])
        self.assertIn(
            "The server closed because another client sent EXIT, which closes every socket",
            [session.closed for session in sessions(everything)],
        )

    def test_a_reset(self) -> None:
        """It is told whose it was."""
        self.assertEqual(self.closed(samples.greeting().say("client", b"", "RA")), "The client reset the connection")

    def test_an_end_that_the_capture_does_not_show(self) -> None:
        """Nothing is made up."""
        _, stories = understood(samples.greeting().packets)
        self.assertIn("The capture does not show the end of it", stories[-1])

    def test_a_connection_older_than_the_capture_is_told_as_one(self) -> None:
        """Client and server are told apart by their ports then."""
        talk = samples.greeting().say("client", b"TIME\n")
        (session,) = sessions(talk.packets[3:])
        self.assertEqual((session.started, session.client), (False, ("10.0.0.1", 39770)))
        self.assertEqual(session.events[0].says, "the connection is older than the capture")

    def test_the_last_acknowledgement_begins_no_new_session(self) -> None:
        """It comes after both sides have closed."""
        talk = samples.greeting().say("client", b"", "FA").say("server", b"", "FA").say("client", b"", "A")
        self.assertEqual(len(sessions([*talk.packets, (talk.at + 1, talk.packets[-1][1])])), 1)
