"""What is used of Twisted without a public name, and what happens where it is missing."""

from __future__ import annotations

import os
import select
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from labnet.net import twisted_private
from labnet.net.twisted_private import epoll_of, has_unsent, inherited_unix_port, is_direct, redirect_log
from tests.fakes import MemoryReactor


class EPollReactor:
    """Twisted's by its name alone."""


class Selectables(Clock):
    """A reactor that watches nothing."""

    def addReader(self, reader: Any) -> None:
        """Watch ``reader``."""

    removeReader = removeWriter = addWriter = addReader


class PrivateTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        twisted_private._say_missing.cache_clear()
        self.addCleanup(twisted_private._say_missing.cache_clear)
        self.events: Any = self.enterContext(capturedLogs())

    def assert_said_once(self, name: str) -> None:
        """One warning of all events names what is missing."""
        said = [event for event in self.events if event.get("event") == "lab.twisted-differs"]
        self.assertEqual([(event["name"], event["log_level"]) for event in said], [(name, LogLevel.warn)])

    def assert_nothing_said(self) -> None:
        self.assertEqual([event for event in self.events if event["log_level"] is not LogLevel.info], [])


class EpollTests(PrivateTestCase):
    def test_the_descriptor_is_that_of_the_reactors_epoll(self) -> None:
        reactor: Any = EPollReactor()
        poller = select.epoll()
        self.addCleanup(poller.close)
        reactor._poller = poller
        self.assertEqual(epoll_of(reactor), poller.fileno())
        self.assert_nothing_said()

    def test_a_reactor_that_waits_by_other_means_has_none_and_nothing_is_missing(self) -> None:
        self.assertEqual(epoll_of(Selectables()), -1)
        self.assert_nothing_said()

    def test_an_epoll_reactor_without_it_is_said_once(self) -> None:
        for _ in range(2):
            self.assertEqual(epoll_of(EPollReactor()), -1)
        self.assert_said_once("EPollReactor._poller")

    def test_twisteds_epoll_reactor_has_it(self) -> None:
        from twisted.internet.epollreactor import EPollReactor as Real

        reactor = Real()
        self.addCleanup(reactor._poller.close)
        for reader in list(reactor._internalReaders):
            self.addCleanup(reader.connectionLost, None)
        self.assertGreaterEqual(epoll_of(reactor), 0)
        self.assert_nothing_said()


class LogTests(PrivateTestCase):
    def test_a_ports_log_goes_to_the_observer(self) -> None:
        passed: list[LogEvent] = []
        port = tcp.Port(0, Factory(), reactor=MemoryReactor())
        redirect_log(port, passed.append)
        port._logger.info("EMFILE")
        self.assertEqual([event["log_format"] for event in passed], ["EMFILE"])
        self.assert_nothing_said()

    def test_a_port_without_it_keeps_its_lines_and_is_said_once(self) -> None:
        self.patch(tcp.Port, "_logger", None)
        for _ in range(2):
            redirect_log(tcp.Port(0, Factory(), reactor=MemoryReactor()), lambda event: None)
        self.assert_said_once("tcp.Port._logger")

    def test_what_is_no_port_of_twisteds_is_left_alone(self) -> None:
        redirect_log(object(), Logger())
        self.assert_nothing_said()


class UNIXTests(PrivateTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()).absolute()
        self.sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.sock.close)
        self.sock.bind(os.path.relpath(self.path))
        self.sock.listen()
        os.chmod(self.path, 0o600)

    def test_an_inherited_socket_keeps_its_file_and_its_mode(self) -> None:
        port: Any = inherited_unix_port(self.sock.dup(), Factory(), Selectables())
        port.connectionLost(None)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        socket.socket(socket.AF_UNIX).connect(os.path.relpath(self.path))
        self.assert_nothing_said()

    def test_without_a_way_to_hand_it_over_the_reactor_adopts_it(self) -> None:
        adopted: list[tuple[int, int, object]] = []

        class Reactor(Selectables):
            def adoptStreamPort(self, descriptor: int, family: int, factory: object) -> str:
                adopted.append((descriptor, family, factory))
                return "port"

        (owner,) = (one for one in unix.Port.__mro__ if "_shouldShutdown" in vars(one))
        self.addCleanup(setattr, owner, "_shouldShutdown", owner._shouldShutdown)
        del owner._shouldShutdown
        factory = Factory()
        for _ in range(2):
            sock = self.sock.dup()
            number = sock.fileno()
            self.assertEqual(inherited_unix_port(sock, factory, Reactor()), "port")
            self.assertEqual(adopted.pop(), (number, socket.AF_UNIX, factory))
            self.assertEqual(sock.fileno(), -1)
        self.assert_said_once("unix.Port._preexistingSocket")


class StreamTests(PrivateTestCase):
    def transport(self) -> tcp.Server:
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        here.setblocking(False)
        return tcp.Server(here, Protocol(), ("127.0.0.1", 1), None, 0, Selectables())

    def test_a_tcp_connection_of_twisteds_says_what_it_has_yet_to_send(self) -> None:
        transport = self.transport()
        self.assertTrue(is_direct(transport))
        self.assertFalse(has_unsent(transport))
        transport.write(b"x")
        self.assertTrue(has_unsent(transport))
        transport.doWrite()
        self.assertFalse(has_unsent(transport))
        transport.TLS = True
        self.assertTrue(has_unsent(transport))
        self.assert_nothing_said()

    def test_any_other_transport_is_not_direct(self) -> None:
        class Wrapped(tcp.Server):
            """Not Twisted's own."""

        transport = self.transport()
        transport.__class__ = Wrapped
        self.assertFalse(is_direct(transport))
        self.assertFalse(is_direct(object()))
        self.assert_nothing_said()

    def test_a_connection_without_known_buffers_is_not_direct_and_is_said_once(self) -> None:
        transport = self.transport()
        del transport._tempDataLen
        self.assertFalse(is_direct(transport))
        self.assertFalse(is_direct(transport))
        self.assert_said_once("FileDescriptor._tempDataLen")
