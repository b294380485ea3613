"""The pages are held to the code: commands, limits, examples, file names and names of the code."""

from __future__ import annotations

import contextlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
from twisted.trial.unittest import SynchronousTestCase

from docs import generate
from labnet.cli.program import labnet
from labnet.config import reading
from labnet.wire.types import InfoCode
from tests.pages import PAGES, ROOT, named, plain, text_of

ROW = re.compile(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", re.DOTALL | re.MULTILINE)


def _commands() -> Iterator[list[str]]:
    """The ``labnet`` command lines in the pages, as their arguments."""
    for page in PAGES:
        for line in re.findall(r"^ *[$#] (?:\S*/)?labnet (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            yield shlex.split(re.split(r" [|>;] ", line)[0])


class CommandLineTests(SynchronousTestCase):
    """The command lines of the pages against :mod:`labnet.daemon.tap` and :mod:`labnet.cli.program`."""

    def test_readme_and_the_page_have_each_plugin(self) -> None:
        """The three, by the command that runs each."""
        names = set(re.findall(r"^\| `twistd -n (\S+?)[ `]", text_of("README.md"), re.MULTILINE))
        self.assertEqual(names, set(generate.PLUGINS))
        self.assertEqual(
            set(re.findall(r"^twistd (labnet\S*)(?: .*)?\n---", text_of("docs/commands.rst"), re.M)), names
        )

    def test_every_labnet_command_can_be_typed(self) -> None:
        """Each ``labnet`` command line in the pages is one that the command takes."""
        commands = list(_commands())
        self.assertTrue(commands)
        for arguments in commands:
            # What they name stands in the checkout, wherever the tests run.
            here = contextlib.chdir(ROOT)
            with here, mock.patch.object(click.Command, "invoke"), contextlib.suppress(click.exceptions.Exit):
                labnet.invoke(labnet.make_context("labnet", arguments))

    def test_every_make_target_is_explained(self) -> None:
        """README.md has the targets of the Makefile, all of them and no others; the other pages name none besides."""
        inner = {"interop-tests", "unit-tests", "test-oldest-twisted"}
        targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE)) - inner
        phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)).split())
        self.assertEqual(targets, phony - inner)
        self.assertEqual(targets, set(re.findall(r"`make ([\w-]+)`", text_of("README.md"))))
        for page in PAGES:
            self.assertLessEqual(set(re.findall(r"`make ([a-z-]+)", text_of(page))), targets, page.name)


