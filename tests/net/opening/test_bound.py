"""Sockets bound to addresses, also to those that no interface has yet."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.opening import bound
from labnet.net.opening.bound import bound_socket

ABSENT = ("192.0.2.221", "2001:db8::221")
KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


class BoundTests(SynchronousTestCase):
    def setUp(self) -> None:
        bound._say_missing.cache_clear()
        self.addCleanup(bound._say_missing.cache_clear)
        self.events: Any = self.enterContext(capturedLogs())

    def bind(self, kind: int, host: str, **options: bool) -> None:
        with bound_socket(kind, host, 0, **options) as sock:
            self.assertEqual(sock.getsockname()[0], host)
            self.assertFalse(sock.getblocking())

    def test_an_address_that_no_interface_has_yet_is_bound_and_said_once(self) -> None:
        for host in ABSENT:
            for kind in KINDS:
                self.bind(kind, host)
        said = [(event["event"], event["log_level"], event["address"]) for event in self.events]
        self.assertEqual(said, [("lab.address-missing", LogLevel.warn, host) for host in ABSENT])

    def test_without_freebind_it_is_an_error(self) -> None:
        for host in ABSENT:
            for kind in KINDS:
                with self.assertRaises(OSError) as raised:
                    self.bind(kind, host, freebind=False)
                self.assertEqual(raised.exception.errno, errno.EADDRNOTAVAIL)

    def test_of_an_address_that_is_there_nothing_is_said(self) -> None:
        for host in ("127.0.0.1", "::1", "0.0.0.0"):
            self.bind(socket.SOCK_DGRAM, host)
        self.assertEqual(self.events, [])

    def test_an_address_that_is_taken_is_an_error(self) -> None:
        with bound_socket(socket.SOCK_DGRAM, ABSENT[0], 0) as sock:
            with self.assertRaises(OSError) as raised:
                bound_socket(socket.SOCK_DGRAM, ABSENT[0], sock.getsockname()[1])
            self.assertEqual(raised.exception.errno, errno.EADDRINUSE)
