"""A student's answers, marked."""

from __future__ import annotations

import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.marking import Mark, mark, read_sheet
from labnet.capture.model import CaptureError
from tests.capture import samples
from tests.capture.exercises.test_exercises import done, http


def marks(name: str, packets: list[tuple[float, bytes]], **sheet: object) -> dict[str, Mark]:
    return {one.key: one for one in mark(done(name, packets).answers, sheet)}


class PublishedAnswersTests(SynchronousTestCase):
    """The two that are wrong."""

    def test_the_broadcasts_ethertype_is_not_0x0800(self) -> None:
        """The reason names ARP and shows the bytes."""
        for wrong in ("0x0800", "0800", 0x0800, "IPv4", "IP (0x0800)"):
            found = marks("arp", samples.arp_pair(), ethertype=wrong)["ethertype"]
            self.assertEqual(found.verdict, "wrong", wrong)
            self.assertIn("ARP (0x0806)", found.reason)
            self.assertEqual(found.proofs[0].data, b"\x08\x06")

    def test_the_requests_ethertype_says_nothing_of_tcp(self) -> None:
        """The number is right and the words are not."""
        for wrong in ("0x0800 (IPv4, TCP)", "IPv4 TCP", "0x0800: TCP"):
            found = marks("http", http(), ethertype=wrong)["ethertype"]
            self.assertEqual(found.verdict, "wrong", wrong)
            self.assertIn("nothing of TCP", found.reason)
        for right in ("0x0800", "0800", 2048, "IPv4", "0x0800 (IPv4)"):
            self.assertEqual(marks("http", http(), ethertype=right)["ethertype"].verdict, "right", right)

    def test_the_broadcasts_ethertype_is_right_however_it_is_written(self) -> None:
        """Number, digits or name."""
        for right in ("0x0806", "0806", 0x0806, "ARP", "ARP (0x0806)"):
            self.assertEqual(marks("arp", samples.arp_pair(), ethertype=right)["ethertype"].verdict, "right", right)


