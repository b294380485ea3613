"""Where the lab that runs here listens: what the clients ask when nobody named a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from labnet.clients.errors import NoAnswer
from labnet.clients.schemes import PORTS, Scheme

Kind = Literal["command", "resolver"]

_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What is asked of a server that listens on every address."""

DNS_PORT: Final = PORTS[""]


def ask_lab() -> list[dict[str, Any]]:
    """The services of the lab that runs here; none where there is no such lab that may be asked."""
    from labnet.console.control import ControlError
    from labnet.console.running import Where, control_of

    try:
        with control_of(Where()) as control:
            services: list[dict[str, Any]] = control.ask("status")["services"]
    except ControlError:
        return []
    return services


def place_of(kind: Kind, server: str | None, port: int | None, scheme: Scheme = "") -> tuple[str, int]:
    """The address and port of the server to ask, where ``server`` or ``port`` or both are not named.

    Both are those of the running lab's first service of ``kind`` that fits what is named; a resolver that is not of
    the lab has the port of its ``scheme``, and a port that is not the lab's is asked at 127.0.0.1. Raises
    :class:`NoAnswer`.
    """
    if server is not None and port is not None:
        return server, port
    for service in ask_lab():
        for host, number in _listeners(service, scheme) if service["kind"] == kind else ():
            if server in (None, host) and port in (None, number):
                return host, number
    if server is not None and kind == "resolver":
        return server, PORTS[scheme]
    if port is not None:
        return "127.0.0.1", port
    if server is not None:
        raise NoAnswer(f"the lab that runs here has no command server at {server}: name its port too, SERVER PORT")
    what = "command server" if kind == "command" else f"resolver{' by ' + scheme.upper() if scheme else ''}"
    raise NoAnswer(f"no lab runs here that has a {what} to ask: start one with labnet run, or name SERVER PORT")


def _listeners(service: dict[str, Any], scheme: Scheme) -> Iterator[tuple[str, int]]:
    for shown in service["listeners"]:
        kind, _, listener = shown.rpartition(" ")
        if kind != scheme:
            continue
        host, _, port = listener.rpartition(":")
        if port.isdigit() and not listener.startswith("/"):
            host = host.removeprefix("[").removesuffix("]")
            yield _ANY.get(host, host), int(port)
