"""The page over HTTP: its files, its JSON, its stream, and whom it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.services import ConsoleConfig
from labnet.console.http import BODY_BYTES, MOST_BODY
from labnet.console.page.api import DRAWN_FOR
from labnet.console.page.front import POLICY, Front
from labnet.console.page.service import PageService
from labnet.console.page.streams import HEARTBEAT, STALLED, STREAMS, STREAMS_PER_ADDRESS
from labnet.console.ring import TICK, Ring
from labnet.events import LogLine, ParentChanged, Session
from tests.console.happenings import CLIENT, LISTENER, exchange
from tests.console.test_web import Response
from tests.fakes import Client, MemoryReactor

SESSION = Session(5.0, "77", CLIENT, LISTENER, "command", "TIME", "now")
LAB = {
    "resolvers": [{"name": "main", "listens": ["udp 127.0.0.1:1199"]}],
    "command": {"listens": ["tcp 127.0.0.1:8080"]},
}


class Lab:
    """The lab behind the page."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.later: Deferred[Any] | None = None

    def view(self, what: str, arguments: Mapping[str, Any]) -> Any:
        if what == "parents" and arguments["resolver"] == "nobody":
            raise LookupError("there is no resolver 'nobody'")
        if what == "map":
            raise ValueError("a fault")
        self.asked.append((what, dict(arguments)))
        if self.later is not None:
            return self.later
        return dict(LAB) if what == "lab" else {what: arguments}


class FrontTestCase(SynchronousTestCase):
    """A page in memory."""

    settings: dict[str, Any] = {}

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactor()
        self.ring = Ring(self.reactor)
        self.lab = Lab()
        self.said: list[dict[str, Any]] = []
        self.patch(Front, "log", Logger(observer=self.said.append))
        config = ConsoleConfig.model_validate({"page": "tcp:8090:interface=127.0.0.1", **self.settings})
        self.service = PageService(config, self.reactor, self.lab, self.ring, (list, list, list))
        self.service.privilegedStartService()
        self.service.startService()

    def tearDown(self) -> None:
        stopped = self.service.stopService()
        self.reactor.turn()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def send(self, request: str, fields: str = "", body: str = "", client: Client | None = None) -> Client:
        """Have a new client, or ``client``, send a request."""
        client = client or self.reactor.connect()
        fields = fields if "Host:" in fields else f"Host: 127.0.0.1:8090\r\n{fields}"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        client.send(f"{request} HTTP/1.1\r\n{fields}{length}\r\n{body}".encode("latin-1"))
        return client

    def get(self, path: str, fields: str = "") -> Response:
        return Response(self.send(f"GET {path}", fields).received())

    def value(self, path: str, fields: str = "") -> Any:
        response = self.get(path, fields)
        self.assertEqual(response.code, 200, response.body)
        return json.loads(response.body)

    def post(self, path: str, body: Any, fields: str | None = None) -> Response:
        if fields is None:
            fields = f"X-Labnet-Token: {self.value('/api/1/lab')['token']}\r\nContent-Type: application/json\r\n"
        return Response(self.send(f"POST {path}", fields, json.dumps(body)).received())

    def error(self, response: Response) -> tuple[int, str]:
        return response.code, json.loads(response.body)["error"]


class FileTests(FrontTestCase):
    """What the page is made of."""

    def test_a_file_is_served_with_its_kind_and_a_policy(self) -> None:
        """The style of the ladder is the ladder's own."""
        response = self.get("/static/ladder.css")
        self.assertEqual((response.code, response.fields["content-type"]), (200, "text/css; charset=utf-8"))
        self.assertEqual(response.fields["content-security-policy"], POLICY)
        self.assertEqual(response.fields["x-content-type-options"], "nosniff")

    def test_nothing_else_is_served(self) -> None:
        """No folder, no file beside it."""
        for path in (
            "/static/",
            "/static/../access.py",
            "/static/access.py",
            "/x",
            "/static/%2e%2e/front.py",
            "/api/2/lab",
        ):
            self.assertEqual(self.get(path).code, 404, path)
        self.assertEqual(Response(self.send("POST /static/ladder.css").received()).code, 405)

    def test_what_programs_read_is_there_too(self) -> None:
        """As at console.listen."""
        self.assertEqual(json.loads(self.get("/health").body), {"status": "ok", "reasons": []})
        self.assertEqual(self.get("/ready").code, 200)


