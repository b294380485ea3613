"""The configuration file, and every way in which it can be wrong."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from importlib import resources
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet import packages
from labnet.config import reading
from labnet.config.reading import Config, ConfigError
from labnet.config.services import CommandConfig
from labnet.dialects.library import shipped
from labnet.values.listeners import UDPListen, parse_udp_listen
from labnet.values.servers import ParentAddress, parse_parent
from labnet.values.texts import RecordsFile

ETC = Path(__file__).resolve().parents[2] / "etc"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["lab", "command", "resolver", "listen", "records", "parents", "clients", "state", "x"])
TABLES = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES)))


class FolderTestCase(SynchronousTestCase):
    """A test in an empty folder, without labnet's variables in the environment."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, Path.cwd())
        self.folder = Path(folder.name).resolve()
        os.chdir(self.folder)
        ours = ("LABNET_CONFIG", "STATE_DIRECTORY")
        self.environ = {key: value for key, value in os.environ.items() if key not in ours}
        self.patch(os, "environ", self.environ)

    def write(self, name: str, text: str | bytes) -> str:
        """The path of a new file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def load(self, text: str | bytes, rundir: str = ".") -> Config:
        return reading.load(self.write("conf/labnet.toml", text), rundir)

    def problems(self, text: str | bytes) -> list[str]:
        """What is wrong with ``text``, without the file's path that each problem begins with."""
        with self.assertRaises(ConfigError) as raised:
            self.load(text)
        path = f"{self.folder}/conf/labnet.toml: "
        for problem in raised.exception.problems:
            self.assertTrue(problem.startswith(path), problem)
            self.assertNotIn("\n", problem)
        self.assertEqual(str(raised.exception), "\n".join(raised.exception.problems))
        return [problem.removeprefix(path) for problem in raised.exception.problems]


class FindTests(FolderTestCase):
    """Which file is taken."""

    def find(self, *exist: str, named: str | None = None) -> str | None:
        with mock.patch("os.path.exists", lambda path: path in exist):
            return reading.find(named)

    def test_the_named_file_comes_first(self) -> None:
        """Whether it exists or not: a wrong name is to be told, not passed over."""
        self.environ["LABNET_CONFIG"] = "other.toml"
        self.assertEqual(self.find("etc/labnet.toml", named="my.toml"), f"{self.folder}/my.toml")

    def test_then_the_environment_then_here_then_etc(self) -> None:
        """Absolute, for twistd changes its folder."""
        both = ("etc/labnet.toml", "/etc/labnet/labnet.toml")
        self.environ["LABNET_CONFIG"] = "other.toml"
        self.assertEqual(self.find(*both), f"{self.folder}/other.toml")
        del self.environ["LABNET_CONFIG"]
        self.assertEqual(self.find(*both), f"{self.folder}/etc/labnet.toml")
        self.assertEqual(self.find(both[1]), "/etc/labnet/labnet.toml")

    def test_an_empty_variable_is_none(self) -> None:
        """As in a shell's LABNET_CONFIG= before the command."""
        self.environ["LABNET_CONFIG"] = ""
        self.assertIsNone(self.find())

    def test_without_any_file_it_is_the_built_in_lab(self) -> None:
        """None stands for it."""
        self.assertIsNone(self.find())


