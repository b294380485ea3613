"""The command server's client: the transcript's steps, interactive or for scripts."""

from __future__ import annotations

import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from labnet.clients.errors import NoAnswer
from labnet.dialects.framing import Framer, FramingError, frame
from labnet.dialects.model import Dialect
from labnet.wire.quoting import quoted

PREFIX: Final = "MESSAGE!!! ----> "
PROMPT: Final = f"{PREFIX}Please enter a command (TIME or EXIT): "
LAST_PROMPT: Final = f"{PREFIX}Press Enter to exit from the console..."
LONGEST_REPLY: Final = 65536

CLOSES_WITHIN: Final = 1.0
"""Seconds in which a server that answers ``EXIT`` closes the connection behind its answer."""

TURN: Final = "a server that serves one client at a time keeps others waiting until that one leaves"
"""Why a server may not greet."""


class CommandConnection:
    """A connection to the command server at ``host`` and ``port``, with ``timeout`` seconds for each reply.

    Commands go out without a newline and one receive is one reply, as with the clients of the course, so that it works
    with their servers too. Opening tries ``tries`` times. ``tap`` takes the socket and returns the one to use,
    which may look at what passes. Every method raises :class:`NoAnswer`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float = 5.0,
        tries: int = 3,
        tap: Callable[[socket.socket], socket.socket] = lambda sock: sock,
        dialect: Dialect | None = None,
    ) -> None:
        self._framing = "whole" if dialect is None else dialect.framing
        self._framer = Framer(self._framing, by_line=False)
        self._ends = ("EXIT",) if dialect is None else dialect.commands.end
        self.speaks_first = dialect is not None and dialect.commands.greeting is None
        """Whether the server does not greet."""
        self.where = f"{host} port {port}"
        self.timeout = timeout
        self._is_greeted = False
        self._early: deque[str] = deque()
        while True:
            tries -= 1
            try:
                self._socket = tap(socket.create_connection((host, port), timeout))
                return
            except UnicodeError as error:  # of the codec that turns a host name into IDNA
                raise NoAnswer(f"cannot connect to {self.where}: this is no host name") from error
            except OSError as error:
                refused = isinstance(error, ConnectionRefusedError | socket.gaierror)
                if refused or tries <= 0:
                    why = error.strerror or f"no connection in {timeout:g} s"
                    raise NoAnswer(f"cannot connect to {self.where}: {why}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """The descriptor of its socket, for waiting until something comes."""
        return self._socket.fileno()

    def is_exit(self, command: str) -> bool:
        """Whether ``command`` is one that ends the connection."""
        return command.strip() in self._ends

    def receive(self) -> str:
        """The next reply, without its newline; empty where the server has closed the connection."""
        if self._early:
            return self._early.popleft()
        try:
            received = self._receive()
        except TimeoutError as error:
            why = "" if self._is_greeted else f", nor a greeting: {TURN}"
            raise NoAnswer(f"no answer from {self.where} in {self.timeout:g} s{why}") from error
        except ConnectionResetError:
            return ""
        except OSError as error:
            raise NoAnswer(f"no answer from {self.where}: {error.strerror}") from error
        self._is_greeted = True
        return received.decode(errors="replace").rstrip("\n")

    def _receive(self) -> bytes:
        """One receive, or where the dialect frames its messages one of them."""
        messages: list[bytes] = []
        while not messages:
            received = self._socket.recv(LONGEST_REPLY)
            if not received:
                return b"".join(self._framer.end())
            try:
                messages = self._framer.receive(received)
            except FramingError as error:
                raise NoAnswer(f"{self.where} sent a reply that cannot be read: {error}") from None
        self._early += [message.decode(errors="replace").rstrip("\n") for message in messages[1:]]
        return messages[0]

    def closes(self) -> bool:
        """Whether the server closes the connection now, within :data:`CLOSES_WITHIN`; what it says is not lost."""
        self._socket.settimeout(CLOSES_WITHIN)
        try:
            received = self.receive()
        except NoAnswer:
            return False
        finally:
            self._socket.settimeout(self.timeout)
        if received:
            self._early.append(received)
        return not received

    def send(self, command: str) -> bool:
        """Send ``command``; False where the server has closed the connection."""
        try:
            self._socket.sendall(frame(self._framing, command.encode(errors="surrogateescape")))
        except FramingError as error:
            raise NoAnswer(f"cannot send to {self.where}: {error}") from None
        except (BrokenPipeError, ConnectionResetError):
            return False
        except OSError as error:
            raise NoAnswer(f"cannot send to {self.where}: {error.strerror}") from error
        return True

    def ask(self, command: str) -> str:
        """Send ``command``; its reply, empty where the server closed the connection instead."""
        return self.receive() if self.send(command) else ""


def is_exit(command: str) -> bool:
    """Whether ``command`` is the one that ends the connection."""
    return command.strip() == "EXIT"


def run(connection: CommandConnection, commands: Sequence[str]) -> int:
    """Print the reply to each command; the exit status: 0, or 2 where the server closed before it answered one.

    What stands behind an ``EXIT`` that closes the connection is not sent.
    """
    if not connection.speaks_first:
        connection.receive()
    for number, command in enumerate(commands, 1):
        reply = connection.ask(command)
        if reply:
            print(shown(reply), flush=True)
        elif not connection.is_exit(command):
            raise NoAnswer("the server closed the connection")
        if connection.is_exit(command) and (not reply or (number < len(commands) and connection.closes())):
            break
    return 0


def converse(connection: CommandConnection) -> int:
    """The transcript's loop: greet, then commands until EXIT, end of file, Ctrl-C, or until the server closes."""
    try:
        if not connection.speaks_first:
            print(f"{PREFIX}Server Message: {shown(connection.receive())}", flush=True)
        while True:
            command = input(PROMPT)
            if not command:
                continue
            reply = connection.ask(command)
            if reply:
                print(f"{PREFIX}Server Response: {shown(reply)}", flush=True)
                if not (connection.is_exit(command) and connection.closes()):
                    continue
            elif not connection.is_exit(command):
                print("labnet: the server closed the connection", file=sys.stderr)
            input(LAST_PROMPT)
            return 0
    except (EOFError, KeyboardInterrupt):
        print()
        return 0


def shown(reply: str) -> str:
    """``reply`` as it may be printed, its lines kept."""
    return quoted(reply, keep="\n")
