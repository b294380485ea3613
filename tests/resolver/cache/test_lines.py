"""Tests for :mod:`labnet.resolver.cache.lines` and for what a resolver still knows after a restart."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import decode_dns_line, decode_line, encode_dns_line, encode_line
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.wire.names import key_of
from labnet.wire.types import Answer, Mapping, Rcode, RRset, Security
from tests.resolver.dnsfakes import CNAME, SOA, TXT, A, question, rrset, wire
from tests.resolver.lab import COURSE, Lab, rcode, shown

NUMBERS = b"".join(number.to_bytes(4, "big") for number in (1, 2, 3, 4, 60))
LINE = (
    b'{"q":"0161076578616d706c6500","t":1,"s":5.5,"l":60,"r":0,"f":"192.0.2.53:53",'
    b'"a":[["0141076578616d706c6500",1,60,["c0000201"]]],"n":[]}'
)


class CodecTests(SynchronousTestCase):
    """A line for each answer."""

    def test_line_is_written_and_read(self) -> None:
        """The format is as documented, the case of names kept, and the course's mapping follows from it."""
        asked = question("a.example")
        answer = Answer(Rcode.NOERROR, (RRset(wire("A.example"), A, 60, (b"\xc0\0\2\1",)),))
        self.assertEqual(encode_dns_line((asked, Entry(answer, 5.5, 60, "192.0.2.53:53"))).encode(), LINE)
        read, entry = decode_dns_line(LINE)
        self.assertEqual((read, entry.since, entry.ttl, entry.source), (asked, 5.5, 60, "192.0.2.53:53"))
        self.assertEqual(entry.answer.answer, answer.answer)
        self.assertEqual(entry.answer.mapping, Mapping("a.example", "192.0.2.1", 60, True, 5.5))

    @given(st.integers(0, 2**31 - 1), st.floats(0, 2**40), st.sampled_from([Rcode.NOERROR, Rcode.NXDOMAIN]))
    def test_every_entry_comes_back(self, ttl: int, since: float, rcode: Rcode) -> None:
        """What is written is read back the same."""
        soa = rrset("example", ttl, SOA, wire("ns.example") + wire("h.example") + NUMBERS)
        chain = (rrset("b.example", ttl, CNAME, wire("c.example")), rrset("c.example", ttl, TXT, b"\3abc", b"\0"))
        secure = Answer(rcode, chain, security=Security.SECURE)
        for answer in (Answer(rcode, chain), Answer(rcode, authority=(soa,)), secure):
            kept = question("b.example", TXT), Entry(answer, since, ttl, 'the "parent" in K\u00f6ln')
            self.assertEqual(decode_dns_line(encode_dns_line(kept).encode()), kept)

    def test_a_line_of_either_log_comes_back(self) -> None:
        """What DNS said and what the course protocol said is the same again; a course line does not name its source."""
        key = key_of("www.example.org")
        dns = (
            question("b.example", TXT),
            Entry(Answer(Rcode.NOERROR, (rrset("b.example", 60, TXT, b"\1a"),)), 5.5, 60, "p"),
        )
        course = entry_of_mapping(key, Mapping("www.example.org", "21.09.1992.8", 60, True, 1000.0), "another worker")
        for cached in (dns, course):
            read, entry = decode_line(encode_line(cached), "another worker")
            self.assertEqual((read, replace(entry, content=entry.answer)), cached)
            self.assertEqual(
                decode_line(encode_line(cached, 3600.0), "another worker")[1].since, cached[1].since + 3600
            )
        for line in ("", "{}", "a,b", "{"):
            self.assertRaises(ValueError, decode_line, line, "x")

    def test_records_alone_are_kept_as_such(self) -> None:
        """Where they are all of an answer its line is the same as that of the answer, and read they are no more."""
        asked = question("a.example")
        for rdatas in ((b"\xc0\0\2\1",), (b"\xc0\0\2\1", b"\xc0\0\2\2")):
            kept = Entry(rdatas, 5.5, 60, "p", question=asked)
            line = encode_line((asked, kept), 2.25)
            self.assertEqual(line, encode_line((asked, replace(kept, content=kept.answer)), 2.25))
            self.assertEqual(decode_line(line, "x"), (asked, replace(kept, since=7.75)))
        fields, soa = json.loads(LINE.replace(b"0141", b"0161")), ["00", 6, 60, ["00" * 22]]
        for other in ({"n": [soa]}, {"r": 3}, {"v": 1}, {"l": 59}, {"t": 28}, {"a": []}, {"q": "00"}):
            _, entry = decode_dns_line(json.dumps(fields | other).encode())
            self.assertIsInstance(entry.content, Answer, other)

    def test_what_validation_found_is_one_of_three_numbers(self) -> None:
        """What is bogus is never written."""
        for value in (-1, 3, "2", None):
            line = json.dumps(json.loads(LINE) | {"v": value}).encode()
            self.assertRaises(ValueError, decode_dns_line, line)

    def test_broken_lines_are_refused(self) -> None:
        """A line with a field that is missing, of another kind or out of range is refused, and never raises else."""
        changes: dict[str, list[object]] = {
            "q": [None, 1, "0", "xx", "", "01", "c000", "0000", "0161", "61" * 300, "ff61"],
            "t": [None, -1, 65536, "1", True, 1.5],
            "s": ["5", None, -1, float("nan"), float("inf"), -float("inf"), 10**400, True, []],
            "l": [-1, 2**31, "60", 1.5, None],
            "r": [12345, "x", None],
            "f": [None, 5, "\ud800", "a\nb"],
            "a": [
                None,
                5,
                "text",
                {"x": 1},
                [[]],
                [["00", 1, 60]],
                [["00", 1, 60, []]],
                [["00", 1, 60, ["00"]]],
                [["00", 28, 60, ["00"]]],
            ],
            "n": [[["00", 6, 60, ["0000"]]], [["00", 5, 60, ["c000"]]], [["00", 5, -1, ["00"]]], [["0", 5, 1, ["00"]]]],
        }
        for field, values in changes.items():
            fields = json.loads(LINE)
            for value in values:
                line = json.dumps(fields | {field: value}).encode()
                with self.assertRaises(ValueError, msg=line):
                    decode_dns_line(line)
            del fields[field]
            with self.assertRaises(ValueError):
                decode_dns_line(json.dumps(fields).encode())
        for line in (b"", b"{", b"[]", b"1", b"null", b"9" * 5000, b"[" * 100_000, b"\xff", LINE + b"x", LINE[:-1]):
            with self.assertRaises(ValueError):
                decode_dns_line(line)

    @given(st.integers(0, len(LINE) - 1), st.binary(max_size=2))
    def test_mutated_lines_are_read_or_refused(self, at: int, put: bytes) -> None:
        """A line with some bytes changed is an answer that can be told, or a ValueError."""
        try:
            _, entry = decode_dns_line(LINE[:at] + put + LINE[at + 1 :])
        except ValueError:
            return
        entry.aged(1e9)


