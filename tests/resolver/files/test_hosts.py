"""Tests for :mod:`labnet.resolver.files.hosts`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.entries import shown
from labnet.resolver.files.hosts import TTL, read_hosts
from labnet.resolver.records.zone import Zone
from labnet.resolver.records.zonedata import ZoneData
from labnet.wire.names import text_of
from labnet.wire.types import Question, RRset, RRType
from tests.resolver.zonefiles import Read, ip, wire


def read(content: bytes) -> Read:
    """The records of a hosts file as they are handed on, and what is wrong in it."""
    result = Read()

    def add(owner: bytes, rrtype: int, ttl: int, address: bytes, is_alias: bool) -> None:
        result.rrsets.append(RRset(owner, rrtype, ttl, (address,)))

    result.problems = read_hosts(content, add)
    return result


class HostsFiles(SynchronousTestCase):
    """Tests for read_hosts."""

    def test_every_name_of_a_line_has_its_address(self) -> None:
        """The canonical name and the aliases get an A or AAAA record of the default TTL."""
        file = read(b"192.0.2.1 www.lab www\n2001:db8::1\tsix.lab\n")
        six = bytes.fromhex("20010db8000000000000000000000001")
        self.assertEqual(
            file.shown,
            [
                ("www.lab", RRType.A, TTL, (ip("192.0.2.1"),)),
                ("www", RRType.A, TTL, (ip("192.0.2.1"),)),
                ("six.lab", RRType.AAAA, TTL, (six,)),
            ],
        )
        self.assertEqual(file.problems, [])

    def test_several_lines_of_a_name_form_one_rrset(self) -> None:
        """A name that stands in two lines has both addresses, whatever its case; the same one twice counts once."""
        zone = Zone()
        self.assertEqual(read_hosts(b"192.0.2.1 www\n192.0.2.2 WWW\n192.0.2.1 www\n", zone.data.add_host), [])
        answer = zone.find(Question(wire("www"), RRType.A))
        assert answer is not None
        self.assertEqual(answer.answer, (RRset(wire("www"), RRType.A, TTL, (ip("192.0.2.1"), ip("192.0.2.2"))),))

    def test_what_is_the_authors_is_passed_over(self) -> None:
        """Comments, blank lines, CRLF, a byte order mark and a missing final newline are no problems."""
        file = read(b"\xef\xbb\xbf# mine\r\n\r\n  192.0.2.1  www # not-a-name\r\n192.0.2.2 mail")
        self.assertEqual(file.names, ["www", "mail"])
        self.assertEqual(file.problems, [])

    def test_each_bad_line_is_passed_over_with_a_warning(self) -> None:
        """Hosts files of everyday life have such lines: the good ones between them are read."""
        skipped = "; the line was skipped"
        table = {
            b"192.0.2 www": f"'192.0.2' is no IPv4 or IPv6 address{skipped}",
            b"192.0.2.010 www": f"'192.0.2.010' is no IPv4 or IPv6 address{skipped}",
            b"fe80::1%lo0 localhost": (
                f"'fe80::1%lo0' has a zone index (%), which DNS cannot carry: write the address without it{skipped}"
            ),
            b"192.0.2.1": f"no name stands behind the address 192.0.2.1{skipped}",
            b"192.0.2.1 # www": f"no name stands behind the address 192.0.2.1{skipped}",
            b"192.0.2.1 \xff": "the line is not UTF-8; it was skipped",
        }
        for line, says in table.items():
            file = read(b"192.0.2.7 before\n" + line + b"\n192.0.2.8 after\n")
            self.assertEqual(file.complaints, [(2, says, True)], line)
            self.assertEqual(file.names, ["before", "after"], line)

    def test_a_bad_name_is_passed_over_and_the_others_of_its_line_are_read(self) -> None:
        """A label of 64 bytes, an empty one, a comma: the line has a warning for each."""
        for name in ("x" * 64, "a..b", "a,b"):
            file = read(f"192.0.2.1 www {name} alias\n".encode())
            says = f"{shown(name)} is no host name (labels of 1 to 63 bytes, 255 in all); it was skipped"
            self.assertEqual((file.complaints, file.names), ([(1, says, True)], ["www", "alias"]))

    def test_a_comment_may_have_any_bytes(self) -> None:
        """Latin-1 in a comment is no problem."""
        file = read(b"192.0.2.1 www # caf\xe9\n# \xff\n")
        self.assertEqual((file.names, file.problems), (["www"], []))

    def test_an_address_leads_back_to_the_first_name_of_its_first_line(self) -> None:
        """The others are aliases, be they on the same line or on a later one; the PTR record is always the same."""
        table = {
            b"192.0.2.1 www.lab www alias\n": "www.lab",
            b"192.0.2.1 one\n192.0.2.1 two\n": "one",
            b"192.0.2.9 one\n192.0.2.1 two one\n": "two",
            b"192.0.2.1 two one\n192.0.2.9 one\n": "two",
        }
        for content, name in table.items():
            self.assertEqual(self.pointer(content, 1), name, content)

    def test_an_alias_with_an_address_of_its_own_is_found_by_that(self) -> None:
        """In the hosts file or in another file: only as an alias it is not led back to."""
        for of_its_own in (b"192.0.2.9 alias", b"192.0.2.9 alias other"):
            self.assertEqual(self.pointer(b"192.0.2.1 www alias\n" + of_its_own, 9), "alias")
        record = RRset(wire("alias"), RRType.A, 60, (ip("192.0.2.9"),))
        for number, name in ((1, "www"), (9, "alias")):
            self.assertEqual(self.pointer(b"192.0.2.1 www alias\n", number, record), name)

    def pointer(self, content: bytes, number: int, *records: RRset) -> str:
        """The one name that 192.0.2.number leads back to, by a hosts file and ``records`` behind it."""
        data = ZoneData()
        self.assertEqual(read_hosts(content, data.add_host), [])
        for rrset in records:
            self.assertIsNone(data.add(rrset))
        data.finish()
        answer = Zone(data).find(Question(wire(f"{number}.2.0.192.in-addr.arpa"), RRType.PTR))
        assert answer is not None
        (name,) = answer.answer[0].rdatas
        return text_of(name)

    @given(
        st.binary(max_size=200) | st.lists(st.sampled_from([b"::1", b"%", b" ", b"\n", b"a", b".", b"#"])).map(b"".join)
    )
    def test_a_hosts_file_of_any_bytes_is_read(self, content: bytes) -> None:
        """Random bytes and shuffled words give records and problems, one a line at most for each name."""
        file = read(content)
        lines = content.count(b"\n") + 1
        self.assertTrue(all(0 < problem.line <= lines for problem in file.problems))
