"""The console's pages over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel

from labnet.console.http import BODY_BYTES, IDLE, LINGER
from labnet.console.metrics import TEXT
from labnet.console.web import CONNECTIONS, MADE_FOR, PATIENCE, MetricsPage, WebService
from labnet.interfaces import StartError
from labnet.metrics import Sample
from tests.fakes import Client, MemoryReactor

UP = Sample("labnet_start_time_seconds", (), 12.5)


class Response:
    """What a client read of one response."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        status, *fields = head.decode("ascii").split("\r\n")
        self.code = int(status.split()[1]) if status else 0
        self.fields = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}


class WebTestCase(SynchronousTestCase):
    """A test with the console in memory."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.counted: Iterable[Sample] | Deferred[Iterable[Sample]] = [UP]
        self.problems: list[str] = []
        self.hindrances: list[str] = []
        self.said: list[dict[str, Any]] = []
        self.patch(MetricsPage, "log", Logger(observer=self.said.append))
        self.service = WebService(
            ["tcp:9000:interface=127.0.0.1"],
            self.reactor,
            lambda: self.counted,
            lambda: self.problems,
            lambda: self.hindrances,
        )
        self.service.privilegedStartService()
        self.service.startService()

    def tearDown(self) -> None:
        """No timer and no socket outlives it."""
        stopped = self.service.stopService()
        self.reactor.turn()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())

    def asked(self, request: str, client: Client | None = None) -> Response:
        """What a new client, or ``client``, reads after ``request``, to which the line for the host is added."""
        client = client or self.reactor.connect()
        first, _, rest = request.partition("\r\n")
        client.send(f"{first}\r\nHost: lab\r\n{rest}\r\n".encode("latin-1"))
        return Response(client.received())

    def get(self, path: str, fields: str = "") -> Response:
        return self.asked(f"GET {path} HTTP/1.1\r\n{fields}")


class PageTests(WebTestCase):
    """What is shown."""

    def test_metrics_are_what_was_counted(self) -> None:
        """As text for Prometheus; as OpenMetrics where it asks for that."""
        page = self.get("/metrics")
        self.assertEqual((page.code, page.fields["content-type"]), (200, TEXT))
        self.assertIn(b"\nlabnet_start_time_seconds 12.5\n", page.body)
        page = self.get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n")
        self.assertTrue(page.fields["content-type"].startswith("application/openmetrics-text; version=1.0.0"))
        self.assertTrue(page.body.endswith(b"# EOF\n"))

    def test_a_field_that_is_no_text_is_no_failure(self) -> None:
        """Whoever sends one gets the page, and nothing is logged."""
        self.assertEqual(self.get("/metrics", "Accept: \xff\xf0\r\n").code, 200)
        self.assertEqual(self.said, [])

    def test_metrics_wait_for_other_processes(self) -> None:
        """Samples may come later."""
        self.counted = counted = Deferred()
        client = self.reactor.connect()
        self.assertEqual(self.asked("GET /metrics HTTP/1.1\r\n", client).code, 0)
        counted.callback([UP])
        self.reactor.turn()
        self.assertIn(b"labnet_start_time_seconds 12.5", Response(client.received()).body)

    def test_metrics_do_not_wait_for_ever(self) -> None:
        """Processes that do not answer make a 503, which is logged once, and again after one that went well."""
        for expected in (1, 1):
            self.counted = Deferred()
            client = self.reactor.connect()
            self.asked("GET /metrics HTTP/1.1\r\n", client)
            self.reactor.pass_time(PATIENCE)
            self.assertEqual(Response(client.received()).code, 503)
            self.assertEqual(len(self.said), expected)
        self.counted = [UP]
        self.assertEqual(self.get("/metrics").code, 200)
        self.reactor.pass_time(MADE_FOR)
        self.counted = [Sample("labnet_query_seconds", ("main", "cache"), 1)]
        self.assertEqual(self.get("/metrics").code, 503)
        self.assertEqual(len(self.said), 2)

    def test_metrics_are_made_once_a_second(self) -> None:
        """However many read them: what was made a moment ago is given again; those who wait get one page."""
        self.assertIn(b"time_seconds 12.5\n", self.get("/metrics").body)
        self.counted = [Sample("labnet_start_time_seconds", (), 99.0)]
        self.reactor.pass_time(MADE_FOR / 2)
        self.assertIn(b"time_seconds 12.5\n", self.get("/metrics").body)
        self.assertIn(b"time_seconds 12.5\n", self.get("/metrics", "Accept: application/openmetrics-text\r\n").body)
        self.reactor.pass_time(MADE_FOR / 2)
        self.assertIn(b"time_seconds 99.0\n", self.get("/metrics").body)
        self.reactor.pass_time(MADE_FOR)
        first = self.counted = Deferred()
        clients = [self.reactor.connect() for _ in range(3)]
        for client in clients:
            self.asked("GET /metrics HTTP/1.1\r\n", client)
            self.counted = Deferred()  # nobody asks for these
        first.callback([UP])
        self.reactor.turn()
        for client in clients:
            self.assertIn(b"time_seconds 12.5\n", Response(client.received()).body)

    def test_who_leaves_while_waiting_is_forgotten(self) -> None:
        """Samples that come for a closed connection go nowhere."""
        self.counted = counted = Deferred()
        client = self.reactor.connect()
        self.asked("GET /metrics HTTP/1.1\r\n", client)
        client.vanish()
        counted.callback([UP])
        self.assertEqual(client.received(), b"")
        self.assertEqual(self.said, [])

    def test_health_is_200_while_the_process_runs(self) -> None:
        """With what is wrong all the same."""
        page = self.get("/health")
        self.assertEqual((page.code, page.fields["content-type"]), (200, "application/json"))
        self.assertEqual(json.loads(page.body), {"status": "ok", "reasons": []})
        self.problems = ["dns:192.0.2.1 is down"]
        page = self.get("/health")
        self.assertEqual(page.code, 200)
        self.assertEqual(json.loads(page.body), {"status": "degraded", "reasons": ["dns:192.0.2.1 is down"]})

    def test_ready_says_whether_clients_should_come(self) -> None:
        """200, or 503 with why not."""
        page = self.get("/ready")
        self.assertEqual((page.code, json.loads(page.body)), (200, {"ready": True, "reasons": []}))
        self.hindrances = ["the lab is stopping"]
        page = self.get("/ready")
        self.assertEqual(page.code, 503)
        self.assertEqual(json.loads(page.body), {"ready": False, "reasons": ["the lab is stopping"]})

    def test_the_index_names_the_pages(self) -> None:
        """Each of them with a link that leads there."""
        index = self.get("/")
        self.assertEqual((index.code, index.fields["content-type"]), (200, "text/html; charset=utf-8"))
        for path in ("/metrics", "/health", "/ready"):
            self.assertIn(f'href="{path}"'.encode(), index.body)
            self.assertEqual(self.get(path).code, 200)

    def test_every_page_has_its_fields(self) -> None:
        """Nothing is kept by caches, nothing is taken for another kind, nothing is told of the software."""
        for path in ("/", "/metrics", "/health", "/ready", "/none"):
            fields = self.get(path).fields
            self.assertEqual(fields["cache-control"], "no-store")
            self.assertEqual(fields["x-content-type-options"], "nosniff")
            self.assertEqual(fields["server"], "labnet")

    def test_other_pages_are_not_there(self) -> None:
        """404, also below a page, and nothing of the path is sent back."""
        for path in ("/none", "/metrics/x", "/metrics//x", "/..", "/%0d%0aX:y", "/<script>"):
            page = self.get(path)
            self.assertEqual((page.code, page.body), (404, b"there is no such page: see /\n"), path)
        self.assertEqual(self.get("/metrics?x=y").code, 200)
        self.assertEqual(self.get("/metrics/").code, 200)

    def test_a_page_is_read_only(self) -> None:
        """Any other method is a 405 that says which there are."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            page = self.asked(f"{method} /metrics HTTP/1.1\r\n")
            self.assertEqual((page.code, page.fields["allow"]), (405, "GET, HEAD"), method)

    def test_head_has_the_fields_alone(self) -> None:
        """As many bytes are announced as GET would send."""
        page, head = self.get("/health"), self.asked("HEAD /health HTTP/1.1\r\n")
        self.assertEqual((head.code, head.body), (200, b""))
        self.assertEqual(head.fields["content-length"], str(len(page.body)))

    def test_a_connection_serves_several_requests(self) -> None:
        """Prometheus keeps its connection between scrapes."""
        client = self.reactor.connect()
        for _ in range(3):
            self.assertEqual(self.asked("GET /ready HTTP/1.1\r\n", client).code, 200)
        self.assertFalse(client.closed)
        self.assertEqual(self.asked("GET /ready HTTP/1.0\r\n", client).code, 200)
        self.assertTrue(client.closed)


