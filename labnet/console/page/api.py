"""The API under ``/api/1/``: what is asked for, as JSON; docs/openapi.json describes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

from labnet.console.encoding import shown
from labnet.console.page.access import OPERATOR, Role
from labnet.console.page.queries import (
    LEVELS,
    MOST_LISTED,
    BadRequest,
    QueryFields,
    body_of,
    filter_of,
    order_in,
    texts_in,
    wanted_by,
)
from labnet.console.ring import Noted, Ring
from labnet.events import Exchange, Session

FILTERS: Final = ("client", "name", "resolver", "protocol", "result")
SVG: Final = "image/svg+xml"
PCAPNG: Final = "application/vnd.tcpdump.pcap"

DRAWN_FOR: Final = 1.0
"""Seconds for which a ladder is given again to who asks for the same."""

_MOST_DRAWN: Final = 60
"""Exchanges and sessions of one ladder, at most."""

_MOST_KEPT: Final = 50
"""Ladders that are kept."""


class Backend(Protocol):
    """The lab behind the page."""

    def view(self, what: str, arguments: Mapping[str, Any]) -> Any:
        """What there is of ``what``, or what comes of doing it: for JSON, or a Deferred of that.

        Raises LookupError, with a sentence, where something that is named is not there.
        """


class ApiResponse(NamedTuple):
    """A response: ``body`` of the content type ``kind``; ``name`` is the file's that it is to be saved as."""

    body: bytes
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request for ``path``, below ``/api/1/``, of somebody who has the ``role``."""

    method: str
    path: str
    query: QueryFields
    role: Role
    body: bytes = b""
    kind: str = ""
    id: str = ""

    @property
    def resolver(self) -> str:
        """The one resolver that is asked for; a viewer's is his own."""
        return self.role.scope or self.query.text("resolver")

    def fields(self, *names: str, optional: tuple[str, ...] = ()) -> list[str]:
        """The texts in the body by these ``names``."""
        return texts_in(body_of(self.body, self.kind), *names, optional=optional)


Handler = Callable[["Api", ApiRequest], Any]


class Api:
    """Answers what is asked of the lab ``backend``, whose events ``ring`` has; ``ask`` asks one of its resolvers.

    ``ask`` is given a resolver, a name, a type, and dns or course, and gives a Deferred of the exchange.
    """

    def __init__(
        self,
        backend: Backend,
        ring: Ring,
        ask: Callable[[str, str, str, str], Any],
        traffic: Callable[[], Any],
        page_token: Callable[[Role], str],
    ) -> None:
        self.backend = backend
        self.ring = ring
        self.ask = ask
        self.traffic = traffic
        self.page_token = page_token
        self._drawn: dict[object, tuple[int, float, Any]] = {}

    def answer(self, asked: ApiRequest) -> Any:
        """The value for JSON, an :class:`ApiResponse`, or a Deferred of one. Raises :class:`BadRequest`."""
        self.ring.look()
        methods = []
        for route in ROUTES:
            match = route.pattern.fullmatch(asked.path)
            if match is None:
                continue
            methods.append(route.method)
            if route.method != asked.method:
                continue
            if asked.role.name != OPERATOR and not route.for_viewers:
                raise BadRequest("a viewer's token does not allow that", 403)
            asked.query.only(*route.parameters)
            return route.handler(self, replace(asked, id=match["id"] if "id" in match.re.groupindex else ""))
        if methods:
            allowed = sorted({*methods, *(("HEAD",) if "GET" in methods else ())})
            raise BadRequest(f"only {' and '.join(allowed)}", 405, ", ".join(allowed))
        raise BadRequest("there is no such endpoint: see docs/openapi.json", 404)

    def drawn(self, asked: ApiRequest, draw: Callable[[], Any]) -> Any:
        """What ``draw`` gives, or gave to the same question a moment ago: a class has the same page open."""
        now = self.ring.seconds()
        key = (asked.path, asked.query.key, asked.role)
        number, until, value = self._drawn.get(key, (-1, 0.0, None))
        if value is not None and (number == self.ring.last or until - DRAWN_FOR <= now < until):
            return value
        if len(self._drawn) >= _MOST_KEPT:
            self._drawn.clear()
        last = self.ring.last  # what happens while it is drawn may not be in it

        def keep(value: Any) -> Any:
            self._drawn[key] = (last, now + DRAWN_FOR, value)
            return value

        return _then(draw(), keep)

    def view(self, what: str, **arguments: Any) -> Any:
        """What the lab gives for ``what``."""
        try:
            return self.backend.view(what, arguments)
        except LookupError as error:
            raise BadRequest(str(error.args[0]), 404) from None

    def seen(self, asked: ApiRequest) -> Noted:
        """The exchange that ``asked`` names, if it is kept and may be seen."""
        noted = self.ring.exchange(asked.id)
        scope = asked.role.scope
        if noted is None or not (scope is None or getattr(noted.event, "resolver", None) == scope):
            raise BadRequest(f"there is no exchange {asked.id!r}: the last few thousand are kept", 404)
        return noted


