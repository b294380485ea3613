"""Pieces of public captures on which a reader goes wrong easily, with the right answers.

They lie beside the checkout and are not part of it: without them these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from labnet.capture.exercises.marking.verdicts import mark, read_sheet
from labnet.capture.exercises.page import page
from labnet.capture.exercises.run import Done, run
from labnet.capture.files.formats import open_capture
from labnet.capture.model import Dissected
from labnet.capture.narrative.explain import Understanding, explain
from labnet.capture.traffic.checks import notes
from tests.capture import samples


def case(name: str) -> str:
    """The path of a case."""
    found = sorted((samples.SHARED / "cases").glob(f"{name}*.pcap*"))
    if not found:
        raise SkipTest(f"there is no case {name} in {Path('../shared/captures/cases')}: it is not in the repository")
    return str(found[0])


def done(name: str, exercise: str) -> Done:
    """An exercise on a case."""
    return run(exercise, case(name), lambda part: None)


def values(found: Done) -> Mapping[str, str | None]:
    return {answer.key: answer.value for answer in found.answers}


def frames(name: str) -> list[Dissected]:
    """Every frame of a case, with its notes."""
    understanding, found = Understanding(), []
    with open_capture(case(name)) as capture:
        for packet in capture:
            frame = understanding.take(packet)[0]
            frame.notes = notes(frame)
            found.append(frame)
    return found


def story(name: str) -> str:
    """What explain says of a case."""
    return "\n".join(explain(case(name), 0, False, lambda part: None))


def kinds(frame: Dissected) -> set[str]:
    return {note.kind for note in frame.notes}


class ExerciseCaseTests(SynchronousTestCase):
    """Answers to the exercises."""

    def test_from_a_private_to_a_public_address_the_next_hop_is_a_router(self) -> None:
        """Behind a translating router the replies come with TTL 64."""
        found = done("a1", "http")
        self.assertEqual(values(found)["destination_mac_owner"], "the router's")
        sheet = read_sheet(str(samples.SHARED / "cases" / "a1.toml"), "http")
        verdicts = {one.key: one.verdict for one in mark(found.answers, sheet)}
        self.assertEqual(verdicts["destination_mac_owner"], "right")

    def test_a_total_length_of_zero_is_no_negative_payload(self) -> None:
        """The captured length counts, and that is said."""
        (answer,) = [one for one in done("a4", "ip").answers if one.key == "payload_length"]
        self.assertEqual(answer.value, "64")
        self.assertIn("offload", answer.explanation)

    def test_behind_two_tags_the_last_ethertype_counts(self) -> None:
        """ARP and IPv4 in QinQ."""
        self.assertEqual(values(done("a5-qinq-arp", "arp"))["ethertype"], "ARP (0x0806)")
        self.assertEqual(values(done("a5-qinq-http", "http"))["ethertype"], "IPv4 (0x0800)")

    def test_every_method_is_an_http_request(self) -> None:
        """CONNECT, a request in IP fragments, one that the snap length cut."""
        for name in ("a7-http-connect", "a7-http-request-line-split", "a9"):
            self.assertIsNotNone(values(done(name, "http"))["source_mac"], name)

    def test_why_dhcp_is_not_tcp_is_shown_by_the_discover(self) -> None:
        """A Release comes from a client that has its address."""
        (answer,) = [one for one in done("a8", "dhcp").answers if one.key == "why_not_tcp"]
        self.assertEqual([proof.data for proof in answer.proofs], [bytes(4), b"\xff" * 4])

    def test_the_page_shows_every_field_of_a_dhcp_message(self) -> None:
        """The boot file's 128 bytes among them."""
        self.assertIn("128 long", page(done("c1", "dhcp"), None))
        self.assertIn("Boot file", page(done("c1", "dhcp"), None))


class PacketCaseTests(SynchronousTestCase):
    """Single packets."""

    def test_a_segment_longer_than_ip_can_say_is_read(self) -> None:
        """Total length 0 and 80,000 bytes of data."""
        (frame,) = frames("a3")
        self.assertEqual((frame.size, len(frame.data)), (80_000, 80_000))
        self.assertIn("offload", kinds(frame))

    def test_a_short_frame_that_was_received_is_not_said_to_be_taken_where_it_was_sent(self) -> None:
        """Cards and virtual links take padding off."""
        (note,) = [one for one in frames("b1")[1].notes if one.kind == "short"]
        self.assertIn("also where a frame comes over a virtual link", note.text)

    def test_the_checksum_behind_a_routing_header_covers_the_last_address(self) -> None:
        """Good is good, bad is bad."""
        self.assertNotIn("checksum", kinds(frames("b2-ipv6-routing-good")[0]))
        self.assertIn("checksum", kinds(frames("b2-ipv6-routing-bad")[0]))

    def test_tags_are_no_offload(self) -> None:
        """Three tags on a full frame."""
        self.assertNotIn("large", kinds(frames("b10")[0]))

    def test_a_sequence_number_is_shown_in_both_byte_orders(self) -> None:
        """As other tools do."""
        self.assertIn("41985 (little-endian 420)", story("b11"))

    def test_a_packet_without_a_time_has_none(self) -> None:
        """Not 1970."""
        said = story("b12")
        self.assertIn("no time", said)
        self.assertNotIn("1970", said)


class ConnectionCaseTests(SynchronousTestCase):
    """TCP connections."""

    def test_a_keep_alive_is_no_retransmission(self) -> None:
        """One byte before the next one."""
        self.assertIn("keep-alive", story("b3"))
        self.assertNotIn("retransmission", story("b3"))

    def test_a_late_fin_belongs_to_its_session(self) -> None:
        """There is one session, and frame 17 is in it."""
        said = story("b4")
        self.assertEqual(said.count("TCP session"), 1)
        self.assertIn("frame 17: the server closes its side again", said)

    def test_bytes_are_counted_by_the_sequence_numbers(self) -> None:
        """And those that the capture has beside them."""
        said = story("b5")
        self.assertIn("3460 bytes by the sequence numbers (0 of them in the capture) of data from the client", said)
        self.assertIn("5053 by the sequence numbers (120 of them in the capture) from the server", said)

    def test_a_segment_that_fills_a_gap_was_not_there_before(self) -> None:
        """A fast retransmission after duplicate acknowledgements."""
        said = story("b6")
        self.assertIn("frame 8: the server sends what was missing before", said)
        self.assertIn("duplicate ACK 2", said)

    def test_lengths_are_the_packets_not_the_captured(self) -> None:
        """The snap length is named."""
        said = story("a9")
        self.assertIn("Len=1460", said)
        self.assertNotIn("Len=36", said)
        self.assertIn("the snap length left at most 90 bytes of each", said)
