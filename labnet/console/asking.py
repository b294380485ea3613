"""The other end of the control socket: for Twisted, and for a command that waits."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from labnet.console.control import ControlError
from labnet.net.opening.unixpath import LONGEST_PATH

LONGEST_REPLY: Final = 64_000_000
"""Bytes of a line that a client takes."""

STOPPING: Final = 120.0
"""Seconds that a lab has to stop: its ``grace`` is a few of them, unless a configuration says otherwise."""


class ControlClient(LineOnlyReceiver):
    """The other end, for Twisted: many requests may be on the way. ``lost`` is called when the connection is."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_REPLY

    def __init__(self, lost: Callable[[], None] = lambda: None) -> None:
        self._lost = lost
        self._waiting: deque[tuple[Deferred[Any], list[Any]]] = deque()
        self._open = False

    def connectionMade(self) -> None:
        self._open = True

    def ask(self, do: str, **fields: Any) -> Deferred[Any]:
        """The result of the action ``do``; a long one whole. Fails with :class:`ControlError`, or ConnectionLost."""
        asked: Deferred[Any] = Deferred(lambda _: None)
        if not self._open:
            asked.errback(ConnectionLost())
            return asked
        self._waiting.append((asked, []))
        self.sendLine(json.dumps({"do": do, **fields}, separators=(",", ":")).encode())
        return asked

    def lineReceived(self, line: bytes) -> None:
        reply = json.loads(line)
        asked, parts = self._waiting[0]
        if reply.get("more"):
            parts += reply["result"]
            return
        self._waiting.popleft()
        if asked.called:  # it was cancelled
            return
        if reply["ok"]:
            asked.callback(parts + reply["result"] if parts else reply["result"])
        else:
            asked.errback(ControlError(reply["error"]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        waiting, self._waiting = self._waiting, deque()
        for asked, _ in waiting:
            if not asked.called:
                asked.errback(ConnectionLost() if reason.check(ConnectionDone) else reason)
        self._lost()

    def close(self) -> None:
        """Send what is unsent, then close."""
        if self.transport is not None:
            self.transport.loseConnection()


class Control:
    """The other end for a command: one question after the other, each answered within ``timeout`` seconds.

    Raises :class:`ControlError` in a sentence where no lab answers at ``path``.
    """

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self._path = path
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            if len(os.fsencode(path)) > LONGEST_PATH:
                raise ControlError(f"{path} is no control socket: its path has more than {LONGEST_PATH} bytes")
            self._socket.connect(path)
        except (OSError, ControlError) as error:
            self._socket.close()
            raise ControlError(self._words(error)) from None
        self._lines = self._socket.makefile("rb")

    def ask(self, do: str, **fields: Any) -> Any:
        """The result of the action ``do``."""
        results = list(self._replies(do, fields))
        return results[0] if len(results) == 1 else [item for part in results for item in part]

    def stream(self, do: str, **fields: Any) -> Iterator[Any]:
        """The items of the long result of ``do``, as they come."""
        for part in self._replies(do, fields):
            yield from part

    def stop(self, timeout: float = STOPPING) -> None:
        """Have the lab stop, and wait until its process is gone, for ``timeout`` seconds at most."""
        process = _process_behind(self._socket)
        try:
            self.ask("stop")
            self._timeout = timeout
            self._socket.settimeout(timeout)
            while self._socket.recv(4096):
                pass  # it closes its end once what was in flight is done
            if process is not None and not select.select([process], [], [], self._timeout)[0]:
                raise TimeoutError
        except OSError as error:
            raise ControlError(self._words(error)) from None
        finally:
            if process is not None:
                os.close(process)

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _replies(self, do: str, fields: dict[str, Any]) -> Iterator[Any]:
        more = True
        try:
            self._socket.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
            while more:
                line = self._lines.readline(LONGEST_REPLY)
                if not line.endswith(b"\n"):
                    raise ControlError(f"the lab at {self._path} ended before it answered")
                reply = json.loads(line)
                if not reply["ok"]:
                    raise ControlError(reply["error"])
                more = reply.get("more", False)
                yield reply["result"]
        except (OSError, ValueError) as error:
            raise ControlError(self._words(error)) from None

    def _words(self, error: Exception) -> str:
        if isinstance(error, ControlError):
            return str(error)
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return f"no lab runs here: nobody listens at {self._path}; start it, or name its --socket or --config"
        if isinstance(error, PermissionError):
            return f"no permission to open {self._path}: only the user that the lab runs as may, and root"
        if isinstance(error, TimeoutError):
            return f"the lab at {self._path} does not answer within {self._timeout:g} s"
        if isinstance(error, ValueError):
            return f"what answers at {self._path} is no lab"
        return f"cannot talk to {self._path}: {getattr(error, 'strerror', None) or error}"


def _process_behind(sock: socket.socket) -> int | None:
    """A descriptor that can be read from once the process at the other end is gone; None where there is no such thing.

    Linux knows who is there (unix(7), SO_PEERCRED), in the numbers of this process, also where that is in a container.
    """
    try:
        pid, _, _ = struct.unpack("=iii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None
