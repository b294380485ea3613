"""Addresses of senders as they lie in memory: a struct sockaddr_in or sockaddr_in6, and control data behind it."""

from __future__ import annotations

import socket
from struct import Struct, pack
from typing import Final

from labnet.net.kernel.packet_info import AskingAddress, ancillary_in

IPV4_BYTES: Final = 16
"""Bytes of a struct sockaddr_in."""

IPV6_BYTES: Final = 28
"""Bytes of a struct sockaddr_in6."""

_FAMILY: Final = Struct("=H")
_IPV4: Final = Struct("!2xH4s")
_IPV6: Final = Struct("!2xH4x16s")
_SCOPE: Final = Struct("=24xI")  # the one field in the machine's own byte order

Source = int | tuple[int, int]
"""The host of a sender as it is compared: one number, of IPv6 two."""


def address_in(name: bytes) -> tuple[str, int]:
    """Host and port in ``name``; with the local address that was asked, if its control data stands behind it.

    A host with a scope has the interface's number (``fe80::1%2``).
    """
    if _FAMILY.unpack_from(name)[0] == socket.AF_INET6:
        size = IPV6_BYTES
        port, packed = _IPV6.unpack_from(name)
        (scope,) = _SCOPE.unpack_from(name)
        host = socket.inet_ntop(socket.AF_INET6, packed)
        address = f"{host}%{scope}" if scope else host, port
    else:
        size = IPV4_BYTES
        port, packed = _IPV4.unpack_from(name)
        address = socket.inet_ntop(socket.AF_INET, packed), port
    return address if len(name) == size else AskingAddress.of(address, ancillary_in(name[size:]))


def host_of(source: Source) -> str:
    """The host of a sender in text, without its scope."""
    if isinstance(source, int):
        return socket.inet_ntop(socket.AF_INET, pack("=I", source))
    return socket.inet_ntop(socket.AF_INET6, pack("=QQ", *source))
