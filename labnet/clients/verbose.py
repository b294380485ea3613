"""``-v``: what a client sends and receives, printed with its time while it passes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, cast

from labnet.clients.server import Tap
from labnet.wire.quoting import quoted

_MOST: Final = 4096
"""Bytes of one datagram or segment that are printed."""


def shown(tap: Tap, show: Callable[[str], None], clock: Callable[[], float], dns: bool = False) -> Tap:
    """``tap`` with what passes given to ``show`` as lines; ``clock`` gives the epoch second.

    With ``dns`` a DNS message is shown as text, as master files have it, what is none by its bytes.
    """

    def tapped(sock: socket.socket) -> socket.socket:
        return cast(socket.socket, _ShownSocket(tap(sock), show, clock, _dns_lines if dns else _lines))

    return tapped


class _ShownSocket:
    """A blocking, connected socket that shows what it sends and receives."""

    def __init__(
        self,
        sock: socket.socket,
        show: Callable[[str], None],
        clock: Callable[[], float],
        lines: Callable[[bytes, bool], Iterator[str]],
    ) -> None:
        self._socket = sock
        self._show = show
        self._clock = clock
        self._lines = lines
        self._is_stream = sock.type == socket.SOCK_STREAM
        self._by = "TLS" if hasattr(sock, "selected_alpn_protocol") else "TCP" if self._is_stream else "UDP"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: bytes) -> int:
        count = self._socket.send(data)
        self._tell("sent to", data[:count])
        return count

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)
        self._tell("sent to", data)

    def recv(self, size: int) -> bytes:
        data = self._socket.recv(size)
        self._tell("received from", data)
        return data

    def _tell(self, how: str, data: bytes) -> None:
        host, port = self._socket.getpeername()[:2]
        at = datetime.fromtimestamp(self._clock()).strftime("%H:%M:%S.%f")
        what = f"{len(data)} byte{'' if len(data) == 1 else 's'} by {self._by}"
        if self._is_stream and not data:
            what = "the end of the connection"
        self._show(f"{at} {how} {host} port {port}: {what}")
        for line in self._lines(data[:_MOST], self._is_stream):
            self._show(f"    {line}")


def _lines(data: bytes, is_stream: bool) -> Iterator[str]:
    """Text as it is quoted, anything else by its bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield from _dump(data)
        return
    for line in text.splitlines(keepends=True):
        yield quoted(line)


def _dns_lines(data: bytes, is_stream: bool) -> Iterator[str]:
    import dns.exception
    import dns.message

    is_whole = is_stream and len(data) == 2 + int.from_bytes(data[:2])
    try:
        message = dns.message.from_wire(data[2:] if is_whole else data)
    except (dns.exception.DNSException, ValueError):
        yield from _dump(data)
        return
    for line in message.to_text().splitlines():
        yield quoted(line)


def _dump(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"{start:04x}  {row.hex(' '):<47}  {text}"
