"""Tests for :mod:`labnet.resolver.filtering.names_file` and :mod:`labnet.resolver.filtering.names`."""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.filtering.names import NameSet
from labnet.resolver.filtering.names_file import CHUNK, NamesFile
from labnet.wire.names import key_of, text_of


def read(text: str | bytes, hosts: bool = False, subdomains: bool = False) -> tuple[NameSet, list[str]]:
    """The names of a file, and what is said of the rest."""
    names = NameSet()
    file = NamesFile(names, 0, subdomains)
    file.read(text if isinstance(text, bytes) else text.encode(), hosts)
    return names, [f"{problem.line}: {problem.says}" for problem in file.skipped.problems()]


def found(names: NameSet, *asked: str) -> list[str]:
    """Those of the names ``asked`` for that are in the list, with the entry where that is another one."""
    matches = [(name, names.find(key_of(name))) for name in asked]
    return [name if not match.is_below else f"{name} *.{text_of(match.key)}" for name, match in matches if match]


class DomainsTests(SynchronousTestCase):
    """A name a line."""

    def test_a_name_stands_for_itself_alone(self) -> None:
        """Neither for what is below it nor for what is above."""
        names, problems = read("ads.example\nTracker.Example.\n")
        asked = "ads.example", "www.ads.example", "example", "tracker.example", "xads.example"
        self.assertEqual(found(names, *asked), ["ads.example", "tracker.example"])
        self.assertEqual(problems, [])

    def test_a_star_or_a_dot_before_it_takes_in_all_below(self) -> None:
        """And the name itself."""
        for text in ("*.ads.example\n", ".ads.example\n", "# by hand\n*.ads.example # all\n", " *.ads.example\n"):
            names, problems = read(text)
            self.assertEqual(
                found(names, "ads.example", "a.b.ads.example", "bads.example", "example"),
                ["ads.example *.ads.example", "a.b.ads.example *.ads.example"],
            )
            self.assertEqual(problems, [])

    def test_with_subdomains_every_name_does(self) -> None:
        """As lists without stars are often meant."""
        names, _ = read("ads.example\n", subdomains=True)
        self.assertEqual(
            found(names, "ads.example", "a.ads.example", "example"),
            ["ads.example *.ads.example", "a.ads.example *.ads.example"],
        )

    def test_both_ways_of_reading_find_the_same(self) -> None:
        """A chunk that has an odd line is read line by line."""
        lines = [f"{'a' * (number % 60 + 1)}.{number}.example" for number in range(200)] + ["*.wild.example", "com"]
        plain, _ = read("\n".join(lines) + "\n")
        odd, problems = read("\n".join([*lines, "two names", ""]))
        self.assertEqual(len(plain), len(lines))
        self.assertEqual(len(odd), len(lines))
        for line in lines:
            key = key_of(line.removeprefix("*."))
            self.assertIsNotNone(plain.find(key), line)
            self.assertEqual(plain.find(key), odd.find(key))
        self.assertEqual(problems, ["203: 'two names' is more than one name; the line was skipped"])

    def test_what_is_no_name_is_counted_and_the_first_is_said(self) -> None:
        """In one sentence, however many there are; the others count."""
        lines = [
            "good.example",
            f"{'x' * 64}.example",
            "a..example",
            "*",
            ".",
            "a*.example",
            f"{'abc.' * 64}example",
            "",
            "b.example",
        ]
        names, problems = read("\n".join(lines))
        self.assertEqual(len(names), 2)
        self.assertEqual(problems, [f"2: {('x' * 60 + '…')!r} is no name; the line was skipped, and 5 more lines"])

    def test_what_is_no_text_is_skipped(self) -> None:
        """Whatever is in it."""
        names, problems = read(b"a.example\n\xff\xfe\x00.example\nb.example\n")
        self.assertEqual(found(names, "a.example", "b.example"), ["a.example", "b.example"])
        self.assertEqual(problems, ["2: the line is not UTF-8; the line was skipped"])

    def test_the_lines_of_later_chunks_are_counted_right(self) -> None:
        """And all names are there."""
        lines = [f"host-{number}.example.org" for number in range(3 * CHUNK // 20)]
        names, problems = read("\n".join([*lines, "not one"]))
        self.assertEqual(len(names), len(lines))
        self.assertEqual(problems, [f"{len(lines) + 1}: 'not one' is more than one name; the line was skipped"])

    def test_the_same_name_twice_counts_once(self) -> None:
        """In one chunk and in two."""
        names, _ = read("a.example\na.example\nb.example\n" + "c.example\n" * (2 * CHUNK // 10))
        self.assertEqual(len(names), 3)

    def test_names_of_other_alphabets_are_the_a_labels(self) -> None:
        """As they are on the wire, also where a mark begins the file and lines end as on Windows."""
        names, problems = read("\ufeffbücher.example\r\n# nothing\r\nplain.example\r\n")
        self.assertEqual(
            found(names, "xn--bcher-kva.example", "plain.example"), ["xn--bcher-kva.example", "plain.example"]
        )
        self.assertEqual(problems, [])


class HostsTests(SynchronousTestCase):
    """Lines as in a hosts file."""

    def test_names_behind_an_address_count(self) -> None:
        """Whatever the address, and one or several in a line."""
        for text in (
            "0.0.0.0 a.example\n127.0.0.1\tb.example # why\n",
            "0.0.0.0 a.example b.example\n",
            ":: a.example\n::1 b.example",
        ):
            names, problems = read(text, hosts=True)
            self.assertEqual(found(names, "a.example", "b.example", "x.a.example"), ["a.example", "b.example"])
            self.assertEqual(problems, [])

    def test_the_names_of_every_hosts_file_do_not(self) -> None:
        """Nobody means to block them."""
        head = "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost ip6-loopback\n0.0.0.0 0.0.0.0\n"
        for text in (f"{head}0.0.0.0 a.example\n", "0.0.0.0 localhost\n0.0.0.0 a.example\n"):
            names, problems = read(text, hosts=True)
            self.assertEqual(len(names), 1)
            self.assertEqual(problems, [])

    def test_a_line_without_an_address_is_skipped(self) -> None:
        """And said."""
        names, problems = read("a.example b.example\n0.0.0.0 c.example\n", hosts=True)
        self.assertEqual(found(names, "a.example", "b.example", "c.example"), ["c.example"])
        says = "1: 'a.example' is no address, which a line of a hosts file begins with; the line was skipped"
        self.assertEqual(problems, [says])


class NameSetTests(SynchronousTestCase):
    """The packed names."""

    def test_the_name_itself_counts_before_those_above_and_the_longest_of_these(self) -> None:
        """As in a policy zone; of two that are the same the first."""
        names = NameSet()
        names.add_below([key_of("example")], 1)
        names.add_below([key_of("a.example")], 2, itself=True)
        names.add([key_of("b.a.example")], 3)
        names.add([key_of("b.a.example"), key_of("c.example")], 4)
        asked = "example", "x.example", "a.example", "x.a.example", "b.a.example", "c.example"
        numbers = [None if (match := names.find(key_of(name))) is None else match.number for name in asked]
        self.assertEqual(numbers, [None, 1, 2, 2, 3, 4])

    def test_another_process_finds_the_same(self) -> None:
        """Hashes of keys are each process's own."""
        names = NameSet()
        names.add([key_of(f"{number}.example") for number in range(3000)], 7)
        names.add_below([key_of("test")], 8)
        copied = pickle.loads(pickle.dumps(names))
        self.assertEqual(copied.find(key_of("2999.example")), names.find(key_of("2999.example")))
        self.assertEqual(copied.find(key_of("a.test")).number, 8)
        self.assertIsNone(copied.find(key_of("3000.example")))
