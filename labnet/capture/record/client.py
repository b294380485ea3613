"""The traffic of a command-line client, written while it runs: ``--capture FILE``."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

from labnet.capture.model import CaptureError

Tap = Callable[[socket.socket], socket.socket]


@contextlib.contextmanager
def captured(path: str | None) -> Iterator[Tap]:
    """The ``tap`` of a client whose traffic is to be written to ``path``; without one it takes the socket as it is.

    Raises :class:`CaptureError` where the file cannot be opened.
    """
    if path is None:
        yield lambda sock: sock
        return
    from labnet.capture.record.own_traffic import OwnTraffic
    from labnet.capture.record.tapping import TappedSocket

    failures: list[str] = []
    traffic = OwnTraffic(path, time.time_ns, failures.append)
    traffic.open()
    if failures:
        raise CaptureError(failures[0])
    try:
        yield lambda sock: cast(socket.socket, TappedSocket(sock, traffic))
    finally:
        traffic.close()
        for why in failures:
            print(f"labnet: {why}", file=sys.stderr)
