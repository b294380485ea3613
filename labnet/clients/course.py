"""The resolver's client: ``client.py SERVER_IP SERVER_PORT`` of the assignment, interactive or for scripts."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labnet.clients.errors import NoAnswer
from labnet.wire.course import decode_reply, encode_question
from labnet.wire.course_line import TextError
from labnet.wire.quoting import quoted
from labnet.wire.types import CourseReply, fold, is_name


@dataclass(frozen=True)
class CourseClient:
    """NameClient the server at ``host`` and ``port``, ``tries`` times with ``timeout`` seconds each.

    ``tap`` takes each socket and returns the one to use, which may look at what passes.
    """

    host: str
    port: int
    timeout: float = 3.0
    tries: int = 3
    tap: Callable[[socket.socket], socket.socket] = field(default=lambda sock: sock)

    def ask(self, name: str) -> str | None:
        """The address of ``name``, or None where the server does not know it. Raises :class:`NoAnswer`."""
        if not is_name(name):
            return None
        where = f"{self.host} port {self.port}"
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise NoAnswer(f"no answer from {where}: {error.strerror}") from error
        except UnicodeError as error:  # of the codec that turns a host name into IDNA
            raise NoAnswer(f"no answer from {where}: this is no host name") from error
        why = ""
        for family, kind, protocol, _, address in addresses:
            try:
                with socket.socket(family, kind, protocol) as sock:
                    sock.connect(address)
                    reply = self._exchange(self.tap(sock), name)
            except OSError as error:
                # localhost, for one, may have an address where no server listens before the server's.
                why = f": {error.strerror}"
                continue
            except _Unreadable as error:
                raise NoAnswer(f"{where} sent a reply that cannot be read: {quoted(str(error))}") from error
            except _Silent:
                why = f" in {self.tries} tries of {self.timeout:g} s"
                break
            return None if reply is None else reply.address
        raise NoAnswer(f"no answer from {where}{why}")

    def _exchange(self, sock: socket.socket, name: str) -> CourseReply | None:
        for _ in range(self.tries):
            sock.send(encode_question(name))
            with contextlib.suppress(_Silent):
                return self._receive(sock, name)
        raise _Silent

    def _receive(self, sock: socket.socket, name: str) -> CourseReply | None:
        until = time.monotonic() + self.timeout
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                reply = decode_reply(sock.recv(65535))
            except TimeoutError:
                break
            except TextError as error:
                raise _Unreadable(str(error)) from error
            if reply is None or reply.name is None or fold(reply.name) == fold(name):
                return reply
        raise _Silent


class _Unreadable(Exception):
    """A reply came that is none of any dialect."""


class _Silent(Exception):
    """No reply came in time."""


class NameClient(Protocol):
    """A client of either protocol."""

    def ask(self, name: str) -> str | None:
        """The text to print for ``name``, or None where it is not known. Raises :class:`NoAnswer`."""


def run(client: NameClient, names: Sequence[str]) -> int:
    """Print the address of each name; the exit status: 0 all found, 1 one is unknown, 2 no answer."""
    status = 0
    for name in names:
        try:
            address = client.ask(name)
        except NoAnswer as error:
            print(f"labnet: {name}: {error}", file=sys.stderr)
            status = 2
            continue
        if address is None:
            print(f"labnet: {name}: not found", file=sys.stderr)
            status = max(status, 1)
        else:
            print(address, flush=True)
    return status


def converse(client: NameClient) -> int:
    """The assignment's loop: ask for a name, print its address or ``not found``, until end of file or Ctrl-C."""
    print("trying to connect to server...")
    while True:
        print("Type your web address and get its ip address:", flush=True)
        try:
            name = input().strip()
            if name:
                print(client.ask(name) or "not found", flush=True)
        except NoAnswer as error:
            print(f"labnet: {error}", file=sys.stderr)
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
