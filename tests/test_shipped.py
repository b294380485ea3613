"""Man pages and completions, as they are made when labnet is built."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from docs import shipped
from labnet.cli.program import labnet


class ManualTests(SynchronousTestCase):
    """A page for labnet, and one for each command."""

    def setUp(self) -> None:
        self.pages = dict(shipped.manual("1.2.3"))

    def test_each_command_has_a_page_with_its_words_and_examples(self) -> None:
        found = dict(shipped.commands("labnet", labnet))
        self.assertEqual(set(self.pages), {"labnet", *found})
        for name, command in found.items():
            page = self.pages[name].replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'")
            self.assertIn(f".B {name}\n", page)
            for param in command.params:
                if isinstance(param, click.Option):
                    self.assertIn(rf"\fB{param.opts[0]}\fR", page)
                    self.assertIn((param.help or "no help").replace("…", "..."), page)
            for line, _ in command.examples:
                self.assertIn(rf"\fB{line}\fR", page)
            self.assertIn(f".BR {name.replace(' ', '-')} (1)", self.pages["labnet"].replace("\\-", "-"))

    def test_no_line_is_a_request_of_roff_by_accident(self) -> None:
        for name, page in self.pages.items():
            for line in page.splitlines():
                self.assertRegex(line, r"^(\.(TH|SH|TP|PP|B|I|BR)\b|[^.'])", name)
        self.assertEqual(shipped._text(".so x"), r"\&.so x")
        self.assertEqual(shipped._text("one\n    two.\n\n    'three'"), "one two.\n.PP\n\\&'three'")

    def test_a_page_says_which_version_it_is_of(self) -> None:
        for page in self.pages.values():
            self.assertRegex(page.splitlines()[0], r'^\.TH "LABNET[\w\\-]*" 1 "" "labnet 1\.2\.3" "labnet"$')


class FilesTests(SynchronousTestCase):
    """Where they are to be found."""

    def test_pages_and_completions_go_below_the_prefix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            written = shipped.write(Path(folder), "1.2.3")
            self.assertEqual(set(written), set(shipped.shipped("1.2.3")))
            for path, file in written.items():
                self.assertEqual(file, Path(folder) / path)
                self.assertTrue(file.read_text())
        names = {path for path in written if not path.startswith("share/man/man1/")}
        self.assertEqual(names, set(shipped.COMPLETIONS.values()))
        self.assertTrue(all(re.fullmatch(r"share/man/man1/labnet[a-z-]*\.1", path) for path in set(written) - names))

    def test_the_page_of_commands_has_the_statuses(self) -> None:
        text = (shipped.Path(__file__).parents[1] / "docs/commands.rst").read_text()
        for status, means in shipped.STATUSES:
            self.assertIn(f"   * - {status}\n     - {means}\n", text)
