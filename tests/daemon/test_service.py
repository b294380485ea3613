"""The lab as a whole: what is started, what stops when, what is told."""

from __future__ import annotations

import io
import resource
import sys
import tempfile
from pathlib import Path
from unittest import mock

from twisted.logger import Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import ConfigError
from labnet.console.actions import actions_of
from labnet.daemon.running.reload import load_lab
from labnet.daemon.service import LabService
from labnet.interfaces import StartError
from tests.fakes import MemoryReactor

COMMAND = '[command]\nlisten = "tcp:8080:interface=127.0.0.1"\n'
PARENT = '[resolver.parent]\nlisten = "udp:1200:interface=127.0.0.1"\nrecords = "parent.txt"\n'
MAIN = '[resolver.main]\nlisten = "udp:1199"\nparents = "text:127.0.0.1:1200"\nlearned = "main.learned"\n'


class LabTestCase(SynchronousTestCase):
    """A test with a lab in memory."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        (self.folder / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\n")
        self.reactor = MemoryReactor()
        self.events: list[tuple[LogLevel, str]] = []
        self.limits = mock.Mock(return_value=None)
        self.patch(resource, "setrlimit", self.limits)
        observer = lambda event: self.events.append((event["log_level"], formatEvent(event)))  # noqa: E731
        self.patch(LabService, "log", Logger(namespace="lab", observer=observer))

    def lab(self, *tables: str) -> LabService:
        """A lab of ``tables`` that is not started."""
        path = self.folder / "labnet.toml"
        path.write_text("".join(tables))
        loaded = reading.load(str(path), str(self.folder))
        return LabService(*load_lab(lambda: loaded, self.reactor.seconds()), self.reactor)

    def started(self, *tables: str) -> LabService:
        lab = self.lab(*tables)
        lab.privilegedStartService()
        lab.startService()
        self.addCleanup(self._stop, lab, self.reactor)
        return lab

    def _stop(self, lab: LabService, reactor: MemoryReactor) -> None:
        stopped = lab.stopService()
        reactor.pass_time(1)
        self.successResultOf(stopped)
        self.assertEqual(reactor.getDelayedCalls(), [])


class StopTests(LabTestCase):
    """A stop that is asked for."""

    def test_it_stops_the_reactor_once_and_in_its_next_turn(self) -> None:
        """Who asked by the control socket gets an answer before; asking again, also while it stops, changes nothing."""
        lab = self.started(PARENT)
        stops: list[bool] = []
        self.patch(self.reactor, "stop", lambda: stops.append(True))
        self.assertIsNone(actions_of(lab)["stop"]({}))
        self.assertEqual(stops, [])
        lab.stop()
        self.reactor.pass_time(0)
        lab.stop()
        self.reactor.pass_time(0)
        self.assertEqual(stops, [True])


class StartTests(LabTestCase):
    """What runs, and what is said about it."""

    def test_everything_that_is_configured_listens(self) -> None:
        """On the ports of the configuration."""
        lab = self.started(COMMAND, MAIN, PARENT)
        self.assertEqual([port.port for port in self.reactor.tcpPorts], [8080, 1199, 1200])
        self.assertEqual([port.getHost().port for port in self.reactor.udpPorts], [1199, 1200])
        self.assertEqual([*lab.resolvers], ["main", "parent"])

    def test_without_a_privileged_start_the_ports_are_opened_all_the_same(self) -> None:
        """twist starts a service at once, as whom it is."""
        lab = self.lab(COMMAND, PARENT)
        lab.startService()
        self.addCleanup(self._stop, lab, self.reactor)
        self.assertEqual([port.port for port in self.reactor.tcpPorts], [8080, 1200])

    def test_what_is_not_configured_does_not_run(self) -> None:
        """A lab may be resolvers alone, or a command server alone."""
        self.assertIsNone(self.started(PARENT).command)
        self.assertEqual([port.port for port in self.reactor.tcpPorts], [1200])
        self.reactor = MemoryReactor()
        self.assertEqual(self.started(COMMAND).resolvers, {})

    def test_it_says_what_listens_where_and_what_to_try(self) -> None:
        """A line for each port."""
        self.started(COMMAND, MAIN, PARENT)
        said = [text for level, text in self.events if level is LogLevel.info]
        self.assertEqual(
            said,
            [
                "command server listens on 127.0.0.1:8080 (TCP); try: labnet command 127.0.0.1 8080 TIME",
                "resolver main listens on 127.0.0.1:1199 (UDP, TCP); try: labnet resolve 127.0.0.1 1199 NAME",
                "resolver parent listens on 127.0.0.1:1200 (UDP, TCP); try: labnet resolve 127.0.0.1 1200 NAME",
            ],
        )

    def test_what_listens_is_told_in_fields_too(self) -> None:
        """A program need not read the sentence."""
        seen: list[dict[str, object]] = []
        self.patch(LabService, "log", Logger(namespace="lab", observer=seen.append))
        self.started(COMMAND, PARENT)
        fields = ("service", "at", "transports", "example")
        self.assertEqual(
            [tuple(event[field] for field in fields) for event in seen if event.get("event") == "lab.listens"],
            [
                ("command server", "127.0.0.1:8080", "TCP", "labnet command 127.0.0.1 8080 TIME"),
                ("resolver parent", "127.0.0.1:1200", "UDP, TCP", "labnet resolve 127.0.0.1 1200 NAME"),
            ],
        )

    def test_a_listener_on_ipv6_is_named_with_its_address_in_brackets(self) -> None:
        """And the command to try has no brackets."""
        self.started(PARENT.replace("127.0.0.1", r"\\:\\:1"))
        line = "resolver parent listens on [::1]:1200 (UDP, TCP); try: labnet resolve ::1 1200 NAME"
        self.assertIn(line, [text for _, text in self.events])

    def test_a_unix_listener_is_named_by_its_path(self) -> None:
        """It has no port."""
        self.started('[command]\nlisten = "unix:/run/labnet.sock"\n')
        self.assertIn("command server listens on /run/labnet.sock", self.events[0][1])

    def test_warnings_about_records_are_logged(self) -> None:
        """With file and line."""
        self.started(PARENT)
        warnings = [text for level, text in self.events if level is LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.assertTrue(warnings[0].startswith(f"{self.folder}/parent.txt:1: '21.09.1992.8' is no IP address"))

    def test_a_port_that_is_taken_ends_the_start(self) -> None:
        """In one sentence on the terminal, for TCP and UDP."""
        for port, listener in (8080, "tcp:8080"), (1200, "udp:1200"):
            self.reactor = MemoryReactor()
            self.reactor.taken.add(port)
            lab = self.lab(COMMAND, PARENT)
            self.patch(sys, "__stderr__", terminal := io.StringIO())
            with self.assertRaises(StartError) as raised:
                lab.privilegedStartService()
            says = f"labnet: cannot listen on {listener}:interface=127.0.0.1: Address already in use; "
            self.assertTrue(str(raised.exception).startswith(says), str(raised.exception))
            self.assertEqual(terminal.getvalue(), f"{raised.exception}\n")
            lab.stopService()
            self.reactor.turn()

    def test_the_open_files_limit_is_raised_as_far_as_it_goes(self) -> None:
        """A connection is a file; where it may not be raised, the lab runs with what it has."""
        self.patch(resource, "getrlimit", lambda which: {resource.RLIMIT_NOFILE: (1024, 4096)}[which])
        self.started(COMMAND)
        self.limits.assert_called_once_with(resource.RLIMIT_NOFILE, (4096, 4096))
        for refusal in ValueError("not allowed to raise maximum limit"), OSError("no"):
            self.reactor = MemoryReactor()
            self.limits.side_effect = refusal
            self.started(COMMAND)
            self.assertEqual(len(self.reactor.tcpPorts), 1)

    def test_a_resolver_may_have_any_name(self) -> None:
        """Even that of another table."""
        lab = self.started(COMMAND, '[resolver.command]\nlisten = "udp:1"\n[resolver.labnet]\nlisten = "udp:2"\n')
        self.assertEqual([*lab.resolvers], ["command", "labnet"])

    def test_wrong_records_of_all_resolvers_are_told_at_once(self) -> None:
        """Before anything is made."""
        (self.folder / "parent.txt").write_text("nonsense\n")
        with self.assertRaises(ConfigError) as raised:
            self.lab(PARENT, '[resolver.b]\nlisten = "udp:1"\nrecords = "none.txt"\n')
        first, second = raised.exception.problems
        self.assertTrue(first.startswith(f"{self.folder}/parent.txt:1: "), first)
        self.assertEqual(second, f"{self.folder}/none.txt: there is no such file")


class EndTests(LabTestCase):
    """What stops when."""

    def test_exit_ends_a_process_in_which_nothing_else_runs(self) -> None:
        """When every socket is closed."""
        self.started(COMMAND)
        client = self.reactor.connect()
        self.assertFalse(self.reactor.hasStopped)
        client.send(b"EXIT\n")
        self.assertTrue(client.closed)
        self.assertTrue(self.reactor.tcpPorts[0].welcome.closed)
        self.assertTrue(self.reactor.hasStopped)

    def test_after_exit_the_other_services_go_on(self) -> None:
        """The command server is closed, the resolvers are not, and it is said."""
        self.started(COMMAND, PARENT)
        self.reactor.connect().send(b"EXIT\n")
        self.assertTrue(self.reactor.tcpPorts[0].welcome.closed)
        self.assertFalse(self.reactor.hasStopped)
        self.assertTrue(self.reactor.udpPorts[0].open)
        self.assertEqual(self.events[-1][1], "the command server is closed; the other services go on")

    def test_stopping_closes_everything(self) -> None:
        """Ports, connections, timers; it fires when that is done."""
        lab = self.lab(COMMAND, PARENT)
        lab.privilegedStartService()
        lab.startService()
        client = self.reactor.connect()
        stopped = lab.stopService()
        self.assertNoResult(stopped)
        self.reactor.turn()
        self.successResultOf(stopped)
        self.assertTrue(client.closed)
        self.assertTrue(self.reactor.tcpPorts[0].welcome.closed)
        self.assertFalse(self.reactor.udpPorts[0].open)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())
        self.assertFalse(self.reactor.hasStopped)
