"""Which user of this machine is at the other end of a connection, by what Linux says of it (proc(5), unix(7))."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any, Final

from twisted.internet.address import UNIXAddress

_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_SO_PEERCRED: Final = 17
_CREDENTIALS: Final = struct.Struct("=iii")  # pid, uid, gid
_UID: Final = 7
_INODE: Final = 9


def user_of(transport: Any, tables: tuple[str, str] = _TABLES) -> int | None:
    """The uid of the process that is connected by ``transport``.

    None where it is on another machine or in another network namespace, has closed its socket already, or the system is
    not Linux. ``tables`` list the connections of IPv4 and IPv6.
    """
    peer, host = transport.getPeer(), transport.getHost()
    if isinstance(peer, UNIXAddress):
        return _credentials_of(getattr(transport, "socket", None))
    client, server = (ipaddress.ip_address(end.host.partition("%")[0]) for end in (peer, host))
    for table, client_text, server_text in zip(tables, _forms(client), _forms(server), strict=True):
        uid = _find(table, f" {client_text}:{peer.port:04X} {server_text}:{host.port:04X} ")
        if uid is not None:
            return uid
    return None


def _credentials_of(sock: socket.socket | None) -> int | None:
    if sock is None:
        return None
    try:
        _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, _CREDENTIALS.size))
    except OSError:
        return None
    return int(uid)


def _forms(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[str, str]:
    """How the two tables write ``address``: words in the byte order of the machine; IPv4 may stand in either."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    if isinstance(mapped, ipaddress.IPv4Address):
        return _words(mapped.packed), _words(b"\0" * 10 + b"\xff\xff" + mapped.packed)
    return "-", _words(address.packed)


def _words(packed: bytes) -> str:
    return "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed))


def _find(table: str, ends: str) -> int | None:
    try:
        with open(table, encoding="ascii") as file:
            row = next((line for line in file if ends in line), "").split()
    except OSError:
        return None
    # A socket that its process has closed has no inode, and user 0 stands there for nobody.
    return int(row[_UID]) if len(row) > _INODE and row[_INODE] != "0" else None
