"""The supervisor: start, reload, stop, and what it says for all workers."""

from __future__ import annotations

import io
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.logger import LogPublisher, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import Config
from labnet.console.control import ControlError
from labnet.console.encoding import packed
from labnet.daemon.base import NO_COMMAND_SERVER, Environment
from labnet.daemon.running.reload import STOPPING, load_lab
from labnet.daemon.started import Owner, Started
from labnet.daemon.workers import service as service_module
from labnet.daemon.workers.fleet import MOST_MISSED, PATIENCE
from labnet.daemon.workers.labfile import LabFile, read_lab_file
from labnet.daemon.workers.service import SupervisorService
from labnet.interfaces import StartError
from labnet.net.opening.systemd import Inherited, Notifier
from tests.console.happenings import exchange
from tests.daemon.workers.fakes import FakeProcess, ProcessReactor
from tests.daemon.workers.test_fleet import FakeClient
from tests.fakes import MemoryReactor

LAB = """
[lab]
workers = 2
[command]
listen = "tcp:8080:interface=127.0.0.1"
[resolver.main]
listen = "udp:1199"
records = "ips.txt"
learned = "learned"
"""
LINE = "www.example.org,1.2.3.4,60,1,{since}"


class Reactor(MemoryReactor):
    """A reactor in memory that starts processes, and says how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.refuses: OSError | None = None
        self.stops = 0

    spawnProcess: Any = ProcessReactor.spawnProcess

    def stop(self) -> None:
        self.stops += 1


class SupervisorTestCase(SynchronousTestCase):
    """A lab of two workers that are played."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        (self.folder / "ips.txt").write_text("own.test,192.0.2.1,60\nodd.test,21.09.1992.8,60\n")
        self.write(LAB)
        self.reactor = Reactor()
        self.checked: list[list[str]] = []
        self.taken = False
        self.patch(service_module, "check_free", self._check_free)
        self.events: list[str] = []
        observer = lambda event: self.events.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.failed = mock.Mock()
        self.inherited = Inherited()
        self.owner: Owner | None = None

    def write(self, text: str) -> None:
        (self.folder / "labnet.toml").write_text(text)

    def read(self) -> Config:
        return reading.load(str(self.folder / "labnet.toml"), str(self.folder))

    def _check_free(self, listeners: Any, inherited: Any, freebind: bool) -> None:
        self.checked.append([str(listener) for listener in listeners])
        if self.taken:
            raise StartError("udp:1199", OSError(98, "Address already in use"))

    def made(self) -> SupervisorService:
        whole, loaded = load_lab(self.read, self.reactor.seconds())
        started = Started(self.inherited, Notifier(self.reactor, {}), self.owner)
        path = str(self.folder / "labnet.toml")
        environment = Environment(LogPublisher(), started, maybeDeferred, self.failed)
        return SupervisorService(whole, loaded, self.reactor, self.read, path, environment)

    def started(self) -> SupervisorService:
        service = self.made()
        service.privilegedStartService()
        service.startService()
        self.addCleanup(self._stop, service)
        return service

    def serving(self) -> tuple[SupervisorService, list[FakeClient]]:
        """One whose workers serve, and the connections to them."""
        service = self.started()
        clients = [FakeClient(10), FakeClient(30)]
        for number, process in enumerate(self.reactor.processes):
            process.tell(up=50 + number)
            worker: Any = service.fleet.workers[number]
            worker.client = clients[number]
        service.fleet.refresh()
        return service, clients

    def _stop(self, service: SupervisorService) -> None:
        stopped = service.stopService()
        for process in self.reactor.processes:
            if process.protocol.name in service.workers.processes:
                process.end(None)
        self.successResultOf(stopped)
        for call in self.reactor.getDelayedCalls():
            call.cancel()


