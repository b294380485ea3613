"""Listening sockets: inherited, shared by workers, opened as ever; and those that another has."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any, cast
from unittest import mock

from twisted.internet import tcp
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from labnet.interfaces import IReactor, StartError
from labnet.net.opening.bound import bound_socket
from labnet.net.opening.listening import (
    attach_random_split,
    check_free,
    listening_reactor,
    open_datagrams,
    socket_opener,
    with_defaults,
)
from labnet.net.opening.systemd import Inherited
from labnet.values.listeners import UDPListen
from tests.fakes import MemoryReactor

SO_ATTACH_REUSEPORT_CBPF = 51

HOST = f"127.77.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 2}"
"""An address of this machine where the ports of one number are free for both UDP and TCP: no client comes from it."""


class DefaultsTests(SynchronousTestCase):
    """How many connections may wait for being accepted, and who may open a UNIX socket."""

    def test_an_endpoint_gets_what_it_does_not_name(self) -> None:
        """A backlog, and a UNIX socket a mode; one that takes no such argument is left as it is."""
        for endpoint, expected in (
            ("tcp:8080", "tcp:8080:backlog=511"),
            (r"tcp6:8080:interface=\:\:1", r"tcp6:8080:interface=\:\:1:backlog=511"),
            ("unix:/run/labnet.sock:mode=660", "unix:/run/labnet.sock:mode=660:backlog=511"),
            ("unix:/run/labnet.sock", "unix:/run/labnet.sock:mode=640:backlog=511"),
            ("tcp:8080:backlog=7", "tcp:8080:backlog=7"),
            ("tcp:8080:127.0.0.1:7", "tcp:8080:127.0.0.1:7"),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ):
            self.assertEqual(with_defaults(endpoint, 0o640), expected)


class Watching(PosixReactorBase):
    """Twisted's own ports on real sockets, for a reactor that never runs."""

    def __init__(self) -> None:
        self.reading: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.reading.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.reading.discard(reader)

    removeWriter = removeReader


class ListeningTestCase(SynchronousTestCase):
    """A reactor that never runs, and what was opened closed at the end."""

    def setUp(self) -> None:
        self.real = Watching()

    def reactor(self, *passed: socket.socket, workers: int = 1) -> Any:
        return listening_reactor(cast(IReactor, self.real), self.inherited(*passed), workers)

    def inherited(self, *passed: socket.socket) -> Inherited:
        inherited = Inherited((f"name{at}", sock.fileno()) for at, sock in enumerate(passed))
        self.addCleanup(inherited.close)
        return inherited

    def bound(self, kind: int, host: str = HOST, listens: bool = True) -> tuple[socket.socket, int]:
        """A socket as another process opens it, and its port."""
        sock = self.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind))
        sock.bind((host, 0))
        if kind == socket.SOCK_STREAM and listens:
            sock.listen()
        return sock, sock.getsockname()[1]

    def closing(self, sock: socket.socket) -> socket.socket:
        self.addCleanup(sock.close)
        return sock

    def listening(self, port: Any) -> Any:
        """``port``, closed at the end of the test."""
        self.addCleanup(self.stop, port)
        return port

    def stop(self, port: Any) -> None:
        if port in self.real.reading:
            self.real.removeReader(port)
            port.connectionLost(Failure(ConnectionDone()))

    def folder(self) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)


def same(one: socket.socket, other: socket.socket) -> bool:
    """Whether they are one open socket of the system's."""
    return os.path.sameopenfile(one.fileno(), other.fileno())