class BuiltInTests(FolderTestCase):
    """The lab that runs where there is no file."""

    def test_it_is_the_lab_of_the_transcript(self) -> None:
        """A command server on 8080, a resolver on 1199, its parent on 1200; all on 127.0.0.1."""
        built_in = reading.load(None)
        assert built_in.command is not None
        self.assertEqual(built_in.command.listen, ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual((built_in.command.clients, built_in.command.timeout), (1, 15.0))
        self.assertEqual(built_in.command.replies, "handout")
        loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
        self.assertEqual(built_in.command.exit_from, loopback)
        main, parent = built_in.resolver["main"], built_in.resolver["parent"]
        self.assertEqual(main.listen, (UDPListen(port=1199, interface="127.0.0.1"),))
        self.assertEqual(parent.listen, (UDPListen(port=1200, interface="127.0.0.1"),))
        self.assertEqual([(one.host, one.port) for one in main.parents], [("127.0.0.1", 1200)])
        self.assertEqual(parent.parents, ())
        self.assertEqual(main.learned, f"{self.folder}/var/main.learned")
        self.assertEqual((main.dialect, main.parent_timeout, main.parent_tries), ("json", 2.0, 2))
        for resolver in main, parent:
            self.assertTrue(all(os.path.isabs(file.path) and os.path.exists(file.path) for file in resolver.records))

    def test_its_files_are_those_of_etc(self) -> None:
        """Byte for byte."""
        for name in "labnet.toml", "ips.txt", "parent.txt":
            self.assertEqual((resources.files("labnet.builtin") / name).read_bytes(), (ETC / name).read_bytes(), name)


class PathTests(FolderTestCase):
    """Relative paths are made absolute."""

    LAB = '{}[resolver.main]\nlisten = "udp:1199"\nrecords = ["ips.txt", "../b.txt", "/c.txt"]\nlearned = "{}"\n'

    def test_the_labs_that_are_shipped_run_beside_each_other_in_one_folder(self) -> None:
        """No file of the one's state is the other's, its control socket included."""

        def written(name: str) -> set[str]:
            loaded = reading.load(str(ETC / name), str(self.folder))
            return {
                loaded.lab.state,
                str(loaded.console.control),
                *(str(one.learned) for one in loaded.resolver.values()),
            }

        self.assertEqual(written("labnet.toml") & written("tree/tree.toml"), {"None"})

    def test_records_are_relative_to_the_file_and_state_to_the_run_folder(self) -> None:
        """Absolute ones stay."""
        loaded = self.load(self.LAB.format("", "main.learned"), rundir="run")
        main = loaded.resolver["main"]
        files = [file.path for file in main.records]
        self.assertEqual(files, [f"{self.folder}/conf/ips.txt", f"{self.folder}/b.txt", "/c.txt"])
        self.assertEqual(loaded.lab.state, f"{self.folder}/run/var")
        self.assertEqual(main.learned, f"{self.folder}/run/var/main.learned")

    def test_the_state_folder_is_configured(self) -> None:
        """Relative or absolute, and so is the file in it."""
        loaded = self.load(self.LAB.format('[lab]\nstate = "s"\n', "main.learned"), rundir="/run")
        self.assertEqual(loaded.resolver["main"].learned, "/run/s/main.learned")
        loaded = self.load(self.LAB.format('[lab]\nstate = "/s"\n', "main.learned"), rundir="/run")
        self.assertEqual(loaded.resolver["main"].learned, "/s/main.learned")
        loaded = self.load(self.LAB.format('[lab]\nstate = "/s"\n', "/m"), rundir="/run")
        self.assertEqual(loaded.resolver["main"].learned, "/m")

    def test_systemds_state_directory_is_the_default(self) -> None:
        """The first, if it gives several; a configured one is stronger."""
        self.environ["STATE_DIRECTORY"] = "/var/lib/labnet:/var/lib/other"
        self.assertEqual(self.load("[command]\n", rundir="/run").lab.state, "/var/lib/labnet")
        self.assertEqual(self.load('[lab]\nstate = "s"\n[command]\n', rundir="/run").lab.state, "/run/s")

    def test_nothing_learned_is_nowhere(self) -> None:
        """Without the key what is learned is forgotten at a stop."""
        self.assertIsNone(self.load('[resolver.main]\nlisten = "udp:1199"\n').resolver["main"].learned)


class ValueTests(FolderTestCase):
    """What the keys take."""

    def test_a_single_item_needs_no_list(self) -> None:
        """For every key that takes several."""
        for one, many in ("{}", "{}"), ("[{}]", "[{}]"):
            loaded = self.load(
                f"[command]\nlisten = {one.format(chr(34) + 'tcp:1' + chr(34))}\n"
                f"exit_from = {one.format(chr(34) + '10.0.0.0/8' + chr(34))}\n"
                f"[resolver.a]\nlisten = {many.format(chr(34) + 'udp:1' + chr(34))}\n"
                f"parents = {many.format(chr(34) + 'text:localhost:1200' + chr(34))}\n"
                f"records = {many.format(chr(34) + 'a' + chr(34))}\n"
            )
            assert loaded.command is not None
            self.assertEqual(loaded.command.listen, ("tcp:1",))
            self.assertEqual(loaded.command.exit_from, (ipaddress.ip_network("10.0.0.0/8"),))
            self.assertEqual(loaded.resolver["a"].listen, (UDPListen(port=1),))
            self.assertEqual([(one.host, one.port) for one in loaded.resolver["a"].parents], [("127.0.0.1", 1200)])
            self.assertEqual(loaded.resolver["a"].records, (RecordsFile(path=f"{self.folder}/conf/a"),))

    def test_udp_listeners_are_written_like_endpoints(self) -> None:
        """IPv6 with its colons escaped, and back again."""
        for text, port, interface in [
            ("udp:1199", 1199, "127.0.0.1"),
            ("udp:0:interface=0.0.0.0", 0, "0.0.0.0"),
            ("udp:53:interface=localhost", 53, "127.0.0.1"),
            (r"udp:53:interface=2001\:db8\:\:1", 53, "2001:db8::1"),
        ]:
            parsed = parse_udp_listen(text)
            self.assertEqual((parsed.port, parsed.interface), (port, interface))
            self.assertEqual(parse_udp_listen(str(parsed)), parsed)
            self.assertIs(parse_udp_listen(parsed), parsed)

    def test_parents_have_an_address_and_a_port(self) -> None:
        """IPv6 with brackets or without."""
        for text, host in [("text:192.0.2.1:53", "192.0.2.1"), ("text:[::1]:53", "::1"), ("text:::1:53", "::1")]:
            parsed = parse_parent(text)
            self.assertEqual((parsed.host, parsed.port), (host, 53))
            self.assertIs(parse_parent(parsed), parsed)
        self.assertEqual(parse_parent("text:127.0.0.1:1"), ParentAddress(kind="text", host="127.0.0.1", port=1))

    def test_every_kind_of_stream_endpoint_is_taken(self) -> None:
        """A systemd socket is there only when systemd starts the lab, so it is not looked for here."""
        for text in (
            "tcp:80",
            r"tcp6:80:interface=\:\:1",
            "unix:/run/labnet.sock:mode=660",
            "systemd:domain=INET:index=0",
        ):
            loaded = self.load(f"[command]\nlisten = '{text}'\n")
            assert loaded.command is not None
            self.assertEqual(loaded.command.listen, (text,))

    def test_values_that_are_parsed_already_are_taken(self) -> None:
        """A program that builds its configuration need not write it as text."""
        network = ipaddress.ip_network("10.0.0.0/8")
        built = CommandConfig(exit_from=(network,))
        self.assertEqual(built.exit_from, (network,))

    def test_a_configuration_does_not_change(self) -> None:
        """It is shared by all services."""
        with self.assertRaises(AttributeError):
            self.load("[command]\n").command.clients = 5


class ErrorTests(FolderTestCase):
    """Everything wrong is told at once, each with its file and its key."""

    def test_a_missing_package_is_named(self) -> None:
        """What shares the cache needs one that not everybody has."""
        self.patch(reading, "find_spec", lambda name: None)
        self.assertEqual(
            self.problems("[command]\n[shared]\nurl = 'redis://127.0.0.1'\n"),
            [f"shared: needs txredisapi, which is not there: {packages.hint('shared')}"],
        )

    def test_validation_names_the_package_that_it_needs(self) -> None:
        """Without validation it is not needed."""
        self.patch(reading, "find_spec", lambda name: None)
        table = "[resolver.main]\nlisten = 'udp:1'\nparents = 'root'\n"
        self.assertEqual(self.load(table).resolver["main"].dnssec, "off")
        self.assertEqual(
            self.problems(f"{table}dnssec = 'validate'\n"),
            [f"resolver.main.dnssec: needs cryptography, which is not there: {packages.hint('dnssec')}"],
        )

    def test_the_anchors_of_validation_are_beside_the_configuration(self) -> None:
        """And domains that are not validated are domains."""
        table = "[resolver.main]\nlisten = 'udp:1'\ndnssec = 'validate'\ntrust_anchors = 'lab.anchors'\n"
        self.assertTrue(str(self.load(table).resolver["main"].trust_anchors).endswith("/lab.anchors"))
        self.assertEqual(self.load(f"{table}insecure = 'corp.example'").resolver["main"].insecure, ("corp.example",))
        self.assertTrue(self.problems(f"{table}insecure = 'a..b'\n")[0].startswith("resolver.main.insecure"))
        self.assertTrue(self.problems("[resolver.main]\nlisten = 'udp:1'\ndnssec = 'yes'\n"))

    def test_a_password_is_told_nobody(self) -> None:
        """Neither where the URL is wrong nor where the configuration is shown."""
        for url in ("redis://:secret@", "rediss://:secret@127.0.0.1", "redis://:secret@127.0.0.1:x"):
            (problem,) = self.problems(f"[command]\n[shared]\nurl = '{url}'\n")
            self.assertTrue(problem.startswith("shared.url: must be redis://"), problem)
            self.assertNotIn("secret", problem)
        self.assertNotIn("secret", repr(self.load("[command]\n[shared]\nurl = 'redis://:secret@127.0.0.1'\n")))

    def test_a_user_is_named_by_name_or_number(self) -> None:
        """One that this machine does not have is an error."""
        for user in "user:root", "user:0":
            command = self.load(f"[command]\nexit_from = ['{user}', '10.0.0.0/8']\n").command
            assert command is not None
            self.assertEqual(list(map(str, command.exit_from)), ["user:0", "10.0.0.0/8"])
        (problem,) = self.problems("[command]\nexit_from = 'user:no such'\n")
        self.assertEqual(problem, "command.exit_from.0: there is no user 'no such' on this machine")

    def test_a_network_of_mapped_addresses_is_one_of_ipv4(self) -> None:
        """IPv4 clients of an IPv6 port count by their IPv4 addresses, so a network of theirs has to as well."""
        for network, meant in (
            ("::ffff:10.0.0.3/128", "10.0.0.3/32"),
            ("::ffff:10.0.0.3", "10.0.0.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1/128", "::1/128"),
        ):
            command = self.load(f"[command]\ndeny = '{network}'\n").command
            assert command is not None
            self.assertEqual(command.deny, (ipaddress.ip_network(meant),))

    def test_a_network_that_mixes_ipv4_and_ipv6_is_refused(self) -> None:
        """Its IPv4 part would be none of it."""
        for network in "::fffe:0:0/95", "::/64", "::/1":
            (problem,) = self.problems(f"[command]\ndeny = '{network}'\n")
            self.assertEqual(
                problem,
                f"command.deny.0: '{network}' holds IPv4 addresses, which count as IPv4: write those as 192.0.2.0/24",
            )

    def test_every_error_is_listed(self) -> None:
        """In one go, with what to do."""
        self.assertEqual(
            self.problems(
                "[lab]\nstat = 1\n"
                "[command]\nclients = true\ntimeout = inf\nreplies = 'x'\nexit_from = ['10.0.0.1/8', 5]\n"
                "exit-from = 1\nlisten = ['udp:5', 'tcp:99999', 'fax:1', 7]\n"
                "[resolver.a]\nlistn = 1\nrecords = ['a', 1]\nlearned = ''\nnewline = 'x'\nunknown = \"a\\n\"\n"
                "parent_tries = 0\ncache_bytes = 1.5\ndialect = 'xml'\n"
                "[resolver.b]\nlisten = 'udp:70000'\nparents = 'text:1.2.3.4:0'\n"
                "[comand]\n"
            ),
            [
                "lab.stat: there is no such key; did you mean state?",
                "command.listen.0: 'udp:5' is UDP; the command server listens on tcp:PORT, unix:PATH or systemd:…",
                "command.listen.1: 'tcp:99999' is no Twisted endpoint ('99999' is no port: a number from 0 to 65535); "
                "try tcp:8080:interface=127.0.0.1",
                "command.listen.2: 'fax:1' is no Twisted endpoint (Unknown endpoint type: 'fax'); "
                "try tcp:8080:interface=127.0.0.1",
                "command.listen.3: must be text, not 7",
                "command.clients: must be an integer, not True",
                "command.timeout: must be a finite number, not inf",
                "command.replies: must be 'handout' or 'transcript', not 'x'",
                "command.exit_from.0: no network: 10.0.0.1/8 has host bits set; write as 192.0.2.0/24",
                "command.exit_from.1: no network: must be text, not 5; write as 192.0.2.0/24",
                "command.exit-from: there is no such key; did you mean exit_from?",
                "resolver.a.listen: this key is needed",
                "resolver.a.records.1: must be text, not 1",
                "resolver.a.learned: String should have at least 1 character, not ''",
                "resolver.a.dialect: there is no dialect 'xml': write the path of a file, or one of "
                + ", ".join(shipped()),
                "resolver.a.newline: must be a boolean, not 'x'",
                "resolver.a.unknown: must be printable text",
                "resolver.a.parent_tries: must be greater than or equal to 1, not 0",
                "resolver.a.cache_bytes: must be an integer, not 1.5",
                "resolver.a.listn: there is no such key; did you mean listen?",
                "resolver.b.listen.0: '70000' is no port: a number from 0 to 65535",
                "resolver.b.parents.0: '0' is no port: a number from 1 to 65535",
                "comand: there is no such key; did you mean command?",
            ],
        )

    def test_an_unknown_key_that_resembles_none_is_told_plainly(self) -> None:
        """Without a guess."""
        self.assertEqual(self.problems("[command]\n[zzzzzz]\n"), ["zzzzzz: there is no such key"])

    def test_a_value_in_the_place_of_a_table_is_told(self) -> None:
        """For each of them."""
        self.assertEqual(
            self.problems("lab = 1\ncommand = 'x'\nresolver = []\n"),
            [
                "lab: must be a table, not 1",
                "command: must be a table, not 'x'",
                "resolver: must be a table, not []",
            ],
        )
        self.assertEqual(self.problems("resolver.a = 5\n"), ["resolver.a: must be a table, not 5"])

    def test_what_listens_nowhere_is_told(self) -> None:
        """Once, and not beside a listener that is wrong."""
        self.assertEqual(self.problems("[command]\nlisten = []\n"), ["command.listen: must name at least one"])
        self.assertEqual(self.problems("[command]\nlisten = 7\n"), ["command.listen.0: must be text, not 7"])

    def test_wrong_udp_listeners_are_told(self) -> None:
        """With how to write one."""
        form = "is no UDP listener: write udp:PORT:interface=ADDRESS"
        for text, says in [
            ("tcp:5", f"'tcp:5' {form}"),
            ("udp", f"'udp' {form}"),
            ("udp:1:iface=1", f"'udp:1:iface=1' {form}"),
            ("udp:1:interface=::1", f"'udp:1:interface=::1' {form}"),
            ("udp:1:interface=eth0", "'eth0' is no IP address"),
            (r"udp:1:interface=fe80\:\:1", "'fe80::1' is on every link: write it with one, as in fe80::1%eth0"),
            ("udp:x", "'x' is no port: a number from 0 to 65535"),
            ("udp:-1", "'-1' is no port: a number from 0 to 65535"),
            ("udp:²", "'²' is no port: a number from 0 to 65535"),
        ]:
            self.assertEqual(self.problems(f"[resolver.a]\nlisten = '{text}'\n"), [f"resolver.a.listen.0: {says}"])

    def test_wrong_parents_are_told(self) -> None:
        """An address that is a name or on no certain link, or no port."""
        for text in "text:parent.example:53", "text:1.2.3.4", "text:1.2.3.4:", "1.2.3.4:53", "", "dns:[fe80::1]":
            (problem,) = self.problems(f"[resolver.a]\nlisten = 'udp:1'\nparents = '{text}'\n")
            self.assertTrue(problem.startswith("resolver.a.parents.0: "), problem)

    def test_a_path_that_no_system_has_is_told(self) -> None:
        """A NUL ends a path in C."""
        self.assertEqual(
            self.problems('[lab]\nstate = "\\u0000"\n[resolver.a]\nlisten = "udp:1"\nrecords = "a\\u0000"\n'),
            [
                "lab.state: '\\x00' is no path: it holds a NUL",
                "resolver.a.records.0: 'a\\x00' is no path: it holds a NUL",
            ],
        )

    def test_a_lab_in_which_nothing_runs_is_told(self) -> None:
        """As an empty file."""
        for text in "", "[lab]\n", "[resolver]\n":
            self.assertEqual(
                self.problems(text), ["command: there is nothing to run: add a [command] or a [resolver.NAME] table"]
            )

    def test_what_is_no_toml_is_told(self) -> None:
        """Syntax with its line, bytes that are no UTF-8, and what nobody nests so deep."""
        (problem,) = self.problems("[command]\nclients =\n")
        self.assertTrue(problem.startswith("is no TOML: "), problem)
        self.assertIn("line 2", problem)
        for text in b"\xff", b"x = " + b"[" * 100_000:
            (problem,) = self.problems(text)
            self.assertTrue(problem.startswith("is no TOML: "), problem)

    def test_a_file_that_cannot_be_read_is_told(self) -> None:
        """Because it is not there, or is a folder, or a FIFO that nothing is written to."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        fifo = os.path.join(folder.name, "fifo")
        os.mkfifo(fifo)
        reasons = {"none.toml": "No such file or directory", ".": "Is a directory", fifo: "it is no regular file"}
        for path, why in reasons.items():
            with self.assertRaises(ConfigError) as raised:
                reading.load(path)
            self.assertEqual(raised.exception.problems, (f"{path}: cannot be read: {why}",))

    @settings(max_examples=150)
    @given(TABLES)
    def test_any_table_is_a_configuration_or_a_list_of_errors(self, table: dict[str, object]) -> None:
        """Never another exception, and each error names its key."""
        try:
            reading.build(table, "/base", "/run")
        except ConfigError as error:
            self.assertTrue(error.problems)
            for problem in error.problems:
                self.assertIn(problem.partition(":")[0].partition(".")[0], {*table, "command"})
