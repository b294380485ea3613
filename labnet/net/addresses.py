"""Addresses and ports: as text for people, and as the socket module has them."""

from __future__ import annotations

import socket
from typing import Any


def address_text(host: str, port: int) -> str:
    """An address and its port for people: ``192.0.2.53:53``, ``[2001:db8::53]:53``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(host: str) -> socket.AddressFamily:
    """The family of the numeric address ``host``; "" is all of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def socket_address(host: str, port: int) -> tuple[Any, ...]:
    """What connect, bind and sendto take for ``host`` and ``port``; the scope of ``fe80::1%eth0`` is a number there.

    Raises OSError where there is no such interface.
    """
    address, _, scope = host.partition("%")
    if not scope:
        return host, port
    return address, port, 0, int(scope) if scope.isascii() and scope.isdigit() else socket.if_nametoindex(scope)


def host_and_port(address: tuple[Any, ...]) -> tuple[str, int]:
    """Host and port in an ``address`` of the socket module; the host with the number of its scope (``fe80::1%2``)."""
    host, port = address[:2]
    return (f"{host}%{address[3]}" if len(address) > 3 and address[3] else host), port
