"""The table of commands, and what is imported of them when."""

from __future__ import annotations

import subprocess
import sys

import click
from click.shell_completion import BashComplete
from twisted.trial.unittest import SynchronousTestCase

from labnet.cli.frame import LabCommand, LazyGroup
from labnet.cli.program import labnet
from labnet.cli.table import COMMANDS


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    """Every command below ``command`` that has no others below it, by its words."""
    if not isinstance(command, click.Group):
        return {words: command}
    ctx = click.Context(command)
    found: dict[tuple[str, ...], click.Command] = {}
    for word in command.list_commands(ctx):
        inner = command.get_command(ctx, word)
        assert inner is not None
        found |= leaves(inner, (*words, word))
    return found


def loaded_by(program: str) -> set[str]:
    """The modules that a Python has loaded after ``program``."""
    script = f"import sys\n{program}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.splitlines()[-1].split())


class TableTests(SynchronousTestCase):
    """What stands in the table is so."""

    def test_each_entry_leads_to_its_command(self) -> None:
        for name in COMMANDS:
            found = labnet.get_command(click.Context(labnet), name)
            self.assertEqual(getattr(found, "name", None), name)

    def test_each_command_has_examples_that_it_takes(self) -> None:
        """They are of that command, and parse."""
        for words, command in leaves(labnet).items():
            assert isinstance(command, LabCommand), words
            self.assertTrue(command.examples, words)
            for line, does in command.examples:
                self.assertTrue(does, line)
                self.assertTrue(f"{line} ".startswith(f"labnet {' '.join(words)} "), line)

    def test_the_commands_of_a_heading_stand_together(self) -> None:
        headings = [entry.heading for entry in COMMANDS.values()]
        self.assertEqual(sorted(headings, key=list(dict.fromkeys(headings)).index), headings)

    def test_the_help_has_each_command_and_how_to_begin(self) -> None:
        text = labnet.get_help(click.Context(labnet, info_name="labnet"))
        for name, entry in COMMANDS.items():
            self.assertRegex(text, rf"(?m)^  {name} +{entry.help}$")
        self.assertIn("To begin:\n  labnet ", text)

    def test_a_command_that_is_none_is_none_for_a_shell_too(self) -> None:
        group = LazyGroup(name="x", table={})
        self.assertIsNone(group.get_command(click.Context(group), "y"))


class ImportTests(SynchronousTestCase):
    """Nothing is imported before it is used."""

    def test_help_imports_no_command(self) -> None:
        """Neither do the completions of a command's name."""
        modules = loaded_by("from labnet.cli import main\nmain(['--help'])")
        self.assertEqual({name for name in modules if name.startswith(("twisted", "dns.", "rich"))}, set())
        self.assertEqual({name for name in modules if name.startswith("labnet.") and name.endswith("s.cli")}, set())

    def test_a_commands_help_imports_no_more_than_its_options(self) -> None:
        words = list(leaves(labnet))
        modules = loaded_by(f"from labnet.cli import main\nfor words in {words}: main([*words, '--help'])")
        self.assertEqual(modules & {"twisted.internet", "dns", "rich", "asyncio"}, set())

    def test_the_daemon_imports_nothing_of_the_command_line(self) -> None:
        modules = loaded_by("import labnet.daemon.tap, labnet.daemon.service, labnet.console.service")
        self.assertEqual({name for name in modules if name.startswith(("labnet.cli", "click", "rich"))}, set())


class CompletionTests(SynchronousTestCase):
    """What a shell is told."""

    def complete(self, *words: str) -> list[str]:
        *before, last = words
        found = BashComplete(labnet, {}, "labnet", "_LABNET_COMPLETE").get_completions(before, last)
        return [item.value for item in found]

    def test_commands_options_and_values(self) -> None:
        self.assertEqual(self.complete("e"), ["explain", "exercise"])
        self.assertEqual(self.complete("cache", ""), ["dump"])
        self.assertEqual(self.complete("resolve", "--ti"), ["--timeout"])
        self.assertEqual(self.complete("resolve", "--type", "AA"), ["AAAA"])
        self.assertEqual(self.complete("exercise", "ht"), ["http", "http-basics"])
        self.assertIn("lo", self.complete("capture", "-i", "l"))
