"""Sockets to parents that tell the story of the question what they send and receive, where anybody watches it."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from labnet.events import ASKING, Story
from labnet.interfaces import IDatagramSocket, IDatagramSockets


@implementer(IDatagramSockets)
class WatchedSockets:
    """Gives those of ``sockets``; a question that has a story gets one that tells it."""

    def __init__(self, sockets: IDatagramSockets) -> None:
        self._sockets = sockets

    def open(
        self, host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> IDatagramSocket:
        story = ASKING.get()
        if story is None:
            return self._sockets.open(host, port, received, failed)
        watched = _WatchedSocket((host, port), story, received)
        watched.socket = self._sockets.open(host, port, watched.received, failed)
        return watched


@implementer(IDatagramSocket)
class _WatchedSocket:
    socket: IDatagramSocket

    def __init__(self, there: tuple[str, int], story: Story, received: Callable[[bytes], None]) -> None:
        self._there = there
        self._story = story
        self._received = received

    @property
    def here(self) -> tuple[str, int]:
        return self.socket.here

    def received(self, datagram: bytes) -> None:
        self._story.saw(self._there, self.here, datagram)
        self._received(datagram)

    def send(self, datagram: bytes) -> None:
        before = self._story.datagrams[-1:]
        is_again = bool(before) and before[0].kind == "silence" and before[0].source == self._there
        self._story.saw(self.here, self._there, datagram, kind="again" if is_again else "sent")
        self.socket.send(datagram)

    def close(self) -> None:
        self.socket.close()
