"""The command server's client: the transcript's steps, interactive or for scripts."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from labnet.clients.errors import NoAnswer
from labnet.wire.quoting import quoted

PREFIX = "MESSAGE!!! ----> "
_LONGEST_REPLY = 65536


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
    ) -> None:
        self._where = f"{host} port {port}"
        self._timeout = timeout
        while True:
            tries -= 1
            try:
                self._socket = tap(socket.create_connection((host, port), timeout))
                return
            except UnicodeError as error:  # of the codec that turns a host name into IDNA
                raise NoAnswer(f"cannot connect to {self._where}: this is no host name") from error
            except OSError as error:
                refused = isinstance(error, ConnectionRefusedError | socket.gaierror)
                if refused or tries <= 0:
                    why = error.strerror or f"no connection in {timeout:g} s"
                    raise NoAnswer(f"cannot connect to {self._where}: {why}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def receive(self) -> str:
        """The next reply, without its newline; empty where the server has closed the connection."""
        try:
            return self._socket.recv(_LONGEST_REPLY).decode(errors="replace").rstrip("\n")
        except TimeoutError as error:
            raise NoAnswer(f"no answer from {self._where} in {self._timeout:g} s") from error
        except ConnectionResetError:
            return ""
        except OSError as error:
            raise NoAnswer(f"no answer from {self._where}: {error.strerror}") from error

    def ask(self, command: str) -> str:
        """Send ``command``; its reply, empty where the server closed the connection instead."""
        try:
            self._socket.sendall(command.encode(errors="surrogateescape"))
        except (BrokenPipeError, ConnectionResetError):
            return ""
        except OSError as error:
            raise NoAnswer(f"cannot send to {self._where}: {error.strerror}") from error
        return self.receive()


def run(connection: CommandConnection, commands: Sequence[str]) -> int:
    """Print the reply to each command; the exit status: 0, or 2 where the server closed before it answered one."""
    connection.receive()
    for command in commands:
        reply = connection.ask(command)
        if reply:
            print(_shown(reply), flush=True)
        elif command.strip() != "EXIT":
            raise NoAnswer("the server closed the connection")
        else:
            break
    return 0


def converse(connection: CommandConnection) -> int:
    """The transcript's loop: greet, then commands until EXIT, end of file, Ctrl-C, or until the server closes."""
    try:
        print(f"{PREFIX}Server Message: {_shown(connection.receive())}", flush=True)
        while True:
            command = input(f"{PREFIX}Please enter a command (TIME or EXIT): ")
            if not command:
                continue
            reply = connection.ask(command)
            if reply:
                print(f"{PREFIX}Server Response: {_shown(reply)}", flush=True)
                continue
            if command.strip() != "EXIT":
                print("labnet: the server closed the connection", file=sys.stderr)
            input(f"{PREFIX}Press Enter to exit from the console...")
            return 0
    except (EOFError, KeyboardInterrupt):
        print()
        return 0


def _shown(reply: str) -> str:
    return quoted(reply, keep="\n")