class InheritedTests(ListeningTestCase):
    """A port that was passed is taken by who asks for its address."""

    def test_tcp_is_taken_by_its_address(self) -> None:
        """For IPv4 and IPv6, and all of IPv4 by an interface that is not named."""
        for host, interface in (HOST, HOST), ("::1", "::1"), ("0.0.0.0", ""), ("::1", "0:0::1"):
            passed, number = self.bound(socket.SOCK_STREAM, host)
            port = self.listening(self.reactor(passed).listenTCP(number, Factory(), 50, interface))
            self.assertIsInstance(port, tcp.Port)
            self.assertTrue(same(port.socket, passed))
            self.assertFalse(os.get_blocking(port.socket.fileno()))

    def test_udp_is_taken_by_its_address(self) -> None:
        """By a port of one datagram at a time and by a batch port."""
        for host in HOST, "::1":
            passed, number = self.bound(socket.SOCK_DGRAM, host)
            port = self.listening(self.reactor(passed).listenUDP(number, DatagramProtocol(), host, 4096))
            self.assertTrue(same(port.socket, passed))
            batch = self.closing(socket_opener(self.inherited(passed))(host, number))
            self.assertTrue(same(batch, passed))
            self.assertFalse(os.get_blocking(batch.fileno()))

    def test_a_port_that_closes_leaves_the_passed_socket_open(self) -> None:
        """So a later reload can have it again, and it still takes connections."""
        passed, number = self.bound(socket.SOCK_STREAM)
        reactor = self.reactor(passed)
        self.stop(reactor.listenTCP(number, Factory(), 50, HOST))
        self.closing(socket.create_connection((HOST, number)))
        again = self.listening(reactor.listenTCP(number, Factory(), 50, HOST))
        self.assertTrue(same(again.socket, passed))

    def test_another_address_kind_or_state_is_not_taken(self) -> None:
        """UDP is not TCP, one address is not another, and what does not listen is no port."""
        datagrams, number = self.bound(socket.SOCK_DGRAM)
        silent, quiet = self.bound(socket.SOCK_STREAM, listens=False)
        reactor = self.reactor(datagrams, silent)
        port = self.listening(reactor.listenTCP(number, Factory(), 50, HOST))
        self.assertEqual(port.getHost().port, number)
        other = self.listening(reactor.listenUDP(number, DatagramProtocol(), HOST.replace("127.77", "127.78")))
        self.assertFalse(same(other.socket, datagrams))
        with self.assertRaises(CannotListenError):
            reactor.listenTCP(quiet, Factory(), 50, HOST)
        any_number = self.listening(reactor.listenUDP(0, DatagramProtocol(), HOST))
        self.assertFalse(same(any_number.socket, datagrams))

    def test_an_interface_that_is_a_host_name_is_left_to_twisted(self) -> None:
        """Nothing is looked up."""
        passed, _ = self.bound(socket.SOCK_STREAM)
        port = self.listening(self.reactor(passed).listenTCP(0, Factory(), 50, "localhost"))
        self.assertEqual(port.getHost().host, "127.0.0.1")

    def test_a_unix_socket_is_taken_by_its_path(self) -> None:
        """Its file keeps its mode, and is there after the end: both are systemd's."""
        path = self.folder() / "lab.sock"
        passed = self.closing(socket.socket(socket.AF_UNIX))
        passed.bind(str(path))
        passed.listen()
        path.chmod(0o640)
        port = self.listening(self.reactor(passed).listenUNIX(str(path), Factory(), mode=0o600, wantPID=True))
        self.assertTrue(same(port.socket, passed))
        self.assertEqual(port.getHost().name, os.fsencode(path))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        self.stop(port)
        client = self.closing(socket.socket(socket.AF_UNIX))
        client.connect(str(path))

    def test_twisteds_endpoints_for_systemd_take_the_socket_as_well(self) -> None:
        """Once each: they close the number that systemd gave it, and another file may have it then."""
        path = self.folder() / "lab.sock"
        stream, _ = self.bound(socket.SOCK_STREAM)
        local = self.closing(socket.socket(socket.AF_UNIX))
        local.bind(str(path))
        local.listen()
        mode = path.stat().st_mode
        reactor = self.reactor(stream, local)
        for passed, family in (stream, socket.AF_INET), (local, socket.AF_UNIX):
            port = self.listening(reactor.adoptStreamPort(passed.fileno(), family, Factory()))
            self.assertTrue(same(port.socket, passed))
            with self.assertRaisesRegex(CannotListenError, "systemd passed it once"):
                reactor.adoptStreamPort(passed.fileno(), family, Factory())
        self.assertEqual(path.stat().st_mode, mode)

    def test_other_descriptors_are_adopted_as_ever(self) -> None:
        """What did not come from systemd is somebody else's to give."""
        sock, number = self.bound(socket.SOCK_STREAM)
        port = self.listening(self.reactor().adoptStreamPort(sock.fileno(), socket.AF_INET, Factory()))
        self.assertEqual(port.getHost().port, number)


class PlainTests(ListeningTestCase):
    """Where nothing is passed and nothing shared."""

    def test_everything_else_is_the_reactors(self) -> None:
        """Its interfaces, its attributes, and its ports."""
        memory = MemoryReactor()
        reactor: Any = listening_reactor(cast(IReactor, memory), Inherited())
        self.assertTrue(reactor.seconds() == memory.seconds())
        reactor.listenTCP(8080, Factory(), 128, HOST)
        reactor.listenUDP(1199, DatagramProtocol(), HOST, 4096)
        reactor.listenUNIX("/run/lab.sock", Factory(), mode=0o600)
        self.assertEqual([port.port for port in memory.tcpPorts], [8080])
        self.assertEqual([port.getHost().port for port in memory.udpPorts], [1199])
        self.assertEqual(memory.unixServers[0][0], "/run/lab.sock")

    def test_a_datagram_socket_is_nobody_elses(self) -> None:
        """A second one on its port is refused."""
        sock = self.closing(open_datagrams(HOST, 0))
        self.assertFalse(sock.getblocking())
        with self.assertRaises(OSError) as raised:
            socket_opener(Inherited())(HOST, sock.getsockname()[1])
        self.assertEqual(raised.exception.errno, errno.EADDRINUSE)