class JSONTests(FrontTestCase):
    """What is asked for, and what comes."""

    def test_the_lab_says_who_looks(self) -> None:
        """And gives the token for what changes anything."""
        lab = self.value("/api/1/lab")
        self.assertEqual((lab["role"], lab["scope"]), ("operator", None))
        self.assertEqual(len(lab["token"]), 64)

    def test_exchanges_come_newest_first_and_by_filters(self) -> None:
        """A page of them at a time."""
        self.ring.look()
        for number in range(5):
            self.ring.happened(exchange(str(number), result="hit" if number % 2 else "asked"))
        outside = ("192.0.2.9", 1)
        self.ring.happened(exchange("9", name="shop.example", resolver="other", result="joined", client=outside))
        shown = self.value("/api/1/exchanges?limit=2&name=LAB")
        self.assertEqual([one["id"] for one in shown["exchanges"]], ["4", "3"])
        self.assertTrue(shown["more"])
        shown = self.value("/api/1/exchanges?limit=9&before=3")
        self.assertEqual(([one["id"] for one in shown["exchanges"]], shown["more"]), (["2", "1", "0"], False))
        for query in (
            "result=hit",
            "resolver=main&result=hit",
            "client=127.0.0.0/8&result=hit",
            "protocol=dns&result=hit",
        ):
            self.assertEqual([one["id"] for one in self.value(f"/api/1/exchanges?{query}")["exchanges"]], ["3", "1"])
        self.assertEqual(len(self.value("/api/1/exchanges?client=192.0.2.9")["exchanges"]), 1)
        self.assertEqual(self.value("/api/1/exchanges?before=gone")["exchanges"], [])

    def test_an_exchange_has_bytes_and_layers(self) -> None:
        """Each field with its place in the packet."""
        self.ring.look()
        self.ring.happened(exchange("7"))
        told = self.value("/api/1/exchanges/7")
        question = told["datagrams"][0]
        self.assertEqual([layer["name"] for layer in question["layers"]][:2], [
            "Internet Protocol version 4", "User Datagram Protocol"
        ])  # fmt: skip
        self.assertTrue(question["packet"].endswith(question["bytes"]))
        self.assertIn("Domain Name System", question["layers"][2]["name"])

    def test_an_exchange_is_a_capture_and_a_ladder(self) -> None:
        """With names that are safe for a file."""
        self.ring.look()
        self.ring.happened(exchange("7", name="a/../b\u202e.lab", reply=b"\0" * 20))
        response = self.get("/api/1/exchanges/7/capture.pcapng")
        self.assertEqual(response.body[:4], b"\x0a\x0d\x0d\x0a")
        self.assertEqual(response.fields["content-disposition"], 'attachment; filename="a_.._b_.lab.pcapng"')
        self.ring.happened(SESSION)
        for path in (
            "exchanges/7/ladder.svg",
            "ladder.svg",
            "ladder.svg?kind=sessions&width=800",
            "sessions/77/ladder.svg",
        ):
            response = self.get(f"/api/1/{path}")
            self.assertEqual((response.code, response.fields["content-type"]), (200, "image/svg+xml"), path)
            self.assertTrue(response.body.startswith(b"<svg"), path)

    def test_views_of_the_lab_are_asked_for_with_what_was_given(self) -> None:
        """Later too."""
        self.value("/api/1/names?find=x&kind=learned&limit=3&after=0-2")
        self.assertEqual(
            self.lab.asked[-1],
            ("names", {"resolver": "", "find": "x", "kind": "learned", "limit": 3, "after": "0-2"}),
        )
        self.lab.later = Deferred()
        client = self.send("GET /api/1/parents?resolver=main")
        self.assertEqual(client.received(), b"")
        self.lab.later.callback({"parents": []})
        self.reactor.turn()
        self.assertEqual(json.loads(Response(client.received()).body), {"parents": []})

    def test_who_leaves_while_the_lab_looks_is_forgotten(self) -> None:
        """Nothing is written to nobody."""
        self.lab.later = Deferred()
        self.send("GET /api/1/parents").vanish()
        self.lab.later.callback({})
        self.assertEqual(self.said, [])

    def test_the_log_is_there_whoever_looked_before(self) -> None:
        """From a level on."""
        self.ring.happened(LogLine(5.0, "info", "lab.x", "fine"))
        self.ring.happened(LogLine(6.0, "warn", "lab.y", "careful"))
        self.assertEqual([line["text"] for line in self.value("/api/1/log")["lines"]], ["fine", "careful"])
        self.assertEqual([line["text"] for line in self.value("/api/1/log?level=warn")["lines"]], ["careful"])

    def test_what_cannot_be_answered_is_said_in_a_sentence(self) -> None:
        """With the code for it; nothing of it is logged."""
        for path, code in (
            ("exchanges?limit=0", 400),
            ("exchanges?limit=x", 400),
            ("exchanges?limit=5&limit=6", 400),
            ("exchanges?nope=1", 400),
            ("exchanges?client=x", 400),
            ("exchanges?result=fine", 400),
            ("exchanges?name=%ff", 400),
            ("exchanges?name=" + "x" * 300, 400),
            ("exchanges/12", 404),
            ("sessions/12/ladder.svg", 404),
            ("nothing", 404),
            ("parents?resolver=nobody", 404),
            ("ask", 405),
        ):
            got, says = self.error(self.get(f"/api/1/{path}"))
            self.assertEqual(got, code, path)
            self.assertTrue(says)
        self.assertEqual(self.said, [])

    def test_a_fault_of_ours_is_logged_once_and_told_without_its_text(self) -> None:
        """However often it is asked for."""
        for _ in range(2):
            self.assertEqual(self.get("/api/1/map").code, 500)
        self.assertEqual([event["event"] for event in self.said], ["console.page-failed"])
        self.flushLoggedErrors(ValueError)