class RestartTests(SynchronousTestCase):
    """What was learned survives, in two logs."""

    def test_both_logs_are_restored(self) -> None:
        """After a restart what either protocol's parent told is still known, with its age and who told it."""
        lab = Lab(self, forward={"course": ["text:192.0.2.53:1200"]})
        lab.resolve("web.example", "web.example. 60 CNAME x.example.", "x.example. 60 A 192.0.2.1")
        lab.resolve("gone.example", rcode="NXDOMAIN", authority=["example. 60 SOA ns.example. h.example. 1 2 3 4 60"])
        lab.course("a.course")
        lab.network.deliver(b"a.course,192.0.2.9,60", COURSE, lab.take(COURSE).source)
        lab.course_told()
        lab.pass_time(10)
        lab.restart(parents=[], forward={})
        self.assertFalse(lab.warnings)
        self.assertEqual(
            shown(lab.ask("web.example")), ["web.example. 50 IN CNAME x.example.", "x.example. 50 IN A 192.0.2.1"]
        )
        self.assertEqual(rcode(lab.ask("gone.example")), "NXDOMAIN")
        self.assertEqual(shown(lab.ask("a.course")), ["a.course. 50 IN A 192.0.2.9"])
        self.assertEqual(rcode(lab.ask("a.course", "MX")), "NOERROR")
        lab.course("web.example")
        self.assertEqual(lab.course_told(), b'["web.example", "192.0.2.1", "60", "1", 1605280488.0]')

    def test_logs_are_apart(self) -> None:
        """The course's log has the records file's format and nothing of DNS; that of DNS has the rest."""
        lab = Lab(self, forward={"course": ["text:192.0.2.53:1200"]})
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        lab.course("a.course")
        lab.network.deliver(b"a.course,192.0.2.9,60", COURSE, lab.take(COURSE).source)
        lab.course_told()
        self.assertEqual((lab.folder / "learned").read_text(), "a.course,192.0.2.9,60,1,1605280488.0\n")
        (line,) = (lab.folder / "learned.dns").read_bytes().splitlines()
        self.assertEqual(decode_dns_line(line)[0], question("web.example"))

    def test_what_has_no_lifetime_is_not_logged(self) -> None:
        """A TTL of 0 leaves no line in either log."""
        lab = Lab(self, forward={"course": ["text:192.0.2.53:1200"]})
        lab.resolve("web.example", "web.example. 0 A 192.0.2.1")
        lab.course("a.course")
        lab.network.deliver(b"a.course,192.0.2.9,0", COURSE, lab.take(COURSE).source)
        lab.course_told()
        lab.stop()
        self.assertEqual([path.name for path in lab.folder.iterdir()], [])

    def test_what_is_over_is_not_restored(self) -> None:
        """An answer whose time passed while the resolver was stopped is asked for anew."""
        lab = Lab(self)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        lab.stop()
        lab.pass_time(61)
        lab.start()
        lab.resolve("web.example", "web.example. 60 A 192.0.2.2")

    def test_last_line_counts(self) -> None:
        """Of one question the later line is restored."""
        lab = Lab(self, prefetch=False)
        for last in (1, 2):
            lab.resolve("web.example", f"web.example. 5 A 192.0.2.{last}")
            lab.pass_time(6 if last == 1 else 0)
        lab.restart(parents=[])
        self.assertEqual(shown(lab.ask("web.example")), ["web.example. 5 IN A 192.0.2.2"])

    def test_broken_lines_are_skipped_with_a_warning(self) -> None:
        """A line that cannot be read costs that line, in either log; it is named, and gone after the start."""
        good = LINE.replace(b"5.5", b"1605280488.0")
        files = {
            "learned": "a.course,192.0.2.9,60,1,1605280488.0\nx,y\nb.course,192.0.2.9,60,1,1605280488.0\n",
            "learned.dns": f"{good.decode()}\njunk\n{good.decode().replace('0161', '0162')}\n",
        }
        lab = Lab(self, files, parents=[], records=[])
        self.assertEqual(len(lab.warnings), 2)
        self.assertIn(f"{lab.folder}/learned:2: ", lab.warnings[0])
        self.assertEqual(
            lab.warnings[1], f"{lab.folder}/learned.dns:2: the line is no answer that was kept; it was skipped"
        )
        for name in ("a.example", "b.example", "a.course", "b.course"):
            self.assertEqual(len(shown(lab.ask(name))), 1, name)
        lab.restart()
        self.assertFalse([warning for warning in lab.warnings if "learned.dns" in warning])
        self.assertEqual(len(shown(lab.ask("b.example"))), 1)

    def test_line_cut_by_a_crash_is_dropped(self) -> None:
        """The start of a line is no line, costs no warning, and what is learned next stands on a line of its own."""
        good = LINE.replace(b"5.5", b"1605280488.0").decode()
        lab = Lab(self, {"learned.dns": f"{good}\n{good[:40]}"}, records=[])
        self.assertFalse(lab.warnings)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        lab.restart(parents=[])
        self.assertFalse(lab.warnings)
        self.assertEqual([len(shown(lab.ask(name))) for name in ("a.example", "web.example")], [1, 1])

    def test_without_a_log_a_stop_forgets(self) -> None:
        """Without ``learned`` nothing is written."""
        lab = Lab(self, learned=None)
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")
        lab.restart()
        self.assertEqual(list(lab.folder.iterdir()), [])
        lab.resolve("web.example", "web.example. 60 A 192.0.2.1")


class KeyTests(SynchronousTestCase):
    """The key in a line is a key."""

    def test_key_is_folded(self) -> None:
        """A line whose question has capital letters is found by the folded name."""
        self.assertEqual(decode_dns_line(LINE.replace(b'"q":"0161', b'"q":"0141'))[0].key, key_of("a.example"))
