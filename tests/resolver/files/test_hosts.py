"""Tests for :mod:`labnet.resolver.files.hosts`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.hosts import TTL, read_hosts
from labnet.resolver.records.zone import Zone
from labnet.wire.types import Question, RRset, RRType
from tests.resolver.zonefiles import Read, ip, wire


def read(content: bytes) -> Read:
    """The records of a hosts file as they are handed on, and what is wrong in it."""
    result = Read()
    result.problems = read_hosts(content, result.rrsets.append)
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
        self.assertEqual(read_hosts(b"192.0.2.1 www\n192.0.2.2 WWW\n192.0.2.1 www\n", zone.add), [])
        answer = zone.find(Question(wire("www"), RRType.A))
        assert answer is not None
        self.assertEqual(answer.answer, (RRset(wire("www"), RRType.A, TTL, (ip("192.0.2.1"), ip("192.0.2.2"))),))

    def test_what_is_the_authors_is_passed_over(self) -> None:
        """Comments, blank lines, CRLF, a byte order mark and a missing final newline are no problems."""
        file = read(b"\xef\xbb\xbf# mine\r\n\r\n  192.0.2.1  www # not-a-name\r\n192.0.2.2 mail")
        self.assertEqual(file.names, ["www", "mail"])
        self.assertEqual(file.problems, [])

    def test_each_bad_line_is_one_problem_with_its_number(self) -> None:
        """Bad lines are told one by one, and the good ones between them are read."""
        table = {
            b"192.0.2 www": "'192.0.2' is no IPv4 or IPv6 address",
            b"192.0.2.010 www": "'192.0.2.010' is no IPv4 or IPv6 address",
            b"fe80::1%eth0 www": (
                "'fe80::1%eth0' has a zone index (%), which DNS cannot carry: write the address without it"
            ),
            b"192.0.2.1": "no name stands behind the address 192.0.2.1",
            b"192.0.2.1 # www": "no name stands behind the address 192.0.2.1",
            b"192.0.2.1 a..b": "'a..b' is no host name: labels of 1 to 63 bytes, 255 bytes in all",
            b"192.0.2.1 a,b": "'a,b' is no host name: labels of 1 to 63 bytes, 255 bytes in all",
            b"192.0.2.1 \xff": "the line is not UTF-8",
        }
        for line, says in table.items():
            file = read(b"192.0.2.7 before\n" + line + b"\n192.0.2.8 after\n")
            self.assertEqual(file.complaints, [(2, says, False)], line)
            self.assertEqual(file.names, ["before", "after"], line)

    @given(
        st.binary(max_size=200) | st.lists(st.sampled_from([b"::1", b"%", b" ", b"\n", b"a", b".", b"#"])).map(b"".join)
    )
    def test_a_hosts_file_of_any_bytes_is_read(self, content: bytes) -> None:
        """Random bytes and shuffled words give records and problems, one a line at most for each name."""
        file = read(content)
        lines = content.count(b"\n") + 1
        self.assertTrue(all(0 < problem.line <= lines for problem in file.problems))
