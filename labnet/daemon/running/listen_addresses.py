"""Where everything listens, in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

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


def to_try(command: Iterable[IListeningPort], resolvers: Iterable[tuple[str, IListeningPort]]) -> Iterator[str]:
    """A line for each port, with a command to try; the resolvers' behind their names."""
    for port in command:
        host, number = host_and_port(port)
        if number:
            yield f"command server listens on {shown(port)} (TCP); try: labnet command {host} {number} TIME"
        else:
            yield f"command server listens on {host} (UNIX); try: nc -U {host}"
    for name, port in resolvers:
        host, number = host_and_port(port)
        yield f"resolver {name} listens on {shown(port)} (UDP, TCP); try: labnet resolve {host} {number} NAME"
