"""Bytes into commands."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.command.framing import GIVE_UP, INVALID, LONGEST_LINE, SETTLE, CommandFramer

PIECES = st.sampled_from(
    [b"TIME", b"EXIT", b"TI", b"ME", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\0", b"\0", b"\xff\xfb\x01", b"x" * 1020]
)
INPUT = st.lists(PIECES | st.binary(max_size=6), max_size=30).map(b"".join)
LINES = INPUT.map(lambda data: data + b"\n")
SEGMENTS = st.lists(INPUT | st.none(), max_size=20)  # None: the client pauses


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in segments that end at ``places``."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def buffered(framer: CommandFramer) -> int:
    """Bytes that ``framer`` holds."""
    return sum(len(value) for value in (getattr(framer, slot) for slot in framer.__slots__) if isinstance(value, bytes))


class CommandFramerTests(SynchronousTestCase):
    """Lines, and what counts as a command without being one."""

    def setUp(self) -> None:
        self.framer = CommandFramer()

    def assertPause(self, patience: float, *commands: bytes) -> None:
        """The framer asks to be told of a silence of ``patience``, and gives ``commands`` then."""
        self.assertEqual(self.framer.patience, patience)
        self.assertEqual(self.framer.pause(), list(commands))

    def test_a_line_of_an_http_request_is_known(self) -> None:
        """A request line, a Host field; complete, in pieces, behind other lines, or too long to be a command."""
        for segments in (
            [b"POST / HTTP/1.1\r\nEXIT\r\n"],
            [b"GE", b"T /index.html?a=b HTTP/1.0\r\n"],
            [b"TIME\nOPTIONS * HTTP/1.1\n"],
            [b"GET http://lab.test/ HTTP/1.1\r\n"],
            [b"CONNECT 127.0.0.1:8080 HTTP/1.1\r\n"],
            [b"host: 127.0.0.1\r\n"],
            [b"Host:\n"],
            [b"POST /" + b"x" * 3000],
            [b"POST /" + b"x" * 3000 + b" HTTP/1.1\r\nEXIT\r\n"],
            [b"GET /", b"x" * 3000],
        ):
            framer = CommandFramer()
            for segment in segments:
                framer.receive(segment)
            self.assertTrue(framer.is_http, segments)

    def test_what_only_resembles_an_http_request_is_a_command(self) -> None:
        """Clients of the course send anything, so it takes a whole request line or field name."""
        for line in b"GET", b"GET TIME", b"TIME / EXIT", b"localhost: 1", b"HTTP/1.1", b"12:30", b"a/b c/d":
            framer = CommandFramer()
            self.assertEqual(framer.receive(line + b"\n"), [line])
            self.assertFalse(framer.is_http, line)

    def test_a_line_is_a_command(self) -> None:
        """LF, CR LF and a telnet's CR NUL end a line."""
        for end in b"\n", b"\r\n", b"\r\0":
            self.assertEqual(self.framer.receive(b"TIME" + end), [b"TIME"])
            self.assertEqual(self.framer.patience, None)

    def test_several_lines_come_in_order(self) -> None:
        """One segment gives each of its lines, the empty ones too."""
        self.assertEqual(self.framer.receive(b"TIME\nfoo\r\n\nEXIT\r\0"), [b"TIME", b"foo", b"", b"EXIT"])

    def test_white_space_around_a_command_is_ignored(self) -> None:
        """Blanks, tabs, form feeds and carriage returns are stripped; what is inside stays."""
        self.assertEqual(self.framer.receive(b" \t TIME \v\f\r\n a b \n"), [b"TIME", b"a b"])

    def test_a_command_without_newline_counts_after_a_short_silence(self) -> None:
        """TIME and EXIT need no newline."""
        for command in b"TIME", b"EXIT", b" TIME ":
            self.assertEqual(self.framer.receive(command), [])
            self.assertPause(SETTLE, command.strip())

    def test_other_input_without_newline_counts_after_a_longer_silence(self) -> None:
        """A line that the network has cut in two is whole by then."""
        for text in b"time", b"TIMES", b"TIME EXIT", b"EX ", b"\0", b"\xff\xfe", b"x" * LONGEST_LINE:
            self.assertEqual(self.framer.receive(text), [])
            self.assertPause(GIVE_UP, text.strip())

    def test_the_first_letters_of_a_command_are_no_command_yet(self) -> None:
        """A telnet in character mode may be in the middle of typing for as long as it likes."""
        for letter in b"T", b"I", b"M":
            self.assertEqual(self.framer.receive(letter), [])
            self.assertIsNone(self.framer.patience)
        self.assertEqual(self.framer.receive(b"E"), [])
        self.assertPause(SETTLE, b"TIME")

    def test_white_space_alone_is_no_command(self) -> None:
        """Without a newline it may be the beginning of anything."""
        self.assertEqual(self.framer.receive(b" \r"), [])
        self.assertIsNone(self.framer.patience)
        self.assertEqual(self.framer.end(), [])

    def test_the_newline_of_an_answered_command_is_swallowed(self) -> None:
        """The Enter that comes after the silence ends what was answered; the next line is a new command."""
        for command in b"TIME", b"foo":
            for enter in [b"\n"], [b"\r\n"], [b"\r", b"\n"], [b"\r", b"\0"], [b" ", b" ", b"\n"]:
                self.framer.receive(command)
                self.assertEqual(self.framer.pause(), [command])
                self.assertEqual([self.framer.receive(part) for part in enter], [[]] * len(enter))
                self.assertEqual(self.framer.receive(b"\nTIME\n"), [b"", b"TIME"])

    def test_a_second_command_may_follow_an_answered_one(self) -> None:
        """Clients without newlines send one command after the other."""
        for command in b"TIME", b"foo", b"TIME":
            self.assertEqual(self.framer.receive(command), [])
            self.assertEqual(self.framer.pause(), [command])
        self.assertEqual(self.framer.receive(b"EXIT\n"), [b"EXIT"])
        self.assertEqual(self.framer.receive(b"\n"), [b""])

    def test_unfinished_input_at_the_end_is_a_command(self) -> None:
        """Nothing more will come, so it is whole."""
        for text in b"TIME", b"TI", b" foo\r":
            self.assertEqual(self.framer.receive(text), [])
            self.assertEqual(self.framer.end(), [text.strip()])

    def test_an_over_long_line_is_one_invalid_command(self) -> None:
        """It is answered as soon as it is too long, and its rest is dropped up to its end."""
        for end in b"\n", b"\r\n", b"\r\0":
            self.assertEqual(self.framer.receive(b"TIME\n" + b"x" * (LONGEST_LINE + 2)), [b"TIME", INVALID])
            self.assertEqual(self.framer.receive(b"x" * 5000 + b"\r"), [])
            self.assertEqual(self.framer.receive(b"x" * 5000), [])
            self.assertEqual(self.framer.receive(end + b"TIME\n"), [b"TIME"])

    def test_the_longest_line_is_kept_whole(self) -> None:
        """One byte more is too long, with a newline, with CR NUL, and at the end of the input."""
        longest = b"x" * LONGEST_LINE
        for end in b"\n", b"\r\0":
            self.assertEqual(self.framer.receive(longest + end[:1]) + self.framer.receive(end[1:]), [longest])
            self.assertEqual(self.framer.receive(longest + b"x" + end), [INVALID])
        self.framer.receive(longest)
        self.assertEqual(self.framer.end(), [longest])
        self.framer.receive(longest + b"x")
        self.assertEqual(self.framer.end(), [INVALID])

    def test_a_silence_ends_an_over_long_line(self) -> None:
        """The client that sent it without a newline is served on, and a late newline is swallowed."""
        for late in [], [b"\n"], [b"\r", b"\n"]:
            self.assertEqual(self.framer.receive(b"x" * 2000), [INVALID])
            self.assertPause(GIVE_UP)
            for part in late:
                self.assertEqual(self.framer.receive(part), [])
            self.assertEqual(self.framer.receive(b"TIME\n"), [b"TIME"])

    def test_over_long_white_space_after_an_answered_command_costs_no_command(self) -> None:
        """It is a line of its own; the next one is read."""
        self.framer.receive(b"TIME")
        self.framer.pause()
        self.assertEqual(self.framer.receive(b" " * 2000), [INVALID])
        self.assertEqual(self.framer.receive(b"\nTIME\n"), [b"TIME"])

    def test_an_over_long_line_that_the_end_cuts_gives_no_second_command(self) -> None:
        """It was answered when it became too long."""
        self.assertEqual(self.framer.receive(b"x" * 2000 + b"\r"), [INVALID])
        self.assertEqual(self.framer.end(), [])


