"""What is asked of the API: filters, numbers and bodies, each checked (sans-IO)."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labnet.console.ring import Skipped
from labnet.events import Event, Exchange, FaultChanged, LogLine, ParentChanged, Session

MOST_LISTED: Final = 500
"""Items of one list."""

LONGEST: Final = 255
"""Characters of a value."""

RESULTS: Final = ("hit", "asked", "joined", "negative", "refused", "dropped", "limited", "failed", "malformed")
PROTOCOLS: Final = ("dns", "course")
LEVELS: Final = ("debug", "info", "warn", "error", "critical")


class BadRequest(Exception):
    """A request that cannot be answered; the text is a sentence, ``code`` the status of HTTP."""

    def __init__(self, says: str, code: int = 400, allowed: str = "") -> None:
        super().__init__(says)
        self.code = code
        self.allowed = allowed
        """The methods that are allowed, where that is what is wrong."""


class QueryFields:
    """The query of a request: each key once, and none that the endpoint does not know."""

    def __init__(self, arguments: Mapping[bytes, Sequence[bytes]]) -> None:
        self._values: dict[str, str] = {}
        for key, values in arguments.items():
            name = key.decode("utf-8", "replace")
            if len(values) != 1:
                raise BadRequest(f"{name!r} is there {len(values)} times: give it once")
            try:
                value = values[0].decode()
            except UnicodeDecodeError:
                raise BadRequest(f"{name!r} is no UTF-8") from None
            if len(value) > LONGEST:
                raise BadRequest(f"{name!r} has more than {LONGEST} characters")
            self._values[name] = value

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What a query asks for: equal where two queries have equal parameters, in whatever order."""
        return tuple(sorted(self._values.items()))

    def only(self, *known: str) -> None:
        """Raise :class:`BadRequest` for a key that is not among the ``known``."""
        for name in self._values:
            if name not in known:
                raise BadRequest(f"there is no parameter {name!r}: there are {', '.join(known) or 'none'}")

    def text(self, name: str) -> str:
        """The value of ``name``; "" where it is not there."""
        return self._values.get(name, "")

    def choice(self, name: str, among: Sequence[str], default: str = "") -> str:
        """The value of ``name``, one of those ``among``."""
        value = self._values.get(name, "")
        if value and value not in among:
            raise BadRequest(f"{name} is {', '.join(among[:-1])} or {among[-1]}, not {value!r}")
        return value or default

    def number(self, name: str, least: int, most: int, default: int) -> int:
        """The value of ``name``, a whole number from ``least`` to ``most``."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most):
            raise BadRequest(f"{name} is a number from {least} to {most}, not {value!r}")
        return int(value)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: an empty text counts for nothing; ``name`` is a part of it, ``client`` a network."""

    client: str = ""
    name: str = ""
    resolver: str = ""
    protocol: str = ""
    result: str = ""
    kinds: tuple[str, ...] = ()
    scope: str | None = None
    """The one resolver that a viewer may see."""

    KEYS = ("client", "name", "resolver", "protocol", "result")

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
        """The network that ``client`` is."""
        return ipaddress.ip_network(self.client, strict=False) if self.client else None


def filter_of(query: QueryFields, scope: str | None) -> Filter:
    """The filter that ``query`` asks for, for who may see the resolver ``scope`` (None: all)."""
    client = query.text("client")
    try:
        if client:
            ipaddress.ip_network(client, strict=False)
    except ValueError:
        raise BadRequest(f"client is an address or a network, not {client!r}") from None
    return Filter(
        client,
        query.text("name").lower(),
        query.text("resolver"),
        query.choice("protocol", PROTOCOLS),
        query.choice("result", RESULTS),
        scope=scope,
    )


def wanted_by(wanted: Filter) -> Callable[[Event | Skipped], bool]:
    """What says whether ``wanted`` lets an event through; one that its keys do not speak of passes."""
    if wanted == Filter():
        return lambda event: True
    network, scope = wanted.network, wanted.scope

    def is_wanted(event: Event | Skipped) -> bool:
        if isinstance(event, Exchange):
            return (
                (scope is None or event.resolver == scope)
                and (not wanted.resolver or event.resolver == wanted.resolver)
                and (not wanted.protocol or event.protocol == wanted.protocol)
                and (not wanted.result or event.result == wanted.result)
                and (not wanted.name or wanted.name in event.name.lower())
                and (network is None or _is_in(event.client[0], network))
            )
        if isinstance(event, ParentChanged):
            return (scope is None or event.resolver == scope) and wanted.resolver in ("", event.resolver)
        if isinstance(event, Session):
            return scope is None and (network is None or _is_in(event.client[0], network))
        return scope is None or not isinstance(event, LogLine | FaultChanged)

    return is_wanted


def body_of(data: bytes, kind: str) -> dict[str, Any]:
    """The JSON object in the body ``data`` of the content type ``kind``."""
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise BadRequest("the body is JSON: Content-Type: application/json", 415)
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is a JSON object")
    return body


def texts_in(body: Mapping[str, Any], *names: str, optional: Sequence[str] = ()) -> list[str]:
    """The texts that ``body`` has by these ``names``; those that are ``optional`` may be missing."""
    for name in body:
        if name not in names and name not in optional:
            raise BadRequest(f"there is no field {name!r}: there are {', '.join((*names, *optional))}")
    found = []
    for name in (*names, *optional):
        value = body.get(name, "" if name in optional else None)
        if not isinstance(value, str) or len(value) > LONGEST or (not value and name in names):
            raise BadRequest(f"{name} is a text of 1 to {LONGEST} characters")
        found.append(value)
    return found


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]) in network
    except ValueError:
        return False


_WHEN: Final = re.compile(r"(?P<nth>[0-9]{1,9})|every (?P<every>[0-9]{1,9})|share (?P<share>[0-9.]{1,9})")


def order_in(body: Any) -> dict[str, Any]:
    """The order for a fault in ``body``, as the switchboard takes it. Raises :class:`BadRequest`.

    ``when`` may stand for nth, every or share ("3", "every 3", "share 0.1"), and ``until`` for seconds (minutes).
    """
    values = body.values() if isinstance(body, dict) else [None]
    if not all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in values):
        raise BadRequest("the body is no order: a JSON object of texts and numbers")
    for key in "kind", "where", "side", "direction", "client", "name":
        value = body.get(key, "")
        if not isinstance(value, str) or len(value) > LONGEST:
            raise BadRequest(f"{key} is a text of {LONGEST} characters at most")
    order = dict(body)
    given, until = order.pop("when", ""), order.pop("until", None)
    when = str(int(given) if isinstance(given, float) and given.is_integer() else given)  # JSON has one kind of number
    found = _WHEN.fullmatch(when)
    if when and found is None:
        raise BadRequest(f"when is a number, every N or share P, not {when!r}")
    if found is not None:
        order |= {key: value for key, value in found.groupdict().items() if value is not None}
    if until is not None:
        try:
            order["seconds"] = float(until) * 60
        except ValueError:
            raise BadRequest(f"until is a number of minutes, not {until!r}") from None
    if order.get("where") == "command":
        order = {key: value for key, value in order.items() if key not in ("side", "direction")}
    return order
