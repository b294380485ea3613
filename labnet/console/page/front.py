"""The requests to the page: whose they are, whether they may be, and what answers them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from labnet.console.control import ControlError
from labnet.console.http import JSON, MOST_BODY, NOTHING, PLAIN, PageRequest, begin, respond
from labnet.console.page.access import PageAccess, Role
from labnet.console.page.api import FILTERS, Api, ApiRequest, ApiResponse
from labnet.console.page.queries import BadRequest, QueryFields, filter_of
from labnet.console.page.streams import Streams
from labnet.console.web import Page
from labnet.events import end_of

API: Final = b"/api/1/"

POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
"""What the page may load and run: what is from here, and nothing that stands in it (Content Security Policy 3)."""

KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
"""The content types of the files that the page is made of."""


class Front(Resource):
    """Everything at the page's address; ``pages`` are those that programs read, by name."""

    isLeaf = True
    log = Logger()

    def __init__(self, access: PageAccess, api: Api, streams: Streams, pages: Mapping[bytes, Page]) -> None:
        super().__init__()
        self._access = access
        self._api = api
        self._streams = streams
        self._pages = pages
        self._files = _files()
        self._failing: set[str] = set()

    def render(self, request: PageRequest) -> int:
        try:
            self._answer(request)
        except BadRequest as error:
            self._refuse(request, error)
        except Exception:
            self._failed(request, Failure(), request.path.decode("ascii", "replace"))
        return NOT_DONE_YET

    def _answer(self, request: PageRequest) -> None:
        local, path = end_of(request.getHost()), request.path
        is_unix = not hasattr(request.getHost(), "host")
        host = _field(request, b"host")
        if not (is_unix or self._access.is_ours(host, local)):
            raise BadRequest(f"this page is not called {host[:80]!r}: ask for it by its address", 421)
        here = "" if is_unix else local[0]
        peer = "" if is_unix else end_of(request.getClientAddress())[0]
        role = self._access.role(here, peer, self._given(request))
        if path == b"/" and b"token" in request.args:
            self._remember(request, local[1])
            return
        if path.strip(b"/") in self._pages:
            if request.method not in (b"GET", b"HEAD"):
                raise BadRequest("only GET and HEAD", 405, "GET, HEAD")
            self._pages[path.strip(b"/")].show(request)
            return
        if role is None:
            raise BadRequest("a token is needed: open the page by the address with ?token= that the lab has shown", 401)
        if path.startswith(API):
            self._answer_api(request, path[len(API) :].decode("ascii", "replace"), role, host, peer)
            return
        if request.method not in (b"GET", b"HEAD"):
            raise BadRequest("only GET and HEAD", 405, "GET, HEAD")
        name = "index.html" if path == b"/" else path.decode("ascii", "replace").removeprefix("/static/")
        found = self._files.get(name)
        if found is None:
            raise BadRequest("there is no such page: see /", 404)
        respond(request, 200, found() if callable(found) else found, KINDS[name[name.rindex(".") :]], POLICY)

    def _given(self, request: PageRequest) -> list[str]:
        """The tokens that ``request`` shows."""
        bearer = _field(request, b"authorization")
        cookie = request.getCookie(_cookie_name(end_of(request.getHost())[1]))
        given = [bearer.removeprefix("Bearer ").strip()] if bearer.startswith("Bearer ") else []
        return given + ([cookie.decode("ascii", "replace")] if cookie else [])

    def _remember(self, request: PageRequest, port: int) -> None:
        """Have the browser show a cookie from now on, and ask for the page without the token in its address."""
        tokens = request.args.pop(b"token")
        role = self._access.role_of_token(tokens[-1].decode("utf-8", "replace"))
        if role is None:
            raise BadRequest("this token is not one of this lab's", 403)
        rest = urlencode([(key, value) for key, values in request.args.items() for value in values])
        begin(request, 303, PLAIN)
        cookie = f"{_cookie_name(port).decode()}={self._access.cookie(role)}; Path=/; HttpOnly; SameSite=Strict"
        request.setHeader(b"Set-Cookie", cookie.encode("ascii"))
        request.setHeader(b"Location", f"/{f'?{rest}' if rest else ''}".encode("ascii"))
        request.setHeader(b"Content-Length", b"0")
        request.finish()

    def _answer_api(self, request: PageRequest, path: str, role: Role, host: str, peer: str) -> None:
        method = "GET" if request.method == b"HEAD" else request.method.decode("ascii", "replace")
        origin = _field(request, b"origin") or None
        # Another page could not read the answer, but hold a stream, and have all be watched.
        if not self._access.is_same_origin(host, origin, _field(request, b"sec-fetch-site") or None):
            raise BadRequest("this comes from a page of another origin", 403)
        if method == "POST":
            self._check_post(request, role)
        query = QueryFields(request.args)
        if path == "events" and method == "GET":
            self._stream(request, query, role, peer)
            return
        kind = _field(request, b"content-type")
        asked = ApiRequest(method, path, query, role, bytes(request.body), kind)
        answer = self._api.answer(asked)
        if not isinstance(answer, Deferred):
            self._send(request, answer)
            return
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        answer.addCallbacks(
            lambda value: None if gone else self._send(request, value),
            lambda failure: None if gone else self._failed(request, failure, path),
        )

    def _check_post(self, request: PageRequest, role: Role) -> None:
        """Raise :class:`BadRequest` unless a page of ours sends this, or a program that has a token."""
        if request.body_bytes > MOST_BODY:
            raise BadRequest(f"a body has at most {MOST_BODY} bytes", 413)
        if not self._access.is_page_token(_field(request, b"x-labnet-token"), role):
            raise BadRequest("X-Labnet-Token has to be the token that GET /api/1/lab gives", 403)

    def _stream(self, request: PageRequest, query: QueryFields, role: Role, peer: str) -> None:
        query.only(*FILTERS, "after")
        wanted = filter_of(query, role.scope)
        last = _field(request, b"last-event-id") or query.text("after")
        if last and not (last.isascii() and last.isdigit() and len(last) < 20):
            raise BadRequest(f"Last-Event-ID is a number, not {last[:80]!r}")
        if request.method == b"HEAD":
            respond(request, 200, b"", "text/event-stream; charset=utf-8")
            return
        self._streams.start(request, peer, wanted, int(last) if last else None)

    def _send(self, request: Request, value: Any) -> None:
        if isinstance(value, ApiResponse):
            if value.name:
                request.setHeader(b"Content-Disposition", f'attachment; filename="{value.name}"'.encode("ascii"))
            respond(request, 200, value.body, value.kind, NOTHING)
        else:
            respond(request, 200, json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n", JSON)

    def _failed(self, request: Request, failure: Failure, what: str) -> None:
        """ApiResponse that ``what`` failed; a fault of labnet itself is logged once."""
        if isinstance(failure.value, BadRequest):
            self._refuse(request, failure.value)
        elif failure.check(ControlError, LookupError):
            self._refuse(request, BadRequest(failure.getErrorMessage().strip("'"), 404))
        else:
            if what not in self._failing:
                self._failing.add(what)
                self.log.failure("the page cannot answer {what}", failure, what=what[:80], event="console.page-failed")
            self._refuse(request, BadRequest("this failed by a fault in labnet itself; the log has it", 500))

    def _refuse(self, request: Request, error: BadRequest) -> None:
        if error.allowed:
            request.setHeader(b"Allow", error.allowed.encode("ascii"))
        respond(request, error.code, json.dumps({"error": str(error)}).encode("ascii") + b"\n", JSON)


def _field(request: Request, name: bytes) -> str:
    """The field ``name`` of ``request`` as text; "" where it is not there."""
    return (request.getHeader(name) or b"").decode("latin-1")


def _cookie_name(port: int) -> bytes:
    """Cookies do not know ports: each lab of a machine has a name of its own."""
    return f"labnet-{port}".encode("ascii")


def _files() -> dict[str, bytes | Callable[[], bytes]]:
    """The files that the page is made of, by name."""
    found: dict[str, bytes | Callable[[], bytes]] = {}
    folder = resources.files("labnet.console.page") / "static"
    for file in folder.iterdir() if folder.is_dir() else ():
        if any(file.name.endswith(suffix) for suffix in KINDS):
            found[file.name] = file.read_bytes()
    found["ladder.css"] = _ladder_style
    return found


def _ladder_style() -> bytes:
    from labnet.ladder.style import style

    return style().encode()