class LimitTests(WebTestCase):
    """What one client may take."""

    def test_the_oldest_connection_makes_room(self) -> None:
        """However many connect, so many are open, and the newest are served."""
        clients = [self.reactor.connect() for _ in range(CONNECTIONS + 3)]
        self.assertEqual([client.closed for client in clients], [True] * 3 + [False] * CONNECTIONS)
        self.assertEqual(self.asked("GET /ready HTTP/1.1\r\n", clients[-1]).code, 200)

    def test_one_request_of_a_connection_is_answered_in_a_turn(self) -> None:
        """However many come at once: what is due in the same turn is not kept waiting by all of them."""
        happened: list[str] = []
        case = self

        class Noting(list[str]):
            def __iter__(self) -> Iterator[str]:
                happened.append("page")
                case.reactor.callLater(0, happened.append, "another")
                return super().__iter__()

        self.hindrances = Noting()
        client = self.reactor.connect()
        client.send(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        self.assertEqual(client.received().count(b"HTTP/1.1 200 "), 3)
        self.assertEqual(happened, ["page", "another"] * 3)

    def test_no_request_is_answered_to_who_does_not_read(self) -> None:
        """Hundreds of them wait as bytes, not as pages; who reads on gets them all."""
        self.counted = [Sample("labnet_parent_up", ("main", "x" * 100_000), 1)]
        client = self.reactor.connect()
        client.stop_reading(10)
        client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        for _ in range(40):
            self.reactor.turn()
        client.read_on()
        received = b""
        for _ in range(100):
            self.reactor.turn()
            received += client.received()
        self.assertEqual(received.count(b"HTTP/1.1 200 "), 20)

    def test_a_silent_connection_is_closed(self) -> None:
        """After the idle time; it is not worth a line of the log."""
        logged: list[Any] = []
        self.patch(HTTPChannel, "_log", Logger(observer=logged.append))
        client = self.reactor.connect()
        self.reactor.pass_time(IDLE - 1)
        self.assertFalse(client.closed)
        self.reactor.pass_time(1)
        self.assertTrue(client.closed)
        self.assertEqual(logged, [])

    def test_who_does_not_read_is_aborted(self) -> None:
        """A closed connection has some seconds to take what is left."""
        client = self.reactor.connect()
        client.stop_reading(10)
        self.asked("GET / HTTP/1.1\r\n", client)
        self.reactor.pass_time(IDLE)
        self.assertFalse(client.closed)
        self.reactor.pass_time(LINGER)
        self.assertTrue(client.closed)

    def test_long_heads_are_refused(self) -> None:
        """Too long a line, too many fields, too many bytes of them: 400 or nothing, and the connection is closed."""
        for head in (
            "GET /" + "x" * 20_000 + " HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n" + "x: y\r\n" * 101,
            "GET / HTTP/1.1\r\n" + ("x: " + "y" * 1000 + "\r\n") * 9,
            "nonsense\r\n",
            "GET / HTTP/1.1\r\nContent-Length: x\r\n",
        ):
            client = self.reactor.connect()
            self.assertIn(self.asked(head, client).code, (0, 400), head[:40])
            self.assertTrue(client.closed, head[:40])

    def test_a_body_is_thrown_away(self) -> None:
        """It is read and not kept; one without end closes the connection."""
        client = self.reactor.connect()
        client.send(b"GET /ready HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345")
        self.assertEqual(Response(client.received()).code, 200)
        client.send(b"GET /ready HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(BODY_BYTES // 1024 + 1):
            client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        self.assertTrue(client.closed)
        self.assertEqual(client.received(), b"")


class PortTests(WebTestCase):
    """Where it listens."""

    def test_a_taken_port_is_said_in_one_sentence(self) -> None:
        """As for every other listener of the lab."""
        self.reactor.taken = {9001}
        for listen, why in (
            ("tcp:9001:interface=127.0.0.1", "Address already in use"),
            ("nonsense:1", "nonsense"),
        ):
            service = WebService([listen], self.reactor, list, list, list)
            with self.assertRaises(StartError) as raised:
                service.privilegedStartService()
            self.assertIn(why, str(raised.exception))
            self.successResultOf(service.stopService())

    def test_its_ports_are_told(self) -> None:
        """Those that are open."""
        self.assertEqual([port.getHost().port for port in self.service.ports], [9000])

    def test_nobody_wakes_a_process_that_nobody_asks(self) -> None:
        """It has no timer before the first client."""
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stopping_closes_every_connection(self) -> None:
        """Also one that waits for an answer, or reads none."""
        self.counted = Deferred()
        waiting = self.reactor.connect()
        self.asked("GET /metrics HTTP/1.1\r\n", waiting)
        idle = self.reactor.connect()
        stopped = self.service.stopService()
        self.reactor.turn()
        self.successResultOf(stopped)
        self.assertTrue(waiting.closed and idle.closed)
        self.counted.callback([])
        self.assertEqual(self.service.ports, ())
