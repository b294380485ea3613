"""The ``labnet`` command."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import runpy
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet import cli
from labnet.clients import command, dns, running_lab
from labnet.clients import course as resolver
from labnet.clients.errors import NoAnswer, NotFound
from labnet.daemon import foreground


class FakeConnection:
    """Stands in for a connection to a command server; ``replies`` by command, none for a closed connection."""

    replies = {"TIME": "Sun Oct  1 13:33:03 2023"}
    opened: list[tuple[Any, ...]] = []

    speaks_first = False

    def __init__(self, *arguments: Any, dialect: object = None) -> None:
        *where, tap = arguments
        assert tap(self) is self
        self.opened.append(tuple(where))
        if arguments[0] == "nowhere":
            raise NoAnswer("cannot connect to nowhere port 8080: Connection refused")
        if arguments[0] == "slow":
            raise KeyboardInterrupt

    def __enter__(self) -> FakeConnection:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def is_exit(self, text: str) -> bool:
        return text == "EXIT"

    def receive(self) -> str:
        return "hello"

    def ask(self, text: str) -> str:
        return self.replies.get(text, "")


class CLITestCase(SynchronousTestCase):
    """Runs ``labnet`` in this process."""

    def labnet(self, *arguments: str) -> tuple[int | str | None, str, str]:
        """The exit status, standard output and standard error."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status: int | str | None = cli.main(arguments)
            except SystemExit as exit:
                status = exit.code
        return status, out.getvalue(), err.getvalue()

    def types(self, *lines: str | type[BaseException]) -> None:
        """What the person at the keyboard does."""
        self.patch(builtins, "input", mock.Mock(side_effect=lines))


class CommandLineTests(CLITestCase):
    """What is made of the words."""

    def test_a_wrong_command_line_is_told_in_one_sentence(self) -> None:
        """Status 2 and no traceback."""
        for words, says in [
            (["dig"], "there is no command 'dig'; labnet --help says more"),
            (["explane"], "there is no command 'explane': did you mean explain?"),
            (["cache", "dunp"], "there is no command 'dunp': did you mean dump?; labnet cache --help says more"),
            (["exercise", "ip"], "FILE is missing; labnet exercise --help says more"),
            (["resolve", "@a", "@b"], "@a and @b exclude each other: one server is asked; labnet resolve --help"),
            (["resolve", "@a", "+sohrt"], "there is no +sohrt: +short, +tcp, +tls, +https, +tls-ca, "),
            (["resolve", "@a", "+time=0"], "'0' is no time: seconds above 0"),
            (["resolve", "-x", "192.0.2"], "'192.0.2' is no IP address"),
            (["capture", "-i", "lo"], "--write is missing"),
            (["resolve", "127.0.0.1", "53", "--captur", "x"], "there is no option --captur: did you mean --capture?"),
            (["resolve", "127.0.0.1", "53", "--type"], "option '--type' requires an argument; labnet resolve --help"),
            (["explain", "x", "--json", "--html"], "--json and --html exclude each other"),
            (["resolve", "127.0.0.1", "http"], "'http' is no port: a number from 1 to 65535"),
            (["resolve", "127.0.0.1", "0"], "'0' is no port"),
            (["resolve", "127.0.0.1", "53", "--type", "\x1b[2J"], "'\\x1b[2J' is no record type"),
            (["command", "127.0.0.1", "65536"], "'65536' is no port"),
            (["command", "127.0.0.1", "0655359"], "'0655359' is no port"),
            (["command", "127.0.0.1", "²"], "'²' is no port"),
            (["command", "--timeout", "0", "127.0.0.1", "80"], "'0' is no time: seconds above 0, 3600 at most"),
            (["command", "--timeout", "soon", "127.0.0.1", "80"], "'soon' is no time"),
            (["command", "--timeout", "nan", "127.0.0.1", "80"], "'nan' is no time"),
            (["command", "--tries", "0", "127.0.0.1", "80"], "'0' is no count: 1 to 100"),
            (["command", "--tries", "01001", "127.0.0.1", "80"], "'01001' is no count"),
        ]:
            status, out, err = self.labnet(*words)
            self.assertEqual((words, status, out, len(err.splitlines())), (words, 2, "", 1))
            self.assertIn(f"labnet: {says}", err)

    def test_without_a_command_it_shows_how_to_begin_and_fails(self) -> None:
        """What --help prints goes to standard error then."""
        self.assertEqual(self.labnet(), (2, "", self.labnet("--help")[1]))

    def test_the_version_is_that_of_the_distribution(self) -> None:
        """Or says that there is none."""
        self.patch(metadata, "version", lambda name: {"txlabnet": "1.2.3"}[name])
        self.assertEqual(self.labnet("--version"), (0, "labnet 1.2.3\n", ""))
        self.patch(metadata, "version", mock.Mock(side_effect=metadata.PackageNotFoundError))
        self.assertEqual(self.labnet("--version"), (0, "labnet unknown\n", ""))

    def test_it_runs_as_a_module(self) -> None:
        """python -m labnet.cli."""
        self.patch(sys, "argv", ["labnet", "--help"])
        with contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit) as raised:
            runpy.run_module("labnet.cli", run_name="__main__")
        self.assertEqual(raised.exception.code, 0)
        self.assertIn("Usage: labnet", out.getvalue())


