"""Lines with a history over runs, and completion; which dialogue who gets."""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
import threading
from pathlib import Path
from unittest import mock

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from twisted.trial.unittest import SynchronousTestCase

from labnet.clients import command, lines, live, prompting
from labnet.clients.prompting import MOST_LINES, LineHistory


class FolderCase(SynchronousTestCase):
    """A state folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        environment = mock.patch.dict(os.environ, {"XDG_STATE_HOME": folder.name})
        environment.start()
        self.addCleanup(environment.stop)


class LineHistoryTests(FolderCase):
    """A file of lines."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "labnet/x.history"

    def remembered(self) -> list[str]:
        return list(LineHistory(self.path).load_history_strings())

    def test_lines_outlive_the_run_the_newest_first(self) -> None:
        """In a file that its user alone may read, whatever the umask and an older file's mode."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        history = LineHistory(self.path)
        for line in ("TIME", "two\nlines", "\udcff"):
            history.append_string(line)
        self.assertEqual(self.remembered(), ["\udcff", "two lines", "TIME"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)
        self.path.chmod(0o644)
        self.remembered()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_the_file_is_bounded(self) -> None:
        """The newest lines stay, and two dialogues at a time lose none of each other's."""
        self.path.parent.mkdir()
        self.path.write_text("".join(f"{number}\n" for number in range(2 * MOST_LINES + 1)))
        first, second = LineHistory(self.path), LineHistory(self.path)
        first.append_string("a")
        second.append_string("b")
        self.assertEqual(self.remembered()[:3], ["b", "a", str(2 * MOST_LINES)])
        self.assertEqual(len(self.path.read_text().splitlines()), MOST_LINES + 2)
        self.assertEqual(os.listdir(self.path.parent), ["x.history"])

    def test_a_giant_file_is_read_at_its_end(self) -> None:
        """Not from its beginning."""
        self.path.parent.mkdir()
        self.path.write_text("x" * 2_000_000 + "\nlast\n")
        self.assertEqual(self.remembered(), ["last"])

    def test_a_full_disk_is_said(self) -> None:
        """The line is lost and nothing else."""
        history = LineHistory(self.path)
        self.patch(os, "write", mock.Mock(side_effect=OSError(28, "No space left on device")))
        self.patch(prompting, "run_in_terminal", lambda call: call())
        err = io.StringIO()
        with mock.patch.object(sys, "stderr", err):
            history.append_string("TIME")
        self.assertEqual(err.getvalue(), f"labnet: {self.path}: cannot be written: No space left on device\n")
        self.assertEqual(history.get_strings(), ["TIME"])


class SessionTests(FolderCase):
    """Prompts."""

    def session(self, **options: bool) -> PromptSession[str]:
        with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
            return prompting.session("x", lambda: ["TIME", "EXIT"], **options)

    def completed(self, prompts: PromptSession[str], text: str) -> list[str]:
        assert prompts.completer is not None
        return [one.text for one in prompts.completer.get_completions(Document(text), CompleteEvent())]

    def test_words_are_completed(self) -> None:
        """In small letters too; from the history only where that is asked for."""
        prompts = self.session()
        prompts.history.append_string("TIMER")
        self.assertEqual(self.completed(prompts, "ti"), ["TIME"])
        prompts = self.session(is_completed_by_history=True)
        prompts.history.append_string("TIMES")
        self.assertEqual(self.completed(prompts, "TI"), ["TIME", "TIMES"])

    def test_a_history_that_cannot_be_kept_is_said(self) -> None:
        """And the dialogue goes on without."""
        (self.folder / "labnet").write_text("in its place")
        err = io.StringIO()
        with mock.patch.object(sys, "stderr", err):
            prompts = self.session()
        self.assertIn(f"labnet: the history is not kept: {self.folder}/labnet: ", err.getvalue())
        prompts.history.append_string("TIME")

    def test_the_state_folder(self) -> None:
        """Below the home where the environment names none, or none that is absolute."""
        self.assertEqual(prompting.state_folder(), self.folder / "labnet")
        for named in "", "relative":
            with mock.patch.dict(os.environ, {"XDG_STATE_HOME": named, "HOME": "/home/ada"}):
                self.assertEqual(prompting.state_folder(), Path("/home/ada/.local/state/labnet"))

    def test_words_that_are_looked_for_meanwhile(self) -> None:
        """There are none until they are found."""
        go = threading.Event()

        def find() -> list[str]:
            go.wait(30)
            return ["www.a"]

        words = prompting.in_background(find)
        self.assertEqual(list(words()), [])
        go.set()
        (looking,) = [thread for thread in threading.enumerate() if thread.name == "labnet names"]
        looking.join(30)
        self.assertEqual(list(words()), ["www.a"])

    def test_names_are_read(self) -> None:
        """What is typed, to the end of the line; then the end of the input."""
        self.patch(prompting, "known_names", lambda: ["www.a"])
        with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
            read = prompting.name_reader()
            typed.send_text("www.b\r")
            self.assertEqual(read(), "www.b")
            typed.send_text("\x04")
            self.assertRaises(EOFError, read)


class ChoiceTests(SynchronousTestCase):
    """A person in a terminal gets the one, everybody else the other."""

    def choose(self, term: str = "xterm", stdin: bool = True, stdout: bool = True) -> bool:
        for name, is_terminal in (("stdin", stdin), ("stdout", stdout)):
            stream = io.StringIO()
            self.patch(stream, "isatty", lambda is_terminal=is_terminal: is_terminal)
            self.patch(sys, name, stream)
        with mock.patch.dict(os.environ, {"TERM": term}):
            return lines.is_for_a_person()

    def test_a_terminal_at_both_ends(self) -> None:
        """One that can move its cursor."""
        self.assertTrue(self.choose())
        self.assertFalse(self.choose(stdin=False))
        self.assertFalse(self.choose(stdout=False))
        self.assertFalse(self.choose(term="dumb"))
        self.assertFalse(self.choose(term=""))

    def test_without_prompt_toolkit_lines_are_read_as_ever(self) -> None:
        """It is an extra."""
        self.patch(lines.importlib.util, "find_spec", lambda name: None)
        self.assertFalse(self.choose())

    def test_the_dialogues(self) -> None:
        """Each has the one that fits."""
        self.patch(lines, "is_for_a_person", lambda: False)
        self.assertIs(lines.command_dialogue(), command.converse)
        self.assertIsNone(lines.name_reader())
        self.patch(lines, "is_for_a_person", lambda: True)
        self.assertIs(lines.command_dialogue(), live.converse)
        self.patch(prompting, "name_reader", lambda: input)
        self.assertIs(lines.name_reader(), input)
