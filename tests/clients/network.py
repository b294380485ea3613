"""A network in memory, in the place of the modules socket and time."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from labnet.clients import server as module

Event = bytes | OSError | float | Callable[[bytes], bytes]
"""What the network does: a reply comes, perhaps made of what was sent last, an error does, or seconds pass."""


class FakeNetwork:
    """Stands for the modules socket and time: ``events`` happen one by one while the client receives.

    Where nothing is left to happen there is silence.
    """

    SOCK_DGRAM = socket.SOCK_DGRAM
    SOCK_STREAM = socket.SOCK_STREAM

    def __init__(self, events: Sequence[Event] = (), addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self.events = list(events)
        self.addresses = addresses
        self.refusing: dict[str, OSError] = {}
        self.looked_up: tuple[object, ...] = ()
        self.look_up_error: Exception | None = None
        self.sent: list[tuple[str, bytes]] = []
        self.open = 0
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def getaddrinfo(self, host: str, port: int, type: int) -> list[tuple[object, ...]]:
        self.looked_up = (host, port, type)
        if self.look_up_error is not None:
            raise self.look_up_error
        return [(socket.AF_INET, type, 17, "", (address, port)) for address in self.addresses]

    def socket(self, family: int, kind: int, protocol: int) -> FakeSocket:
        assert (family, kind, protocol) == (socket.AF_INET, self.looked_up[2], 17)
        self.open += 1
        return FakeSocket(self, kind == socket.SOCK_STREAM)


class FakeSocket:
    """A connected socket of the fake network."""

    def __init__(self, network: FakeNetwork, is_stream: bool) -> None:
        self._network = network
        self._is_stream = is_stream
        self._address = ""
        self._timeout = 0.0

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._network.open -= 1

    def connect(self, address: tuple[str, int]) -> None:
        self._address = address[0]
        if self._is_stream:
            self._refuse()

    def send(self, datagram: bytes) -> None:
        assert not self._is_stream, "a part of it may be left"
        self._network.sent.append((self._address, datagram))
        self._refuse()

    def sendall(self, data: bytes) -> None:
        assert self._is_stream
        self._network.sent.append((self._address, data))

    def _refuse(self) -> None:
        if self._address in self._network.refusing:
            raise self._network.refusing[self._address]

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0, "0 would be a socket that does not wait"
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        assert size >= 65535, "a reply would be cut"
        until = self._network.now + self._timeout
        while self._network.events:
            event = self._network.events[0]
            if isinstance(event, float):
                if self._network.now + event > until:
                    self._network.events[0] = self._network.now + event - until
                    break
                self._network.now += event
                self._network.events.pop(0)
                continue
            self._network.events.pop(0)
            if isinstance(event, OSError):
                raise event
            return event(self._network.sent[-1][1]) if callable(event) else event
        self._network.now = until
        raise TimeoutError("timed out")


class ClientCase(SynchronousTestCase):
    """A client on a fake network."""

    def network(self, *events: Event, addresses: Sequence[str] = ("127.0.0.1",)) -> FakeNetwork:
        network = FakeNetwork(events, addresses)
        self.patch(module, "socket", network)
        self.patch(module, "time", network)
        self.addCleanup(lambda: self.assertEqual(network.open, 0, "a socket is left"))
        return network

    def printed(self, call: Callable[[], Any]) -> tuple[Any, str, str]:
        """What ``call`` returns and what it prints on stdout and stderr."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            result = call()
        return result, out.getvalue(), err.getvalue()
