"""The console as one: what runs, what it counts, what it calls wrong."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.logger import Logger, LogPublisher, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.services import ConsoleConfig
from labnet.console.linefile import LineFile
from labnet.console.service import Console
from labnet.metrics import Sample
from tests.answered import an_answered_query
from tests.fakes import MemoryReactor


class ConsoleTests(SynchronousTestCase):
    """Wiring."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.reactor = MemoryReactor()
        self.text = io.StringIO()
        self.publisher = LogPublisher(textFileLogObserver(self.text))
        self.log = Logger(namespace="lab", observer=self.publisher)
        self.patch(LineFile, "log", self.log)
        self.status: dict[str, Any] = {}
        self.hindrances: list[str] = []

    def console(self, **settings: Any) -> Console:
        """A started console."""
        config = ConsoleConfig.model_validate(settings)
        counted = [Sample("labnet_start_time_seconds", (), 12.5)]
        console = Console(
            config, self.reactor, self.publisher, lambda: counted, lambda: self.status, lambda: self.hindrances
        )
        console.open()
        console.privilegedStartService()
        console.startService()
        self.addCleanup(self._stop, console)
        return console

    def _stop(self, console: Console) -> None:
        stopped = console.stopService()
        self.reactor.turn()
        self.successResultOf(stopped)
        console.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_without_a_word_it_counts_and_no_more(self) -> None:
        """No port, no file, nothing of the web imported; lag, process and quoting are always there."""
        with mock.patch.dict(sys.modules):
            sys.modules.pop("labnet.console.web", None)
            console = self.console()
            self.assertNotIn("labnet.console.web", sys.modules)
        self.assertEqual((console.ports, console.query_log, self.reactor.tcpPorts), ((), None, []))
        names = {sample.name for sample in console.samples()}
        self.assertLessEqual({"labnet_build_info", "labnet_reactor_lag_seconds", "process_cpu_seconds_total"}, names)
        self.log.info("{x}", x="a\nb", event="test.text")
        self.assertEqual(len(self.text.getvalue().splitlines()), 1)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_pages_are_served_where_they_are_wanted(self) -> None:
        """With what the lab counts, and why it is not ready."""
        console = self.console(listen="tcp:9000")
        self.assertEqual([port.getHost().port for port in console.ports], [9000])
        client = self.reactor.connect()
        client.send(b"GET /metrics HTTP/1.1\r\n\r\n")
        self.assertIn(b"labnet_start_time_seconds 12.5", client.received())
        self.hindrances = ["the lab is stopping"]
        client.send(b"GET /ready HTTP/1.1\r\n\r\n")
        self.assertIn(b"the lab is stopping", client.received())
        self.status = {"reload": {"problems": ["x"]}}
        client.send(b"GET /health HTTP/1.1\r\n\r\n")
        self.assertIn(b"the last reload failed: x", client.received())

    def test_it_says_where_the_pages_are(self) -> None:
        """With a command to try; a UNIX socket by its path."""
        self.patch(Console, "log", self.log)
        self.console(listen=["tcp:9000:interface=127.0.0.1", "tcp6:9001:interface=\\:\\:1"])
        lines = [line.partition("] ")[2] for line in self.text.getvalue().splitlines()]
        self.assertEqual(
            lines,
            [
                "console listens on 127.0.0.1:9000 (HTTP); try: curl http://127.0.0.1:9000/health",
                "console listens on [::1]:9001 (HTTP); try: curl http://[::1]:9001/health",
            ],
        )

    def test_both_logs_are_written_where_they_are_wanted(self) -> None:
        """The log as JSON at once, the query log each second."""
        console = self.console(
            log=str(self.folder / "lab.json"), query_log=str(self.folder / "q.json"), query_sample=0.5
        )
        self.log.info("hello", event="test.hello")
        self.assertEqual(json.loads((self.folder / "lab.json").read_text())["event"], "test.hello")
        assert console.query_log is not None
        self.assertEqual(console.query_log.share, 0.5)
        console.query_log.query_log(an_answered_query())
        self.reactor.pass_time(1)
        self.assertEqual(json.loads((self.folder / "q.json").read_text())["client"], "::1")

    def test_what_is_wrong_is_told(self) -> None:
        """Parents that are down, the last reload, files that cannot be written."""
        (self.folder / "lab.json").mkdir()
        (self.folder / "q.json").mkdir()
        console = self.console(log=str(self.folder / "lab.json"), query_log=str(self.folder / "q.json"))
        assert console.query_log is not None
        self.assertEqual(list(console.problems()), [])
        self.log.info("hello", event="test.hello")
        console.query_log.query_log(an_answered_query())
        self.reactor.pass_time(1)
        self.status = {
            "reload": {"problems": ["main.toml: is no TOML"]},
            "shared_up": False,
            "services": [
                {"name": "command"},
                {"name": "main", "parents": [{"address": "up", "up": True}, {"address": "dns:192.0.2.1", "up": False}]},
            ],
        }
        self.assertEqual(
            list(console.problems()),
            [
                "the last reload failed: main.toml: is no TOML",
                "the server of the shared cache is gone: each lab goes on with what it knows itself",
                "main: the parent dns:192.0.2.1 is down",
                f"{self.folder}/lab.json cannot be written",
                f"{self.folder}/q.json cannot be written",
            ],
        )
