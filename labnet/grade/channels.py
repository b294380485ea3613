"""The judge's sockets in a world: what goes through them is on record."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from labnet.grade.patience import PATIENCE
from labnet.net.kernel.open_files import is_readable

QUIET: Final = 0.1
"""Seconds without a byte after which a reply counts as whole."""


class IScene(Protocol):
    """What a socket needs of the scene that it is part of."""

    role: str

    def wait(self, is_so: Callable[[], Any], patience: float = PATIENCE) -> bool:
        """Wait until ``is_so()``, at most ``patience`` seconds of an idle program; whether it is so."""

    def pump(self, seconds: float) -> None:
        """Let time pass."""

    def record(self, source: str, target: str, data: bytes = b"", kind: str = "sent", note: str = "") -> None:
        """Put what went over the wire on record."""

    def tapped(self, opened: socket.socket) -> socket.socket:
        """``opened``, on record."""

    def adopt(self, channel: Channel) -> None:
        """Close ``channel`` with the scene."""


class Channel:
    """A socket of the judge's."""

    def __init__(self, scene: IScene, opened: socket.socket, who: str) -> None:
        self.scene = scene
        self.who = who
        self.socket = opened
        self.local: tuple[str, int] = opened.getsockname()
        self.is_open = True

    def has_input(self) -> bool:
        """Whether something can be read now."""
        return is_readable(self.socket, 0)

    def close(self) -> None:
        """Idempotent."""
        self.is_open = False
        self.socket.close()


class StreamChannel(Channel):
    """A TCP connection between the judge, who plays ``who``, and the program, which plays ``peer``."""

    def __init__(self, scene: IScene, opened: socket.socket, who: str, peer: str) -> None:
        super().__init__(scene, opened, who)
        self.peer = peer
        self.received = b""
        """All bytes that came, in order."""
        self.has_ended = False
        self.was_reset = False
        self.ended_at = 0.0
        """When the end was seen, by time.monotonic()."""

    def send(self, data: bytes) -> None:
        """Send ``data``; where the program has closed, the end of the stream is what is seen."""
        self.scene.record(self.who, self.peer, data)
        try:
            self.socket.sendall(data)
        except OSError:
            self.take()

    def take(self) -> bytes:
        """What has arrived since the last time, without waiting."""
        new = b""
        try:
            while not self.has_ended and self.has_input():
                part = self.socket.recv(1 << 16)
                if not part:
                    self._end("closes the connection")
                new += part
        except ConnectionResetError:
            self.was_reset = True
            self._end("resets the connection")
        except OSError as error:
            self._end(f"the connection fails: {error.strerror or error}")
        if new:
            self.received += new
            self.scene.record(self.peer, self.who, new)
        return new

    def _end(self, how: str) -> None:
        self.has_ended = True
        self.ended_at = time.monotonic()
        self.scene.record(self.peer, self.who, kind="closed", note=how)

    def read(self, patience: float = PATIENCE) -> bytes:
        """What comes next, until the program is quiet for a moment; empty after ``patience`` seconds of silence."""
        got = bytearray()

        def arrived() -> bool:
            got.extend(self.take())
            return bool(got) or self.has_ended

        if not self.scene.wait(arrived, patience):
            self.scene.record(self.peer, self.who, kind="silence", note=f"nothing for {patience:.0f} s")
            return b""
        while not self.has_ended:
            self.scene.pump(QUIET)
            new = self.take()
            if not new:
                break
            got.extend(new)
        return bytes(got)

    def read_end(self, patience: float = PATIENCE) -> bool:
        """Wait until the program closes; whether it did."""
        return self.scene.wait(lambda: (self.take(), self.has_ended)[1], patience)

    def half_close(self) -> None:
        """Send no more."""
        self.scene.record(self.who, self.peer, kind="closed", note="sends no more")
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self.is_open and not self.has_ended:
            self.scene.record(self.who, self.peer, kind="closed", note="closes the connection")
        super().close()


class ListenerChannel(Channel):
    """A TCP port of the judge's, to which the program connects."""

    def accept(self, patience: float = PATIENCE) -> StreamChannel | None:
        """The next connection; None where there is none."""
        if not self.scene.wait(self.has_input, patience):
            return None
        opened, _ = self.socket.accept()
        stream = StreamChannel(self.scene, self.scene.tapped(opened), self.who, self.scene.role)
        self.scene.record(self.scene.role, self.who, kind="note", note=f"connects from port {opened.getpeername()[1]}")
        self.scene.adopt(stream)
        return stream


class Datagrams(Channel):
    """A UDP socket of the judge's, who plays ``who``."""

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram to the program."""
        self.scene.record(self.who, self.scene.role, data)
        self.socket.sendto(data, to)

    def receive(self, patience: float = PATIENCE) -> tuple[bytes, tuple[str, int]] | None:
        """The next datagram and where it came from; None after ``patience`` seconds of silence."""
        if not self.scene.wait(self.has_input, patience):
            self.scene.record(self.scene.role, self.who, kind="silence", note=f"nothing for {patience:.0f} s")
            return None
        data, source = self.socket.recvfrom(1 << 16)
        self.scene.record(self.scene.role, self.who, data, note=f"from port {source[1]}")
        return data, source