class CommandFramerProperties(SynchronousTestCase):
    """What holds for any input."""

    @settings(max_examples=400)
    @given(LINES, st.lists(st.integers(0, 10**6), max_size=12))
    def test_lines_split_anywhere_give_the_same_commands(self, data: bytes, places: list[int]) -> None:
        """How the network cuts the stream does not matter."""
        whole, split = CommandFramer(), CommandFramer()
        commands = [command for segment in cut(data, places) for command in split.receive(segment)]
        self.assertEqual(commands, whole.receive(data))

    @given(LINES)
    def test_lines_byte_by_byte_give_the_same_commands(self, data: bytes) -> None:
        """A telnet in character mode sends segments of one byte."""
        whole, single = CommandFramer(), CommandFramer()
        commands = [command for byte in data for command in single.receive(bytes([byte]))]
        self.assertEqual(commands, whole.receive(data))

    @settings(max_examples=400)
    @given(SEGMENTS)
    def test_any_bytes_give_commands_and_little_is_kept(self, segments: list[bytes | None]) -> None:
        """Whatever comes, in any segments and with any pauses, there is no exception and no growth."""
        framer = CommandFramer()
        ends = 0
        commands = []
        for segment in segments:
            asked = framer.patience is not None
            ends += segment is None or segment.count(b"\n") + segment.count(b"\0") + len(segment) // LONGEST_LINE + 1
            if segment is not None:
                commands += framer.receive(segment)
            elif asked:
                commands += framer.pause()
            self.assertLessEqual(buffered(framer), LONGEST_LINE + 1)
        commands += framer.end()
        self.assertLessEqual(len(commands), ends + 1)
        self.assertTrue(all(len(command) <= LONGEST_LINE for command in commands))

    @settings(max_examples=400)
    @given(SEGMENTS)
    def test_a_command_on_its_own_line_is_found_after_anything(self, segments: list[bytes | None]) -> None:
        """No input takes the framer to where it loses the commands that follow."""
        framer = CommandFramer()
        for segment in segments:
            if segment is not None:
                framer.receive(segment)
            elif framer.patience is not None:
                framer.pause()
        self.assertEqual([*framer.receive(b"\n"), *framer.receive(b"TIME\n")][-1:], [b"TIME"])
