"""Where listening sockets come from: systemd passed them, workers share them, or they are opened as ever.

The services ask their reactor for ports and know nothing of it; :func:`listening_reactor` in the reactor's place looks
first at what was inherited (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from labnet.interfaces import IReactor, StartError
from labnet.net.addresses import family_of
from labnet.net.kernel.packet_filter import ATTACH_REUSEPORT, attach, program_of
from labnet.net.opening.bound import bound_socket
from labnet.net.opening.descriptors import RefusedConnections
from labnet.net.opening.systemd import Inherited
from labnet.net.opening.unixpath import UNIXPort, remove_dead
from labnet.net.twisted_private import inherited_unix_port
from labnet.net.udp_port import UDPPort
from labnet.values.endpoints import endpoint_of
from labnet.values.listeners import Listen, UDPListen

OpenSocket = Callable[[str, int], socket.socket]
"""Gives a bound UDP socket for an interface's address and a port number; raises OSError."""

BACKLOG: Final = 511
"""Connections that may wait for being accepted, where the configuration does not say how many."""

RECEIVE_BUFFER: Final = 2 << 20
"""Bytes that may wait at a UDP port, the system's own for each datagram included: 5,000 small questions.

That is what comes during the longest pause of a busy server. More would only wait longer under a flood, and go cold.
"""

_SO_RCVBUFFORCE: Final = 33
_LOAD_WORD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_MODULO: Final = 0x94  # BPF_ALU | BPF_MOD | BPF_K
_RETURN: Final = (0x16, 0, 0, 0)  # BPF_RET | BPF_A
_RANDOM: Final = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM


def listening_reactor(reactor: IReactor, inherited: Inherited, workers: int = 1, freebind: bool = True) -> IReactor:
    """``reactor``, whose ports are those of ``inherited`` where one has the address that is asked for.

    The others are opened as ever; with more than one of ``workers`` so that each of them can have the same
    (SO_REUSEPORT), with ``freebind`` also on addresses that are not there yet.
    A UNIX socket whose owner is dead makes room; one of a live owner is "Address already in use".
    """
    proxy: Any = _Reactor(reactor, inherited, workers, freebind)
    return cast(IReactor, proxy)


