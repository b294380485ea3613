"""The three twistd plugins and their command lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.application.twist._options import TwistOptions
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.scripts.twistd import ServerOptions

from labnet.daemon import tap
from labnet.daemon.service import LabService
from labnet.dialects.library import shipped
from tests.config.test_reading import FolderTestCase
from tests.fakes import MemoryReactor

ROOT = Path(__file__).resolve().parents[2]


class TapTestCase(FolderTestCase):
    """Parses twistd's command line in an empty folder."""

    def setUp(self) -> None:
        super().setUp()
        self.write("ips.txt", "www.biu.ac.il,1.2.3.4,180\n")

    def options(self, *words: str) -> tap._Options:
        """What ``twistd WORDS`` makes of them."""
        twistd = ServerOptions()
        twistd.parseOptions(list(words))
        options = twistd.subOptions
        assert isinstance(options, tap._Options)
        return options

    def assertRefused(self, words: Sequence[str], *errors: str) -> None:
        """``twistd WORDS`` ends with status 1 and these sentences."""
        with self.assertRaises(SystemExit) as raised:
            self.options(*words)
        self.assertEqual(str(raised.exception.code).splitlines(), [f"labnet: {error}" for error in errors])


class PluginTests(TapTestCase):
    """How twistd finds them."""

    def test_twistd_finds_all_three(self) -> None:
        """Each by its name, with a line of description and the class that makes it."""
        found = {maker.tapname: maker for maker in getPlugins(IServiceMaker) if maker.tapname.startswith("labnet")}
        self.assertEqual(
            {name: maker.module for name, maker in found.items()},
            {
                "labnet": "labnet.daemon.tap.Lab",
                "labnet-command": "labnet.daemon.tap.Command",
                "labnet-resolver": "labnet.daemon.tap.OneResolver",
            },
        )
        self.assertIs(found["labnet"].options, tap.LabOptions)
        self.assertIs(found["labnet-command"].options, tap.CommandOptions)
        self.assertIs(found["labnet-resolver"].options, tap.ResolverOptions)
        for maker in found.values():
            self.assertIs(maker.makeService, tap._make)
            self.assertTrue(maker.description)

    def test_importing_the_plugins_imports_nothing_of_labnet(self) -> None:
        """Every twistd --help pays for what it imports."""
        code = "import sys, twisted.plugins.labnet_plugin as p; print([m for m in sys.modules if m[:6] == 'labnet'])"
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(ran.stdout, "[]\n")

    def test_each_explains_itself(self) -> None:
        """Its help names every option."""
        for options, words in [
            (tap.LabOptions, ["--config="]),
            (tap.CommandOptions, ["--listen=", "--clients=", "--timeout=", "--replies=", "--exit-from=", "--allow="]),
            (tap.ResolverOptions, ["PORT PARENT_IP PARENT_PORT RECORDS_FILE", "--dialect=", "--newline", "--learned="]),
        ]:
            text = str(options())
            for word in words:
                self.assertIn(word, text)

    def test_only_the_three_say_what_they_build(self) -> None:
        """What they share does not."""
        self.assertRaises(NotImplementedError, tap._Options().build)


class MakeServiceTests(TapTestCase):
    """From options to a service."""

    def test_the_service_runs_on_the_reactor_that_it_is_given(self) -> None:
        """Nothing listens before it starts."""
        reactor = MemoryReactor()
        service = tap.Command.makeService(self.options("labnet-command", "--listen", "tcp:8080"), reactor)
        assert isinstance(service, LabService)
        self.assertEqual(reactor.tcpPorts, [])
        self.patch(sys.modules["labnet.daemon.service"], "raise_open_files_limit", lambda: None)
        service.privilegedStartService()
        self.assertEqual([port.port for port in reactor.tcpPorts], [8080])
        service.startService()
        service.stopService()
        reactor.turn()
        self.assertTrue(reactor.tcpPorts[0].welcome.closed)

    def test_twistd_gives_no_reactor(self) -> None:
        """The global one is meant, and this process is a daemon of its own."""
        from twisted.internet import reactor

        spared: list[bool] = []
        self.patch(tap, "spare_program", lambda: spared.append(True))
        service = tap.Command.makeService(self.options("labnet-command"))
        self.assertIs(service.command.reactor.wrapped, reactor)
        self.assertEqual(spared, [True])


