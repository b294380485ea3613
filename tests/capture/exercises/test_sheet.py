"""Exercises as data, and the facts that their questions are bound to."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, UDP
from twisted.trial.unittest import SynchronousTestCase

from labnet.capture.cli import EXERCISES
from labnet.capture.exercises.marking.verdicts import mark, score
from labnet.capture.exercises.run import Done, run
from labnet.capture.exercises.sheet import read_exercise, shipped
from labnet.capture.exercises.text import answered, key
from labnet.capture.exercises.topics import COMPUTED, FRAMES
from labnet.capture.model import CaptureError
from tests.capture import samples
from tests.capture.frames import file

CLIENT, SERVER = ("10.0.0.1", 40001), ("198.51.100.80", 80)


def done(name: str, packets: Iterable[samples.Timed]) -> Done:
    with file(samples.pcap(packets)) as path:
        return run(name, path, lambda part: None)


def values(name: str, packets: Iterable[samples.Timed]) -> dict[str, str | None]:
    """The answers; that their proofs can be shown is tried too."""
    made = done(name, packets)
    assert list(answered(made, False))
    return {answer.key: answer.value for answer in made.answers}


def talk() -> samples.Talk:
    """An HTTP exchange of 36 and 500 bytes, one segment sent twice."""
    made = samples.Talk(client=CLIENT, server=SERVER)
    made.say("client", b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n", after=0.01)
    made.say("server", b"", "A", after=0.02)
    made.say("server", b"HTTP/1.1 200 OK\r\nLast-Modified: Mon, 01 Jan 2024\r\n\r\n" + b"x" * 400, after=0.01)
    made.packets.append((made.at + 0.2, made.packets[-1][1]))
    made.at += 0.2
    return made


def lease() -> list[samples.Timed]:
    """The four messages of a lease, and a Request of another client among them."""
    mac = bytes.fromhex(samples.CLIENT_MAC.replace(":", ""))

    def message(kind: str, xid: int, *options: object, server: bool = False) -> bytes:
        ends = (67, 68) if server else (68, 67)
        return samples.frame(samples.CLIENT_MAC, "ff:ff:ff:ff:ff:ff", (
            IP(src="10.0.0.254" if server else "0.0.0.0", dst="255.255.255.255") / UDP(sport=ends[0], dport=ends[1])
            / BOOTP(op=2 if server else 1, chaddr=mac, xid=xid, yiaddr="10.0.0.9" if server else "0.0.0.0")
            / DHCP(options=[("message-type", kind), *options, "end"])
        ))  # fmt: skip

    server = ("server_id", "10.0.0.254")
    return [
        (1.0, message("discover", 7)), (1.1, message("offer", 7, server, server=True)),
        (1.2, message("request", 99, ("requested_addr", "10.0.0.77"))),
        (1.3, message("request", 7, server, ("requested_addr", "10.0.0.9"))),
        (1.4, message("ack", 7, server, ("lease_time", 3600), ("subnet_mask", "255.255.255.0"), server=True)),
    ]  # fmt: skip


class FactTests(SynchronousTestCase):
    """What the shipped exercises answer."""

    def test_a_handshake_has_its_numbers(self) -> None:
        """Raw sequence numbers, round trips, bytes, what was sent again."""
        found = values("tcp", talk().packets)
        self.assertEqual((found["client_address"], found["server_port"]), (CLIENT[0], "80"))
        self.assertEqual((found["syn_sequence"], found["synack_acknowledgement"]), ("100", "101"))
        self.assertEqual((found["syn_flags"], found["synack_flags"]), ("SYN", "SYN, ACK"))
        self.assertEqual((found["handshake_rtt"], found["data_rtt"]), ("0.001000 s", "0.020000 s"))
        self.assertEqual((found["data_acknowledgement"], found["retransmissions"]), (str(101 + 38), "1"))
        self.assertEqual(found["server_bytes"], "452")

    def test_dns_query_and_response(self) -> None:
        """Ids, types and the server asked."""
        found = values("dns", samples.dns_pair())
        self.assertEqual((found["name"], found["type"], found["id"]), ("www.example.org", "1", str(0x1234)))
        self.assertEqual((found["server"], found["answers"], found["first_ttl"]), (samples.CHILD, "1", "60"))

    def test_udp_header_and_reply(self) -> None:
        """The ports swap."""
        found = values("udp", samples.dns_pair())
        self.assertEqual((found["source_port"], found["reply_destination_port"]), ("40000", "40000"))
        self.assertEqual(found["length"], str(8 + 33))

    def test_traceroute_has_its_routers_in_order(self) -> None:
        """And what their errors quote."""
        probe = IP(src="10.0.0.1", dst="198.51.100.9", ttl=1) / ICMP(type=8, id=5, seq=1)
        packets = [(1.0, samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, probe))]
        for number, router in enumerate(("10.0.0.254", "203.0.113.1", "10.0.0.254"), 2):
            error = IP(src=router, dst="10.0.0.1") / ICMP(type=11, code=0) / bytes(probe)[:28]
            packets.append((float(number), samples.frame(samples.CHILD_MAC, samples.CLIENT_MAC, error)))
        found = values("icmp", packets)
        self.assertEqual(found["routers"], "10.0.0.254, 203.0.113.1")
        self.assertEqual((found["quoted_destination"], found["quoted_ttl"]), ("198.51.100.9", "1"))
        self.assertEqual(found["request_identifier"], "5")
        self.assertIsNone(found["reply_type"])

    def test_fragments_are_counted_and_placed(self) -> None:
        """Offsets in bytes."""
        found = values("ip-more", samples.fragments())
        self.assertEqual((found["fragments"], found["fragment_offset"], found["last_offset"]), ("2", "0", "16"))

    def test_a_fragment_in_the_middle_is_proof_too(self) -> None:
        """No other question is about it."""
        parts = [IP(src="10.0.0.1", dst="10.0.0.2", id=9, proto=17, flags="MF" * (at < 4), frag=2 * at) / bytes(16)
                 for at in range(5)]  # fmt: skip
        frames = [samples.frame(samples.CLIENT_MAC, samples.CHILD_MAC, part) for part in parts]
        self.assertEqual(values("ip-more", [(float(at), one) for at, one in enumerate(frames)])["fragments"], "5")

    def test_the_four_messages_of_a_lease(self) -> None:
        """Another client's Request is not taken for this one's."""
        found = values("dhcp-lease", lease())
        self.assertEqual((found["requested"], found["request_server"]), ("10.0.0.9", "10.0.0.254"))
        self.assertEqual((found["assigned"], found["lease"], found["transaction"]), ("10.0.0.9", "3600", "7"))

    def test_http_with_conditions_and_authentication(self) -> None:
        """Each is found behind the first exchange."""
        made = talk()
        made.say("client", b"GET /a HTTP/1.1\r\nIf-Modified-Since: Mon, 01 Jan 2024\r\n\r\n")
        made.say("server", b"HTTP/1.1 304 Not Modified\r\n\r\n").say("client", b"GET /b HTTP/1.1\r\n\r\n")
        made.say("server", b"HTTP/1.1 401 Unauthorized\r\n\r\n")
        made.say("client", b"GET /b HTTP/1.1\r\nAuthorization: Basic dTpw\r\n\r\n")
        found = values("http-basics", made.packets)
        self.assertEqual((found["method"], found["path"], found["host"]), ("GET", "/a", "example.com"))
        self.assertEqual((found["condition"], found["unchanged"]), ("Mon, 01 Jan 2024", "304"))
        self.assertEqual((found["refused"], found["authorization"]), ("401", "Basic dTpw"))

    def test_a_real_client_hello_names_its_server(self) -> None:
        """As OpenSSL makes it."""
        found = values("tls", samples.secure())
        self.assertEqual((found["server_name"], found["server_port"]), ("www.example.com", "443"))
        self.assertEqual(found["client_version"], "TLS 1.2 (0x0303)")
        self.assertIsNone(found["certificate_name"])

    def test_the_mac_addresses_of_request_and_response(self) -> None:
        """They swap."""
        found = values("ethernet", talk().packets)
        self.assertEqual(found["request_source"], found["response_destination"])
        self.assertEqual(found["ethertype"], "IPv4 (0x0800)")

    def test_address_translation_is_seen_in_two_captures(self) -> None:
        """The same packet before and behind the router."""
        captures = [samples.pcap(packets) for packets in samples.translated()]
        with file(captures[0]) as path, file(captures[1]) as other:
            found = {one.key: one.value for one in run("nat", path, lambda part: None, outside=other).answers}
        self.assertEqual((found["inside_source"], found["outside_source"]), ("192.168.1.5", "203.0.113.9"))
        self.assertEqual(
            (found["outside_source_port"], found["inside_ttl"], found["outside_ttl"]), ("61001", "64", "63")
        )

    def test_a_key_marks_itself_right(self) -> None:
        """Of the exercises that are data."""
        for name, packets in (("tcp", talk().packets), ("dns", samples.dns_pair()), ("dhcp-lease", lease())):
            found = done(name, packets)
            total = score(mark(found.answers, {one.key: one.value for one in found.answers if one.value is not None}))
            self.assertEqual((total.right, total.teacher), (total.count, 0), name)
            self.assertTrue(list(key(found)))

    def test_a_time_is_right_in_any_unit_within_a_twentieth(self) -> None:
        """70 ms is 0.069740 s."""
        answers = done("tcp", talk().packets).answers
        for text, verdict in (
            ("20 ms", "right"), ("0.02 s", "right"), ("0.0205", "right"), ("20,000 us", "right"), ("0.2 s", "wrong"),
            ("20 s", "wrong"), ("fast", "teacher"),
        ):  # fmt: skip
            found = {one.key: one.verdict for one in mark(answers, {"data_rtt": text})}
            self.assertEqual(found["data_rtt"], verdict, text)

    def test_flags_are_right_in_any_order(self) -> None:
        """With or without their number."""
        answers = done("tcp", talk().packets).answers
        for text, verdict in (("ACK, SYN", "right"), ("0x012 (SYN, ACK)", "right"), ("SYN", "wrong"), ("?", "teacher")):
            found = {one.key: one.verdict for one in mark(answers, {"synack_flags": text})}
            self.assertEqual(found["synack_flags"], verdict, text)


class FileTests(SynchronousTestCase):
    """A teacher's own exercise."""

    def read(self, text: str) -> list[str]:
        with file(text.encode()) as path:
            name = path.replace(".pcap", ".toml")
            os.rename(path, name)
            return [fact for _, fact in read_exercise(name).questions]

    def test_a_file_of_questions_is_an_exercise(self) -> None:
        """Three lines a question."""
        self.assertEqual(
            self.read('[[question]]\nkey = "port"\nask = "Which port?"\nfact = "tcp.syn:tcp.dstport"\n'),
            ["tcp.syn:tcp.dstport"],
        )

    def test_everything_that_is_wrong_is_said_at_once(self) -> None:
        """Each in a sentence with its question."""
        text = """
        [[question]]
        key = "a"
        ask = "?"
        fact = "tcp.sin:tcp.dstport"
        [[question]]
        key = "B"
        ask = "?"
        fact = "tcp.rtt"
        kind = "words"
        [[question]]
        key = "c"
        """
        with self.assertRaises(CaptureError) as caught:
            self.read(text)
        said = str(caught.exception)
        for part in ("question 1 (a): 'tcp.sin:tcp.dstport' is no fact", "'B' has to be small letters", "kind 'words'",
                     "question 3: has no ask, fact"):  # fmt: skip
            self.assertIn(part, said)

    def test_what_is_no_exercise_is_told_in_a_sentence(self) -> None:
        """No questions, no TOML, no file."""
        for text, why in (("", "has no questions"), ("x = ", "is no TOML")):
            with self.assertRaisesRegex(CaptureError, why):
                self.read(text)
        with self.assertRaisesRegex(CaptureError, "cannot be read"):
            read_exercise("/nonexistent/x.toml")

    def test_every_shipped_exercise_can_be_read_and_chosen(self) -> None:
        """And the command names it."""
        for name in shipped():
            self.assertTrue(read_exercise(name).questions)
            self.assertIn(name, EXERCISES)

    def test_every_frame_and_fact_is_described_in_the_docs(self) -> None:
        """A teacher finds them there."""
        page = samples.DOCS.joinpath("captures.rst").read_text()
        for name in (*FRAMES, *COMPUTED):
            self.assertIn(f"``{name}``", page)