class CommandTests(CLITestCase):
    """labnet command."""

    def setUp(self) -> None:
        self.patch(command, "CommandConnection", FakeConnection)
        self.patch(FakeConnection, "opened", [])

    def test_replies_go_to_standard_output(self) -> None:
        """One a line."""
        reply = FakeConnection.replies["TIME"] + "\n"
        self.assertEqual(self.labnet("command", "127.0.0.1", "8080", "TIME", "TIME"), (0, reply * 2, ""))
        self.assertEqual(FakeConnection.opened, [("127.0.0.1", 8080, 5.0, 3)])

    def test_time_out_and_tries_are_options(self) -> None:
        """Seconds for each try."""
        self.labnet("command", "--timeout", "0.5", "--tries", "7", "::1", "80", "TIME")
        self.assertEqual(FakeConnection.opened, [("::1", 80, 0.5, 7)])

    def test_no_answer_is_status_2(self) -> None:
        """And a sentence on standard error."""
        self.assertEqual(
            self.labnet("command", "nowhere", "8080", "TIME"),
            (2, "", "labnet: cannot connect to nowhere port 8080: Connection refused\n"),
        )
        self.assertEqual(
            self.labnet("command", "127.0.0.1", "8080", "foo"), (2, "", "labnet: the server closed the connection\n")
        )

    def test_without_commands_it_is_a_dialogue(self) -> None:
        """Which end of file and Ctrl-C leave quietly."""
        for leaves in EOFError, KeyboardInterrupt:
            self.types("TIME", leaves)
            status, out, err = self.labnet("command", "127.0.0.1", "8080")
            self.assertEqual((status, err), (0, ""))
            self.assertEqual(
                out,
                "MESSAGE!!! ----> Server Message: hello\n"
                "MESSAGE!!! ----> Server Response: Sun Oct  1 13:33:03 2023\n\n",
            )

    def test_ctrl_c_leaves_quietly_anywhere(self) -> None:
        """Also while it connects; the status is the shell's for it."""
        self.assertEqual(self.labnet("command", "slow", "8080"), (130, "", ""))

    def test_a_dialogue_needs_no_readline(self) -> None:
        """Some Pythons are built without it."""
        self.types(EOFError)
        self.patch(sys, "modules", {**sys.modules, "readline": None})
        self.assertEqual(self.labnet("command", "127.0.0.1", "8080")[0], 0)

    def test_a_dialogue_takes_any_bytes(self) -> None:
        """A line of standard input that is no UTF-8 goes to the server as it is."""
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
        self.patch(FakeConnection, "replies", {"\udcff": "Invalid command!"})
        status, out, err = self.labnet("command", "127.0.0.1", "8080")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("Server Response: Invalid command!", out)


