"""Tests for :mod:`labnet.resolver.files.zonefile`: its two readers, and dnspython's zones beside them."""

from __future__ import annotations

from typing import Any
from unittest import mock

import dns.zone
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files import zonefile as masterfile
from labnet.resolver.files.detect import ZoneFile, parse_zone
from labnet.wire.names import text_of
from tests.resolver.files.test_detect import shown

NAMES = st.sampled_from(
    ["@", "a", "B", "a.b", "*.w", "x.lab.", "y.sub.lab.", "", "1", "in", "_s._tcp", "0/25", "\\065"]
)
TTLS = st.sampled_from(["", "5", "300", "1h"])
CLASSES = st.sampled_from(["", "IN", "in"])
DATA = st.sampled_from(
    [
        "A 192.0.2.1",
        "a 192.0.2.2",
        "AAAA 2001:DB8::1",
        "AAAA ::ffff:192.0.2.1",
        "AAAA ::",
        "NS ns",
        "NS ns.other.",
        "PTR a.b",
        "MX 10 mail",
        "A 1.2.3",
        "A 1.2.3.04",
        "AAAA 1::2::3",
        "TXT a",
        "CNAME b",
        "A 192.0.2.9 more",
    ]
)


@st.composite
def zone_lines(draw: st.DrawFn) -> str:
    """A line of a zone file: mostly a record in one of its many forms."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["$TTL 77", "$ORIGIN sub.lab.", "", "; note", " ", "@ SOA ns host 1 2 3 4 99"]))
    ttl, of_class = draw(TTLS), draw(CLASSES)
    middle = [ttl, of_class] if draw(st.booleans()) else [of_class, ttl]
    gap = draw(st.sampled_from([" ", "\t", "  "]))
    end = draw(st.sampled_from(["", " ", " ; note", ";note", "\r"]))
    return gap.join([draw(NAMES), *filter(None, middle), draw(DATA)]) + end


class BothReaders(SynchronousTestCase):
    """Plain lines are read by labnet, all others by dnspython: nobody can tell."""

    @given(st.lists(zone_lines(), max_size=12))
    def test_a_line_means_the_same_to_either_reader(self, lines: list[str]) -> None:
        """With every line left to dnspython's reader, the RRsets and the lines of the problems are the same."""
        content = "\n".join(lines).encode()
        fast = parse_zone(content, "lab")
        with mock.patch.object(masterfile.MasterFile, "_plain", return_value=False):
            slow = parse_zone(content, "lab")
        self.assertEqual(shown(fast), shown(slow))
        self.assertEqual([problem.line for problem in fast.problems], [problem.line for problem in slow.problems])

    @given(st.lists(zone_lines(), max_size=12))
    def test_a_good_file_means_what_it_means_to_dnspython(self, lines: list[str]) -> None:
        """Where the whole file is without a problem, dnspython's own zone holds the same records."""
        content = "\n".join(lines)
        file = parse_zone(content.encode(), "lab")
        if file.problems:
            return
        text = content.replace("\r\n", "\n").replace("\r", "")
        theirs = dns.zone.from_text(text, "lab.", relativize=False, check_origin=False)
        self.assertEqual(_comparable(file), _of_dnspython(theirs))

    def test_plain_lines_are_not_left_to_dnspython(self) -> None:
        """The reader that makes large zones bearable does read the lines it is for."""
        lines = b"a 60 IN A 192.0.2.1\nb IN 60 AAAA ::1\n\t60 NS ns ; note\nc.lab. 5 CNAME x.\r\nd PTR e"
        with mock.patch.object(masterfile.MasterFile, "_any") as slow:
            file = parse_zone(lines, "lab")
        slow.assert_not_called()
        self.assertEqual(len(file.rrsets), 5)


def _comparable(file: ZoneFile) -> dict[tuple[str, int], tuple[int, frozenset[bytes]]]:
    return {
        (text_of(rrset.key), int(rrset.rrtype)): (rrset.ttl, frozenset(rdata.lower() for rdata in rrset.rdatas))
        for rrset in file.rrsets
    }


def _of_dnspython(zone: Any) -> dict[tuple[str, int], tuple[int, frozenset[bytes]]]:
    return {
        (text_of(name.to_wire().lower()), int(rdataset.rdtype)): (
            rdataset.ttl,
            frozenset(rdata.to_wire().lower() for rdata in rdataset),
        )
        for name, rdataset in zone.iterate_rdatasets()
    }
