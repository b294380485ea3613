"""What a worker is to be, and what of the configuration is its part."""

from __future__ import annotations

import math
import os
import socket
from typing import Final, NamedTuple

from labnet.config.reading import Config
from labnet.interfaces import StartError
from labnet.net.opening.bound import bound_socket
from labnet.values.listeners import Listen, TLSListen, UDPListen

FIRST_PIPE: Final = 100
"""The descriptor that the input of the first worker has in the process that keeps all of them."""

_TRIES: Final = 20
"""Tries for a port number, of the system's choosing, that is free for both UDP and TCP."""

_FIRST_PORT: Final = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


class Orders(NamedTuple):
    """What a worker is to be: the ``number``-th of ``workers``, 1 the first.

    ``lab`` is the descriptor of the file with the configuration and its records
    (:mod:`labnet.daemon.workers.labfile`), ``control`` the path of its own control socket, ``secret`` what the DNS
    cookies of all workers are made with (hex), ``command`` whether the command server is still wanted, ``clock`` the
    epoch second at which the machine started, as the supervisor counts, ``inherited`` the names of the sockets that
    systemd passed. With ``requests`` it logs a line for each of them.
    """

    number: int
    workers: int
    lab: int
    control: str
    secret: str
    command: bool
    clock: float
    inherited: list[str]
    requests: bool = False


def pipes_of(number: int) -> tuple[int, int, int]:
    """The descriptors of input, output and errors of the worker ``number`` there; 1 is the first."""
    first = FIRST_PIPE + 3 * (number - 1)
    return first, first + 1, first + 2


def share(config: Config, orders: Orders) -> Config:
    """``config`` as one worker has it: limits that count over all workers are divided.

    The command server is in the first worker alone, since its gate and EXIT are one server's. What is said to the
    operator, and what is written, is the supervisor's, but for captures and the query log.
    """
    among = orders.workers

    def part(limit: int) -> int:
        return math.ceil(limit / among)

    resolvers = {
        name: resolver.model_copy(
            update={
                "rate_limit": resolver.rate_limit / among,
                # What may be used up at once must not become less than one answer.
                "rate_burst": max(resolver.rate_burst, among / resolver.rate_limit) if resolver.rate_limit else 1,
                "in_flight": part(resolver.in_flight),
                "in_flight_per_client": part(resolver.in_flight_per_client),
                "tcp_connections": part(resolver.tcp_connections),
                "tcp_per_address": part(resolver.tcp_per_address),
            }
        )
        for name, resolver in config.resolver.items()
    }
    capture = config.capture.file
    if capture is not None:
        stem, suffix = os.path.splitext(capture)
        capture = f"{stem}.{orders.number}{suffix}"
    console = {"listen": (), "page": (), "log": None, "control": orders.control}
    return config.model_copy(
        update={
            "lab": config.lab.model_copy(update={"watch": False}),
            "command": config.command if orders.command and orders.number == 1 else None,
            "resolver": resolvers,
            "capture": config.capture.model_copy(update={"file": capture}),
            "console": config.console.model_copy(update=console),
        }
    )


class Settled:
    """The port numbers that stand for 0, the system's choice: all workers need the same, and after a reload as well.

    Their TCP ports are held, or a connection of anybody's might be given one before the workers have them.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, int], int] = {}
        self._held: list[socket.socket] = []

    def has(self, listener: object) -> bool:
        """Whether ``listener`` has such a number, which no other process has."""
        return isinstance(listener, UDPListen | TLSListen) and listener.port in self._numbers.values()

    def close(self) -> None:
        """Hold nothing any more."""
        while self._held:
            self._held.pop().close()

    def config(self, config: Config) -> Config:
        """``config`` with a number for every port. Raises :class:`~labnet.interfaces.StartError`."""
        resolvers = {}
        for name, resolver in config.resolver.items():
            listens = [
                listen if listen.port else listen.model_copy(update={"port": self._number(name, listen, at)})
                for at, listen in enumerate(resolver.listen)
            ]
            resolvers[name] = resolver.model_copy(update={"listen": tuple(listens)})
        return config.model_copy(update={"resolver": resolvers})

    def _number(self, resolver: str, listen: Listen, at: int) -> int:
        key = (resolver, listen.interface, at)
        if key not in self._numbers:
            self._numbers[key], held = _free_number(listen)
            self._held.append(held)
        return self._numbers[key]


def _free_number(listen: Listen) -> tuple[int, socket.socket]:
    """A number that is free for both UDP and TCP, and a socket that keeps it for the processes of this user."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with bound_socket(socket.SOCK_DGRAM, listen.interface, 0) as datagrams:
                number = int(datagrams.getsockname()[1])
                held = bound_socket(socket.SOCK_STREAM, listen.interface, number, shared=True)
        except OSError as error:
            if not tries_left:
                raise StartError(str(listen), error) from None
        else:
            break
    return number, held


def unprivileged(config: Config) -> None:
    """Raise StartError for a port that only root may open: a worker is started as whom root became."""
    for resolver in config.resolver.values():
        for listen in resolver.listen:
            if listen.port < _first_unprivileged():
                raise StartError(
                    str(listen),
                    "with workers, --uid leaves no right to it: give it by systemd's AmbientCapabilities="
                    "CAP_NET_BIND_SERVICE, or set workers = 1",
                )


def _first_unprivileged() -> int:
    try:
        with open(_FIRST_PORT, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024
