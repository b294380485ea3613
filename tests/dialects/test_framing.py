"""Tests for :mod:`labnet.dialects.framing`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects.framing import LONGEST, Framer, FramingError, frame
from labnet.dialects.model import FRAMINGS

MESSAGES = st.lists(
    st.binary(min_size=1, max_size=99).filter(lambda message: b"\n" not in message and b"\r" not in message)
)


class FramingTests(SynchronousTestCase):
    """Messages over a stream and back."""

    @given(
        messages=MESSAGES, cut=st.integers(1, 50), framing=st.sampled_from([one for one in FRAMINGS if one != "whole"])
    )
    def test_messages_come_back_however_they_are_cut(self, messages: list[bytes], cut: int, framing: str) -> None:
        stream, framer, found = b"".join(frame(framing, message) for message in messages), Framer(framing), []
        for at in range(0, len(stream), cut):
            found += framer.receive(stream[at : at + cut])
        self.assertEqual((found, framer.end()), (messages, []))

    def test_the_bytes_of_each_framing(self) -> None:
        for framing, data in (
            ("whole", b"TIME"),
            ("lf", b"TIME\n"),
            ("crlf", b"TIME\r\n"),
            ("digits-2", b"04TIME"),
            ("bytes-2", b"\0\4TIME"),
            ("bytes-4", b"\0\0\0\4TIME"),
        ):
            self.assertEqual(frame(framing, b"TIME"), data)

    def test_whole_is_a_receive_or_each_line_of_it(self) -> None:
        self.assertEqual(Framer("whole").receive(b"a\r\n\nb"), [b"a", b"b"])
        self.assertEqual(Framer("whole", by_line=False).receive(b"a\nb\n"), [b"a\nb\n"])

    def test_a_line_without_an_end_is_a_message_at_the_end_of_the_stream(self) -> None:
        framer = Framer("lf")
        self.assertEqual((framer.receive(b"a"), framer.end()), ([], [b"a"]))
        framer = Framer("digits-2")
        self.assertEqual((framer.receive(b"04a"), framer.end()), ([], []))

    def test_what_is_too_long_or_has_no_length_is_refused(self) -> None:
        for framing, data in (("lf", b"x" * (LONGEST + 1)), ("digits-2", b"xx"), ("bytes-4", b"\xff\xff\xff\xff")):
            with self.assertRaises(FramingError):
                Framer(framing).receive(data)
        with self.assertRaises(FramingError):
            frame("digits-2", b"x" * 100)
