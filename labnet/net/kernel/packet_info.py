"""The local address that a datagram was sent to, on a socket that is bound to all: a reply has to leave from there.

A client takes a reply from nowhere else (RFC 2181, section 4.1). The address comes, and is given for a reply, by
control data: IP_PKTINFO (ip(7)) and IPV6_PKTINFO (RFC 3542, section 6). Linux alone is served here.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Final

IP_PKTINFO: Final = getattr(socket, "IP_PKTINFO", 8)
IPV6_PKTINFO: Final = getattr(socket, "IPV6_PKTINFO", 50)
_IPV6_RECVPKTINFO: Final = getattr(socket, "IPV6_RECVPKTINFO", 49)

IPV4_BYTES: Final = 32
"""Bytes of the control data for IPv4: a struct cmsghdr, a struct in_pktinfo, and what fills up the last word."""

IPV6_BYTES: Final = 40
"""Bytes of the control data for IPv6: a struct cmsghdr, a struct in6_pktinfo, and what fills up the last word."""

IPV4_INTERFACE: Final = 16
"""Where the number of the interface stands in the control data for IPv4."""

IPV6_INTERFACE: Final = 32
"""Where the number of the interface stands in the control data for IPv6."""

_HEADER: Final = struct.Struct("=Qii")  # a struct cmsghdr

Ancillary = list[tuple[int, int, bytes]]
"""Control data as :meth:`socket.socket.sendmsg` takes it."""


class AskingAddress(tuple[str, int]):
    """Host and port of a client, and with it the local address that it asked, as ``ancillary`` data for the reply."""

    ancillary: Ancillary

    @classmethod
    def of(cls, host_and_port: tuple[str, int], ancillary: Ancillary) -> AskingAddress:
        """``host_and_port`` with the ``ancillary`` data that came with a datagram."""
        made = cls(host_and_port)
        made.ancillary = [
            # The route decides by which interface the reply leaves, not the question.
            (level, kind, data[:16] + bytes(4) if level == socket.IPPROTO_IPV6 else bytes(4) + data[4:])
            for level, kind, data in ancillary
            if (level, kind) in ((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, IPV6_PKTINFO))
        ]
        return made


def ancillary_in(control: bytes) -> Ancillary:
    """The one item of ``control`` data in memory."""
    size, level, kind = _HEADER.unpack_from(control)
    return [(level, kind, control[_HEADER.size : size])]


def ask_for_destination(sock: socket.socket) -> bool:
    """Have each datagram of ``sock`` come with the address it was sent to, if it is bound to all; returns whether."""
    if sys.platform != "linux" or sock.getsockname()[0] not in ("0.0.0.0", "::"):
        return False
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    return True
