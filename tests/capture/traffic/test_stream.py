"""What each TCP segment is, beside those before it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.traffic.stream import MOST_PENDING, MOST_PENDING_BYTES, Arrival, Stream, Waiting
from tests.capture import samples
from tests.capture.frames import understood


def taken(*segments: tuple[int, bytes], window: int = 100) -> list[tuple[bytes, Arrival]]:
    """Each segment (sequence number, data) behind a SYN of number 999."""
    stream = Stream()
    stream.start(1000)
    return [stream.take(sequence, data, len(data), window) for sequence, data in segments]


class ArrivalTests(SynchronousTestCase):
    """Kinds of segments."""

    def test_a_segment_in_order_is_new(self) -> None:
        """And gives its bytes."""
        self.assertEqual(taken((1000, b"ab"), (1002, b"c")), [(b"ab", Arrival.NEW), (b"c", Arrival.NEW)])

    def test_a_whole_segment_that_was_there_is_a_retransmission(self) -> None:
        """It gives nothing."""
        self.assertEqual(taken((1000, b"abc"), (1000, b"abc"))[1], (b"", Arrival.AGAIN))

    def test_a_part_that_was_there_is_a_partial_overlap(self) -> None:
        """The rest of it is new."""
        self.assertEqual(taken((1000, b"abc"), (1001, b"bcd"))[1], (b"d", Arrival.PARTLY_AGAIN))

    def test_a_segment_ahead_is_out_of_order_and_the_one_that_fills_the_gap_gives_both(self) -> None:
        """What fills it was never there."""
        found = taken((1000, b"a"), (1002, b"c"), (1001, b"b"))
        self.assertEqual(found[1:], [(b"", Arrival.EARLY), (b"bc", Arrival.FILLS)])

    def test_a_byte_before_the_next_one_keeps_the_connection_alive(self) -> None:
        """Without data too."""
        self.assertEqual(taken((1000, b"ab"), (1001, b"b"))[1][1], Arrival.KEEP_ALIVE)
        self.assertEqual(taken((1000, b"ab"), (1001, b""))[1][1], Arrival.KEEP_ALIVE)

    def test_the_next_byte_into_a_closed_window_is_a_probe(self) -> None:
        """Only into a closed one."""
        self.assertEqual(taken((1000, b"ab"), (1002, b"c"), window=0)[1][1], Arrival.PROBE)
        self.assertEqual(taken((1000, b"ab"), (1002, b"c"))[1][1], Arrival.NEW)

    def test_bytes_that_wait_are_bounded_over_all_connections(self) -> None:
        """Segments may have 64 KB, and connections may be thousands. Who is over gives back what it took."""
        waiting, segment = Waiting(), bytes(65_000)
        streams = [Stream(waiting) for _ in range(500)]
        for stream in streams:
            stream.start(0)
            stream.take(1, segment, len(segment), 9)
        self.assertLessEqual(waiting.size, MOST_PENDING_BYTES)
        self.assertEqual(sum(len(data) for stream in streams for data in stream.pending.values()), waiting.size)
        self.assertEqual(streams[-1].take(0, b"a", 1, 9), (b"a", Arrival.FILLS))
        self.assertEqual(len(streams[0].take(0, b"a", 1, 9)[0]), 65_001)
        for stream in streams:
            stream.release()
        self.assertEqual(waiting.size, 0)

    def test_sequence_numbers_pass_zero(self) -> None:
        """They have 32 bits."""
        stream = Stream()
        stream.start(2**32 - 1)
        self.assertEqual(stream.take(2**32 - 1, b"abc", 3, 9)[0], b"abc")
        self.assertEqual(stream.take(2, b"d", 1, 9), (b"d", Arrival.NEW))
        self.assertEqual((stream.seen, stream.total), (4, 4))

    @given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=9)), max_size=120))
    def test_whatever_comes_memory_is_bounded_and_nothing_fails(self, segments: list[tuple[int, bytes]]) -> None:
        """Segments that wait, and stretches apart."""
        stream = Stream()
        stream.start(0)
        for place, data in segments:
            stream.take(place * 7, data, len(data), 100)
        self.assertLessEqual(len(stream.pending), MOST_PENDING)
        self.assertLessEqual(len(stream.covered), MOST_PENDING)
        self.assertLessEqual(stream.seen, stream.total)


class StoryTests(SynchronousTestCase):
    """What a session says of them."""

    def test_a_repeated_syn_and_duplicate_acknowledgements_are_told(self) -> None:
        """Each as what it is."""
        talk = samples.Talk()
        syn = talk.packets[0]
        talk.packets.insert(1, (syn[0] + 0.0001, syn[1]))
        talk.say("server", b"a" * 10).say("client", b"", "A")
        lost = talk.say("server", b"b" * 10).packets.pop()
        talk.say("server", b"c" * 10)
        again = talk.packets[-2][1]
        talk.packets += [(talk.at + 0.1, again), (talk.at + 0.2, again), (talk.at + 0.3, lost[1])]
        _, stories = understood(talk.packets)
        said = "\n".join(stories)
        for part in ("asks for a connection again (the SYN is repeated)", "sends out of order",
                     "duplicate ACK 2", "sends what was missing before"):  # fmt: skip
            self.assertIn(part, said)
