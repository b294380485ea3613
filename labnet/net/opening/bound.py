"""Sockets that are bound to an address, also to one that is not there yet."""

from __future__ import annotations

import errno
import socket
import sys
from functools import cache
from typing import Final

from twisted.logger import Logger

from labnet.net.addresses import family_of, socket_address

# Python has no names for them (ip(7), ipv6(7)).
_FREEBIND: Final = (socket.IPPROTO_IP, 15)
_IPV6_FREEBIND: Final = (socket.IPPROTO_IPV6, 78)

_log = Logger()


def bound_socket(kind: int, interface: str, port: int, shared: bool = False, freebind: bool = True) -> socket.socket:
    """A new non-blocking socket on the address ``interface`` ("" for all of IPv4); raises OSError.

    ``shared`` sets SO_REUSEPORT: every process of this user that does the same may have the same address. With
    ``freebind`` an address may be one that no interface has yet, as at boot: that is logged once.
    """
    sock = socket.socket(family_of(interface), kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            # As Twisted does it: connections of the daemon before this one may linger.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sock.family == socket.AF_INET6:
            # All of IPv6 is not all of IPv4 too: each has its listener, and both can be open.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address = socket_address(interface, port)
        try:
            sock.bind(address)
        except OSError as error:
            if not (freebind and error.errno == errno.EADDRNOTAVAIL and sys.platform == "linux"):
                raise
            sock.setsockopt(*(_IPV6_FREEBIND if sock.family == socket.AF_INET6 else _FREEBIND), 1)
            sock.bind(address)
            _say_missing(interface)
    except BaseException:
        sock.close()
        raise
    return sock


@cache
def _say_missing(interface: str) -> None:
    _log.warn(
        "no interface has the address {address} yet: it is listened on, and served as soon as one has it",
        address=interface,
        event="lab.address-missing",
    )
