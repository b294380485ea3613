"""Where everything listens, in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from twisted.internet.interfaces import IListeningPort

from labnet.net.addresses import address_text


def host_and_port(port: IListeningPort) -> tuple[str, int]:
    """Where ``port`` listens; a UNIX socket has its path for a host and the number 0."""
    address = port.getHost()
    name = os.fsdecode(getattr(address, "name", None) or b"")
    return getattr(address, "host", name), getattr(address, "port", 0)


def shown(port: IListeningPort) -> str:
    """Where ``port`` listens in one word: ``192.0.2.53:53``, ``[2001:db8::53]:53``, or a path."""
    host, number = host_and_port(port)
    return address_text(host, number) if number else host


class Listening(NamedTuple):
    """A port: ``service`` listens ``at`` an address or path, by ``transports``; ``example`` is a command to try."""

    service: str
    at: str
    transports: str
    example: str


LISTENS: Final = "{service} listens on {at} ({transports}); try: {example}"
"""How the log says a :class:`Listening`."""


TRANSPORTS: Final = {"udp": "UDP, TCP", "tls": "TLS", "https": "HTTPS", "http": "HTTP"}
"""By which transports a resolver's port of each kind listens."""


def to_try(
    command: Iterable[IListeningPort], resolvers: Iterable[tuple[str, str, IListeningPort]]
) -> Iterator[Listening]:
    """Each port with a command to try; the resolvers' behind their names and kinds."""
    for port in command:
        host, number = host_and_port(port)
        if number:
            yield Listening("command server", shown(port), "TCP", f"labnet command {host} {number} TIME")
        else:
            yield Listening("command server", host, "UNIX", f"nc -U {host}")
    for name, kind, port in resolvers:
        host, number = host_and_port(port)
        option = "" if kind == "udp" else f"--{kind} "
        example = f"labnet resolve {option}{host} {number} NAME"
        yield Listening(f"resolver {name}", shown(port), TRANSPORTS[kind], example)
