"""Recursion from the root, offline: servers of a whole name space, and the resolvers that walk down through them."""

from __future__ import annotations

import shutil
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import harness, peers, settings
from bench.stages import Load, Loads, Server, Stage, free_port
from bench.targets import COLD, LABNET, WARM

DNS_PORT = 53
"""Where unbound looks for every server: it cannot be told another."""

ROOT = "127.0.1.1"

ZONES = 2000
"""Below a top-level domain each: a walk to one of them goes by three servers."""

NAMES = 400_000
"""Of them all together: more than are asked in one load."""

AT_A_TIME = 20
"""Walks: with so many each is over before the load gives its question up, however slow it is."""


def recursion(folder: Path, binary: Path, udp: Load) -> Stage:
    """The first question into each zone, and then others into the same ones, with the ``binary`` of their servers.

    Cold, nothing is known but the root; each question is asked once. Warm, the last server is known.
    """
    folder.mkdir()
    write_hints(folder)
    _write_questions(folder / "few", 100, first=ZONES)
    _write_questions(folder / "cold", ZONES)
    _write_questions(folder / "warm", NAMES, host="w")
    port = DNS_PORT if _is_free(DNS_PORT) else free_port()
    servers = [
        Server(name, command, _walks, beside=partial(_tree, binary, port)) for name, command in _resolvers(folder, port)
    ]
    asking = partial(udp, window=AT_A_TIME)
    few, cold = (partial(asking, questions=folder / name, once=True) for name in ("few", "cold"))
    warm = partial(asking, questions=folder / "warm")
    return Stage(
        servers,
        {
            COLD: Loads(partial(_counted, port, cold), warm_up=few),
            WARM: Loads(partial(_counted, port, warm), warm_up=partial(_whole, cold)),
        },
    )


def write_hints(folder: Path) -> None:
    """Write the root's name and address."""
    (folder / "hints").write_text(f". 3600000 NS ns.\nns. 3600000 A {ROOT}\n")


def questions_to(root: tuple[str, int]) -> int:
    """How many questions the servers of the name space of ``root`` were asked so far, without those by this."""
    reply = harness.asks_dns(root, "count")
    assert reply is not None, "the servers of the name space are gone"
    return int(struct.unpack("!I", reply[-4:])[0])


def _write_questions(file: Path, count: int, host: str = "c", first: int = 0) -> None:
    numbers = ((number, first + number % ZONES) for number in range(count))
    file.write_text("".join(f"{host}{number:06d}.lab.t{zone:05d} A\n" for number, zone in numbers))


def _resolvers(folder: Path, port: int) -> Iterator[tuple[str, peers.Command]]:
    """labnet, and unbound where the servers are at the port that it takes for granted."""

    def labnet(own: int) -> list[str]:
        values = {"port": own, "tree": port, "folder": tempfile.mkdtemp(dir=folder)}
        return [
            *peers.twistd(folder),
            "labnet",
            "--config",
            peers.written(folder / "walks.toml", settings.LAB_WALKS, **values),
        ]

    yield LABNET, labnet
    unbound = shutil.which("unbound", path=peers.PATH)
    if unbound is not None and port == DNS_PORT:
        yield "unbound", peers.with_settings(unbound, ["-d", "-c"], folder / "unbound.conf", settings.UNBOUND_WALKS)


@contextmanager
def _tree(binary: Path, port: int) -> Iterator[None]:
    """The servers of the name space, on the core of the load."""
    with harness.running([str(binary), str(port)], partial(_is_there, port), core=harness.LOAD_CORE):
        yield


def _is_there(port: int) -> bool:
    return harness.asks_dns((ROOT, port), "count") is not None


def _walks(port: int) -> bool:
    """Whether the resolver at ``port`` gets to a zone that no load asks for."""
    return harness.asks_dns(("127.0.0.1", port), "ready.lab.ready") is not None


def _counted(tree: int, load: Load, port: int, seconds: float, **options: float) -> harness.Result:
    """``load``, and how many questions the servers were ``asked`` for each of its own."""
    before = questions_to((ROOT, tree))
    result = load(port, seconds=seconds, **options)
    return result | {"asked": (questions_to((ROOT, tree)) - before) / max(1.0, result["answered"])}


def _whole(load: Load, port: int, seconds: float, **options: float) -> harness.Result:
    """``load`` to its end, however little a warm-up is to take."""
    return load(port, seconds=60.0, **options)


def _is_free(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((ROOT, port))
        except OSError:
            return False
    return True