class StartTests(SupervisorTestCase):
    """From nothing to serving."""

    def test_workers_have_what_was_checked(self) -> None:
        """Each worker inherits the lab that was read, in a file without a name, and is told its part."""
        service = self.started()
        first, second = (process.protocol.service.orders(process.protocol.name) for process in self.reactor.processes)
        self.assertEqual((first.number, second.number, first.workers), (1, 2, 2))
        self.assertEqual(first.control, str(self.folder / "var/control.sock.1"))
        self.assertEqual(first.secret, second.secret)
        self.assertEqual(read_lab_file(self.reactor.processes[0].descriptors[first.lab])[1]["main"].records, 2)
        self.assertEqual(self.checked, [["tcp:8080:interface=127.0.0.1", "udp:1199:interface=127.0.0.1"]])
        self.assertTrue(any("is no IP address" in event for event in self.events))
        self.assertEqual(service.hindrances(), ["worker 1 does not serve yet", "worker 2 does not serve yet"])

    def test_a_port_that_is_taken(self) -> None:
        """A port that somebody else has is told before anything starts, on the real standard error."""
        self.taken = True
        error = io.StringIO()
        with mock.patch.object(sys, "__stderr__", error):
            self.assertRaises(StartError, self.made().privilegedStartService)
        self.assertIn("Address already in use", error.getvalue())
        self.assertEqual(self.reactor.processes, [])

    def test_a_port_of_roots(self) -> None:
        """With --uid a port below 1024 is refused at once."""
        self.owner = Owner(-1, -1)
        self.write(LAB.replace("1199", "53"))
        with mock.patch.object(sys, "__stderr__", io.StringIO()):
            self.assertRaises(StartError, self.made().privilegedStartService)

    def test_a_worker_that_cannot_start_at_first(self) -> None:
        """Where a worker cannot open its ports at its first start, that is the end of all, said once."""
        self.started()
        error = io.StringIO()
        with mock.patch.object(sys, "__stderr__", error):
            for process in self.reactor.processes:
                process.tell(failed="labnet: cannot listen on udp:1199: no")
                process.tell(ended=1)
        self.assertEqual(error.getvalue(), "labnet: cannot listen on udp:1199: no\n")
        self.assertEqual(self.reactor.stops, 1)
        self.failed.assert_called_once_with()

    def test_one_that_cannot_later(self) -> None:
        """One that served before is tried again."""
        self.serving()
        process = self.reactor.processes[0]
        process.tell(ended=-9)
        process.tell(failed="labnet: cannot listen on udp:1199: no")
        self.assertEqual(self.reactor.stops, 0)
        self.assertIn("worker 1 has ended (signal 9) and is started again", self.events)

    def test_what_it_says(self) -> None:
        """What a worker logs or writes is in the log, with its number."""
        self.started()
        process = self.reactor.processes[1]
        process.tell(log={"level": "warn", "namespace": "x", "event": "y", "message": "so"})
        process.protocol.errReceived(b"Segmentation fault\n")
        self.assertEqual(self.events[-2:], ["worker 2: so", "worker 2: Segmentation fault"])

    def test_exit_is_for_good(self) -> None:
        """After EXIT no worker is told to open the command server."""
        service = self.started()
        self.assertTrue(service._orders("1").command)
        self.reactor.processes[0].tell(exited=True)
        self.assertFalse(service._orders("1").command)

    def test_the_command_server_can_be_opened_again(self) -> None:
        """By the first worker; one that was started again since the EXIT is replaced by one with other orders."""
        service, clients = self.serving()
        self.assertEqual(self.successResultOf(service.open_command_server()), ["the command server is open"])
        for result, problems, orders in (
            (succeed([]), [], True),
            (succeed(["it is taken"]), ["it is taken"], False),
            (fail(ControlError("gone")), ["gone"], False),
        ):
            self.reactor.processes[0].tell(exited=True)
            clients[0].answers["open-command-server"] = result
            self.assertEqual(self.successResultOf(service.open_command_server()), problems)
            self.assertEqual(service._orders("1").command, orders)
        killed: list[object] = []
        self.patch(service.workers, "kill", killed.append)
        clients[0].answers["open-command-server"] = succeed([NO_COMMAND_SERVER])
        self.assertEqual(self.successResultOf(service.open_command_server()), [])
        self.assertEqual(killed, [service.workers.processes["1"]])
        self.assertTrue(service._orders("1").command)

    def test_without_a_command_server_none_is_opened(self) -> None:
        """The configuration has none."""
        self.write(LAB.replace('[command]\nlisten = "tcp:8080:interface=127.0.0.1"\n', ""))
        self.assertEqual(self.successResultOf(self.started().open_command_server()), [NO_COMMAND_SERVER])

    def test_a_folder_that_cannot_be_written(self) -> None:
        """Where the state folder cannot be written, workers have their control sockets elsewhere."""
        service = self.started()
        self.patch(os, "access", lambda path, mode: False)
        self.assertTrue(service._control_of(2).endswith("/control.sock.2"))
        self.assertFalse(service._control_of(2).startswith(str(self.folder)))
        folder = os.path.dirname(service._control_of(2))
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        os.rmdir(folder)
        again = os.path.dirname(service._control_of(2))
        self.assertNotEqual(again, folder)
        self.assertEqual(stat.S_IMODE(os.stat(again).st_mode), 0o700)


