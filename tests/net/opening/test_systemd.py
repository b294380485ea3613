"""What systemd passes to the daemon, and what it is told: each against a socket as systemd has it."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time
from pathlib import Path
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.opening import systemd
from labnet.net.opening.systemd import Inherited, Notifier, first_environment


class InheritedTests(SynchronousTestCase):
    """The environment says what was passed."""

    def opened(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        sock = socket.socket(family, kind)
        self.addCleanup(sock.close)
        if family != socket.AF_UNIX:
            sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock

    def inherited(self, environment: dict[str, str], first: int) -> Inherited:
        inherited = Inherited.of_process(environment, 77, first)
        self.addCleanup(inherited.close)
        return inherited

    def in_a_row(self, *opened: socket.socket | int) -> int:
        """Have ``opened`` once more, one number after the other as systemd passes them: the first of the numbers."""
        first = 700
        for at, one in enumerate(opened):
            os.dup2(one if isinstance(one, int) else one.fileno(), first + at)
            self.addCleanup(os.close, first + at)
        return first

    def test_sockets_have_the_names_of_their_units(self) -> None:
        """By which those that nobody asks for are named, with what and where they are."""
        stream, datagrams = self.opened(), self.opened(socket.AF_INET6, socket.SOCK_DGRAM)
        first = self.in_a_row(stream, datagrams)
        environment = {"LISTEN_PID": "77", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "command:dns"}
        inherited = self.inherited(environment, first)
        self.assertTrue(inherited)
        tcp, udp = stream.getsockname()[1], datagrams.getsockname()[1]
        self.assertEqual(inherited.unused(), [f"command (TCP 127.0.0.1:{tcp})", f"dns (UDP [::1]:{udp})"])
        found = inherited.find(socket.AF_INET6, socket.SOCK_DGRAM, datagrams.getsockname())
        assert found is not None
        found.close()
        self.assertEqual(inherited.unused(), [f"command (TCP 127.0.0.1:{tcp})"])
        taken = inherited.take(first)
        assert taken is not None
        taken.close()
        self.assertEqual(inherited.unused(), [])
        self.assertIsNone(inherited.take(first + 2))

    def test_no_child_of_ours_gets_them_by_chance(self) -> None:
        """A program that was not meant to would hold the port."""
        first = self.in_a_row(self.opened())
        self.assertTrue(os.get_inheritable(first))
        self.inherited({"LISTEN_PID": "77", "LISTEN_FDS": "1"}, first)
        self.assertFalse(os.get_inheritable(first))

    def test_names_may_be_missing(self) -> None:
        """sd_listen_fds_with_names(3) calls such a socket unknown."""
        first = self.in_a_row(self.opened(socket.AF_UNIX), self.opened(socket.AF_UNIX))
        environment = {"LISTEN_PID": "77", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "one"}
        self.assertEqual(self.inherited(environment, first).unused(), ["one (UNIX '')", "unknown (UNIX '')"])

    def test_what_was_passed_to_another_process_is_not_ours(self) -> None:
        """Nor is what cannot be understood."""
        first = self.in_a_row(self.opened())
        for environment in (
            {},
            {"LISTEN_FDS": "1"},
            {"LISTEN_PID": "78", "LISTEN_FDS": "1"},
            {"LISTEN_PID": "77", "LISTEN_FDS": "many"},
            {"LISTEN_PID": "77"},
        ):
            self.assertFalse(self.inherited(environment, first))

    def test_what_is_no_socket_is_named(self) -> None:
        """systemd passes files and pipes as well; and a number that is not open does no harm."""
        with open(os.devnull) as file:
            first = self.in_a_row(file.fileno())
        inherited = self.inherited({"LISTEN_PID": "77", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}, first)
        self.assertEqual(inherited.unused(), ["a (no socket)", "b (no socket)"])

    def test_a_child_can_be_given_the_same(self) -> None:
        """In the same order and with the same names, from the number where systemd starts."""
        first = self.in_a_row(self.opened(), self.opened(kind=socket.SOCK_DGRAM))
        environment = {"LISTEN_PID": "77", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}
        descriptors, told = self.inherited(environment, first).passed_on()
        self.assertEqual(list(descriptors), [3, 4])
        for number, ours in zip((first, first + 1), descriptors.values(), strict=True):
            self.assertTrue(os.path.sameopenfile(number, ours))
        self.assertEqual(told, {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"})
        self.assertEqual(Inherited().passed_on(), ({}, {}))

    def test_the_environment_is_that_of_the_start(self) -> None:
        """Twisted's endpoints take the variables away when they are imported."""
        with mock.patch.dict(os.environ, {"LISTEN_FDS": "0"}):
            self.assertEqual(first_environment()["LISTEN_FDS"], "0")
        self.assertEqual(first_environment().get("PATH"), os.environ.get("PATH"))
        with mock.patch("builtins.open", side_effect=FileNotFoundError):
            self.assertIs(first_environment(), os.environ)


