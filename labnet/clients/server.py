"""One server as the clients of both protocols ask it, by connected sockets, and how an error quotes its words."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from labnet.clients.errors import NoAnswer
from labnet.wire.quoting import quoted

Taken = TypeVar("Taken")
Tap = Callable[[socket.socket], socket.socket]

_LONGEST_QUOTE: Final = 200
"""Bytes of a server's reply that an error quotes."""


@dataclass(frozen=True)
class AskedServer:
    """The server at ``host`` and ``port``, asked ``tries`` times with ``timeout`` seconds each.

    ``tap`` takes each socket and returns the one to use, which may look at what passes. Every method raises
    :class:`NoAnswer`. A socket is connected, so that a port on which nobody listens is an error at once.
    """

    host: str
    port: int
    timeout: float
    tries: int
    tap: Tap
    wrap: Callable[[socket.socket, str], socket.socket] | None = None
    """Makes an encrypted connection of one to a host."""

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"

    @property
    def silence(self) -> str:
        """How long it was silent, for an error."""
        return f" in {self.tries} tries of {self.timeout:g} s"

    def ask(self, question: bytes, take: Callable[[bytes], Taken | None]) -> Taken:
        """Send ``question``; what ``take`` makes of the first datagram of which it makes something.

        Of several addresses the next one is asked where no server listens on one: ``localhost`` may have an address
        before the server's. What ``take`` raises passes through. The error of a server that is silent, but for
        datagrams of which ``take`` makes None, quotes the last of them.
        """
        why = ""
        for family, kind, protocol, _, address in self._addresses(socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind, protocol) as sock:
                    sock.connect(address)
                    return self._exchange(self.tap(sock), question, take)
            except OSError as error:
                why = f": {error.strerror}"
            except _Silent as silence:
                why = f"{self.silence}{silence}"
                break
        raise NoAnswer(f"no answer from {self}{why}")

    def connect(self) -> socket.socket:
        """A TCP connection whose every call takes ``timeout`` seconds at most; raises TimeoutError where opening does.

        The caller closes it.
        """
        why = ""
        for family, kind, protocol, _, address in self._addresses(socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self.timeout)
                sock.connect(address)
                return self.tap(sock if self.wrap is None else self.wrap(sock, self.host))
            except OSError as error:
                sock.close()
                if isinstance(error, TimeoutError):
                    raise
                why = f": {error.strerror}"
        raise NoAnswer(f"no answer from {self}{why}")

    def pieces(self, sock: socket.socket) -> Iterator[bytes]:
        """What comes from ``sock`` until it ends; raises TimeoutError where that takes longer than a try may."""
        until = time.monotonic() + self.timeout
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            piece = sock.recv(65537)
            if not piece:
                return
            yield piece
        raise TimeoutError

    def _addresses(self, kind: int) -> Iterator[tuple[int, int, int, str, Any]]:
        try:
            yield from socket.getaddrinfo(self.host, self.port, type=kind)
        except OSError as error:
            raise NoAnswer(f"no answer from {self}: {error.strerror}") from error
        except UnicodeError as error:  # of the codec that turns a host name into IDNA
            raise NoAnswer(f"no answer from {self}: this is no host name") from error

    def _exchange(self, sock: socket.socket, question: bytes, take: Callable[[bytes], Taken | None]) -> Taken:
        other = ""
        for _ in range(self.tries):
            sock.send(question)
            until = time.monotonic() + self.timeout
            while (left := until - time.monotonic()) > 0:
                sock.settimeout(left)
                try:
                    datagram = sock.recv(65535)
                except TimeoutError:
                    break
                taken = take(datagram)
                if taken is not None:
                    return taken
                other = f"; it replied to another question: {said(datagram)}"
        raise _Silent(other)


class _Silent(Exception):
    """No reply came in time; the text says what came instead."""


def said(data: bytes) -> str:
    """``data`` as an error quotes it: in one line, harmless for a terminal, and not endless."""
    if not data:
        return "an empty datagram"
    cut = f" and {len(data) - _LONGEST_QUOTE} more bytes" if len(data) > _LONGEST_QUOTE else ""
    text = quoted(data[:_LONGEST_QUOTE].decode(errors="backslashreplace"))
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{text}{mark}{cut}"