class AskedTests(SupervisorTestCase):
    """What it says for all."""

    def test_samples_and_status(self) -> None:
        """Both are those of all workers, asked anew."""
        service, clients = self.serving()
        clients[0].queries = 70
        samples = {(sample.name, *sample.labels): sample.value for sample in self.successResultOf(service.samples())}
        self.assertEqual(samples["labnet_queries_total", "main", "udp", "dns", "NOERROR", "ready"], 100)
        self.assertIn(("process_resident_memory_bytes",), samples)
        status = self.successResultOf(service.status())
        self.assertEqual([worker["pid"] for worker in status["workers"]], [50, 51])
        self.assertEqual((status["pid"], status["services"]), (os.getpid(), []))
        self.assertEqual(service.hindrances(), [])

    def test_they_are_asked_every_second(self) -> None:
        """What a worker counted is known a second later."""
        service, clients = self.serving()
        clients[0].queries = 70
        self.reactor.pass_time(1.0)
        self.assertEqual(service.fleet.status()[0]["queries"], 70)

    def test_a_worker_that_hangs_is_noticed_and_replaced(self) -> None:
        """A missed poll makes the lab degraded; after some the worker is killed, and another one starts."""
        service, clients = self.serving()
        silent: list[Deferred[Any]] = []

        class Silent(dict[str, Any]):
            def __contains__(self, do: object) -> bool:
                return True

            def __getitem__(self, do: str) -> Deferred[Any]:
                silent.append(Deferred(lambda _: None))
                return silent[-1]

        killed: list[int] = []
        self.patch(service.workers, "_kill", lambda pid, number: killed.append(pid))
        clients[1].answers = Silent()
        self.reactor.pass_time(2 * PATIENCE)
        self.assertEqual(list(service.console.problems()), ["worker 2 does not answer"])
        self.assertTrue(service.fleet.is_well)
        for _ in range(10):
            service.status()
        self.reactor.pass_time(PATIENCE)
        self.assertEqual(killed, [])
        self.reactor.pass_time(MOST_MISSED * (PATIENCE + 1))
        self.assertEqual(killed, [self.reactor.processes[1].pid])
        self.reactor.processes[1].messages()
        self.reactor.processes[1].end()
        self.reactor.pass_time(1)
        self.assertEqual(self.reactor.processes[1].messages()[0]["number"], 2)
        self.assertEqual(list(service.console.problems()), [])
        clients[0].answers = Silent()
        self.reactor.pass_time(2 * PATIENCE)
        self.assertFalse(service.fleet.is_well)

    def test_flush_and_dump(self) -> None:
        """A name is flushed everywhere; how many answers is what the one with the most of them had."""
        service, clients = self.serving()
        line = LINE.format(since=self.reactor.seconds())
        self.reactor.processes[0].tell(learned={"main": [line]})
        self.assertEqual(len(list(service.dump("main"))), 1)
        self.assertEqual(len(list(service.dump())), 2)
        with self.assertRaisesRegex(ValueError, "there is no resolver 'x': there are main"):
            service.dump("x")
        clients[1].answers["flush"] = succeed(3)
        self.assertEqual(self.successResultOf(service.flush("example.org")), 3)
        self.assertEqual(clients[0].asked[-1], ("flush", {"name": "example.org"}))
        self.assertEqual(list(service.dump("main")), [])

    def test_what_is_learned_is_on_disk(self) -> None:
        """What a worker learned is in the file as soon as its message was read."""
        self.serving()
        line = LINE.format(since=self.reactor.seconds())
        self.reactor.processes[0].tell(learned={"main": [line]})
        self.assertEqual((self.folder / "var/learned").read_text(), line + "\n")