def socket_opener(inherited: Inherited, workers: int = 1, freebind: bool = True) -> OpenSocket:
    """Opens UDP sockets as :func:`listening_reactor` does it.

    Those of ``workers`` share out what comes at random, and :data:`RECEIVE_BUFFER`.
    """

    def open_socket(interface: str, port: int) -> socket.socket:
        found = _find(inherited, socket.SOCK_DGRAM, interface, port)
        if found is not None:
            enlarge(found, RECEIVE_BUFFER)
            return found
        sock = bound_socket(socket.SOCK_DGRAM, interface, port, workers > 1, freebind)
        enlarge(sock, RECEIVE_BUFFER // workers)
        if workers > 1:
            attach_random_split(sock, workers)
        return sock

    return open_socket


def opener_beside(reactor: object) -> OpenSocket:
    """How UDP sockets are opened that ``reactor`` is to watch, but not to make a port of."""
    opener: OpenSocket = getattr(reactor, "open_datagrams", open_datagrams)
    return opener


def with_defaults(endpoint: str, mode: int) -> str:
    """The Twisted endpoint string ``endpoint`` with :data:`BACKLOG`, and a UNIX socket's with ``mode``.

    What it names itself, and one that takes no such argument, stays.
    """
    scheme, *arguments = re.split(r"(?<!\\):", endpoint)
    if scheme not in ("tcp", "tcp6", "unix", "ssl") or not all("=" in argument for argument in arguments[1:]):
        return endpoint
    if scheme == "unix" and ":mode=" not in endpoint:
        endpoint += f":mode={mode:o}"
    return endpoint if ":backlog=" in endpoint else f"{endpoint}:backlog={BACKLOG}"


def open_datagrams(interface: str, port: int) -> socket.socket:
    """A new UDP socket that no other process has: an :data:`OpenSocket`."""
    sock = bound_socket(socket.SOCK_DGRAM, interface, port)
    enlarge(sock, RECEIVE_BUFFER)
    return sock


def enlarge(sock: socket.socket, size: int) -> None:
    """Have a receive buffer of ``size`` bytes, where it is smaller.

    Past the system's limit (net.core.rmem_max) only an administrator gets it; others get as much as the limit is.
    """
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 2 * size:  # twice what was asked for (socket(7))
        return
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError:
            continue
        return


def attach_random_split(sock: socket.socket, sockets: int) -> bool:
    """Have each datagram go to any of the ``sockets`` that share the port of ``sock``.

    As it is, a hash of both addresses picks one, and a busy client's all go to the same worker. Returns False where the
    system refuses (it is not Linux, or older than 4.5); then the hash stays.
    """
    try:
        attach(sock, ATTACH_REUSEPORT, program_of([(_LOAD_WORD, 0, 0, _RANDOM), (_MODULO, 0, 0, sockets), _RETURN]))
    except OSError:
        return False
    return True


def check_free(listeners: Iterable[Listen | str], inherited: Inherited, freebind: bool = True) -> None:
    """Raise StartError where one of ``listeners`` is taken: sockets that workers share do not notice another daemon's.

    A resolver's listener is TCP, and UDP where it is no encrypted one; text is a Twisted endpoint. What is
    ``inherited`` is ours.
    """
    probe: Any = _Probe(inherited, freebind)
    for listener in listeners:
        try:
            if not isinstance(listener, str):
                if isinstance(listener, UDPListen):
                    probe.open(socket.SOCK_DGRAM, listener.interface, listener.port)
                probe.open(socket.SOCK_STREAM, listener.interface, listener.port)
            elif not listener.startswith("systemd:"):
                failures: list[Failure] = []
                endpoint_of(probe, listener).listen(Factory()).addErrback(failures.append)
                if failures:
                    raise StartError(listener, failures[0].value)
        except (OSError, CannotListenError) as error:
            raise StartError(str(listener), error) from None


class _Probe:
    """A reactor that opens what it is asked for and closes it at once."""

    def __init__(self, inherited: Inherited, freebind: bool) -> None:
        self._inherited = inherited
        self._freebind = freebind

    def open(self, kind: int, interface: str, port: int) -> None:
        found = _find(self._inherited, kind, interface, port)
        with found or bound_socket(kind, interface, port, freebind=self._freebind) as sock:
            if kind == socket.SOCK_STREAM:
                sock.listen(BACKLOG)

    def listenTCP(self, port: int, factory: Any, backlog: int = BACKLOG, interface: str = "") -> None:
        self.open(socket.SOCK_STREAM, interface, port)

    def listenUNIX(self, address: str, factory: Any, *arguments: Any, **options: Any) -> None:
        found = self._inherited.find(socket.AF_UNIX, socket.SOCK_STREAM, os.path.abspath(address))
        if found is None:
            remove_dead(address)
        else:
            found.close()


class _Reactor:
    """Passes on everything but listening."""

    def __init__(self, reactor: Any, inherited: Inherited, workers: int, freebind: bool) -> None:
        self.wrapped = reactor
        self._inherited = inherited
        self._is_posix = isinstance(reactor, PosixReactorBase)
        self._shared = workers > 1
        self._refusals = RefusedConnections(reactor)
        self._freebind = freebind
        self.open_datagrams = socket_opener(inherited, workers, freebind)
        directlyProvides(self, providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.wrapped, name)
        if callable(found):
            setattr(self, name, found)  # the clock is asked for each datagram
        return found

    def listenTCP(self, port: int, factory: Any, backlog: int = BACKLOG, interface: str = "") -> Any:
        sock = _find(self._inherited, socket.SOCK_STREAM, interface, port)
        if sock is None and not self._is_posix:
            return self._refusals.watch(self.wrapped.listenTCP(port, factory, backlog, interface))
        if sock is None:
            try:
                sock = _listening_socket(interface, port, backlog, self._shared, self._freebind)
            except OSError as error:
                raise CannotListenError(interface, port, error) from error
        with sock:
            return self._refusals.watch(self.wrapped.adoptStreamPort(sock.fileno(), sock.family, factory))

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
        if not self._is_posix:
            return self.wrapped.listenUDP(port, protocol, interface, maxPacketSize)
        listening = UDPPort(self.wrapped, (interface, port), protocol, self.open_datagrams, maxPacketSize)
        listening.startListening()
        return listening

    def listenUNIX(
        self, address: str, factory: Any, backlog: int = BACKLOG, mode: int = 0o666, wantPID: object = 0
    ) -> Any:
        if not self._is_posix:
            return self.wrapped.listenUNIX(address, factory, backlog, mode, wantPID)
        sock = self._inherited.find(socket.AF_UNIX, socket.SOCK_STREAM, os.path.abspath(address))
        if sock is not None:
            return inherited_unix_port(sock, factory, self.wrapped)
        port: Any = UNIXPort(address, factory, backlog, mode, self.wrapped)
        try:
            remove_dead(address)
            port.startListening()
        except OSError as error:
            raise CannotListenError(None, address, error) from error
        return port

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        try:
            sock = self._inherited.take(descriptor)
        except OSError as error:
            raise CannotListenError(None, descriptor, error) from error
        if sock is None:
            return self.wrapped.adoptStreamPort(descriptor, family, factory)
        if sock.family == socket.AF_UNIX:
            return inherited_unix_port(sock, factory, self.wrapped)
        with sock:
            return self._refusals.watch(self.wrapped.adoptStreamPort(sock.fileno(), sock.family, factory))


def _listening_socket(interface: str, port: int, backlog: int, shared: bool, freebind: bool) -> socket.socket:
    sock = bound_socket(socket.SOCK_STREAM, interface, port, shared, freebind)
    try:
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _find(inherited: Inherited, kind: int, interface: str, port: int) -> socket.socket | None:
    if not inherited or not port:
        return None
    family = family_of(interface)
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    try:
        address = socket.getaddrinfo(interface or None, port, family, kind, flags=flags)[0][4]
    except OSError:
        return None  # a host name: nothing is inherited by that
    return inherited.find(family, kind, address)
