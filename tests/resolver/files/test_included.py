"""Tests for :mod:`labnet.resolver.files.included`, and for what zone files make of $INCLUDE."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.included import MOST_INCLUDED, IncludedFiles
from labnet.resolver.files.problem import Problem
from labnet.resolver.files.zonefile import read_zone
from labnet.wire.names import text_of
from labnet.wire.types import RRset


class Including(SynchronousTestCase):
    """A zone file in a folder of its own, with other files beside it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "zones"
        (self.folder / "more").mkdir(parents=True)
        (self.folder.parent / "outside").write_text("secret 60 A 192.0.2.66\n")
        self.rrsets: list[RRset] = []

    def write(self, **files: str) -> None:
        for name, content in files.items():
            (self.folder / name).write_text(content)

    def read(self, content: str) -> list[Problem]:
        """Read a zone file of this folder."""

        def read(path: str) -> bytes:
            return Path(path).read_bytes()

        include = IncludedFiles(os.fspath(self.folder / "zone"), read)
        return read_zone(content.encode(), self.rrsets.append, include=include)

    @property
    def names(self) -> list[str]:
        return [text_of(rrset.name) for rrset in self.rrsets]

    def test_an_included_file_is_read_in_its_place(self) -> None:
        """With the origin and the TTL of that place, or an origin of its own; behind it all is as it was."""
        self.write(one="a A 192.0.2.1\n$ORIGIN deep\n$TTL 5\nb A 192.0.2.2\n", two=" A 192.0.2.3\nx A 192.0.2.4\n")
        content = "$ORIGIN lab.\n$TTL 60\n$INCLUDE one\nc A 192.0.2.5\n$INCLUDE two sub ; why\n A 192.0.2.6\n"
        problems = self.read(content)
        self.assertEqual(problems, [])
        self.assertEqual(self.names, ["a.lab", "b.deep.lab", "c.lab", "c.lab", "x.sub.lab", "c.lab"])
        self.assertEqual([rrset.ttl for rrset in self.rrsets], [60, 5, 60, 60, 60, 60])

    def test_a_file_in_a_folder_below_is_found(self) -> None:
        """By a path relative to the zone file's folder, also from there, or by the whole path."""
        (self.folder / "more" / "one").write_text("a 60 A 192.0.2.1\n$INCLUDE more/two\n")
        (self.folder / "more" / "two").write_text("b 60 A 192.0.2.1\n")
        problems = self.read(f"$ORIGIN lab.\n$INCLUDE more/one\n$INCLUDE {self.folder}/more/two\n")
        self.assertEqual((problems, self.names), ([], ["a.lab", "b.lab", "b.lab"]))

    def test_no_file_outside_the_folder_is_read(self) -> None:
        """By no path, and through no link."""
        (self.folder / "link").symlink_to(self.folder.parent / "outside")
        (self.folder / "away").symlink_to(self.folder.parent)
        absolute = os.fspath(self.folder.parent / "outside")
        for name in ("../outside", absolute, "link", "away/outside", "more/../../outside"):
            problems = self.read(f"$ORIGIN lab.\n$INCLUDE {name}\n")
            (problem,) = problems
            self.assertIn("is refused: the file is not in ", problem.says)
            self.assertEqual((problem.line, problem.warning, self.names), (2, False, []), name)

    def test_problems_of_an_included_file_name_it(self) -> None:
        """With its own lines; a file that is not there is a problem of the line that includes it."""
        self.write(one="a 60 A 192.0.2.1\nb 60 A 1\n$INCLUDE two\n", two="\nc 60 A 1\n$INCLUDE none\n")
        problems = self.read("$ORIGIN lab.\n\n$INCLUDE one\nd 60 A 1\n$INCLUDE \\000\n")
        where = [(Path(problem.path).name, problem.line) for problem in problems]
        self.assertEqual(where, [("one", 2), ("two", 2), ("two", 3), ("", 4), ("", 5)])
        self.assertIn("No such file", problems[2].says)

    def test_a_file_that_includes_itself_comes_to_an_end(self) -> None:
        """After a bounded number of files, with one problem."""
        self.write(one="a 60 A 192.0.2.1\n$INCLUDE one\n")
        problems = self.read("$ORIGIN lab.\n$INCLUDE one\n")
        self.assertEqual((len(problems), len(self.rrsets)), (1, MOST_INCLUDED))
        self.assertIn("does one include itself?", problems[0].says)
