"""Waiting for one of many open files."""

from __future__ import annotations

import os
import resource
import socket

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.kernel.open_files import is_readable, raise_open_files_limit

LARGE = 1500
"""More than select() takes."""


class ReadableTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        near, self.far = socket.socketpair()
        self.addCleanup(self.far.close)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_open_files_limit()
        self.near = socket.socket(fileno=os.dup2(near.fileno(), LARGE, inheritable=False))
        self.addCleanup(self.near.close)
        near.close()

    def test_a_large_descriptor_is_readable_when_something_came(self) -> None:
        self.assertFalse(is_readable(self.near, 0))
        self.far.send(b"x")
        self.assertTrue(is_readable(self.near, 0))

    def test_an_end_is_something_to_read(self) -> None:
        self.far.close()
        self.assertTrue(is_readable(self.near, 0))
