"""Tests for :mod:`labnet.resolver.files.generate`, and for the records that a zone file makes by it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files import generate
from labnet.resolver.files.entries import EntryError
from labnet.wire.types import RRType
from tests.resolver.zonefiles import ip, read, wire

MX, TXT = 15, 16


def made(line: str) -> list[str]:
    """The records, as text, that a line stands for."""
    return list(generate.generate(line))


class Generate(SynchronousTestCase):
    """Tests for generate."""

    def test_every_sign_is_the_number(self) -> None:
        """In owner and data, as it is, with offset, width and base; escaped or doubled it is a dollar sign."""
        table = {
            "$GENERATE 1-3 h$ A 192.0.2.$": ["h1 A 192.0.2.1", "h2 A 192.0.2.2", "h3 A 192.0.2.3"],
            "$generate 0-4/2 $.$ 60 CNAME a": ["0.0 60 CNAME a", "2.2 60 CNAME a", "4.4 60 CNAME a"],
            "$GENERATE 9-10 h${-1,3} IN A 10.0.0.${1}": ["h008 IN A 10.0.0.10", "h009 IN A 10.0.0.11"],
            "$GENERATE 15-15 ${0,4,x} TXT ${0,0,X}${0,3,o}": ["000f TXT F017"],
            "$GENERATE 1-1 a TXT \\$$$": ["a TXT \\$$"],
            "$GENERATE 18-18 ${0,8,n}.ip6 PTR ${0,0,N}": ["2.1.0.0.ip6 PTR 2.1"],
        }
        for line, records in table.items():
            self.assertEqual(made(line), records, line)

    def test_class_and_ttl_stand_in_either_order(self) -> None:
        """As in any record."""
        for middle in ("60 IN", "IN 60", "60", "IN", "1h in"):
            self.assertEqual(made(f"$GENERATE 1-1 a {middle} MX 1 m$"), [f"a {middle} MX 1 m1"])

    def test_the_data_may_be_quoted(self) -> None:
        """What stands between the marks is the data, with quotation marks that are escaped; a comment is behind it."""
        self.assertEqual(made('$GENERATE 1-1 a MX "1 m$" ; why'), ["a MX 1 m1"])
        self.assertEqual(made('$GENERATE 1-1 a TXT "\\"x $\\" y"'), ['a TXT "x 1" y'])

    def test_a_bad_line_is_refused(self) -> None:
        """With what is wrong, and before anything is made."""
        table = {
            "$GENERATE 1-3 h$": "write $GENERATE FIRST-LAST",
            "$GENERATE 1 h$ A 192.0.2.1": "write $GENERATE FIRST-LAST",
            "$GENERATE 3-1 h$ A 192.0.2.1": "3-1 is no range",
            "$GENERATE 1-3/0 h$ A 192.0.2.1": "1-3/0 is no range",
            "$GENERATE 1-3 h${a} A 192.0.2.1": "${a} is no modifier",
            "$GENERATE 1-3 h${0,999} A 192.0.2.1": "${0,999} is no modifier",
            "$GENERATE 1-3 h${-5,1,n} A 192.0.2.1": "has no nibbles",
            "$GENERATE 1-1000001 h$ A 192.0.2.1": "makes more than 1000000 records",
        }
        for line, says in table.items():
            with self.assertRaises(EntryError) as caught:
                made(line)
            self.assertIn(says, str(caught.exception))

    def test_the_records_are_read_as_those_of_lines(self) -> None:
        """Common types and others, relative to the origin, with the TTL of the line or of the file."""
        file = read(
            '$GENERATE 1-2 h$ 60 A 192.0.2.$\n$GENERATE 1-1 m$ IN 5 MX "10 h$"\n$GENERATE 1-1 t TXT "a$"\n', "lab", 7
        )
        self.assertEqual(file.problems, [])
        self.assertEqual(
            file.shown,
            [
                ("h1.lab", RRType.A, 60, (ip("192.0.2.1"),)),
                ("h2.lab", RRType.A, 60, (ip("192.0.2.2"),)),
                ("m1.lab", MX, 5, (b"\0\x0a" + wire("h1.lab"),)),
                ("t.lab", TXT, 7, (b"\2a1",)),
            ],
        )

    def test_the_number_of_records_is_bounded(self) -> None:
        """A line of more records than the bound makes none, and is a problem."""
        self.patch(generate, "MOST_GENERATED", 10)
        file = read("$GENERATE 1-4294967295 h$ 60 A 192.0.2.1\n", "lab")
        says = "$GENERATE makes more than 10 records; write several smaller ones"
        self.assertEqual((file.complaints, file.rrsets), ([(1, says, False)], []))