class DrawnTests(FrontTestCase):
    """A ladder is drawn once for a class, and again when something has happened."""

    def test_what_happens_while_it_is_drawn_is_in_the_next_one(self) -> None:
        """Also where nothing else happens after that."""
        self.ring.look()
        self.lab.later = Deferred()
        client = self.send("GET /api/1/ladder.svg")
        self.ring.happened(exchange("7", name="meanwhile.lab"))
        later, self.lab.later = self.lab.later, None
        later.callback(dict(LAB))
        self.assertNotIn(b"meanwhile.lab", client.received())
        self.reactor.pass_time(DRAWN_FOR)
        self.assertIn(b"meanwhile.lab", self.get("/api/1/ladder.svg").body)


class ChangeTests(FrontTestCase):
    """What changes anything."""

    def test_a_change_is_done_with_the_pages_token(self) -> None:
        """Each by its name."""
        response = self.post("/api/1/flush", {"name": "www.lab"})
        self.assertEqual(response.code, 200, response.body)
        self.assertEqual(self.lab.asked[-1], ("flush", {"name": "www.lab", "resolver": ""}))
        self.post("/api/1/sessions/77/close", {})
        self.assertEqual(self.lab.asked[-1], ("close-session", {"id": "77"}))
        self.post("/api/1/command/open", {})
        self.assertEqual(self.lab.asked[-1][0], "open-command-server")
        self.post("/api/1/parents/ask", {"resolver": "main", "address": "x:1", "name": "y"})
        self.assertEqual(self.lab.asked[-1][0], "ask-parent")

    def test_a_request_of_another_page_changes_nothing(self) -> None:
        """Without the token, from another origin, as another kind of content."""
        token = f"X-Labnet-Token: {self.value('/api/1/lab')['token']}\r\n"
        json_body = "Content-Type: application/json\r\n"
        before = len(self.lab.asked)
        for fields, code in (
            ("", 403),
            (json_body, 403),
            (f"{json_body}X-Labnet-Token: {'0' * 64}\r\n", 403),
            (f"{json_body}{token}Origin: http://evil.example\r\n", 403),
            (f"{json_body}{token}Sec-Fetch-Site: cross-site\r\n", 403),
            (f"{token}Content-Type: text/plain\r\n", 415),
            (f"{json_body}{token}Host: evil.example\r\n", 421),
        ):
            self.assertEqual(self.post("/api/1/flush", {"name": "x"}, fields).code, code, fields)
        self.assertEqual(len(self.lab.asked), before)

    def test_a_body_that_is_none_is_refused(self) -> None:
        """Whatever is wrong with it; one that does not end ends the connection."""
        for body, code in (
            ({}, 400),
            ({"name": 5}, 400),
            ({"name": "x", "y": "z"}, 400),
            ([], 400),
            ({"name": ""}, 400),
        ):
            self.assertEqual(self.post("/api/1/flush", body).code, code)
        self.assertEqual(self.post("/api/1/flush", {"name": "x" * MOST_BODY}).code, 413)
        client = self.send("POST /api/1/flush", "Content-Length: 999999\r\n", "")
        client.send(b"x" * (BODY_BYTES + 1))
        self.reactor.turn()
        self.assertTrue(client.closed)

    def test_a_name_that_cannot_be_asked_is_said(self) -> None:
        """By either protocol."""
        for body in ({"name": "x..y"}, {"name": "x", "type": "NOPE"}, {"name": "a b", "protocol": "course"}):
            self.assertEqual(self.post("/api/1/ask", body).code, 400, body)
        self.assertEqual(self.post("/api/1/ask", {"name": "x", "protocol": "http"}).code, 400)
        self.assertEqual(self.post("/api/1/ask", {"name": "x", "resolver": "nobody"}).code, 404)


