"""What a path consists of: the servers that take part, and what is sent to them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import harness, peers

Load = Callable[..., harness.Result]


@dataclass
class Loads:
    """What is sent on one path: ``full`` speed, which tells the CPU; ``paced``, which tells the latency.

    The pace is the ``share`` of the rate that full speed reached. Before each comes a short ``warm_up`` that does not
    count; None is the load itself.
    """

    full: Load
    paced: Load | None = None
    warm_up: Load | None = None
    share: float = 0.5


@dataclass
class Server:
    """One server: ``command`` is its command line for a port, ``answers`` says whether it is up at a port.

    ``beside`` has to run while it is measured; ``at`` is where its load goes, counted from the port it is given;
    ``options`` are what the load has to know of it; ``alone`` are the paths that
    not all servers of its stage have.
    """

    name: str
    command: peers.Command
    answers: Callable[[int], bool] = harness.answers_dns
    beside: Callable[[], AbstractContextManager[object]] = nullcontext
    at: int = 0
    options: dict[str, int] = field(default_factory=dict)
    alone: dict[str, Loads] = field(default_factory=dict)

    @property
    def is_labnet(self) -> bool:
        """Whether it is labnet, in whatever setting."""
        return self.name.startswith("labnet")


@dataclass
class Stage:
    """Servers that are measured in turn, each under the loads of all ``paths``."""

    servers: list[Server]
    paths: dict[str, Loads] = field(default_factory=dict)

    def choose(self, only: str) -> bool:
        """Keep the paths with ``only`` in their names, and the servers that have any; gives whether there are some."""
        self.paths = {path: loads for path, loads in self.paths.items() if only in path}
        for server in self.servers:
            server.alone = {path: loads for path, loads in server.alone.items() if only in path}
        self.servers = [server for server in self.servers if self.paths or server.alone]
        return bool(self.servers)


def free_port() -> int:
    """A number that is free for UDP and TCP, and the next one for TCP too."""
    while True:
        with socket.socket() as one, socket.socket() as other, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
                datagrams.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return port


@contextmanager
def running_beside(parent: peers.Command, port: int) -> Iterator[None]:
    """``parent`` at ``port``, on the core of the load."""
    with harness.running(parent(port), partial(harness.answers_dns, port), core=harness.LOAD_CORE):
        yield


def beside_parent(folder: Path, forwarders: Callable[[Path, int], Iterator[tuple[str, peers.Command]]]) -> list[Server]:
    """``forwarders``, and NSD as the parent of each."""
    parent = dict(peers.resolvers(folder)).get("nsd")
    if parent is None:
        return []
    port = free_port()
    beside = partial(running_beside, parent, port)
    return [Server(name, command, beside=beside) for name, command in forwarders(folder, port)]