class KindTests(SynchronousTestCase):
    """How each kind of answer is compared."""

    def verdict(self, name: str, packets: list[tuple[float, bytes]], key: str, given: object) -> str:
        return marks(name, packets, **{key: given})[key].verdict

    def test_mac_addresses_in_any_notation(self) -> None:
        """Colons, hyphens, dots, capitals."""
        for right in ("FF:FF:FF:FF:FF:FF", "ff-ff-ff-ff-ff-ff", "ffff.ffff.ffff"):
            self.assertEqual(self.verdict("arp", samples.arp_pair(), "broadcast_mac", right), "right")
        for wrong in ("00:00:00:00:00:00", "ff:ff", "everybody"):
            self.assertEqual(self.verdict("arp", samples.arp_pair(), "broadcast_mac", wrong), "wrong")

    def test_numbers_with_or_without_a_unit(self) -> None:
        """Decimal or hexadecimal."""
        for right in (20, "20", "20 bytes", "0x14"):
            self.assertEqual(self.verdict("ip", samples.ping(), "header_length", right), "right")
        for wrong in (5, "5 words", "twenty"):
            self.assertEqual(self.verdict("ip", samples.ping(), "header_length", wrong), "wrong")

    def test_the_payload_is_not_the_total_length(self) -> None:
        """The reason does the subtraction."""
        found = marks("ip", samples.ping(), payload_length=36)["payload_length"]
        self.assertEqual(found.verdict, "wrong")
        self.assertIn("36 - 20 = 16", found.reason)

    def test_lists_of_addresses_in_any_order(self) -> None:
        """As a list or as text."""
        for right in (["10.0.0.54", "10.0.0.53"], "10.0.0.53, 10.0.0.54"):
            self.assertEqual(self.verdict("dhcp", samples.offer(), "dns_servers", right), "right")
        self.assertEqual(self.verdict("dhcp", samples.offer(), "dns_servers", ["10.0.0.53"]), "wrong")

    def test_protocols_by_name_or_number(self) -> None:
        """Both together too."""
        for right in ("ICMP", 1, "ICMP (1)", "icmp"):
            self.assertEqual(self.verdict("ip", samples.ping(), "protocol", right), "right")
        self.assertEqual(self.verdict("ip", samples.ping(), "protocol", "TCP"), "wrong")

    def test_sentences_by_what_every_right_one_says(self) -> None:
        """And not by what they deny."""
        for right in ("the number of hops left", "how many routers it may pass"):
            self.assertEqual(self.verdict("ip", samples.ping(), "ttl_meaning", right), "right")
        self.assertEqual(self.verdict("ip", samples.ping(), "ttl_meaning", "seconds to live"), "wrong")
        key = "destination_mac_owner"
        for right in ("the router", "not the web server's but the router's", "default gateway"):
            self.assertEqual(self.verdict("http", http(ttl=47), key, right), "right")
        for wrong in ("the web server", "not the router"):
            self.assertEqual(self.verdict("http", http(ttl=47), key, wrong), "wrong")

    def test_data_as_they_are_and_json_by_its_values(self) -> None:
        """White space inside a list does not count."""
        key = "packet3.data"
        for right in (samples.LINE.decode(), samples.LINE.decode().replace(", ", ",")):
            self.assertEqual(self.verdict("trace", samples.four_packets(), key, right), "right")
        self.assertEqual(self.verdict("trace", samples.four_packets(), "packet1.data", "www.google.com"), "wrong")

    def test_another_broadcast_of_the_capture_is_right_too(self) -> None:
        """With a remark which one it is."""
        asked = samples.arp_pair()[0]
        other = (0.5, asked[1].replace(bytes([10, 0, 0, 2]), bytes([10, 0, 0, 9])))
        found = marks("arp", [other, *samples.arp_pair()], asked_address="10.0.0.9")["asked_address"]
        self.assertEqual((found.verdict, "frame 1 asks for that one" in found.reason), ("right", True))

    def test_no_answer_unknown_questions_and_what_cannot_be_marked(self) -> None:
        """Each is told as what it is."""
        found = marks("ip", samples.ping(), source="", tll=64)
        self.assertEqual((found["source"].verdict, found["tll"].verdict), ("missing", "unknown"))
        self.assertIn("did you mean ttl?", found["tll"].reason)
        self.assertEqual(marks("ip", samples.ping6(), ttl=64)["ttl"].verdict, "open")

    @given(
        st.one_of(
            st.text(max_size=50), st.integers(), st.lists(st.text(max_size=9), max_size=3), st.booleans(), st.floats()
        )
    )
    def test_any_answer_gets_a_mark(self, given: object) -> None:
        """None of them is an error of the program's."""
        for name, packets in (("ip", samples.ping()), ("arp", samples.arp_pair())):
            answers = _DONE.setdefault(name, done(name, packets)).answers
            for one in mark(answers, {answer.key: given for answer in answers}):
                self.assertIn(one.verdict, ("right", "wrong", "missing"))


_DONE: dict[str, object] = {}


class SheetTests(SynchronousTestCase):
    """The file with the answers."""

    def sheet(self, text: bytes) -> dict[str, object]:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "answers.toml")
            with open(path, "wb") as file:
                file.write(text)
            return read_sheet(path, "ip")

    def test_a_table_of_the_exercises_name_or_none(self) -> None:
        """One file can hold all exercises; tables inside become dotted keys."""
        self.assertEqual(self.sheet(b"[ip]\nttl = 64\n[arp]\nx = 1"), {"ttl": 64})
        self.assertEqual(self.sheet(b"ttl = 64\n[packet1]\ndata = 'x'"), {"ttl": 64, "packet1.data": "x"})

    def test_what_is_no_sheet_is_told_in_a_sentence(self) -> None:
        """Bad TOML, bytes that are no text, a key where a table should be, no file."""
        for text, why in ((b"ttl = ", "is no TOML"), (b"\xff", "is no TOML"), (b"ip = 4", "must be a table")):
            with self.assertRaisesRegex(CaptureError, why):
                self.sheet(text)
        with self.assertRaisesRegex(CaptureError, "cannot be read"):
            read_sheet("/nonexistent/answers.toml", "ip")