def _lab(api: Api, asked: ApiRequest) -> Any:
    told = api.view("lab", resolver=asked.role.scope or "")
    own = {"role": asked.role.name, "scope": asked.role.scope, "token": api.page_token(asked.role)}
    return _then(told, lambda lab: {**lab, **own})


def _exchanges(api: Api, asked: ApiRequest) -> Any:
    limit = asked.query.number("limit", 1, MOST_LISTED, 100)
    before = asked.query.text("before")
    wanted = wanted_by(filter_of(asked.query, asked.role.scope))
    noted = api.ring.exchange(before) if before else None
    if before and noted is None:
        return {"exchanges": [], "more": False}
    below = api.ring.last + 1 if noted is None else noted.number
    found = []
    for each in api.ring.newest(lambda event: isinstance(event, Exchange) and wanted(event)):
        if each.number < below:
            found.append(shown(each))
            if len(found) > limit:
                break
    return {"exchanges": found[:limit], "more": len(found) > limit}


def _exchange(api: Api, asked: ApiRequest) -> Any:
    from labnet.console.page.packets import layers_of  # who never looks closely needs no code of captures

    noted = api.seen(asked)
    assert isinstance(noted.event, Exchange)
    table = shown(noted, whole=True)
    for told, datagram in zip(table["datagrams"], noted.event.datagrams, strict=True):
        told["packet"], told["layers"] = layers_of(datagram) if datagram.data else ("", [])
    return table


def _exchange_capture(api: Api, asked: ApiRequest) -> ApiResponse:
    from labnet.console.page.packets import capture_of

    noted = api.seen(asked)
    assert isinstance(noted.event, Exchange)
    name = re.sub(r"[^\w.-]", "_", noted.event.name, flags=re.ASCII)[:60]
    return ApiResponse(capture_of(noted.event.datagrams, noted.ahead), PCAPNG, f"{name or 'exchange'}.pcapng")


def _ladder(api: Api, asked: ApiRequest) -> Any:
    query = asked.query
    limit = query.number("limit", 1, _MOST_DRAWN, 20)
    kind = query.choice("kind", ("exchanges", "sessions", "all"), "all")
    wanted = wanted_by(filter_of(query, asked.role.scope))
    exchanges: list[dict[str, Any]] = []
    sessions: list[dict[str, Any]] = []
    seen: set[str] = set()
    for each in api.ring.newest(wanted):
        if isinstance(each.event, Exchange) and kind != "sessions" and len(exchanges) < limit:
            exchanges.append(shown(each))
        elif isinstance(each.event, Session) and kind != "exchanges" and not _narrows(query):
            seen.add(each.event.id)
            if len(seen) > limit:
                break
            sessions.append(shown(each))
    return _svg(api, asked, exchanges[::-1], sessions[::-1])


def _ladder_again(api: Api, asked: ApiRequest) -> Any:
    return api.drawn(asked, lambda: _ladder(api, asked))


def _narrows(query: QueryFields) -> bool:
    """Whether the filter speaks of questions alone."""
    return any(query.text(key) for key in FILTERS if key != "client")


def _exchange_ladder(api: Api, asked: ApiRequest) -> Any:
    noted = api.seen(asked)
    assert isinstance(noted.event, Exchange)
    own = noted.event
    ends = {(one.source, one.destination) for one in own.datagrams}
    ids = {own.id, own.joined_to}
    scope = asked.role.scope

    def belongs(event: object) -> bool:
        return (
            isinstance(event, Exchange)
            and (scope is None or event.resolver == scope)
            and (event.id in ids or event.joined_to == own.id or (event.client, event.listener) in ends)
        )

    return _svg(api, asked, [shown(each) for each in api.ring.newest(belongs)][:_MOST_DRAWN][::-1], [])


def _session_ladder(api: Api, asked: ApiRequest) -> Any:
    sessions = [
        shown(each) for each in api.ring.newest(lambda event: isinstance(event, Session) and event.id == asked.id)
    ][:MOST_LISTED]
    if not sessions:
        raise BadRequest(f"nothing is kept of a session {asked.id!r}", 404)
    return _svg(api, asked, [], sessions[::-1])


def _svg(api: Api, asked: ApiRequest, exchanges: list[dict[str, Any]], sessions: list[dict[str, Any]]) -> Any:
    width = asked.query.number("width", 0, 4000, 0)
    hides = bool(asked.query.number("projector", 0, 1, 0))

    def draw(lab: Mapping[str, Any]) -> ApiResponse:
        from labnet.ladder.live import live_ladder
        from labnet.ladder.svg import ladder_svg

        ladder = live_ladder(exchanges, sessions, hosts=_hosts(lab), hide_clients=hides)
        return ApiResponse(ladder_svg(ladder, width=width).encode("utf-8", "replace"), SVG)

    return _then(api.view("lab", resolver=asked.role.scope or ""), draw)


def _hosts(lab: Mapping[str, Any]) -> dict[str, str]:
    """What listens at each address of the lab, in words."""
    found = {
        listen.partition(" ")[2]: f"resolver {resolver['name']}"
        for resolver in lab["resolvers"]
        for listen in resolver["listens"]
    }
    for listen in (lab["command"] or {}).get("listens", ()):
        found[listen.partition(" ")[2]] = "command server"
    return found