class ExampleTests(SynchronousTestCase):
    """What the pages quote from the code and the files."""

    def test_every_toml_example_is_a_configuration(self) -> None:
        """Each TOML block in the pages is a configuration without an error, or one but for its servers."""
        blocks = [
            re.sub(r"^   ", "", block, flags=re.MULTILINE)
            for page in PAGES
            for block in re.findall(
                r"^\.\. code-block:: toml\n(?:   :.*\n)*\n((?:   .*\n|\n)+)",
                page.read_text(encoding="utf-8"),
                re.MULTILINE,
            )
        ]
        self.assertTrue(blocks)
        for block in blocks:
            table = tomllib.loads(block)
            reading.build(table if {"command", "resolver"} & table.keys() else {**table, "command": {}}, ".", ".")

    def test_every_limit_is_the_codes(self) -> None:
        """Each row of a table of limits has the value of the name that it gives."""
        limits = 0
        for page in ("docs/command-server.rst", "docs/course-protocol.rst", "docs/dns.rst", "docs/recursion.rst"):
            for row in ROW.findall(text_of(page)):
                cells = [plain(cell) for cell in re.split(r"^     - ", row, flags=re.MULTILINE)]
                if len(cells) == 3 and cells[2].startswith("labnet."):
                    limits += 1
                    self.assertEqual(str(named(cells[2])), cells[1], f"{page}: {cells[2]}")
        self.assertTrue(limits)

    def test_every_file_named_exists(self) -> None:
        """Each source file and link that a page names is there; README.md and docs/architecture.rst name many."""
        named = {page.name: self._named_in(page) for page in PAGES}
        self.assertGreater(min(len(named["README.md"]), len(named["architecture.rst"])), 10)
        for page, paths in named.items():
            for path in paths:
                self.assertTrue((ROOT / path).exists(), f"{page} names {path}, which is not there")

    def test_every_module_named_by_its_room_exists(self) -> None:
        """A page on the code leaves labnet/ away, or labnet/resolver/ too."""
        named = [
            (page.name, path) for page in PAGES if page.name != "CHANGELOG.md"
            for path in re.findall(r"``([a-z_]+/[a-z_/]+\.py)``", page.read_text(encoding="utf-8"))
        ]  # fmt: skip
        self.assertGreater(len(named), 10)
        for page, path in named:
            there = any((ROOT / folder / path).exists() for folder in ("", "labnet", "labnet/resolver"))
            self.assertTrue(there, f"{page} names {path}, which is not there")

    def _named_in(self, page: Path) -> set[str]:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"`((?:labnet|docs|etc|tests|twisted|bench)/[\w./-]+)`", text)) - {"docs/_build"}
        named = {path for path in named if not re.search(r"/[A-Z]+\.|/_build/", path)}  # NAME stands for any
        return named | {link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link}

    def test_each_step_of_a_walk_is_done_where_it_says(self) -> None:
        """``file.py``: ``Name`` in docs/architecture.rst is a class, function or method of that file."""
        steps = re.findall(r"``(labnet/[\w/]+)\.py``:\s+``([\w.]+)``", text_of("docs/architecture.rst"))
        self.assertGreater(len(steps), 40)
        for path, name in steps:
            named(f"{path.replace('/', '.')}.{name}")
        files = {path.name for path in (ROOT / "labnet").rglob("*.py")}
        self.assertEqual(set(re.findall(r"``(\w+\.py)``", text_of("docs/architecture.rst"))) - files, set())

    def test_the_picture_has_every_folder_and_every_file_at_the_top(self) -> None:
        """In docs/architecture.rst each stands where it is in the tree, and no other does."""
        picture = text_of("docs/architecture.rst").partition("   labnet/\n")[2].partition("\n\n")[0]
        found, folders = set(), [ROOT / "labnet"]
        for indent, name in re.findall(r"^   ( +)(\S+) ", picture, re.MULTILINE):
            folders[len(indent) // 2 :] = [folders[len(indent) // 2 - 1] / name]
            found.add(folders[-1])
        packages = {path.parent for path in (ROOT / "labnet").rglob("__init__.py")} - {ROOT / "labnet"}
        self.assertEqual(found, packages | set((ROOT / "labnet").glob("[a-z]*.py")))

    def test_the_list_of_modules_has_each_with_a_sentence(self) -> None:
        """At the end of docs/architecture.rst, made when the pages are built: each module under its package."""
        text = generate.modules()
        for path in (ROOT / "labnet").rglob("*.py"):
            package = re.escape(".".join(path.relative_to(ROOT).parent.parts))
            entry = r"\w" if path.name == "__init__.py" else rf"(?:(?!^~).*\n)*``{re.escape(path.name)}``\n   .*\w"
            self.assertRegex(text, re.compile(rf"^{package}\n~+\n\n{entry}", re.MULTILINE), str(path))

    def test_every_record_of_the_tree_is_the_trees(self) -> None:
        """Where a page shows a file of etc/tree, it is the file as it is."""
        text = re.sub(r"^   ", "", text_of("docs/recursion.rst"), flags=re.MULTILINE)
        self.assertIn(text_of("etc/tree/root.hints"), text)

    def test_every_rfc_says_whether_it_is_met(self) -> None:
        """Each row of docs/rfcs.rst has its RFCs, a subject, one of three words, and what that means."""
        rows = [re.split(r"^     - ", row, flags=re.MULTILINE) for row in ROW.findall(text_of("docs/rfcs.rst"))][1:]
        self.assertTrue(rows)
        numbers = []
        for cells in rows:
            rfcs, subject, state, what = (plain(cell) for cell in cells)
            self.assertRegex(rfcs, r"^\d{3,4}(, \d{3,4})*$|^draft-[a-z-]+$")
            self.assertTrue(subject and what, rfcs)
            self.assertIn(state, ("met", "partly", "not"), rfcs)
            numbers += rfcs.split(", ")
        self.assertEqual(len(set(numbers)), len(numbers))

    def test_every_extended_error_code_is_explained(self) -> None:
        """Each INFO-CODE that the resolver gives stands with its number in docs/dns.rst."""
        text = text_of("docs/dns.rst")
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / "labnet/resolver").rglob("*.py")]
        given = {code for source in sources for code in re.findall(r"InfoCode\.([A-Z0-9_]+)", source)}
        self.assertTrue(given)
        for name in given:
            self.assertIn(f"{int(InfoCode[name])} {name.replace('_', ' ')}".lower(), text.lower())