class LabOptionsTests(TapTestCase):
    """twistd labnet."""

    LAB = '[resolver.main]\nlisten = "udp:5300"\nrecords = "ips.txt"\nlearned = "main.learned"\n'

    def test_the_file_is_named(self) -> None:
        """By --config or -c; what it names is read now, and its state is below twistd's run folder."""
        (self.folder / "my.toml").write_text(self.LAB)
        for option in "--config", "-c":
            options = self.options("--rundir", "/run/here", "labnet", option, "my.toml")
            main = options.config.resolver["main"]
            self.assertEqual([file.path for file in main.records], [f"{self.folder}/ips.txt"])
            self.assertEqual(main.learned, "/run/here/var/main.learned")
            self.assertEqual(options.loaded["main"].records, 1)

    def test_without_a_name_it_is_found(self) -> None:
        """$LABNET_CONFIG, else etc/labnet.toml here."""
        etc = self.folder / "etc"
        etc.mkdir()
        (etc / "labnet.toml").write_text('[command]\nlisten = "tcp:1"\n')
        (self.folder / "my.toml").write_text('[command]\nlisten = "tcp:2"\n')
        self.assertEqual(self.options("labnet").config.command.listen, ("tcp:1",))
        os.environ["LABNET_CONFIG"] = "my.toml"
        self.assertEqual(self.options("labnet").config.command.listen, ("tcp:2",))

    def test_every_error_is_told_and_nothing_runs(self) -> None:
        """One line each, with the file."""
        (self.folder / "my.toml").write_text("[command]\nclients = -1\ntimeout = 0\n")
        self.assertRefused(
            ["labnet", "--config", "my.toml"],
            f"{self.folder}/my.toml: command.clients: must be greater than or equal to 0, not -1",
            f"{self.folder}/my.toml: command.timeout: must be greater than 0, not 0",
        )
        self.assertRefused(
            ["labnet", "--config", "none.toml"], f"{self.folder}/none.toml: cannot be read: No such file or directory"
        )

    def test_what_is_wrong_in_the_records_is_told_with_what_is_wrong_in_the_configuration(self) -> None:
        """Everything in one go, also of files of a resolver that is itself configured wrongly."""
        lab = '[command]\nclients = -1\n[resolver.a]\nlisten = 5\nrecords = ["ips.txt", "none.txt"]\n'
        (self.folder / "my.toml").write_text(lab)
        (self.folder / "ips.txt").write_text("nonsense\n")
        with self.assertRaises(SystemExit) as raised:
            self.options("labnet", "--config", "my.toml")
        lines = str(raised.exception).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn(f"{self.folder}/my.toml: command.clients", lines[0])
        self.assertIn(f"{self.folder}/my.toml: resolver.a.listen", lines[1])
        self.assertIn(f"{self.folder}/ips.txt:1: ", lines[2])
        self.assertIn(f"{self.folder}/none.txt: there is no such file", lines[3])

    def test_wrong_records_are_told_with_their_line(self) -> None:
        """They are read before anything runs."""
        (self.folder / "my.toml").write_text(self.LAB)
        (self.folder / "ips.txt").write_text("www.biu.ac.il,1.2.3.4,180\nnonsense\n")
        with self.assertRaises(SystemExit) as raised:
            self.options("labnet", "-c", "my.toml")
        self.assertTrue(str(raised.exception).startswith(f"labnet: {self.folder}/ips.txt:2: "))

    def test_it_takes_no_arguments(self) -> None:
        """A file without --config is a mistake."""
        self.assertRaises(usage.UsageError, self.options, "labnet", "my.toml")

    def test_below_twist_which_has_no_run_folder_it_runs_here_and_in_the_foreground(self) -> None:
        """No option that twistd alone has is needed, and there is no log file to hand over."""
        (self.folder / "my.toml").write_text(self.LAB)
        twist = TwistOptions()
        twist.installReactor = lambda name: MemoryReactor()  # one of twistd's tests is installed
        twist.parseOptions(["labnet", "-c", "my.toml"])
        options = twist.subOptions
        self.assertEqual(options.config.lab.state, f"{self.folder}/var")
        self.assertEqual(options.started(MemoryReactor()).files, ())

    def test_outside_of_twistd_it_runs_here(self) -> None:
        """Options without a parent have no run folder."""
        (self.folder / "my.toml").write_text(self.LAB)
        options = tap.LabOptions()
        options.parseOptions(["-c", "my.toml"])
        self.assertEqual(options.config.lab.state, f"{self.folder}/var")