def _names(api: Api, asked: ApiRequest) -> Any:
    query = asked.query
    return api.view(
        "names",
        resolver=asked.resolver,
        find=query.text("find"),
        kind=query.choice("kind", ("record", "learned", "negative", "failure")),
        limit=query.number("limit", 1, MOST_LISTED, 100),
        after=query.text("after"),
    )


def _log(api: Api, asked: ApiRequest) -> Any:
    least = LEVELS.index(asked.query.choice("level", LEVELS, LEVELS[0]))
    limit = asked.query.number("limit", 1, MOST_LISTED, 200)
    lines = [shown(each) for each in api.ring.lines()]
    wanted = [line for line in lines if line["level"] not in LEVELS or LEVELS.index(line["level"]) >= least]
    return {"lines": wanted[-limit:]}


def _four(asked: ApiRequest) -> tuple[str, str, str, str]:
    name, resolver, rrtype, protocol = asked.fields("name", optional=("resolver", "type", "protocol"))
    if protocol not in ("", "dns", "course"):
        raise BadRequest(f"protocol is dns or course, not {protocol!r}")
    scope = asked.role.scope
    if scope is not None and resolver not in ("", scope):
        raise BadRequest(f"a viewer of {scope} asks {scope} alone", 403)
    return scope or resolver, name, rrtype or "A", protocol or "dns"


def _flush(api: Api, asked: ApiRequest) -> Any:
    name, resolver = asked.fields("name", optional=("resolver",))
    return _then(api.view("flush", name=name, resolver=resolver), lambda count: {"flushed": count})


def _ask_parent(api: Api, asked: ApiRequest) -> Any:
    resolver, address, name = asked.fields("resolver", "address", "name")
    return api.view("ask-parent", resolver=resolver, address=address, name=name)


def _close_session(api: Api, asked: ApiRequest) -> Any:
    asked.fields()
    return _then(api.view("close-session", id=asked.id), lambda _: {"closed": asked.id})


def _open_command(api: Api, asked: ApiRequest) -> Any:
    asked.fields()
    return _then(api.view("open-command-server"), lambda problems: {"problems": problems})


def _order_fault(api: Api, asked: ApiRequest) -> Any:
    return api.view("order-fault", order={**order_in(body_of(asked.body, asked.kind)), "by": "the page"})


def _end_fault(api: Api, asked: ApiRequest) -> Any:
    asked.fields()
    return api.view("end-fault", id=asked.id)


def _then(value: Any, do: Callable[[Any], Any]) -> Any:
    """``do`` with ``value``, now or once it is there."""
    return value.addCallback(do) if hasattr(value, "addCallback") else do(value)


class Route(NamedTuple):
    """What answers ``method`` for the paths of ``pattern``, which take these query ``parameters``."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    parameters: tuple[str, ...] = ()
    for_viewers: bool = False


def _route(method: str, path: str, handler: Handler, *parameters: str, viewers: bool = False) -> Route:
    pattern = re.escape(path).replace("ID", "(?P<id>[\\w-]{1,64})")
    return Route(method, re.compile(pattern, re.ASCII), handler, parameters, viewers)


_DRAWING: Final = ("width", "projector")

ROUTES: Final = (
    _route("GET", "lab", _lab, viewers=True),
    _route("GET", "exchanges", _exchanges, *FILTERS, "limit", "before", viewers=True),
    _route("GET", "exchanges/ID", _exchange, viewers=True),
    _route("GET", "exchanges/ID/ladder.svg", _exchange_ladder, *_DRAWING, viewers=True),
    _route("GET", "exchanges/ID/capture.pcapng", _exchange_capture, viewers=True),
    _route(
        "GET",
        "ladder.svg",
        _ladder_again,
        *FILTERS,
        "limit",
        "kind",
        *_DRAWING,
        viewers=True,
    ),
    _route("GET", "names", _names, "resolver", "find", "kind", "limit", "after", viewers=True),
    _route("GET", "sessions", lambda api, asked: api.view("sessions")),
    _route("GET", "sessions/ID/ladder.svg", _session_ladder, *_DRAWING),
    _route("GET", "parents", lambda api, asked: api.view("parents", resolver=asked.resolver), "resolver", viewers=True),
    _route("GET", "traffic", lambda api, asked: api.traffic()),
    _route("GET", "map", lambda api, asked: api.view("map", resolver=asked.resolver), "resolver", viewers=True),
    _route("GET", "log", _log, "level", "limit"),
    _route("GET", "faults", lambda api, asked: api.view("faults"), viewers=True),
    _route("POST", "faults", _order_fault),
    _route("POST", "faults/ID/end", _end_fault),
    _route("POST", "ask", lambda api, asked: api.ask(*_four(asked)), viewers=True),
    _route("POST", "flush", _flush),
    _route("POST", "sessions/ID/close", _close_session),
    _route("POST", "command/open", _open_command),
    _route("POST", "parents/ask", _ask_parent),
)
"""The endpoints, but for the stream of events."""
