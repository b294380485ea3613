"""The lab as a whole: it is reloaded, drained, asked about itself."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import LogLevel, LogPublisher

from labnet.config import reading
from labnet.config.reading import Config, ConfigError
from labnet.daemon import base
from labnet.daemon.base import NO_COMMAND_SERVER, Environment, Lab
from labnet.daemon.running import reload
from labnet.daemon.running.reload import POLL, STOPPING, load_lab
from labnet.daemon.running.signals import Terminal
from labnet.daemon.service import LabService
from labnet.interfaces import InUse
from labnet.metrics import FAMILIES
from labnet.resolver.loading import files
from tests.daemon.test_service import COMMAND, MAIN, PARENT, LabTestCase
from tests.resolver.cache.test_lock import held_elsewhere

GRACE = "[lab]\ngrace = 7\n"


class ReloadTestCase(LabTestCase):
    """A lab whose configuration is a file that the test writes."""

    def setUp(self) -> None:
        super().setUp()
        self.in_thread: Callable[[Callable[[], Lab]], Deferred[Lab]] = maybeDeferred
        self.publisher = LogPublisher()
        self.reactor.callFromThread = lambda call, *arguments: call(*arguments)

    def write(self, *tables: str) -> None:
        """The configuration from now on."""
        (self.folder / "labnet.toml").write_text("[console]\n" + "".join(tables))

    def read(self) -> Config:
        return reading.load(str(self.folder / "labnet.toml"), str(self.folder))

    def lab(self, *tables: str) -> LabService:
        self.write(*tables)
        path = str(self.folder / "labnet.toml")
        found = load_lab(self.read, self.reactor.seconds())
        return LabService(
            *found, self.reactor, self.read, path, Environment(self.publisher, in_thread=self.call_in_thread)
        )

    def call_in_thread(self, work: Callable[[], Lab]) -> Deferred[Lab]:
        return self.in_thread(work)

    def reload(self, lab: LabService, *tables: str) -> list[str]:
        """What is wrong with ``tables``."""
        self.write(*tables)
        self.events.clear()
        problems = self.successResultOf(lab.reload())
        self.reactor.turn()
        return problems

    def listening(self) -> tuple[list[int], list[int]]:
        """The numbers of all open TCP and UDP ports."""
        tcp = [port.port for port in self.reactor.tcpPorts if not port.welcome.closed]
        return tcp, [port.getHost().port for port in self.reactor.udpPorts if port.open]

    def said(self, *levels: LogLevel) -> list[str]:
        return [text for level, text in self.events if level in levels]


class ReloadTests(ReloadTestCase):
    """A new configuration."""

    def test_everything_that_did_not_change_goes_on(self) -> None:
        """Services, sockets, sessions; it is said that it was reloaded, and nothing else."""
        lab = self.started(COMMAND, MAIN, PARENT)
        client = self.reactor.connect()
        client.received()
        before = self.listening()
        services = [lab.command, *lab.resolvers.values()]
        self.assertEqual(self.reload(lab, COMMAND, MAIN, PARENT), [])
        self.assertEqual(self.said(*LogLevel.iterconstants()), ["the lab was reloaded"])
        self.assertEqual([lab.command, *lab.resolvers.values()], services)
        self.assertEqual(self.listening(), before)
        client.send(b"TIME\n")
        self.assertTrue(client.received())

    def test_services_come_and_go(self) -> None:
        """As their tables do; where new ones listen is said."""
        lab = self.started(COMMAND, PARENT)
        self.assertEqual(self.reload(lab, MAIN), [])
        self.assertIsNone(lab.command)
        self.assertEqual([*lab.resolvers], ["main"])
        self.assertEqual(self.listening(), ([1199], [1199]))
        says = "resolver main listens on 127.0.0.1:1199 (UDP, TCP); try: labnet resolve 127.0.0.1 1199 NAME"
        self.assertEqual(self.said(LogLevel.info), [says, "the lab was reloaded"])
        self.assertEqual(self.reload(lab, COMMAND, PARENT), [])
        self.assertEqual(self.listening(), ([1200, 8080], [1200]))
        (client,) = self.reactor.arrive(("127.0.0.1", 39770), port=-1)
        self.assertTrue(client.received().startswith(b"Connected"))

    def test_a_listener_goes_from_one_service_to_another(self) -> None:
        """Though it has to be closed before it can be opened; where that is in vain, all listen as before."""
        listen = self.reactor.listenUDP

        def listen_once(port: int, *others: Any) -> Any:
            if port in self.listening()[1]:
                raise CannotListenError("", port, OSError(errno.EADDRINUSE, "Address already in use"))
            return listen(port, *others)

        self.patch(self.reactor, "listenUDP", listen_once)
        lab = self.started(COMMAND, PARENT)
        self.write(COMMAND, PARENT.replace("resolver.parent", "resolver.other"))
        reloading = lab.reload()
        self.assertNoResult(reloading)
        self.reactor.pass_time(1)
        self.assertEqual(self.successResultOf(reloading), [])
        self.assertEqual([*lab.resolvers], ["other"])
        self.assertEqual(self.listening(), ([8080, 1200], [1200]))
        self.write(COMMAND, PARENT, '[resolver.third]\nlisten = "udp:5"\n')
        self.reactor.taken.add(5)
        reloading = lab.reload()
        self.reactor.pass_time(1)
        (problem,) = self.successResultOf(reloading)
        self.assertIn("cannot listen on udp:5:", problem)
        self.assertEqual([*lab.resolvers], ["other"])
        self.assertEqual(self.listening(), ([8080, 1200], [1200]))

    def test_an_error_changes_nothing(self) -> None:
        """All that is wrong is told and logged, and the lab goes on as it was."""
        lab = self.started(COMMAND, PARENT)
        (self.folder / "bad.txt").write_text("nonsense\n")
        problems = self.reload(lab, '[resolver.b]\nlisten = "udp:1"\nrecords = ["bad.txt", "none.txt"]\n')
        self.assertEqual(len(problems), 2)
        failed = "the lab was not reloaded and goes on as it was: 2 problem(s), as labnet check says them"
        self.assertEqual(self.said(LogLevel.error), [*problems, failed])
        self.assertEqual(self.listening(), ([8080, 1200], [1200]))
        self.assertEqual([*lab.resolvers], ["parent"])

    def test_a_port_that_is_taken_changes_nothing(self) -> None:
        """What was opened before it is closed again."""
        lab = self.started(PARENT)
        self.reactor.taken.add(5)
        added = ['[resolver.a]\nlisten = "udp:4"\n', '[resolver.b]\nlisten = "udp:5"\n', COMMAND]
        (problem,) = self.reload(lab, PARENT, *added)
        self.assertTrue(problem.startswith("cannot listen on udp:5:interface=127.0.0.1: Address already in use; "))
        self.assertEqual(self.listening(), ([1200], [1200]))
        self.assertEqual(([*lab.resolvers], lab.command), (["parent"], None))
        self.reactor.taken.clear()
        self.assertEqual(self.reload(lab, PARENT, *added), [])
        self.assertEqual(self.listening()[1], [1200, 4, 5])

    def test_a_broken_reload_is_a_problem_too(self) -> None:
        """The fault is logged, the next reload is done."""
        lab = self.started(PARENT)
        self.in_thread = lambda work: maybeDeferred(lambda: 1 / 0)
        (problem,) = self.reload(lab, PARENT)
        self.assertEqual(problem, "the reload failed by a fault in labnet itself; the log has it")
        self.assertIn("the reload failed", self.said(LogLevel.critical))
        self.in_thread = maybeDeferred
        self.assertEqual(self.reload(lab, PARENT), [])

    def test_warnings_are_logged_while_they_are_new(self) -> None:
        """Those of the files, and what only a restart brings."""
        lab = self.started(PARENT)
        (self.folder / "parent.txt").write_text("www.google.co.il,21.09.1992.8,60\nb,x,60\n")
        self.reload(lab, "[lab]\nworkers = 3\n", PARENT)
        first, second = self.said(LogLevel.warn)
        self.assertEqual(first, "[lab] workers is changed only by a restart")
        self.assertIn("parent.txt:2: 'x' is no IP address", second)
        self.reload(lab, "[lab]\nworkers = 3\n", PARENT)
        self.assertEqual(self.said(LogLevel.warn), [])

    def test_after_exit_the_command_server_stays_closed(self) -> None:
        """EXIT is for good: a reload does not bring it back, and says so."""
        lab = self.started(COMMAND, PARENT)
        self.reactor.connect().send(b"EXIT\n")
        for tables in (COMMAND.replace("8080", "8081"), PARENT), (PARENT,), (COMMAND, PARENT):
            self.assertEqual(self.reload(lab, *tables), [])
            self.assertEqual(self.listening(), ([1200], [1200]))
            self.assertIn("the command server stays closed since EXIT", "".join(self.said(LogLevel.info)))

    def test_a_lab_that_stops_opens_no_command_server(self) -> None:
        """An order that comes while questions are still being answered."""
        lab = self.started(COMMAND, PARENT)
        self.reactor.connect().send(b"EXIT\n")
        lab.stopService()
        self.assertEqual(lab.open_command_server(), [STOPPING])
        self.assertNotIn(8080, self.listening()[0])

    def test_after_exit_the_command_server_can_be_opened_again(self) -> None:
        """By the configuration of then, as often as it is closed; a port that is taken leaves it closed."""
        lab = self.started(COMMAND, PARENT)
        self.assertEqual(lab.open_command_server(), ["the command server is open"])
        self.reactor.connect().send(b"EXIT\n")
        self.reload(lab, COMMAND.replace("8080", "8081"), PARENT)
        self.reactor.taken.add(8081)
        (problem,) = lab.open_command_server()
        self.assertIn("Address already in use", problem)
        self.assertEqual(lab.status()["services"][0]["state"], "closed by EXIT")
        self.reactor.taken.clear()
        self.assertEqual(lab.open_command_server(), [])
        self.assertEqual(self.listening(), ([1200, 8081], [1200]))
        self.assertIn("command server listens on 127.0.0.1:8081", self.said(LogLevel.info)[-1])
        self.reload(lab, COMMAND, PARENT)
        self.assertEqual(self.listening(), ([1200, 8080], [1200]))
        self.reload(lab, PARENT)
        self.assertEqual(lab.open_command_server(), [NO_COMMAND_SERVER])

    def test_reading_holds_up_nobody(self) -> None:
        """While it goes on all is as before; requests meanwhile are one more."""
        lab = self.started(COMMAND, PARENT)
        reading: list[Deferred[Lab]] = []

        def later(work: Callable[[], Lab]) -> Deferred[Lab]:
            reading.append(Deferred())
            return reading[-1].addCallback(lambda _: work())

        self.in_thread = later
        self.write(COMMAND)
        asked = [lab.reload() for _ in range(3)]
        self.assertEqual([*lab.resolvers], ["parent"])
        started: Any = reading[0]
        started.callback(None)
        self.assertEqual(self.successResultOf(asked[0]), [])
        self.assertEqual([*lab.resolvers], [])
        self.write(COMMAND, PARENT)
        self.reactor.turn()
        started = reading[1]
        started.callback(None)
        self.assertEqual([self.successResultOf(one) for one in asked[1:]], [[], []])
        self.assertEqual([*lab.resolvers], ["parent"])
        self.assertEqual(len(reading), 2)

    def test_a_log_of_another_lab_refuses_a_reload(self) -> None:
        """Two labs would each take the other for somebody who edits the file; what runs goes on as it was."""
        (self.folder / "var").mkdir()
        taken = held_elsewhere(str(self.folder / "var" / "taken"))
        self.addCleanup(os.close, taken)
        lab = self.started(COMMAND, PARENT)
        problems = self.reload(lab, COMMAND, PARENT + 'learned = "taken"\n')
        path, keys = f"{self.folder}/var/taken", "`learned` or [lab] `state`"
        says = f"{path} is the log of another lab that runs: stop that one, or set {keys}"
        self.assertEqual(problems, [says])
        self.assertEqual(self.listening(), ([8080, 1200], [1200]))

    def test_a_log_of_another_lab_ends_the_start(self) -> None:
        """In one sentence on the terminal."""
        (self.folder / "var").mkdir()
        self.addCleanup(os.close, held_elsewhere(str(self.folder / "var" / "taken")))
        other = self.lab(PARENT + 'learned = "taken"\n')
        other.privilegedStartService()
        with mock.patch.object(sys, "__stderr__", io.StringIO()) as error:
            self.assertRaises(InUse, other.startService)
        self.assertIn("is the log of another lab", error.getvalue())
        self._stop(other, self.reactor)

    def test_a_reload_that_waits_says_for_which_file(self) -> None:
        """However many are asked for meanwhile, that is said once."""
        lab = self.started(COMMAND, PARENT)
        reading: Deferred[None] = Deferred()

        def later(work: Callable[[], Lab]) -> Deferred[Lab]:
            lab_files = work()
            return reading.addCallback(lambda _: lab_files)

        self.in_thread = later
        self.events.clear()
        asked = [lab.reload() for _ in range(3)]
        waits = f"a reload waits for the one before it, which is at {self.folder / 'parent.txt'}"
        self.assertEqual(self.said(LogLevel.info), [waits])
        self.in_thread = maybeDeferred
        reading.callback(None)
        self.reactor.turn()
        self.assertEqual([self.successResultOf(one) for one in asked], [[], [], []])

    def test_a_stop_ends_the_reading_of_files(self) -> None:
        """A reload that reads files when the lab stops ends at its next checkpoint, and changes nothing."""
        lab = self.started(COMMAND, PARENT)
        works: list[Callable[[], Lab]] = []
        done: Deferred[Lab] = Deferred()

        def held(work: Callable[[], Lab]) -> Deferred[Lab]:
            works.append(work)
            return done

        self.in_thread = held
        asked = lab.reload()
        lab.stopService()
        with self.assertRaises(ConfigError) as raised:
            works[0]()
        self.assertEqual(raised.exception.problems, ("the reading was cancelled",))
        done.errback(raised.exception)
        self.assertEqual(self.successResultOf(asked), [STOPPING])

    def test_the_reactors_threads_are_used(self) -> None:
        """Where nothing else is said."""
        lab = self.lab(PARENT)
        works: list[Callable[[], object]] = []

        class Pool:
            def callInThreadWithCallback(self, done: Any, work: Any, *arguments: Any) -> None:
                works.append(work)
                done(True, work(*arguments))

        self.reactor.getThreadPool = Pool
        found = self.successResultOf(lab._in_pool(lambda: load_lab(self.read, 0)))
        self.assertEqual([*found[0].resolver], ["parent"])
        self.assertEqual(len(works), 1)

    def test_without_a_way_to_read_it_again_only_the_records_are(self) -> None:
        """As where another program made the configuration."""
        self.write(PARENT)
        found = load_lab(self.read, 0)
        lab = LabService(*found, self.reactor, environment=Environment(self.publisher, in_thread=maybeDeferred))
        lab.privilegedStartService()
        lab.startService()
        self.addCleanup(self._stop, lab, self.reactor)
        self.assertEqual(self.reload(lab, MAIN), [])
        self.assertEqual([*lab.resolvers], ["parent"])

    def test_with_a_capture_ports_read_one_by_one(self) -> None:
        """New ones and old ones."""
        lab = self.started('[capture]\nfile = "lab.pcapng"\n', PARENT)
        self.reload(lab, '[capture]\nfile = "lab.pcapng"\n', PARENT, MAIN)
        for name in "parent", "main":
            self.assertFalse(lab._resolver_config(name, lab.config).batch)


class SystemServersTests(ReloadTestCase):
    """A lab that is there before the network is."""

    LAB = '[resolver.main]\nlisten = "udp:1199"\nparents = "system"\n'

    def setUp(self) -> None:
        super().setUp()
        self.resolv_conf = self.folder / "resolv.conf"
        for module in files, reload, base:
            self.patch(module, "RESOLV_CONF", str(self.resolv_conf))

    def servers(self, lab: LabService) -> list[str]:
        return [parent["address"] for parent in lab.resolvers["main"].status()["parents"]]

    def wait(self) -> None:
        for _ in range(3):
            self.reactor.pass_time(POLL)

    def test_it_starts_says_so_and_takes_the_servers_when_they_come(self) -> None:
        """Without `watch` too; from then on only a reload looks again."""
        self.resolv_conf.write_text("search example\n")
        lab = self.started(self.LAB)
        says = f"{self.resolv_conf}: names no server, so nobody is asked until it does"
        self.assertIn(says, self.said(LogLevel.warn))
        self.assertEqual(self.servers(lab), [])
        self.resolv_conf.write_text("nameserver 192.0.2.1\n")
        self.wait()
        self.assertEqual(self.servers(lab), ["192.0.2.1:53"])
        self.resolv_conf.write_text("nameserver 192.0.2.22\n")
        self.wait()
        self.assertEqual(self.servers(lab), ["192.0.2.1:53"])

    def test_a_change_is_taken_where_files_are_watched(self) -> None:
        """As one of a records file is."""
        self.resolv_conf.write_text("nameserver 192.0.2.1\n")
        lab = self.started(self.LAB + "[lab]\nwatch = true\n")
        self.resolv_conf.write_text("nameserver 192.0.2.22\n")
        self.wait()
        self.assertEqual(self.servers(lab), ["192.0.2.22:53"])


class SignalTests(ReloadTestCase):
    """Signals that ask for nothing."""

    def test_none_that_a_hand_may_send_kills_the_lab(self) -> None:
        """SIGUSR1 and SIGUSR2 are said, and whoever had them before has them again."""
        before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGUSR1, signal.SIGUSR2)}
        for number, action in before.items():
            self.addCleanup(signal.signal, number, action)
        lab = self.started(PARENT)
        for number in before:
            os.kill(os.getpid(), number)
        says = [f"{name} asks for nothing here: see labnet --help" for name in ("SIGUSR1", "SIGUSR2")]
        self.assertEqual([said for said in self.said(LogLevel.info) if "SIGUSR" in said], says)
        self._stop(lab, self.reactor)
        self.assertEqual([signal.getsignal(number) for number in before], [signal.SIG_DFL] * 2)

    def test_one_that_turns_the_log_over_stays_twistds(self) -> None:
        """It has SIGUSR1 where it writes a log file."""
        turned: list[int] = []
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, lambda *_: turned.append(1)))
        self.started(PARENT)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(turned, [1])


class AskingTests(ReloadTestCase):
    """What asks for a reload."""

    def test_the_signal(self) -> None:
        """SIGHUP, as long as the lab runs."""
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        lab = self.lab(PARENT)
        lab.privilegedStartService()
        lab.startService()
        self.write(PARENT, MAIN)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual([*lab.resolvers], ["parent", "main"])
        self._stop(lab, self.reactor)
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

    def test_the_end_of_the_terminal(self) -> None:
        """It is no request: the lab ends as its shell does."""
        self.patch(Terminal, "is_gone", True)
        lab = self.started(PARENT)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertTrue(self.reactor.hasStopped)
        self.assertEqual(lab.status()["reload"]["done"], 0)

    def test_a_changed_file(self) -> None:
        """Where ``watch`` says so, which a reload may turn on."""
        lab = self.started(PARENT)
        (self.folder / "parent.txt").write_text("a,10.0.0.1,60\n")
        self.reactor.pass_time(3 * POLL)
        self.assertEqual(lab.status()["reload"]["done"], 0)
        watch = "[lab]\nwatch = true\n"
        self.reload(lab, watch, PARENT)
        self.reactor.pass_time(3 * POLL)
        self.assertEqual(lab.status()["reload"]["done"], 1)
        (self.folder / "parent.txt").write_text("a,10.0.0.1,60\nb,10.0.0.2,60\n")
        self.reactor.pass_time(3 * POLL)
        self.assertEqual(lab.status()["reload"]["done"], 2)
        self.assertEqual(lab.status()["services"][0]["records"], 2)


class DrainTests(ReloadTestCase):
    """The end of a lab."""

    def setUp(self) -> None:
        super().setUp()
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.drained: Deferred[None] = Deferred()

    def stopping(self) -> Deferred[None]:
        """A lab that stops, with something in flight."""
        lab = self.lab(GRACE, PARENT)
        lab.privilegedStartService()
        lab.startService()
        lab.resolvers["parent"].drain = lambda: self.drained
        stopped = lab.stopService()
        self.reactor.turn()
        self.assertNoResult(stopped)
        self.assertTrue(self.reactor.udpPorts[0].open)
        return stopped

    def assertStopped(self, stopped: Deferred[None]) -> None:
        self.reactor.turn()
        self.successResultOf(stopped)
        self.assertFalse(self.reactor.udpPorts[0].open)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_what_is_in_flight_is_finished_first(self) -> None:
        """Then all is closed."""
        stopped = self.stopping()
        self.drained.callback(None)
        self.assertStopped(stopped)

    def test_it_takes_the_grace_of_the_configuration(self) -> None:
        """And no longer."""
        stopped = self.stopping()
        self.reactor.pass_time(6.9)
        self.assertNoResult(stopped)
        self.reactor.pass_time(0.1)
        self.assertStopped(stopped)

    def test_a_second_signal_ends_it(self) -> None:
        """At once."""
        stopped = self.stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertStopped(stopped)

    def test_no_reload_comes_between(self) -> None:
        """One that is asked for is told so, and one that has read its files changes nothing."""
        reading: Deferred[Any] = Deferred()
        self.in_thread = lambda work: reading.addCallback(lambda _: work())
        lab = self.lab(PARENT)
        lab.privilegedStartService()
        lab.startService()
        lab.resolvers["parent"].drain = lambda: self.drained
        self.write(MAIN)
        asked = lab.reload()
        stopped = lab.stopService()
        self.assertEqual(self.successResultOf(lab.reload()), [STOPPING])
        reading.callback(None)
        self.assertEqual(self.successResultOf(asked), [STOPPING])
        self.assertEqual(list(lab._changes(lab.config, {})), [])
        self.assertEqual([*lab.resolvers], ["parent"])
        self.drained.callback(None)
        self.assertStopped(stopped)


class AskedTests(ReloadTestCase):
    """What a lab says of itself."""

    def test_status(self) -> None:
        """Services, listeners, reloads, troubles; it can be written as JSON."""
        lab = self.started(COMMAND, '[resolver.main]\nlisten = "udp:1199:interface=\\\\:\\\\:1"\n')
        self.reactor.pass_time(5)
        status = json.loads(json.dumps(lab.status()))
        self.assertEqual(status["config"], str(self.folder / "labnet.toml"))
        self.assertEqual((status["pid"], status["uptime"]), (os.getpid(), 5.0))
        self.assertEqual(status["reload"], {"at": None, "problems": [], "done": 0, "failed": 0})
        command, main = status["services"]
        self.assertEqual((command["name"], command["state"]), ("command", "running"))
        self.assertEqual(command["listeners"], ["127.0.0.1:8080"])
        self.assertEqual((main["name"], main["kind"], main["listeners"]), ("main", "resolver", ["[::1]:1199"]))
        self.reactor.connect().send(b"EXIT\n")
        self.assertEqual(lab.status()["services"][0]["state"], "closed by EXIT")

    def test_troubles_are_those_of_the_log(self) -> None:
        """From the start to the end."""
        lab = self.lab(PARENT)
        event = {"log_level": LogLevel.warn, "log_format": "careful", "log_time": 1.0}
        self.publisher(event)
        lab.privilegedStartService()
        lab.startService()
        self.publisher(event)
        (trouble,) = lab.status()["troubles"]
        self.assertEqual((trouble["text"], trouble["times"]), ("careful", 1))
        self._stop(lab, self.reactor)
        self.publisher(event)
        self.assertEqual(lab.status()["troubles"], [trouble])

    def test_samples_are_of_declared_families(self) -> None:
        """With as many labels as those have."""
        lab = self.started(COMMAND, MAIN, PARENT)
        names = set()
        for sample in lab.samples():
            self.assertEqual(len(FAMILIES[sample.name].labels), len(sample.labels), sample)
            names.add(sample.name)
        self.assertLessEqual({"labnet_reloads_total", "labnet_cache_entries", "labnet_sessions"}, names)

    def test_flush_and_dump(self) -> None:
        """Over all resolvers, or one of them."""
        (self.folder / "main.learned").write_text(f"a.b,10.0.0.1,600,1,{self.reactor.seconds()}\n")
        state = '[lab]\nstate = "."\n'
        lab = self.started(state, MAIN, PARENT)
        line = "a.b. 600 IN A 10.0.0.1 ; main.learned"
        self.assertEqual([*lab.dump()], ["; resolver main", line, "; resolver parent"])
        self.assertEqual([*lab.dump("main")], [line])
        self.assertRaisesRegex(ValueError, "there is no resolver 'x': there are main, parent", lab.dump, "x")
        self.assertEqual((lab.flush("b"), lab.flush("b")), (1, 0))
        self.assertEqual([*lab.dump("main")], [])
