"""Addresses and ports as text and as families of the socket module."""

from __future__ import annotations

import socket


def address_text(host: str, port: int) -> str:
    """An address and its port for people: ``192.0.2.53:53``, ``[2001:db8::53]:53``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def family_of(host: str) -> socket.AddressFamily:
    """The family of the numeric address ``host``; "" is all of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
