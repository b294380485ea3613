"""The capture of one run: the world's loopback interface where it has one of its own, else what our sockets saw."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tempfile
import time
from typing import Final, cast

from labnet.capture.files.writing import PcapngWriter
from labnet.capture.record.own_traffic import OwnTraffic
from labnet.capture.record.tapping import TappedSocket
from labnet.grade.sandbox.world import Sandbox
from labnet.net.kernel.open_files import is_readable

_ETHERNET: Final = 1
_OUTGOING: Final = 4
"""The kind of packet that loopback shows first; the same packet as it comes in is the other."""

MOST_BYTES: Final = 4 << 20
"""Bytes of packets that are kept of one run."""


class Recorder:
    """Records until :meth:`close`. A program that floods is recorded up to :data:`MOST_BYTES`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._file = io.BytesIO()
        self._writer = PcapngWriter(self._file, _ETHERNET, "lo")
        self._packets: socket.socket | None = None
        self._traffic: OwnTraffic | None = None
        if sandbox.level.has_own_network:
            self._packets = sandbox.packets()
            self._packets.setblocking(False)
        else:
            handle, self._path = tempfile.mkstemp(suffix=".pcapng")
            os.close(handle)
            self._traffic = OwnTraffic(self._path, time.time_ns, lambda why: None)
            self._traffic.open()

    def tapped(self, opened: socket.socket) -> socket.socket:
        """``opened``, whose traffic is recorded where there is no interface to listen on."""
        return opened if self._traffic is None else cast(socket.socket, TappedSocket(opened, self._traffic))

    def pump(self, seconds: float) -> None:
        """Wait for at most ``seconds``, taking in what arrives meanwhile."""
        if self._packets is None:
            time.sleep(seconds)
        elif is_readable(self._packets, seconds):
            with contextlib.suppress(BlockingIOError):
                while True:
                    data, address = self._packets.recvfrom(1 << 16)
                    if address[2] == _OUTGOING and self._file.tell() < MOST_BYTES:
                        self._writer.write(time.time_ns(), data)

    def close(self) -> bytes:
        """The pcapng file."""
        if self._traffic is not None:
            self._traffic.close()
            with contextlib.suppress(OSError), open(self._path, "rb") as file:
                self._file = io.BytesIO(file.read())
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._traffic = None
        if self._packets is not None:
            self._packets.close()
            self._packets = None
        return self._file.getvalue()
