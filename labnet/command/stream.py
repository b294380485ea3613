"""A TCP stream that is read and written past the reactor wherever that is possible.

A plain ``twisted.internet.tcp.Server`` on a real socket is read by the server's
:class:`~labnet.command.reader.SharedReader`, and what is written goes to the socket at once while the transport has
nothing of its own to send. Any other transport (TLS, UNIX, one that a capture looks at), and every case that is not
plain data, is left to the transport: nothing is read or written twice, or out of order.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp

from labnet.command.reader import SEGMENT, Readable, SharedReader
from labnet.interfaces import IStreamTransport
from labnet.net.direct import unsent
from labnet.net.twisted_private import has_unsent, is_direct


class DirectStream(Readable):
    """Reads and writes for a protocol whose ``transport`` is this stream's; a subclass takes ``dataReceived``.

    What a stream has only now and then stands in the class, so that an idle one is small.
    """

    transport: IStreamTransport
    delimiter = b"\n"

    _tcp: tcp.Server | None = None
    """The transport, where it may be written past."""
    _by_reader = False
    """Whether the shared reader reads, and not the reactor."""
    _fileno = -1
    """The number of the socket while the shared reader has it."""
    _fast = False
    """Whether a reply may go to :attr:`_fileno` at once, without a look at anything else."""

    _unsent = b""  # what waits for the end of the segment that is being read

    @property
    def _reader(self) -> SharedReader | None:
        """The reader to share."""
        raise NotImplementedError

    def _adopt(self) -> None:
        """Find out what the transport, connected just now, lets itself be spared."""
        transport: Any = self.transport
        if is_direct(transport):
            self._tcp = transport
            self._by_reader = self._reader is not None and isinstance(transport.socket, socket.socket)
            transport.logstr = transport.repstr = type(self).__name__  # one text for all takes no room
        transport.bufferSize = SEGMENT

    def _is_direct(self) -> bool:
        """Whether the shared reader may read, and the transport has nothing to send."""
        plain = self._tcp
        return self._by_reader and plain is not None and not has_unsent(plain)

    def reply(self, reply: bytes) -> None:
        """Send ``reply`` with the others to the same segment, in one write."""
        self._unsent += reply

    def sendLine(self, line: bytes) -> None:
        """Send ``line`` and its end at once, behind what :meth:`reply` was given."""
        self._unsent += line + self.delimiter
        self._flush()

    def _flush(self) -> None:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            self._write(unsent)

    def _write(self, data: bytes) -> None:
        plain = self._tcp
        if plain is not None and (self._fast or not has_unsent(plain)):
            data = unsent(plain.socket, data)
            if not data:
                return
        self._fast = False
        self.transport.write(data)

    def _read(self) -> None:
        reader, plain = self._reader, self._tcp
        if self._by_reader and reader is not None and plain is not None:
            self._fileno = plain.fileno()
            reader.add(self._fileno, self)
        else:
            self.transport.resumeProducing()

    def _stop_reading(self) -> None:
        if self._by_reader:
            self._leave_reader()
        else:
            self.transport.pauseProducing()

    def _leave_reader(self) -> None:
        self._fast = False
        reader = self._reader
        if self._fileno >= 0 and reader is not None:
            reader.remove(self._fileno)
            self._fileno = -1

    def read_by_reactor(self) -> None:
        """Leave the reading to the reactor: the shared reader has let go of the socket, which has more than data."""
        self._fast = self._by_reader = False
        self._fileno = -1
        self.transport.resumeProducing()