class HostTests(FrontTestCase):
    """Names that lead here."""

    def test_a_foreign_name_gets_nothing(self) -> None:
        """No page of somebody else's reads this one by a name of its own."""
        for path in ("/", "/api/1/lab", "/health", "/static/ladder.css"):
            self.assertEqual(self.get(path, "Host: evil.example\r\n").code, 421)
        self.assertEqual(self.get("/", "X-Host: 127.0.0.1\r\n").code, 421)


class OriginTests(FrontTestCase):
    """Pages of others, in a browser of this machine."""

    def test_another_page_reads_nothing_and_holds_no_stream(self) -> None:
        """Nor is anything watched for it; a link to the page itself is fine."""
        for fields in ("Sec-Fetch-Site: cross-site\r\n", "Origin: http://evil.example\r\n"):
            for path in ("/api/1/events", "/api/1/lab", "/api/1/ladder.svg"):
                self.assertEqual(self.get(path, fields).code, 403)
        self.assertFalse(self.ring.watched)
        self.assertEqual(len(self.service.streams.open), 0)
        self.assertEqual(self.get("/health", "Sec-Fetch-Site: cross-site\r\n").code, 200)


class StreamTests(FrontTestCase):
    """What happens, as it happens."""

    def stream(self, query: str = "", fields: str = "") -> Client:
        return self.send(f"GET /api/1/events{query}", fields)

    def told(self, client: Client) -> str:
        return client.received().decode("latin-1")

    def test_events_come_with_their_numbers(self) -> None:
        """Soon after they happened, all of a moment at once."""
        client = self.stream()
        head = self.told(client)
        self.assertIn("text/event-stream", head)
        self.ring.happened(exchange("7"))
        self.ring.happened(SESSION)
        self.reactor.pass_time(TICK)
        told = self.told(client)
        self.assertIn('id: 1\nevent: exchange\ndata: {"id":"7",', told)
        self.assertIn("id: 2\nevent: session\n", told)

    def test_a_reader_that_comes_again_gets_what_it_missed(self) -> None:
        """By the number of what it had last; a lab that was started anew begins anew."""
        self.ring.look()
        for number in range(4):
            self.ring.happened(exchange(str(number)))
        told = self.told(self.stream(fields="Last-Event-ID: 2\r\n"))
        self.assertNotIn("id: 2\n", told)
        self.assertIn("id: 3\n", told)
        self.assertIn("id: 4\n", told)
        self.assertIn("id: 1\n", self.told(self.stream("?after=99")))

    def test_a_filter_lets_through_what_it_speaks_of(self) -> None:
        """The number goes on with those that are left out."""
        client = self.stream("?name=shop")
        self.told(client)
        self.ring.happened(exchange("7"))
        self.reactor.pass_time(TICK)
        self.assertIn("id: 1\n", self.told(client))
        self.ring.happened(exchange("8", name="shop.example"))
        self.reactor.pass_time(TICK)
        self.assertIn('"id":"8"', self.told(client))

    def test_a_slow_reader_loses_events_and_is_told_how_many(self) -> None:
        """Nobody waits for it, and nothing piles up for it."""
        client = self.stream()
        self.told(client)
        client.stop_reading()
        for number in range(40):
            self.ring.happened(exchange(str(number), reply=bytes(100)))
            self.reactor.pass_time(TICK)
        self.ring._most = 10
        for number in range(500):
            self.ring.happened(exchange(f"x{number}"))
        self.reactor.pass_time(TICK)
        self.assertLess(client.unread_by_server, 1)
        client.read_on()
        self.reactor.pass_time(TICK)
        self.assertRegex(self.told(client), r"event: skipped\ndata: \{\"count\":\d+\}")

    def test_a_reader_that_takes_nothing_for_long_is_left(self) -> None:
        """Its place is free again."""
        client = self.stream()
        client.stop_reading()
        for number in range(900):
            self.ring.happened(exchange(str(number), reply=bytes(100)))
            self.reactor.pass_time(TICK)
        self.reactor.pass_time(STALLED + 2 * HEARTBEAT)
        self.assertEqual(len(self.service.streams.open), 0)

    def test_there_is_a_sign_of_life(self) -> None:
        """While nothing happens."""
        client = self.stream()
        self.told(client)
        self.reactor.pass_time(HEARTBEAT)
        self.assertEqual(self.told(client).count(": here\n"), 1)

    def test_streams_are_bounded_in_all_and_by_address(self) -> None:
        """One that ends makes room."""
        first = [self.stream() for _ in range(STREAMS_PER_ADDRESS)]
        self.assertEqual(Response(self.stream().received()).code, 429)
        first[0].vanish()
        self.reactor.turn()
        self.assertIn("event-stream", self.told(self.stream()))
        self.assertLess(STREAMS_PER_ADDRESS, STREAMS)

    def test_nobody_watches_once_the_last_has_gone(self) -> None:
        """After a while: a page may be loaded anew."""
        client = self.stream()
        self.assertTrue(self.ring.watched)
        client.vanish()
        for _ in range(700):
            self.reactor.pass_time(TICK)
        self.assertFalse(self.ring.watched)


