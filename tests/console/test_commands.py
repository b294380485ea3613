"""``labnet status``, ``reload``, ``flush`` and ``cache dump``, with a lab that is played."""

from __future__ import annotations

import builtins
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet import cli, packages
from labnet.console import asking, running, screen
from labnet.console import cli as commands
from labnet.console.control import ControlError
from labnet.console.rates import Snapshot
from tests.console.test_status import BEFORE, NOW


class FakeControl:
    """A lab that answers what it was told to."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, float]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}
        self.fails: Exception | None = None
        self.closed = 0

    def __call__(self, path: str, timeout: float = 10.0) -> FakeControl:
        self.opened.append((path, timeout))
        if self.fails is not None:
            raise self.fails
        return self

    def ask(self, do: str, **fields: Any) -> Any:
        self.asked.append((do, fields))
        answer = self.answers[do].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def stop(self) -> None:
        self.ask("stop")

    def stream(self, do: str, **fields: Any) -> Any:
        return iter(self.ask(do, **fields))

    def __enter__(self) -> FakeControl:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed += 1


class CommandTestCase(SynchronousTestCase):
    """A folder of its own, a played lab, and what is printed."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        changed = {key: value for key, value in os.environ.items() if key not in ("LABNET_CONFIG", "STATE_DIRECTORY")}
        environment = mock.patch.dict(os.environ, changed, clear=True)
        environment.start()
        self.addCleanup(environment.stop)
        self.control = FakeControl()
        self.patch(asking, "Control", self.control)
        self.patch(time, "sleep", lambda seconds: None)
        self.out, self.err = io.StringIO(), io.StringIO()

    def run_command(self, *arguments: str) -> int:
        with mock.patch.object(sys, "stdout", self.out), mock.patch.object(sys, "stderr", self.err):
            return cli.main(arguments)


class StopTests(CommandTestCase):
    """labnet stop."""

    def test_it_says_when_the_lab_is_gone(self) -> None:
        self.control.answers["stop"] = [None]
        self.assertEqual(self.run_command("stop"), 0)
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("stopped\n", ""))
        self.assertEqual(self.control.asked, [("stop", {})])

    def test_without_a_lab_it_says_so(self) -> None:
        self.control.fails = ControlError("no lab runs here")
        self.assertEqual(self.run_command("stop"), 2)
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("", "labnet: no lab runs here\n"))


class QuotingTests(CommandTestCase):
    """What a lab says cannot command the terminal."""

    def test_replies_do_not_reach_the_terminal_as_they_are(self) -> None:
        """Problems of a reload, lines of a dump, and an error of the connection."""
        self.control.answers = {"reload": [["\x1b[2Jone\ntwo"]], "dump": [["\x1b[2Ja. 1 IN A 10.0.0.1"]]}
        self.assertEqual(self.run_command("reload"), 1)
        self.assertEqual(self.err.getvalue(), "labnet: \\x1b[2Jone\\ntwo\n")
        self.assertEqual(self.run_command("cache", "dump"), 0)
        self.assertEqual(self.out.getvalue(), "\\x1b[2Ja. 1 IN A 10.0.0.1\n")
        self.control.answers["flush"] = [ControlError("\x1b[2J")]
        self.assertEqual(self.run_command("flush", "a"), 2)
        self.assertNotIn("\x1b", self.out.getvalue() + self.err.getvalue())


