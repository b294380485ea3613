"""How much may wait at a UDP port."""

from __future__ import annotations

import errno
import os
import socket
from unittest import mock

from labnet.net.opening import listening
from labnet.net.opening.listening import enlarge, open_datagrams, socket_opener
from labnet.net.opening.systemd import Inherited
from tests.net.opening.test_listening import HOST, ListeningTestCase

SO_RCVBUFFORCE = 33


def buffer_of(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


class ReceiveBufferTests(ListeningTestCase):
    """What the system gives a socket by itself is what these ask for: Linux gives twice what was asked for."""

    def setUp(self) -> None:
        super().setUp()
        self.usual = buffer_of(self.bound(socket.SOCK_DGRAM)[0])

    def has(self, size: int) -> None:
        """Have ports ask for ``size`` bytes."""
        patch = mock.patch.object(listening, "RECEIVE_BUFFER", size)
        patch.start()
        self.addCleanup(patch.stop)

    def test_it_is_larger_than_the_usual_one(self) -> None:
        """For a new socket, with a reactor that knows how they are opened and without; and for one that was passed."""
        self.has(self.usual)
        passed, number = self.bound(socket.SOCK_DGRAM)
        opened = socket_opener(self.inherited(passed))(HOST, number)
        for sock in opened, open_datagrams(HOST, 0), socket_opener(Inherited())(HOST, 0):
            self.assertEqual(buffer_of(self.closing(sock)), 2 * self.usual)

    def test_workers_share_it_out(self) -> None:
        """But for a socket that was passed, which is one for all of them."""
        self.has(2 * self.usual)
        self.assertEqual(buffer_of(self.closing(socket_opener(Inherited(), 2)(HOST, 0))), 2 * self.usual)
        self.has(self.usual)
        passed, number = self.bound(socket.SOCK_DGRAM)
        opened = self.closing(socket_opener(self.inherited(passed), 2)(HOST, number))
        self.assertEqual(buffer_of(opened), 2 * self.usual)

    def test_a_larger_one_stays(self) -> None:
        """Many workers do not have less than the system gives everybody, or than systemd was told to give."""
        self.has(self.usual)
        self.assertEqual(buffer_of(self.closing(socket_opener(Inherited(), 64)(HOST, 0))), self.usual)
        passed, number = self.bound(socket.SOCK_DGRAM)
        passed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.usual)
        self.has(self.usual // 2 + 1000)
        opened = self.closing(socket_opener(self.inherited(passed))(HOST, number))
        self.assertEqual(buffer_of(opened), 2 * self.usual)

    def test_who_is_no_administrator_asks_for_what_everybody_may_have(self) -> None:
        """The system gives as much as it allows, and no error."""
        sock = mock.Mock(spec=socket.socket)
        sock.getsockopt.return_value = self.usual
        sock.setsockopt.side_effect = [OSError(errno.EPERM, os.strerror(errno.EPERM)), None]
        enlarge(sock, 2 * self.usual)
        self.assertEqual(
            [call.args for call in sock.setsockopt.call_args_list],
            [(socket.SOL_SOCKET, option, 2 * self.usual) for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF)],
        )