class PlaceTests(CLITestCase):
    """Which server is asked, and how."""

    def setUp(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.patch(running_lab, "ask_lab", lambda: self.services)
        self.services = [
            {"kind": "resolver", "listeners": ["127.0.0.1:1199"]},
            {"kind": "command", "listeners": ["127.0.0.1:8080"]},
        ]

        def course(client: resolver.CourseClient, name: str) -> str:
            self.asked.append((client.host, client.port, "course", name))
            return "1.2.3.4"

        def by_dns(client: dns.DNSClient, name: str) -> str:
            transport = "tcp" if client.tcp else "udp"
            self.asked.append((client.host, client.port, client.rrtype, transport, client.tries, name))
            return "1.2.3.4"

        self.patch(resolver.CourseClient, "ask", course)
        self.patch(dns.DNSClient, "ask", by_dns)
        self.patch(command, "CommandConnection", FakeConnection)
        self.patch(FakeConnection, "opened", [])

    def test_without_a_server_it_is_that_of_the_lab(self) -> None:
        for words, asked in [
            ("www.lab.test", [("127.0.0.1", 1199, "course", "www.lab.test")]),
            ("--dns www.lab.test", [("127.0.0.1", 1199, "A", "udp", 3, "www.lab.test")]),
            ("lab.test MX", [("127.0.0.1", 1199, "MX", "udp", 3, "lab.test")]),
        ]:
            self.assertEqual(self.labnet("resolve", *words.split())[::2], (0, ""))
            self.assertEqual(self.asked, asked)
            self.asked.clear()
        self.labnet("command", "TIME")
        self.assertEqual(FakeConnection.opened, [("127.0.0.1", 8080, 5.0, 3)])

    def test_words_of_dig_ask_by_dns(self) -> None:
        for words, asked in [
            ("@192.0.2.1 lab.test", [("192.0.2.1", 53, "A", "udp", 3, "lab.test")]),
            ("lab.test -p 5300 +short @192.0.2.1", [("192.0.2.1", 5300, "A", "udp", 3, "lab.test")]),
            ("-t NS lab.test +tcp +tries=1", [("127.0.0.1", 1199, "NS", "tcp", 1, "lab.test")]),
            ("-x 192.0.2.1", [("127.0.0.1", 1199, "PTR", "udp", 3, "1.2.0.192.in-addr.arpa.")]),
            (
                "@192.0.2.1 lab.test a aaaa",
                [("192.0.2.1", 53, rrtype, "udp", 3, "lab.test") for rrtype in ("A", "AAAA")],
            ),
        ]:
            self.assertEqual(self.labnet("resolve", *words.split())[::2], (0, ""))
            self.assertEqual(self.asked, asked)
            self.asked.clear()

    def test_a_named_port_53_is_asked_as_before(self) -> None:
        self.labnet("resolve", "192.0.2.1", "53", "lab.test")
        self.assertEqual(self.asked, [("192.0.2.1", 53, "course", "lab.test")])

    def test_without_a_lab_it_is_said_what_to_name(self) -> None:
        self.services = []
        for name, says in ("resolve", "resolver"), ("command", "command server"):
            status, out, err = self.labnet(name, "x")
            self.assertEqual((status, out), (2, ""))
            self.assertEqual(
                err,
                f"labnet: no lab runs here that has a {says} to ask: start one with labnet run, or name SERVER PORT\n",
            )

    def test_a_walk_is_for_one_type(self) -> None:
        self.assertEqual(
            self.labnet("resolve", "--trace", "@192.0.2.1", "lab.test", "A", "MX"),
            (2, "", "labnet: --trace walks for one type of records, not for A and MX\n"),
        )


class ResolveTests(CLITestCase):
    """labnet resolve."""

    def setUp(self) -> None:
        known = {"www.biu.ac.il": "1.2.3.4"}

        def ask(client: resolver.CourseClient, name: str) -> str:
            self.asked.append(client)
            if name == "silence":
                raise NoAnswer("no answer from 127.0.0.1 port 1199 in 3 tries of 3 s")
            if name not in known:
                raise NotFound("")
            return known[name]

        self.asked: list[resolver.CourseClient] = []
        self.patch(resolver.CourseClient, "ask", ask)

    def test_bare_addresses_go_to_standard_output(self) -> None:
        """Everything else to standard error; the worst that happened is the status."""
        for names, status, out, err in [
            (["www.biu.ac.il"], 0, "1.2.3.4\n", []),
            (["x", "www.biu.ac.il"], 1, "1.2.3.4\n", ["x: not found"]),
            (["silence", "x", "www.biu.ac.il"], 2, "1.2.3.4\n", ["silence: no answer from", "x: not found"]),
        ]:
            found = self.labnet("resolve", "127.0.0.1", "1199", *names)
            self.assertEqual(found[:2], (status, out))
            self.assertEqual(len(found[2].splitlines()), len(err))
            for line, says in zip(found[2].splitlines(), err, strict=True):
                self.assertTrue(line.startswith(f"labnet: {says}"), line)

    def test_options_may_stand_anywhere(self) -> None:
        """Before, between and behind the words."""
        for words in (
            ["--tries", "7", "127.0.0.1", "1199", "x"],
            ["127.0.0.1", "--tries", "7", "1199", "x"],
            ["127.0.0.1", "1199", "--tries", "7", "x"],
            ["127.0.0.1", "1199", "x", "--tries=7"],
        ):
            self.assertEqual(self.labnet("resolve", *words)[0], 1)
            asked = self.asked.pop()
            self.assertEqual((asked.host, asked.port, asked.tries), ("127.0.0.1", 1199, 7))

    def test_time_out_and_tries_are_options(self) -> None:
        """Seconds for each try."""
        self.labnet("resolve", "127.0.0.1", "1199", "x")
        self.labnet("resolve", "--timeout", "0.5", "--tries", "7", "::1", "53", "x")
        self.assertEqual(
            [(asked.host, asked.port, asked.timeout, asked.tries) for asked in self.asked],
            [("127.0.0.1", 1199, 3.0, 3), ("::1", 53, 0.5, 7)],
        )

    def test_without_names_it_is_a_dialogue(self) -> None:
        """Which end of file and Ctrl-C leave quietly."""
        for leaves in EOFError, KeyboardInterrupt:
            self.types("www.biu.ac.il", "x", leaves)
            status, out, err = self.labnet("resolve", "127.0.0.1", "1199")
            self.assertEqual((status, err), (0, ""))
            prompt = "Type your web address and get its ip address:\n"
            self.assertEqual(out, f"trying to connect to server...\n{prompt}1.2.3.4\n{prompt}not found\n{prompt}\n")


class CheckTests(CLITestCase):
    """labnet check."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.file = self.folder / "labnet.toml"

    def test_a_good_file_is_ok(self) -> None:
        """With how many servers and records it has."""
        (self.folder / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\nmail.biu.ac.il,1.2.3.6,60\n")
        self.file.write_text('[command]\n[resolver.main]\nlisten = "udp:1199"\nrecords = "ips.txt"\n')
        self.assertEqual(self.labnet("check", str(self.file)), (0, f"{self.file}: OK: 2 server(s), 2 record(s)\n", ""))

    def test_check_counts_what_is_on_lists(self) -> None:
        """A line that cannot be read is a warning."""
        (self.file.parent / "ads.txt").write_text("ads.example\nno name\n*.other.example\n")
        self.file.write_text('[resolver.main]\nlisten = "udp:1199"\n[resolver.main.block.ads]\nfile = "ads.txt"\n')
        status, out, err = self.labnet("check", str(self.file))
        self.assertEqual((status, out), (0, f"{self.file}: OK: 1 server(s), 0 record(s), 2 name(s) on lists\n"))
        says = "'no name' is more than one name; the line was skipped"
        self.assertEqual(err, f"labnet: warning: {self.file.parent}/ads.txt:2: {says}\n")

    def test_the_built_in_lab_is_ok(self) -> None:
        """It is what is checked where there is no file; its doubtful addresses are warnings."""
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        self.patch(os, "environ", {key: value for key, value in os.environ.items() if key != "LABNET_CONFIG"})
        with mock.patch("os.path.exists", return_value=False):
            status, out, err = self.labnet("check")
        self.assertEqual((status, out), (0, "the built-in lab: OK: 3 server(s), 6 record(s)\n"))
        self.assertIn("labnet: warning: ", err)
        self.assertIn("'21.09.1992.8' is no IP address", err)

    def test_what_stands_in_a_file_does_not_reach_the_terminal_as_it_is(self) -> None:
        self.file.write_text('"\\u001b[2J" = 1\n')
        status, _, err = self.labnet("check", str(self.file))
        self.assertEqual(status, 1)
        self.assertIn("\\x1b[2J: there is no such key", err)
        self.assertNotIn("\x1b", err)

    def test_everything_wrong_is_listed(self) -> None:
        """File and key, then status 1."""
        self.file.write_text('[command]\nclients = -1\n[resolver.main]\nlisten = "udp:x"\n')
        self.assertEqual(
            self.labnet("check", str(self.file)),
            (
                1,
                "",
                f"labnet: {self.file}: command.clients: must be greater than or equal to 0, not -1\n"
                f"labnet: {self.file}: resolver.main.listen.0: 'x' is no port: a number from 0 to 65535\n",
            ),
        )

    def test_wrong_records_are_listed(self) -> None:
        """File and line, then status 1."""
        (self.folder / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\nnonsense\n")
        self.file.write_text(
            '[resolver.a]\nlisten = "udp:1199"\nrecords = "ips.txt"\n'
            '[resolver.b]\nlisten = "udp:1200"\nrecords = "none.txt"\n'
        )
        status, out, err = self.labnet("check", str(self.file))
        self.assertEqual((status, out), (1, ""))
        first, second = err.splitlines()
        self.assertTrue(first.startswith(f"labnet: {self.folder}/ips.txt:2: "), first)
        self.assertEqual(second, f"labnet: {self.folder}/none.txt: there is no such file")


class RunTests(CLITestCase):
    """labnet run and labnet init."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def test_run_runs_the_lab_of_the_file(self) -> None:
        """Its status is that of the command."""
        ran: list[tuple[str | None, bool]] = []

        def run(config: str | None, quiet: bool) -> int:
            ran.append((config, quiet))
            return 1

        self.patch(foreground, "run", run)
        self.assertEqual(self.labnet("run"), (1, "", ""))
        self.assertEqual(self.labnet("run", "--config", "my.toml", "--quiet"), (1, "", ""))
        self.assertEqual(ran, [(None, False), ("my.toml", True)])

    def test_init_writes_what_check_finds_right(self) -> None:
        status, out, err = self.labnet("init", "my lab")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                "wrote my lab/etc/labnet.toml",
                "wrote my lab/etc/ips.txt",
                "wrote my lab/etc/parent.txt",
                "now: cd 'my lab' && labnet check && labnet run",
            ],
        )
        self.assertEqual(self.labnet("check", "my lab/etc/labnet.toml")[0], 0)
        self.assertEqual(self.labnet("init")[1].splitlines()[-1], "now: labnet check && labnet run")

    def test_init_overwrites_nothing(self) -> None:
        self.labnet("init")
        status, out, err = self.labnet("init")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"^labnet: \./etc/labnet\.toml is there already: .*\n$")
