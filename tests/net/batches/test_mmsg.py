"""Datagrams sent and received by the batch, over real sockets on loopback."""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Sequence
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches import mmsg
from labnet.net.batches.mmsg import BATCH, SLOT, Inbox, Outbox
from tests.net.sockaddr import name_of


class MmsgTestCase(SynchronousTestCase):
    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """One that is bound to a port of its own on loopback."""
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(sock.close)
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock

    def received(self, sock: socket.socket) -> list[bytes]:
        came = []
        while True:
            try:
                came.append(sock.recv(2 * SLOT))
            except BlockingIOError:
                return came


class OutboxTests(MmsgTestCase):
    def test_each_goes_to_its_address(self) -> None:
        """Of IPv4 and of IPv6, whatever their lengths, and none is longer or shorter for those beside it."""
        for family in (socket.AF_INET, socket.AF_INET6):
            receivers = [self.socket(family) for _ in range(3)]
            names = [name_of(receiver) for receiver in receivers]
            outbox = Outbox(len(names[0]))
            datagrams = [bytes((65 + number,)) * length for number, length in enumerate((1, 700, 0, SLOT, 3, 20))]
            outbox.send(self.socket(family).fileno(), datagrams, names * 2)
            for number, receiver in enumerate(receivers):
                self.assertEqual(self.received(receiver), [datagrams[number], datagrams[number + 3]])
            outbox.send(self.socket(family).fileno(), [b"next"], names[1:2])
            self.assertEqual([self.received(receiver) for receiver in receivers], [[], [b"next"], []])
            self.assertEqual(outbox.unsent, 0)

    def test_more_than_a_batch_goes_by_several_calls(self) -> None:
        """All of them, in their order; none by no call."""
        receiver, sender = self.socket(), self.socket()
        sender.connect(receiver.getsockname())
        outbox = Outbox(0)
        datagrams = [b"%d" % number for number in range(2 * BATCH + 1)]
        outbox.send(sender.fileno(), datagrams)
        self.assertEqual(self.received(receiver), datagrams)
        self.patch(mmsg, "libc", None)
        outbox.send(sender.fileno(), [])

    def send(self, results: Sequence[int], count: int) -> tuple[list[int], int]:
        """Send ``count`` datagrams where the system takes so many at a time, or says an error (negative).

        Gives how many it was asked to take, and how many were lost.
        """
        receiver, sender, outbox, asked = self.socket(), self.socket(), Outbox(0), list[int]()
        sender.connect(receiver.getsockname())
        real, left = mmsg.libc.sendmmsg, list(results)

        def partly(fileno: int, messages: Any, count: int, flags: int) -> int:
            asked.append(count)
            result = left.pop(0)
            if result < 0:
                ctypes.set_errno(-result)
                return -1
            return int(real(fileno, messages, min(count, result), flags))

        datagrams = [b"%d" % number for number in range(count)]
        try:
            with mock.patch.object(mmsg.libc, "sendmmsg", partly):
                outbox.send(sender.fileno(), datagrams)
        finally:
            self.assertEqual(self.received(receiver), datagrams[: count - outbox.unsent])
        return asked, outbox.unsent

    def test_it_goes_on_after_a_part(self) -> None:
        """With what is left, in the same batch and the next; an interrupted call is made again."""
        self.assertEqual(self.send((2, -errno.EINTR, 3), 5), ([5, 3, 3], 0))
        self.assertEqual(self.send((60, -errno.EINTR, 4, 5, 1), BATCH + 6), ([BATCH, 4, 4, 6, 1], 0))

    def test_what_finds_no_room_is_lost(self) -> None:
        """It is counted, and nothing more is tried: later ones would only push in."""
        self.assertEqual(self.send((2, -errno.EAGAIN), 5), ([5, 3], 3))
        self.assertEqual(self.send((BATCH, 1, -errno.EAGAIN), 2 * BATCH), ([BATCH, BATCH, BATCH - 1], BATCH - 1))

    def test_an_address_that_the_system_refuses_costs_no_other_its_datagram(self) -> None:
        """It is lost and counted; those behind it go out, in the same batch and the next."""
        receiver, sender = self.socket(), self.socket()
        name = name_of(receiver)
        refused = name[:4] + bytes((255, 255, 255, 255)) + name[8:]  # not without SO_BROADCAST
        outbox = Outbox(len(name))
        datagrams = [b"%d" % number for number in range(BATCH + 2)]
        outbox.send(sender.fileno(), datagrams, [name, refused, *[name] * BATCH])
        self.assertEqual(self.received(receiver), [datagrams[0], *datagrams[2:]])
        self.assertEqual(outbox.unsent, 1)

    def test_an_error_of_a_connected_socket_is_raised(self) -> None:
        """What is left then is lost and counted."""
        for taken in ((), (2,)):
            with self.assertRaises(OSError) as raised:
                self.send((*taken, -errno.EPERM), 5)
            self.assertEqual(raised.exception.errno, errno.EPERM)
        outbox = Outbox(0)
        with self.assertRaises(OSError):
            outbox.send(-1, [b"to nobody"] * (BATCH + 2))
        self.assertEqual(outbox.unsent, BATCH + 2)


class InboxTests(MmsgTestCase):
    def setUp(self) -> None:
        self.receiver, self.sender = self.socket(), self.socket()
        self.receiver.connect(self.sender.getsockname())
        self.inbox = Inbox()

    def receive(self, *datagrams: bytes) -> list[bytes]:
        for datagram in datagrams:
            self.sender.sendto(datagram, self.receiver.getsockname())
        return self.inbox.receive(self.receiver.fileno())

    def test_datagrams_come_as_they_were_sent(self) -> None:
        """Whole up to a slot, empty ones too; none where none has come, and none keeps a part of an earlier one."""
        self.assertEqual(self.receive(), [])
        sent = [b"long" * 300, b"", b"\0a\0", b"x" * SLOT]
        self.assertEqual(self.receive(*sent), sent)
        self.assertEqual(self.receive(b"y" * (SLOT + 1), b"short"), [b"y" * SLOT, b"short"])

    def test_no_more_than_a_batch_comes_at_a_time(self) -> None:
        """The rest is there the next time."""
        sent = [b"%d" % number for number in range(BATCH + 1)]
        self.assertEqual(self.receive(*sent), sent[:BATCH])
        self.assertEqual(self.receive(), sent[BATCH:])

    def test_an_error_of_a_send_is_raised(self) -> None:
        """As where nobody listens."""
        self.sender.close()
        self.receiver.send(b"anybody there?")
        with self.assertRaises(ConnectionRefusedError):
            self.receive()
        self.assertEqual(self.receive(), [])