class ViewerTests(FrontTestCase):
    """Somebody who may see one resolver."""

    settings = {"page_viewers": {"main": "student"}, "page_token": "boss"}

    def test_nobody_looks_without_a_token(self) -> None:
        """Not even from here, where one is configured; but programs may ask whether the lab is well."""
        for path in ("/", "/api/1/lab", "/api/1/events", "/static/ladder.css"):
            self.assertEqual(self.get(path).code, 401)
        self.assertEqual(self.get("/health").code, 200)

    def test_a_token_in_the_address_becomes_a_cookie(self) -> None:
        """The address is asked for again without it."""
        response = self.get("/?view=names&token=student")
        self.assertEqual((response.code, response.fields["location"]), (303, "/?view=names"))
        cookie = response.fields["set-cookie"].partition(";")[0]
        self.assertTrue(response.fields["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict"))
        self.assertEqual(self.value("/api/1/lab", f"Cookie: {cookie}\r\n")["scope"], "main")
        self.assertEqual(self.get("/?token=wrong").code, 403)

    def test_a_viewer_sees_the_one_resolver(self) -> None:
        """Whatever is asked for."""
        fields = "Authorization: Bearer student\r\n"
        self.ring.look()
        self.ring.happened(exchange("7"))
        self.ring.happened(exchange("8", resolver="other"))
        self.ring.happened(SESSION)
        self.ring.happened(ParentChanged(1.0, "other", "x", "up", None, 0))
        self.assertEqual([one["id"] for one in self.value("/api/1/exchanges", fields)["exchanges"]], ["7"])
        self.assertEqual(self.get("/api/1/exchanges/8", fields).code, 404)
        told = self.send("GET /api/1/events?after=0", fields).received()
        self.assertIn(b'"id":"7"', told)
        for other in (b'"id":"8"', b"event: session", b"event: parent"):
            self.assertNotIn(other, told)
        self.value("/api/1/names?resolver=other", fields)
        self.assertEqual(self.lab.asked[-1][1]["resolver"], "main")
        for path in ("sessions", "log", "traffic"):
            self.assertEqual(self.get(f"/api/1/{path}", fields).code, 403)

    def test_a_viewer_changes_nothing(self) -> None:
        """But may ask the one resolver."""
        lab = self.value("/api/1/lab", "Authorization: Bearer student\r\n")
        fields = (
            f"Authorization: Bearer student\r\nX-Labnet-Token: {lab['token']}\r\nContent-Type: application/json\r\n"
        )
        self.assertEqual(self.post("/api/1/flush", {"name": "x"}, fields).code, 403)
        self.assertEqual(self.post("/api/1/ask", {"name": "x", "resolver": "other"}, fields).code, 403)


class ElsewhereTests(SynchronousTestCase):
    """Where the page listens."""

    def test_a_token_is_made_where_others_can_reach_the_page(self) -> None:
        """It is in the address that is shown."""
        reactor: Any = MemoryReactor()
        for listen, needs in (
            ("tcp:8090:interface=127.0.0.1", False),
            ("tcp:8090:interface=\\:\\:1", False),
            ("unix:/run/x", False),
            ("tcp:8090", True),
            ("tcp:8090:interface=192.0.2.7", True),
        ):
            config = ConsoleConfig.model_validate({"page": listen})
            service = PageService(config, reactor, Lab(), Ring(reactor), (list, list, list))
            self.assertEqual(bool(service._made_token), needs, listen)
            if not listen.startswith("unix"):
                service.privilegedStartService()
                self.assertEqual("?token=" in service.addresses()[0], needs, listen)
                service.stopService()