class CommandOptionsTests(TapTestCase):
    """twistd labnet-command."""

    def test_the_defaults_are_those_of_the_configuration(self) -> None:
        """So a command server alone is that of the lab."""
        alone = self.options("labnet-command").config
        self.assertEqual(alone.command, type(alone.command)())
        self.assertEqual(dict(alone.resolver), {})

    def test_every_option_arrives(self) -> None:
        """Long and short."""
        long = self.options(
            "labnet-command", "--listen", "tcp:99", "--clients", "0", "--timeout", "2.5", "--replies", "transcript",
            "--exit-from", "10.0.0.0/8, ::/0", "--allow", "192.0.2.0/24"
        )  # fmt: skip
        short = self.options(
            "labnet-command", "-l", "tcp:99", "-n", "0", "-t", "2.5", "-r", "transcript", "-e", "10.0.0.0/8,::/0",
            "-a", "192.0.2.0/24"
        )  # fmt: skip
        for options in long, short:
            command = options.config.command
            self.assertEqual(command.listen, ("tcp:99",))
            self.assertEqual((command.clients, command.timeout, command.replies), (0, 2.5, "transcript"))
            self.assertEqual([str(network) for network in command.exit_from], ["10.0.0.0/8", "::/0"])
            self.assertEqual([str(network) for network in command.allow], ["192.0.2.0/24"])

    def test_who_listens_elsewhere_than_on_loopback_serves_everyone(self) -> None:
        """Unless the option says whom."""
        loopback = ["tcp:1:interface=127.0.0.1", r"tcp6:1:interface=\:\:1", "tcp:1:interface=localhost", "unix:sock"]
        everyone = ["tcp:1", "tcp:1:interface=0.0.0.0", r"tcp6:1:interface=\:\:", "tcp:1:interface=192.0.2.1"]
        for endpoints, served in (loopback, ["127.0.0.0/8", "::1/128"]), (everyone, ["0.0.0.0/0", "::/0"]):
            for endpoint in endpoints:
                command = self.options("labnet-command", "--listen", endpoint).config.command
                self.assertEqual((endpoint, [str(network) for network in command.allow]), (endpoint, served))
        self.assertEqual(self.options("labnet-command", "-l", "tcp:1", "-a", "").config.command.allow, ())

    def test_no_network_is_a_choice(self) -> None:
        """Then nobody's EXIT closes all."""
        self.assertEqual(self.options("labnet-command", "--exit-from", "").config.command.exit_from, ())

    def test_wrong_options_are_told_by_their_names(self) -> None:
        """All at once."""
        self.assertRefused(
            ["labnet-command", "-l", "tcp:http", "-n", "one", "-t", "soon", "-r", "x", "-e", "10.0.0.0/8,here"],
            "--listen: 'tcp:http' is no Twisted endpoint (invalid literal for int() with base 10: 'http'); "
            "try tcp:8080:interface=127.0.0.1",
            "--clients: must be an integer, not 'one'",
            "--timeout: must be a number, not 'soon'",
            "--replies: must be 'handout' or 'transcript', not 'x'",
            "--exit-from: no network: 'here' does not appear to be an IPv4 or IPv6 network; write as 192.0.2.0/24",
        )
        self.assertRefused(["labnet-command", "-t", "nan"], "--timeout: must be a finite number, not nan")


