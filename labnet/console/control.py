"""The control socket: a UNIX socket by which its owner asks a running lab for something and tells it what to do.

A request is one JSON object a line, ``{"do": "flush", "name": "example.org"}``. Its reply is one line too,
``{"ok": true, "result": …}`` or ``{"ok": false, "error": "a sentence"}``, in the order of the requests; only a long
result comes in several, each but the last with ``"more": true`` and each with a list of items.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IConsumer, IListeningPort, IPullProducer, IReactorUNIX
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import InUse, StartError
from labnet.net.opening.unixpath import LONGEST_PATH, remove_dead

Action = Callable[[dict[str, Any]], Any]
"""Takes a request; gives a result or a Deferred of one, of what JSON has, or an iterator of a long one's items."""

LONGEST_REQUEST: Final = 1_000_000
"""Bytes of a request; what is longer ends the connection."""

CLOSED_BY_EXIT: Final = "closed by EXIT"
"""The state, in the status of a lab, of a command server that an EXIT has closed."""

_CHUNK: Final = 65536
"""Characters of a long result that are sent in one reply, and held in memory."""


class ControlError(Exception):
    """What was asked cannot be done; the text is a sentence for who asked."""


class ControlServer(Service):
    """Serves ``actions``, by their names, at the UNIX socket ``path``, which its owner alone can open.

    The socket of a process that is dead is replaced; a living one's is a :class:`~labnet.interfaces.StartError`, as is
    a path too long. A folder that cannot be written costs the control socket alone: that is logged.
    """

    log = Logger()

    def __init__(self, path: str, actions: Mapping[str, Action], reactor: IReactorUNIX) -> None:
        self.path = path
        self.actions = actions
        self.sessions: set[ControlProtocol] = set()
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._failing: set[str] = set()

    def privilegedStartService(self) -> None:
        """Say in time why the socket cannot be had; it is opened by whom the process becomes."""
        if len(os.fsencode(self.path)) > LONGEST_PATH:
            raise StartError(self.path, f"the path of a UNIX socket has {LONGEST_PATH} bytes at most")
        with contextlib.suppress(OSError):
            _make_room(self.path)

    def startService(self) -> None:
        super().startService()
        before = os.umask(0o177)
        os.umask(before)
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            _make_room(self.path)
            # Set for the call alone: a socket that were made for all and then closed to them could be opened before.
            os.umask(0o177)
            self._port = self._reactor.listenUNIX(self.path, ControlFactory(self), mode=0o600)
        except (OSError, CannotListenError) as error:
            why = getattr(error, "socketError", error)
            self.log.warn(
                "cannot open the control socket {path}: {reason}; labnet status and the others cannot reach this lab",
                path=self.path,
                reason=getattr(why, "strerror", None) or str(why),
                event="control.not-open",
            )
        finally:
            os.umask(before)

    def failed(self, failure: Failure, name: str) -> None:
        """The action ``name`` failed by a fault: said once, until it is done again."""
        if name not in self._failing:
            self.log.failure("{name} failed", failure, name=name, event="control.action-failed")
        self._failing.add(name)

    def done(self, name: str) -> None:
        """The action ``name`` was done."""
        self._failing.discard(name)

    def stopService(self) -> Deferred[None]:
        """Fires when the socket and the connections to it are closed."""
        super().stopService()
        port, self._port = self._port, None
        for session in list(self.sessions):
            session.close()
        if port is None:
            return succeed(None)
        with contextlib.suppress(OSError):
            # Twisted unlinks the path, and it logs a fault where it is gone already.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return maybeDeferred(port.stopListening).addCallback(self._closed)

    def _closed(self, _: object) -> None:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(self.path).st_mode):
                os.unlink(self.path)


def _make_room(path: str) -> None:
    """Remove the socket of a dead process at ``path``. Raises StartError where one that lives has it, and OSError."""
    try:
        remove_dead(path)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InUse(path, "the control socket", "[lab] `state` or [console] `control`") from None
        raise


class ControlFactory(Factory):
    """Makes the protocol of each connection to ``server``."""

    noisy = False

    def __init__(self, server: ControlServer) -> None:
        self.server = server

    def buildProtocol(self, addr: object) -> ControlProtocol:
        return ControlProtocol(self.server)


class ControlProtocol(LineReceiver):
    """One connection to the control socket; the next request is read when the last is answered."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_REQUEST

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._asked: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        self._server.sessions.add(self)

    def lineReceived(self, line: bytes) -> None:
        self.pauseProducing()
        try:
            request = json.loads(line)
            name = request.pop("do")
            action = self._server.actions[name]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            known = ", ".join(sorted(self._server.actions))
            self._fail(f'a request is {{"do": NAME, …}} in one line, NAME one of: {known}')
            return
        self._asked = asked = maybeDeferred(action, request)
        asked.addCallback(self._answer, name).addErrback(self.failed, name)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._reply({"ok": False, "error": f"a request has at most {self.MAX_LENGTH} bytes"})
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._server.sessions.discard(self)
        if self._asked is not None:
            self._asked.cancel()

    def close(self) -> None:
        """Send what is unsent, then close."""
        if self.transport is not None:
            self.transport.loseConnection()

    def _answer(self, result: Any, name: str) -> None:
        self._asked = None
        self._server.done(name)
        if isinstance(result, Iterator):
            _LongResult(result, self)
        else:
            self._reply({"ok": True, "result": result})
            self.next()

    def failed(self, failure: Failure, name: str) -> None:
        """Reply that ``name`` failed: with the text of a :class:`ControlError`, else that the log says how."""
        self._asked = None
        if failure.check(ControlError):
            self._fail(failure.getErrorMessage())
            return
        if self in self._server.sessions:  # else nobody waits any more, and it was cancelled
            self._server.failed(failure, name)
        self._fail(f"{name} failed; the log says how")

    def _fail(self, error: str) -> None:
        self._reply({"ok": False, "error": error})
        self.next()

    def next(self) -> None:
        """Go on to the next request."""
        if self in self._server.sessions:
            self.resumeProducing()

    def _reply(self, reply: dict[str, Any]) -> None:
        self.sendLine(json.dumps(reply, ensure_ascii=True, separators=(",", ":")).encode())


@implementer(IPullProducer)
class _LongResult:
    """Sends ``items`` as the transport of ``protocol`` takes them."""

    def __init__(self, items: Iterator[Any], protocol: ControlProtocol) -> None:
        self._items = items
        self._protocol = protocol
        self._consumer = cast(IConsumer, protocol.transport)
        self._consumer.registerProducer(self, False)

    def resumeProducing(self) -> None:
        size = 0
        chunk: list[str] = []
        try:
            for item in self._items:
                chunk.append(json.dumps(item))
                size += len(chunk[-1])
                if size >= _CHUNK:
                    self._send('{"ok":true,"more":true,"result":[', chunk)
                    return
        except Exception:
            self.stopProducing()
            self._protocol.failed(Failure(), "sending the result")
        else:
            self._send('{"ok":true,"result":[', chunk)
            self.stopProducing()
            self._protocol.next()

    def stopProducing(self) -> None:
        self._consumer.unregisterProducer()

    def _send(self, start: str, chunk: list[str]) -> None:
        self._protocol.sendLine(f"{start}{','.join(chunk)}]}}".encode())