class SocketTests(CommandTestCase):
    """Which socket is asked."""

    def socket_of(self, *arguments: str) -> str:
        self.control.answers["flush"] = [0]
        self.assertEqual(self.run_command("flush", "a", *arguments), 0)
        return self.control.opened[-1][0]

    def test_the_configuration_says_where(self) -> None:
        """It is below the state of the configuration that twistd labnet would read here, or of a named one."""
        self.assertEqual(self.socket_of(), str(self.folder / "var/control.sock"))
        (self.folder / "etc").mkdir()
        (self.folder / "etc/labnet.toml").write_text('[lab]\nstate = "s"\n')
        self.assertEqual(self.socket_of(), str(self.folder / "s/control.sock"))
        (self.folder / "my.toml").write_text('[console]\ncontrol = "c"\n')
        self.assertEqual(self.socket_of("--config", "my.toml"), str(self.folder / "var/c"))
        self.assertEqual(self.socket_of("--socket", "x"), "x")

    def test_a_wrong_configuration_does_not_hide_it(self) -> None:
        """What is wrong elsewhere in the file, or everywhere, leaves the socket where it was."""
        for text, at in (
            ('[lab]\nstate = "s"\nwrokers = 1\n', "s/control.sock"),
            ("[lab", "var/control.sock"),
            ("lab = 1\n", "var/control.sock"),
            ("[lab]\nstate = 1\n", "var/control.sock"),
            ("console.control = []\n", "var/control.sock"),
        ):
            (self.folder / "my.toml").write_text(text)
            self.assertEqual(self.socket_of("--config", "my.toml"), str(self.folder / at))

    def test_that_of_the_daemon(self) -> None:
        """Where the file names none and none is here, it is that of the lab that systemd runs."""
        there = self.folder / "daemon.sock"
        there.touch()
        self.patch(running, "_SYSTEMD", str(there))
        self.assertEqual(self.socket_of(), str(there))
        (self.folder / "var").mkdir()
        (self.folder / "var/control.sock").touch()
        self.assertEqual(self.socket_of(), str(self.folder / "var/control.sock"))

    def test_a_file_that_cannot_be_read(self) -> None:
        """A configuration that is named and not there is one sentence and status 2."""
        self.assertEqual(self.run_command("flush", "a", "--config", "none.toml"), 2)
        self.assertIn("none.toml: cannot be read: No such file", self.err.getvalue())
        self.assertEqual(self.err.getvalue().count("\n"), 1)

    def test_no_lab(self) -> None:
        """Where no lab answers, it is one sentence and status 2, for each of the commands."""
        self.control.fails = ControlError("no lab runs here")
        for arguments in (("status", "--json"), ("status",), ("reload",), ("flush", "a"), ("cache", "dump")):
            self.err.truncate(0)
            self.err.seek(0)
            self.assertEqual(self.run_command(*arguments), 2)
            self.assertEqual(self.err.getvalue(), "labnet: no lab runs here\n")


class OneTests(CommandTestCase):
    """reload, flush, cache dump."""

    def test_reload(self) -> None:
        """A reload that was done is said, and has its time."""
        self.control.answers |= {"reload": [[]], "status": [{"services": [{"state": "running"}]}]}
        self.assertEqual(self.run_command("reload"), 0)
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("reloaded\n", ""))
        self.assertEqual(self.control.opened[0][1], 120.0)

    def test_reload_with_problems(self) -> None:
        """What is wrong is said as labnet check says it, with status 1."""
        (self.folder / "my.toml").write_text("[command]\nclietns = 1\n")
        self.assertEqual(self.run_command("check", "my.toml"), 1)
        checked = self.err.getvalue()
        self.control.answers["reload"] = [[checked.removeprefix("labnet: ").rstrip("\n")]]
        self.assertEqual(self.run_command("reload", "--config", "my.toml"), 1)
        self.assertEqual(self.err.getvalue(), checked * 2)
        self.assertEqual(self.out.getvalue(), "")

    def test_a_reload_says_that_the_command_server_stays_closed(self) -> None:
        """EXIT has closed it, and how it is opened is said too."""
        self.control.answers |= {"reload": [[]], "status": [{"services": [{"state": "closed by EXIT"}]}]}
        self.assertEqual(self.run_command("reload"), 0)
        self.assertEqual(self.out.getvalue(), "reloaded\n")
        self.assertIn("labnet command-server open", self.err.getvalue())

    def test_command_server_open(self) -> None:
        """What hinders it is said, with status 1."""
        self.control.answers["open-command-server"] = [[], ["the command server is open"]]
        self.assertEqual(self.run_command("command-server", "open"), 0)
        self.assertEqual(self.run_command("command-server", "open"), 1)
        self.assertEqual(self.out.getvalue(), "the command server is open\n")
        self.assertEqual(self.err.getvalue(), "labnet: the command server is open\n")

    def test_flush(self) -> None:
        """The name goes to the lab, and how much was forgotten is said."""
        self.control.answers["flush"] = [3]
        self.assertEqual(self.run_command("flush", "example.org"), 0)
        self.assertEqual(self.control.asked, [("flush", {"name": "example.org"})])
        self.assertEqual(self.out.getvalue(), "3 answer(s) forgotten\n")

    def test_dump(self) -> None:
        """The lines are printed as they come, of one resolver or of all."""
        self.control.answers["dump"] = [["; resolver main", "a. 1 IN A 192.0.2.1"], ["b"]]
        self.assertEqual(self.run_command("cache", "dump"), 0)
        self.assertEqual(self.run_command("cache", "dump", "main"), 0)
        self.assertEqual([fields for _, fields in self.control.asked], [{"resolver": None}, {"resolver": "main"}])
        self.assertEqual(self.out.getvalue(), "; resolver main\na. 1 IN A 192.0.2.1\nb\n")

    def test_a_reader_that_leaves(self) -> None:
        """Whoever reads the output and leaves is no error."""
        self.control.answers["dump"] = [BrokenPipeError()]
        duplicated = self.patch(os, "dup2", lambda file, number: os.close(file))
        self.assertEqual(self.run_command("cache", "dump"), 0)
        self.assertEqual(self.err.getvalue(), "")
        del duplicated