class ReloadTests(SupervisorTestCase):
    """A reload."""

    def reload(self, service: SupervisorService) -> list[str]:
        return self.successResultOf(service.reload())

    def test_what_is_wrong_changes_nothing(self) -> None:
        """What is wrong in the configuration or the records is told, and no worker hears of it."""
        service, clients = self.serving()
        before = service.config
        self.write(LAB.replace("records", "recrods"))
        self.assertIn("there is no such key; did you mean records?", self.reload(service)[0])
        self.write(LAB)
        (self.folder / "ips.txt").write_text("x\n")
        self.assertEqual(len(self.reload(service)), 1)
        self.assertIs(service.config, before)
        self.assertNotIn("reload", [do for client in clients for do, _ in client.asked])
        self.assertEqual(service.last_status()["reload"]["failed"], 2)

    def test_a_problem_that_lasts_is_logged_once(self) -> None:
        """The same problem in two reloads in a row is logged by the first, and a warning of the start by no reload."""
        service, clients = self.serving()
        for client in clients:
            client.answers["reload"] = succeed([])
        doubts = [event for event in self.events if "is no IP address" in event]
        self.assertEqual(len(doubts), 1)
        self.events.clear()
        self.assertEqual(self.reload(service), [])
        self.assertEqual([event for event in self.events if "is no IP address" in event], [])
        self.write(LAB.replace("records", "recrods"))
        for _ in range(2):
            problems = self.reload(service)
        self.assertEqual(len([event for event in self.events if event in problems]), 1)
        self.assertEqual(service.last_status()["reload"]["problems"], problems)

    def test_a_new_port_that_is_taken(self) -> None:
        """A new listener that somebody else has is told, and changes nothing; those that are ours are not looked at."""
        service, clients = self.serving()
        self.taken = True
        self.write(LAB.replace('"udp:1199"', '["udp:1199", "udp:1299"]'))
        self.assertIn("Address already in use", self.reload(service)[0])
        self.assertEqual(self.checked[-1], ["udp:1299:interface=127.0.0.1"])
        self.assertNotIn("reload", [do for do, _ in clients[0].asked])

    def test_all_workers_take_it(self) -> None:
        """What is right is written for the workers, and each is told; a resolver may come, go and change its files."""
        service, clients = self.serving()
        for client in clients:
            client.answers["reload"] = succeed([])
        self.write(LAB.replace('"learned"', '"other"') + '[resolver.new]\nlisten = "udp:1299"\n')
        self.assertEqual(self.reload(service), [])
        self.assertEqual([client.asked[-1][0] for client in clients], ["reload", "reload"])
        lab = self.reactor.processes[0].descriptors[service._orders("1").lab]
        self.assertEqual(set(read_lab_file(lab)[1]), {"main", "new"})
        self.assertEqual(set(service.journals), {"main", "new"})
        self.write('[lab]\nworkers = 3\n[resolver.new]\nlisten = "udp:1299"\n')
        self.assertEqual(self.reload(service), [])
        self.assertEqual(set(service.journals), {"new"})
        self.assertTrue(any("workers is changed only by a restart" in event for event in self.events))
        self.assertEqual(service._orders("1").workers, 2)

    def test_a_worker_that_cannot(self) -> None:
        """What a single worker says is told with its number."""
        service, clients = self.serving()
        clients[0].answers["reload"] = succeed([])
        clients[1].answers["reload"] = succeed(["cannot listen on udp:1299"])
        self.assertEqual(self.reload(service), ["worker 2: cannot listen on udp:1299"])
        later: Deferred[Any] = Deferred()
        clients[1].answers["reload"] = later
        asked = service.reload()
        later.errback(RuntimeError("gone"))
        self.assertEqual(self.successResultOf(asked), ["worker 2: gone"])

    def test_a_fault(self) -> None:
        """A fault of labnet's own is logged, and told as that."""
        service, _ = self.serving()
        self.patch(LabFile, "write", mock.Mock(side_effect=RuntimeError("no")))
        self.assertEqual(self.reload(service), ["the reload failed by a fault in labnet itself; the log has it"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class WatchTests(SupervisorTestCase):
    """Somebody looks."""

    def test_workers_tell_what_happens_while_somebody_looks(self) -> None:
        """All of it is in one ring; a worker that is started meanwhile tells too."""
        service, _ = self.serving()
        for process in self.reactor.processes:
            process.messages()
        service.ring.look()
        first, second = self.reactor.processes
        self.assertEqual([process.messages() for process in (first, second)], [[{"watch": True}]] * 2)
        first.tell(events=[packed(exchange("1-1"))])
        second.tell(events=[packed(exchange("2-1"))])
        self.assertEqual([noted.event for noted in service.ring.after(0, 9)], [exchange("1-1"), exchange("2-1")])
        first.tell(ended=1)
        self.reactor.advance(0)
        first.tell(up=77)
        self.assertIn({"watch": True}, first.messages())
        service.ring.stop()
        self.assertEqual(second.messages(), [{"watch": False}])

    def test_what_a_worker_shows_is_the_labs(self) -> None:
        """The command server's sessions are the first worker's."""
        service, _ = self.serving()
        asked: list[tuple[int, dict[str, Any]]] = []
        self.patch(service.fleet, "_view", mock.AsyncMock(side_effect=lambda *what: asked.append(what)))
        self.successResultOf(service.view("names", {"find": "x"}))
        self.assertEqual(asked, [(1, {"find": "x", "what": "names"})])
        self.reactor.processes[0].tell(ended=1)
        self.successResultOf(service.view("names", {}))
        self.assertEqual(asked[-1][0], 2)
        with self.assertRaises(LookupError):
            service.view("sessions", {})


class StopTests(SupervisorTestCase):
    """The end."""

    def test_a_second_signal_ends_all_workers_at_once(self) -> None:
        """The first one lets each answer what is in flight; signals are given back at the end."""
        before = signal.getsignal(signal.SIGTERM)
        service, _ = self.serving()
        killed: list[int] = []
        self.patch(service.workers, "_kill", lambda pid, number: killed.append(pid))
        self.reactor.callFromThread = lambda call: call()
        stopped = service.stopService()
        self.assertEqual(killed, [])
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(killed, [process.pid for process in self.reactor.processes])
        self.assertIn("a second signal: what is in flight is given up", self.events)
        for process in self.reactor.processes:
            process.end()
        self.successResultOf(stopped)
        self.assertIs(signal.getsignal(signal.SIGTERM), before)

    def test_everything_goes(self) -> None:
        """The workers end in order, the logs are closed, and a folder of the supervisor's own is gone."""
        service, _ = self.serving()
        self.patch(os, "access", lambda path, mode: False)
        folder = os.path.dirname(service._control_of(1))
        stopped = service.stopService()
        self.assertEqual(self.successResultOf(service.reload()), [STOPPING])
        self.assertEqual(service.hindrances(), [STOPPING])
        self.assertNoResult(stopped)
        for process in self.reactor.processes:
            process.tell(ended=0)
            process.end(None)
        self.successResultOf(stopped)
        self.assertFalse(os.path.exists(folder))
        self.assertNotIn("is started again", "".join(self.events))