class FamiliesTests(ListeningTestCase):
    """All of IPv6 is a listener of its own."""

    def test_all_of_ipv4_and_all_of_ipv6_are_listened_on_together(self) -> None:
        """By UDP and TCP, in either order; and so is one address of IPv4."""
        for first, second in ("0.0.0.0", "::"), ("::", "0.0.0.0"), ("127.0.0.1", "::"), ("::", "127.0.0.1"):
            reactor = self.reactor()
            number = 0
            for interface in first, second:
                port = self.listening(reactor.listenUDP(number, DatagramProtocol(), interface))
                number = port.getHost().port
            number = 0
            for interface in first, second:
                port = self.listening(reactor.listenTCP(number, Factory(), 50, interface))
                number = port.getHost().port


class SharedTests(ListeningTestCase):
    """Workers have the same ports."""

    def test_workers_share_tcp_and_udp(self) -> None:
        """Every one of them opens the port for itself."""
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            ports: list[Any] = []
            for reactor in self.reactor(workers=2), self.reactor(workers=2):
                number = ports[0].getHost().port if ports else 0
                if kind == socket.SOCK_STREAM:
                    ports.append(self.listening(reactor.listenTCP(number, Factory(), 50, HOST)))
                else:
                    ports.append(self.listening(reactor.listenUDP(number, DatagramProtocol(), HOST, 4096)))
            self.assertEqual(ports[0].getHost(), ports[1].getHost())
            self.assertFalse(same(ports[0].socket, ports[1].socket))

    def test_a_port_of_somebody_who_does_not_share_is_in_use(self) -> None:
        """For TCP and UDP, as of Twisted's own ports."""
        reactor = self.reactor(workers=2)
        _, number = self.bound(socket.SOCK_STREAM)
        with self.assertRaisesRegex(CannotListenError, "Address already in use"):
            reactor.listenTCP(number, Factory(), 50, HOST)
        _, number = self.bound(socket.SOCK_DGRAM)
        with self.assertRaisesRegex(CannotListenError, "Address already in use"):
            reactor.listenUDP(number, DatagramProtocol(), HOST, 4096)

    def test_workers_take_what_was_passed(self) -> None:
        """One socket, that all of them read."""
        passed, number = self.bound(socket.SOCK_STREAM)
        port = self.listening(self.reactor(passed, workers=2).listenTCP(number, Factory(), 50, HOST))
        self.assertTrue(same(port.socket, passed))

    def test_one_clients_datagrams_are_split_over_the_workers(self) -> None:
        """By chance, not by the client's address: neither of two gets more than 60 of 100."""
        open_socket = socket_opener(Inherited(), 2)
        first = self.closing(open_socket(HOST, 0))
        second = self.closing(open_socket(HOST, first.getsockname()[1]))
        client = self.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.connect(first.getsockname())
        counts = [0, 0]
        for _ in range(1000):
            client.send(b"?")
            for at, sock in enumerate((first, second)):
                try:
                    counts[at] += len(sock.recv(1))
                except BlockingIOError:
                    continue
        self.assertEqual(sum(counts), 1000)
        self.assertGreater(min(counts), 400)

    def test_a_system_that_cannot_split_at_random_goes_on(self) -> None:
        """Its hash of the addresses serves too."""
        refusing = mock.Mock(spec=socket.socket)
        refusing.setsockopt.side_effect = OSError(errno.ENOPROTOOPT, "Protocol not available")
        self.assertFalse(attach_random_split(refusing, 2))
        self.assertEqual(refusing.setsockopt.call_args.args[:2], (socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF))

    def test_a_socket_that_cannot_be_had_is_closed(self) -> None:
        """Whatever is wrong with it."""
        with mock.patch("labnet.net.opening.listening.socket.socket") as made:
            made.return_value.bind.side_effect = OSError(errno.EACCES, "Permission denied")
            with self.assertRaises(PermissionError):
                bound_socket(socket.SOCK_DGRAM, HOST, 53)
            made.return_value.close.assert_called_once_with()
        refusal = mock.patch.object(socket.socket, "listen", side_effect=OSError(errno.EADDRINUSE, "in use"))
        with refusal, self.assertRaises(CannotListenError):
            self.reactor(workers=2).listenTCP(0, Factory(), 50, HOST)