class StatusTests(CommandTestCase):
    """status."""

    def setUp(self) -> None:
        super().setUp()
        self.control.answers["status"] = [BEFORE.status, NOW.status, NOW.status]
        self.control.answers["samples"] = [BEFORE.samples, NOW.samples, NOW.samples]

    def test_json(self) -> None:
        """As JSON it is the status with the samples, of one moment, and nothing else."""
        self.assertEqual(self.run_command("status", "--json"), 0)
        printed = json.loads(self.out.getvalue())
        self.assertEqual(printed["services"], json.loads(json.dumps(NOW.status["services"])))
        self.assertEqual(len(printed["samples"]), len(NOW.samples))
        self.assertIn("queries_per_second", printed["rates"]["main"])

    def test_the_page_once(self) -> None:
        """Where no terminal reads, it is printed once."""
        self.assertEqual(self.run_command("status"), 0)
        self.assertIn("127.0.0.1:8080", self.out.getvalue())
        self.assertEqual(len([do for do, _ in self.control.asked if do == "status"]), 2)

    def test_without_rich(self) -> None:
        """Without rich the page is one sentence and a status of its own, and JSON is as ever."""
        real = builtins.__import__

        def without(name: str, *arguments: Any, **options: Any) -> Any:
            if name.startswith("rich"):
                raise ModuleNotFoundError(name, name=name)
            return real(name, *arguments, **options)

        hidden = {name: None for name in list(sys.modules) if name.startswith("rich")}
        with mock.patch.object(builtins, "__import__", without), mock.patch.dict(sys.modules, hidden):
            self.assertEqual(self.run_command("status"), 3)
            self.assertIn(packages.hint("console"), self.err.getvalue())
            self.assertEqual(self.err.getvalue().count("\n"), 1)
            self.assertEqual(self.run_command("status", "--json"), 0)

    def test_in_a_terminal(self) -> None:
        """In a terminal without textual it is shown anew until Ctrl-C."""
        self.patch(commands, "find_spec", lambda name: None)
        self.patch(self.out, "isatty", lambda: True)
        self.control.answers["status"].append(KeyboardInterrupt())
        with mock.patch.dict(os.environ, {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}):
            self.assertEqual(self.run_command("status"), 0)
        self.assertEqual(len([do for do, _ in self.control.asked if do == "status"]), 4)
        self.assertGreaterEqual(self.out.getvalue().count("127.0.0.1:8080"), 2)

    def test_a_terminal_that_takes_keys_has_the_screen(self) -> None:
        """With textual; it looks again by itself, and again over another connection where the lab was gone."""
        self.patch(self.out, "isatty", lambda: True)
        looks: list[Any] = []

        class Screen:
            def __init__(self, before: Snapshot, now: Snapshot, look: Callable[[], Snapshot], seconds: float) -> None:
                looks.append((before.status, now.status, seconds))
                self.look = look

            def run(self) -> None:
                try:
                    self.look()
                except ControlError as error:
                    looks.append(str(error))
                looks.append(self.look().status)

        self.patch(screen, "StatusScreen", Screen)
        self.control.answers["status"][2:] = [ControlError("it is gone"), NOW.status]
        self.patch(self.err, "isatty", lambda: True)
        terminal = io.StringIO()
        self.patch(terminal, "isatty", lambda: True)
        with mock.patch.dict(os.environ, {"TERM": "xterm"}), mock.patch.object(sys, "stdin", terminal):
            self.assertEqual(self.run_command("status"), 0)
            self.assertEqual(looks, [(BEFORE.status, NOW.status, 1.0), "it is gone", NOW.status])
            self.assertEqual(len(self.control.opened), 2)
            self.assertGreaterEqual(self.control.closed, 2)

    def test_once_in_a_terminal(self) -> None:
        """With --once it is printed once there, too."""
        self.patch(self.out, "isatty", lambda: True)
        with mock.patch.dict(os.environ, {"TERM": "xterm", "COLUMNS": "120"}):
            self.assertEqual(self.run_command("status", "--once"), 0)
        self.assertEqual(len([do for do, _ in self.control.asked if do == "status"]), 2)