class ResolverOptionsTests(TapTestCase):
    """twistd labnet-resolver: the assignment's command line."""

    def resolver(self, *words: str) -> object:
        return self.options("labnet-resolver", *words).config.resolver["resolver"]

    def test_it_takes_the_assignments_arguments(self) -> None:
        """PORT PARENT_IP PARENT_PORT RECORDS_FILE; what is learned is saved in the records file itself."""
        one = self.resolver("1199", "127.0.0.1", "1200", "ips.txt")
        self.assertEqual([(listen.port, listen.interface) for listen in one.listen], [(1199, "127.0.0.1")])
        self.assertEqual([(parent.host, parent.port) for parent in one.parents], [("127.0.0.1", 1200)])
        self.assertEqual([file.path for file in one.records], [f"{self.folder}/ips.txt"])
        self.assertEqual(one.learned, f"{self.folder}/ips.txt")
        self.assertEqual((one.dialect, one.newline, one.unknown), ("json", False, None))
        self.assertEqual((one.parent_timeout, one.parent_tries), (2.0, 2))

    def test_minus_one_twice_is_no_parent(self) -> None:
        """Also behind twistd's own options and those of the resolver."""
        self.assertEqual(self.resolver("1200", "-1", "-1", "ips.txt").parents, ())
        options = self.options("-n", "labnet-resolver", "--dialect", "line", "1200", "-1", "-1", "ips.txt")
        self.assertEqual(options.config.resolver["resolver"].parents, ())
        self.assertEqual(options.config.resolver["resolver"].dialect, "line")

    def test_it_takes_the_arguments_of_other_courses(self) -> None:
        """Those of the dialect's programs: a zone's server and resolver, a root server with another one behind it."""
        Path(self.folder, "zone.txt").write_text("www.a,1.2.3.4,A\n")
        Path(self.folder, "hosts.txt").write_text("www.a 1.2.3.4 A\n")
        server = self.resolver("-d", "zone", "1200", "zone.txt")
        self.assertEqual(([file.path for file in server.records], server.parents), ([f"{self.folder}/zone.txt"], ()))
        self.assertIsNone(server.learned)
        one = self.resolver("-d", "zone", "1199", "127.0.0.1", "1200", "7")
        self.assertEqual(([(parent.host, parent.port) for parent in one.parents]), [("127.0.0.1", 1200)])
        self.assertEqual((one.records, one.learned, one.default_ttl, one.course_ttl_max), ((), None, 7, 7))
        root = self.resolver("-d", "hostname-table-recursive", "1200", "127.0.0.1", "1201", "hosts.txt")
        self.assertEqual(([(parent.host, parent.port) for parent in root.parents]), [("127.0.0.1", 1201)])
        with self.assertRaisesRegex(usage.UsageError, "^wants PORT ZONEFILE or PORT PARENT_IP PARENT_PORT X$"):
            self.resolver("-d", "zone", "1200")
        self.assertRefused(
            ["labnet-resolver", "-d", "zone", "1199", "127.0.0.1", "1200", "soon"],
            "X, the seconds that what is learned lives: must be an integer, not 'soon'",
        )

    def test_a_file_that_the_command_line_does_not_name_is_the_courses(self) -> None:
        """Its name is in the dialect; where it is not there, that is said."""
        self.assertRefused(
            ["labnet-resolver", "-d", "hostname-table", "1200"],
            f"{self.folder}/PROJI-DNSRS.txt: there is no such file",
        )

    def test_there_is_no_command_server(self) -> None:
        """One resolver, nothing else."""
        options = self.options("labnet-resolver", "1200", "-1", "-1", "ips.txt")
        self.assertIsNone(options.config.command)
        self.assertEqual(options.loaded["resolver"].records, 1)

    def test_every_option_arrives(self) -> None:
        """Before the arguments, long and short; the run folder does not move what is named on the command line."""
        arguments = ["1199", "::1", "53", "ips.txt"]
        long = self.options(
            "--rundir", "/run", "labnet-resolver", "--interface", "::1", "--learned", "l", "--dialect", "line",
            "--unknown", "none", "--newline", "--parent-timeout", "0.5", "--parent-tries", "3", *arguments,
        )  # fmt: skip
        short = self.options(
            "--rundir", "/run", "labnet-resolver", "-i", "::1", "-l", "l", "-d", "line", "-u", "none", "--newline",
            "-t", "0.5", "-n", "3", *arguments,
        )  # fmt: skip
        for options in long, short:
            one = options.config.resolver["resolver"]
            self.assertEqual(one.listen[0].interface, "::1")
            self.assertEqual([(parent.host, parent.port) for parent in one.parents], [("::1", 53)])
            self.assertEqual(one.learned, f"{self.folder}/l")
            self.assertEqual((one.dialect, one.newline, one.unknown), ("line", True, "none"))
            self.assertEqual((one.parent_timeout, one.parent_tries), (0.5, 3))

    def test_wrong_arguments_are_told_by_their_names(self) -> None:
        """All at once."""
        self.assertRefused(
            ["labnet-resolver", "-d", "xml", "-t", "0", "-n", "x", "http", "-1", "1200", "ips.txt"],
            "PORT or --interface: 'http' is no port: a number from 0 to 65535",
            "PARENT_IP PARENT_PORT: '-1' is no IP address",
            f"--dialect: there is no dialect 'xml': write the path of a file, or one of {', '.join(shipped())}",
            "--parent-timeout: must be greater than 0, not 0.0",
            "--parent-tries: must be an integer, not 'x'",
        )
        self.assertRefused(
            ["labnet-resolver", "-i", "eth0", "1199", "-1", "-1", "ips.txt"],
            "PORT or --interface: 'eth0' is no IP address",
        )

    def test_a_records_file_that_is_not_there_is_told(self) -> None:
        """With its path."""
        self.assertRefused(
            ["labnet-resolver", "1199", "-1", "-1", "none.txt"], f"{self.folder}/none.txt: there is no such file"
        )

    def test_too_few_or_too_many_arguments_are_told(self) -> None:
        """Twistd prints the usage and this."""
        for words in [], ["1199"], ["1199", "-1", "-1"], ["1199", "-1", "-1", "ips.txt", "more"]:
            with self.assertRaisesRegex(usage.UsageError, "wants PORT PARENT_IP PARENT_PORT RECORDS_FILE"):
                self.options("labnet-resolver", *words)
