"""A student's answers, marked."""

from __future__ import annotations

import os
import tempfile
import tomllib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.exercises.marking.verdicts import Mark, mark, mark_best, read_sheet, score
from labnet.capture.exercises.model import ExerciseAnswer
from labnet.capture.exercises.run import run
from labnet.capture.exercises.text import key
from labnet.capture.model import CaptureError
from tests.capture import samples
from tests.capture.exercises.marking.spellings import SPELLINGS
from tests.capture.exercises.test_exercises import done, http
from tests.capture.frames import file


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
        self.assertEqual(self.verdict("arp", samples.arp_pair(), "broadcast_mac", "00:00:00:00:00:00"), "wrong")
        for vague in ("ff:ff", "everybody"):
            self.assertEqual(self.verdict("arp", samples.arp_pair(), "broadcast_mac", vague), "teacher")

    def test_numbers_with_or_without_a_unit(self) -> None:
        """Decimal or hexadecimal."""
        for right in (20, "20", "20 bytes", "0x14", "5 words", "twenty"):
            self.assertEqual(self.verdict("ip", samples.ping(), "header_length", right), "right")
        for wrong in (5, "5 bytes", "5", "twelve"):
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
                self.assertIn(one.verdict, ("right", "wrong", "missing", "teacher"))


_DONE: dict[str, object] = {}

CAPTURES = {
    "ip": samples.ping(), "arp": samples.arp_pair(), "dhcp": samples.offer(), "http": http(ttl=47),
    "trace": samples.four_packets(),
}  # fmt: skip


class SpellingTests(SynchronousTestCase):
    """Right, wrong and vague answers in the spellings of students."""

    def test_every_spelling_gets_its_verdict(self) -> None:
        """No false alarm, no false pass."""
        answers = {name: done(name, packets).answers for name, packets in CAPTURES.items()}
        wrong = [
            f"{exercise} {key} {spelling!r}: {verdict} expected, {found[key].verdict} given"
            for exercise, key, verdict, spellings in SPELLINGS
            for spelling in spellings
            if (found := {one.key: one for one in mark(answers[exercise], {key: spelling})})[key].verdict != verdict
        ]
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_there_are_enough_of_them(self) -> None:
        """Each one once."""
        listed = [(exercise, key, str(one)) for exercise, key, _, spellings in SPELLINGS for one in spellings]
        self.assertGreaterEqual(len(listed), 400)
        self.assertEqual(len(set(listed)), len(listed))


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


class ExchangeTests(SynchronousTestCase):
    """Any right exchange of a capture counts, and what it cannot hold does not."""

    def test_answers_of_the_second_exchange_are_right(self) -> None:
        """Two ARP pairs; the sheet has the second."""
        swap = {b"\x0a\0\0\2": b"\x0a\0\0\x09", b"\2\0\0\0\0\2": b"\2\0\0\0\0\x09"}
        second = []
        for when, data in samples.arp_pair():
            for old, new in swap.items():
                data = data.replace(old, new)
            second.append((when + 1, data))
        with file(samples.pcap([*samples.arp_pair(), *second])) as path:
            found = run("arp", path, lambda part: None, every=True)
        sheet = {"asked_address": "10.0.0.9", "reply_ip": "10.0.0.9", "reply_mac": "02:00:00:00:00:09"}
        marks = mark_best([found.answers, *found.others], sheet)
        self.assertEqual([one.verdict for one in marks if one.given], ["right"] * 3)

    def test_what_a_capture_cannot_hold_is_out_of_the_count(self) -> None:
        """A perfect sheet of a capture on `any` is perfect."""
        packets = [(1.0, samples.cooked(2, samples.udp("10.0.0.1", 1, "10.0.0.2", 2, b"GET / HTTP/1.1\r\n\r\n")))]
        self.assertEqual(str(score(mark(done("http", packets).answers, {}))), "0 of 0 right")


class KeyTests(SynchronousTestCase):
    """The teacher's key."""

    def test_the_key_marks_itself_right(self) -> None:
        """Of each exercise."""
        for name, packets in CAPTURES.items():
            with file(samples.pcap(packets)) as path:
                found = run(name, path, lambda part: None, every=True)
            table = tomllib.loads("\n".join(key(found)))[name]
            sheet = {f"{above}.{one}": value for above, inner in table.items() if isinstance(inner, dict)
                     for one, value in inner.items()} or table  # fmt: skip
            total = score(mark(found.answers, sheet))
            self.assertEqual((total.right, total.teacher), (total.count, 0), name)


class UnusualValueTests(SynchronousTestCase):
    """A damaged packet, or a question of a teacher's sheet, whose value is not of the kind that is asked."""

    def test_a_value_of_another_kind_is_for_the_teacher(self) -> None:
        """Copied as it stands it is right; nothing else is judged."""
        for kind, value in (
            ("address", "255.255.255.0, 00 00 00 07"), ("number", "0x12"), ("number", ""), ("quantity", "soon"),
        ):  # fmt: skip
            answer = ExerciseAnswer("one", "Which?", kind, value, "")
            self.assertEqual(mark([answer], {"one": "10.0.0.1"})[0].verdict, "teacher", kind)
            self.assertEqual(mark([answer], {"one": value or "1"})[0].verdict, "right" if value else "teacher", kind)