class UnixTests(ListeningTestCase):
    """UNIX sockets and the files that they leave behind."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder() / "lab.sock"

    def listen(self, **options: Any) -> Any:
        return self.listening(self.reactor().listenUNIX(str(self.path), Factory(), **options))

    def test_a_file_of_a_dead_process_is_replaced(self) -> None:
        """Nobody accepts connections at it."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.path))
            dead.listen()
        self.listen(mode=0o600)
        self.closing(socket.socket(socket.AF_UNIX)).connect(str(self.path))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_a_live_one_is_in_use(self) -> None:
        """Even one whose queue is full; it is left alone."""
        alive = self.closing(socket.socket(socket.AF_UNIX))
        alive.bind(str(self.path))
        alive.listen(0)
        for _ in range(3):
            client = self.closing(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with self.assertRaises(CannotListenError) as raised:
                self.listen()
            self.assertEqual(raised.exception.socketError.errno, errno.EADDRINUSE)
            with self.assertRaisesRegex(StartError, "Address already in use"):
                check_free([f"unix:{self.path}"], Inherited())
            client.connect_ex(str(self.path))
        self.assertTrue(stat.S_ISSOCK(self.path.stat().st_mode))

    def test_any_other_file_is_left_alone(self) -> None:
        """A path may be a slip."""
        self.path.write_text("my thesis")
        with self.assertRaises(CannotListenError):
            self.listen()
        self.assertEqual(self.path.read_text(), "my thesis")

    def test_its_file_goes_with_it(self) -> None:
        """And leaves nothing else in the folder."""
        self.stop(self.listen(wantPID=True))
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_a_file_that_is_gone_or_anothers_does_not_matter_at_the_end(self) -> None:
        """A second daemon's socket under the same name is not removed."""
        port = self.listen()
        self.path.unlink()
        self.stop(port)
        port = self.listen()
        self.path.rename(self.path.with_name("ours"))
        self.path.write_text("another's")
        self.stop(port)
        self.assertEqual(self.path.read_text(), "another's")

    def test_a_folder_that_may_no_longer_be_written_to_does_not_matter_at_the_end(self) -> None:
        """As after a start as root that goes on as somebody else."""
        port = self.listen()
        with mock.patch("labnet.net.opening.unixpath.os.unlink", side_effect=PermissionError(errno.EACCES, "no")):
            self.stop(port)
        self.assertFalse(port.connected)


class CheckFreeTests(ListeningTestCase):
    """Before workers share ports, somebody looks whether another daemon has them."""

    def test_free_ports_are_free_afterwards(self) -> None:
        """Nothing of the look is left: UDP, TCP, UNIX; systemd's are not looked at."""
        sock, number = self.bound(socket.SOCK_DGRAM)
        sock.close()
        path = self.folder() / "lab.sock"
        listeners = [
            UDPListen(port=number, interface=HOST),
            f"tcp:0:interface={HOST}",
            f"unix:{path}",
            "systemd:domain=INET:name=x",
        ]
        for _ in range(2):
            check_free(listeners, Inherited())
        self.assertFalse(path.exists())

    def test_a_port_that_workers_of_another_daemon_share_is_taken(self) -> None:
        """Sharing would go well, so the look does not share."""
        for kind, scheme in (socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp"):
            sock = self.closing(bound_socket(kind, HOST, 0, shared=True))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            listen = UDPListen(port=sock.getsockname()[1], interface=HOST)
            text = str(listen).replace("udp", "tcp")
            for listener in (listen, text) if scheme == "tcp" else (listen,):
                with self.assertRaisesRegex(
                    StartError, r"^labnet: cannot listen on (udp|tcp):.*Address already in use"
                ):
                    check_free([listener], Inherited())

    def test_a_live_unix_socket_is_taken(self) -> None:
        """Also where many workers would come for it."""
        path = self.folder() / "lab.sock"
        alive = self.closing(socket.socket(socket.AF_UNIX))
        alive.bind(str(path))
        alive.listen()
        with self.assertRaisesRegex(StartError, f"cannot listen on unix:{path}: Address already in use"):
            check_free([f"unix:{path}"], Inherited())
        check_free([f"unix:{path}"], self.inherited(alive))

    def test_what_was_passed_is_ours(self) -> None:
        """It is open, and that is well."""
        stream, number = self.bound(socket.SOCK_STREAM)
        datagrams = self.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind((HOST, number))
        check_free([UDPListen(port=number, interface=HOST)], self.inherited(stream, datagrams))
