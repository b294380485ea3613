"""Whether the raw system calls are trusted: each reason against them, forced."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.batches import busypoll, selftest
from labnet.net.batches.batch import Incoming, Outgoing
from labnet.net.batches.coalescing import Coalescing
from labnet.net.batches.selftest import hindrance, is_trusted
from labnet.resolver.serve import batch_port


class WiderHeader(ctypes.Structure):
    """A struct msghdr of a system that has more in it."""

    _fields_ = [("more", ctypes.c_uint64), *selftest.MsgHdr._fields_]


class SelfTests(SynchronousTestCase):
    def setUp(self) -> None:
        is_trusted.cache_clear()
        self.addCleanup(is_trusted.cache_clear)
        self.patch(selftest, "_PATIENCE", 0.01)

    def test_this_system_is_trusted_and_nothing_is_said(self) -> None:
        with capturedLogs() as events:
            self.assertEqual(hindrance(), "")
            self.assertTrue(is_trusted())
        self.assertEqual(events, [])

    def python(self, platform: str = "linux", name: str = "cpython") -> None:
        self.patch(selftest, "sys", SimpleNamespace(platform=platform, implementation=SimpleNamespace(name=name)))

    def test_another_system_is_not_trusted(self) -> None:
        self.python(platform="darwin")
        self.assertEqual(hindrance(), "they need Linux, and this is darwin")

    def test_another_python_is_not_trusted(self) -> None:
        self.python(name="pypy")
        self.assertEqual(hindrance(), "they need CPython, and this is pypy")

    def test_32_bits_are_not_trusted(self) -> None:
        self.patch(struct, "calcsize", lambda form: 4)
        self.assertEqual(hindrance(), "they need a Python of 64 bits")

    def test_a_c_library_without_the_calls_is_not_trusted(self) -> None:
        self.patch(selftest, "libc", SimpleNamespace(sendmmsg=None))
        self.assertEqual(hindrance(), "the C library lacks recvmmsg, ppoll")

    def test_another_layout_is_not_trusted(self) -> None:
        self.patch(selftest, "MsgHdr", WiderHeader)
        self.assertEqual(hindrance(), "the structs of the system calls have another layout")

    def test_bytes_that_lie_elsewhere_are_not_trusted(self) -> None:
        real = selftest.vector_of

        def shifted(data: bytes, owner: object) -> bytes:
            base, length, mark = struct.unpack("=QQQ", real(data, owner))
            return struct.pack("=QQQ", base + 8, length, mark)

        self.patch(selftest, "vector_of", shifted)
        self.assertEqual(hindrance(), "bytes objects lie otherwise in memory")

    def test_without_loopback_it_is_not_trusted(self) -> None:
        error = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        with mock.patch.object(socket.socket, "bind", side_effect=error):
            why = "no datagram goes through and back over loopback (Cannot assign requested address)"
            self.assertEqual(hindrance(), why)

    def test_a_call_that_takes_nothing_is_not_trusted(self) -> None:
        for holder, name, result in ((selftest.libc, "ppoll", 0), (Incoming, "receive", 0)):
            with mock.patch.object(holder, name, return_value=result):
                self.assertEqual(hindrance(), "a datagram over loopback did not come")

    def test_a_datagram_that_comes_as_another_is_not_trusted(self) -> None:
        for name, result in (("datagram", b"id" + bytes(160)), ("address", ("127.0.0.1", 9))):
            with mock.patch.object(Incoming, name, return_value=result):
                self.assertEqual(hindrance(), "a datagram over loopback did not come as it was sent")

    def test_a_reply_that_is_not_sent_is_not_trusted(self) -> None:
        for name in ("reply_first", "reply_to"):
            with mock.patch.object(Outgoing, name):
                self.assertEqual(hindrance(), "no datagram goes through and back over loopback (timed out)")

    def test_a_reply_that_comes_as_another_is_not_trusted(self) -> None:
        real = Outgoing.reply_to
        with mock.patch.object(Outgoing, "reply_to", lambda out, replies, slots: real(out, [b"else"], slots)):
            self.assertEqual(hindrance(), "a reply over loopback did not come as it was sent")


class FallbackTests(SynchronousTestCase):
    """Where the calls are not trusted."""

    def setUp(self) -> None:
        is_trusted.cache_clear()
        self.addCleanup(is_trusted.cache_clear)
        self.patch(selftest, "sys", SimpleNamespace(platform="haiku", implementation=None))

    def test_it_is_said_once_and_why(self) -> None:
        with capturedLogs() as events:
            self.assertFalse(is_trusted())
            self.assertFalse(is_trusted())
        (event,) = events
        self.assertEqual((event["event"], event["log_level"]), ("lab.no-batches", LogLevel.warn))
        self.assertEqual(event["why"], "they need Linux, and this is haiku")

    def test_no_batch_port_is_to_be_had(self) -> None:
        reactor: Any = object.__new__(PosixReactorBase)
        self.assertFalse(batch_port.is_available(reactor))
        self.patch(selftest, "sys", __import__("sys"))
        is_trusted.cache_clear()
        self.assertTrue(batch_port.is_available(reactor))

    def test_no_reader_polls(self) -> None:
        self.patch(busypoll, "epoll_of", lambda reactor: self.fail("it looks for an epoll"))
        reader: Any = SimpleNamespace(fileno=lambda: 0)
        poll = busypoll.BusyPoll(object(), reader, lambda: (0, False), Coalescing(0.0))
        poll.enable()
        for _ in range(2 * busypoll.STREAK):
            poll.woken(busypoll.FEW, True)  # in a reactor that it cannot leave