class NotifierTests(SynchronousTestCase):
    """What systemd is told over its datagram socket."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock = Clock()
        self.path = str(Path(folder.name) / "notify")
        self.systemd = self.bound(self.path)
        self.environment = {"NOTIFY_SOCKET": self.path, "PATH": "/bin"}

    def bound(self, address: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.setblocking(False)
        sock.bind(address)
        return sock

    def notifier(self, **environment: str) -> Notifier:
        self.environment.update(environment)
        notifier = Notifier(self.clock, self.environment, 77)
        self.addCleanup(notifier.close)
        return notifier

    def told(self) -> list[list[str]]:
        """What has come since the last call: the lines of each message."""
        messages = []
        while True:
            try:
                messages.append(self.systemd.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages

    def test_it_tells_of_start_reload_and_stop(self) -> None:
        """In the words of sd_notify(3); the status is one line whatever is in it."""
        notifier = self.notifier()
        notifier.ready("main on\n127.0.0.1:1199\nREADY=0")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier.reloading()
        notifier.status("an error")
        notifier.ready("as before")
        notifier.stopping(7.5)
        ready, reloading, status, again, stopping = self.told()
        self.assertEqual(ready, ["READY=1", f"MAINPID={os.getpid()}", "STATUS=main on 127.0.0.1:1199 READY=0"])
        self.assertEqual(reloading[0], "RELOADING=1")
        key, _, value = reloading[1].partition("=")
        self.assertEqual(key, "MONOTONIC_USEC")
        self.assertTrue(before <= int(value) <= before + 10_000_000)
        self.assertEqual(status, ["STATUS=an error"])
        self.assertEqual(again[0], "READY=1")
        self.assertEqual(stopping, ["STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=7500000"])

    def test_a_name_of_the_abstract_namespace_is_understood(self) -> None:
        """It begins with @ instead of the NUL that no environment can hold."""
        name = f"labnet-{secrets.token_hex(8)}"
        self.systemd = self.bound(f"\0{name}")
        self.notifier(NOTIFY_SOCKET=f"@{name}").status("here")
        self.assertEqual(self.told(), [["STATUS=here"]])

    def test_without_systemd_nothing_is_said(self) -> None:
        """Nor is there anything to do in time."""
        for address in "", "vsock:2:1234":
            notifier = self.notifier(NOTIFY_SOCKET=address, WATCHDOG_USEC="1000000")
            with mock.patch.object(systemd.socket, "socket") as opened:
                notifier.ready("alone")
                notifier.stopping(1)
            opened.assert_not_called()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_child_can_speak_for_the_daemon(self) -> None:
        """The variables are gone from the environment; the others stay."""
        self.notifier(WATCHDOG_USEC="1", WATCHDOG_PID="77")
        self.assertEqual(self.environment, {"PATH": "/bin"})

    def test_the_watchdog_hears_of_it_twice_in_its_time(self) -> None:
        """From the start on, through every reload, until the end."""
        notifier = self.notifier(WATCHDOG_USEC="10000000", WATCHDOG_PID="77")
        self.clock.advance(100)
        self.assertEqual(self.told(), [])
        notifier.ready("up")
        notifier.ready("up again")
        self.told()
        for _ in range(3):
            self.clock.advance(4.9)
            self.assertEqual(self.told(), [])
            self.clock.advance(0.1)
            self.assertEqual(self.told(), [["WATCHDOG=1"]])
        notifier.close()
        notifier.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_watchdog_of_another_process_or_of_none_is_not_fed(self) -> None:
        """By its id, or where the time is none."""
        for pid, microseconds in ("78", "1000000"), ("77", "0"), ("77", "soon"):
            notifier = self.notifier(NOTIFY_SOCKET=self.path, WATCHDOG_USEC=microseconds, WATCHDOG_PID=pid)
            notifier.ready("up")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_systemd_that_does_not_listen_is_told_of_once(self) -> None:
        """In the log, and again only after it has been there in between."""
        events: list[str] = []
        self.patch(Notifier, "log", mock.Mock(spec=Logger))
        Notifier.log.warn.side_effect = lambda text, **event: events.append(event["event"])
        notifier = self.notifier()
        os.rename(self.path, self.path + "-away")
        notifier.status("one")
        notifier.status("two")
        self.assertEqual(events, ["systemd.notify-failed"])
        os.rename(self.path + "-away", self.path)
        notifier.status("three")
        self.assertEqual(self.told(), [["STATUS=three"]])
        os.rename(self.path, self.path + "-away")
        notifier.status("four")
        self.assertEqual(len(events), 2)
