"""A fleet in small: a real Redis, labs that share it, and a parent that counts what it is asked."""

from __future__ import annotations

import json
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop import peers
from tests.interop.daemon import DEADLINE, Daemon, environment
from tests.interop.dns_peers import LOOPBACK, free_port
from tests.interop.plain import Address
from tests.interop.preloaded import PATIENT


class Redis:
    """A redis-server, or ``program`` of the Debian ``package``, on a port of its own; ``options`` are its arguments.

    Leaving the ``with`` block ends it.
    """

    def __init__(
        self, folder: Path, *options: str, program: str = "redis-server", package: str = "redis-server"
    ) -> None:
        self.port = free_port()
        self._command = [peers.tool(program, package), "--bind", LOOPBACK, "--port", str(self.port)]
        self._command += ["--save", "", "--dir", str(folder), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        until = time.monotonic() + DEADLINE
        while True:
            try:
                answer = self.say("PING")
            except OSError:
                answer = b""
            if answer.startswith((b"+PONG", b"-NOAUTH")):
                return
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.01)

    def say(self, *command: str | bytes) -> bytes:
        """What it answers to ``command``, as bytes of the protocol; for short answers."""
        parts = [part if isinstance(part, bytes) else part.encode() for part in command]
        encoded = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        with socket.create_connection((LOOPBACK, self.port), 5) as sock:
            sock.sendall(b"*%d\r\n%b" % (len(parts), encoded))
            return sock.recv(1_000_000)

    def keys(self, pattern: str = "labnet:1:*") -> list[str]:
        """The names of the keys that match ``pattern``."""
        return sorted(self.say("KEYS", pattern).decode("utf-8", "replace").split("\r\n")[2::2])

    def number(self, *command: str | bytes) -> int:
        """The integer that it answers."""
        answer = self.say(*command)
        assert answer.startswith(b":"), answer
        return int(answer[1:])

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


class CountingParent:
    """A parent that answers each name after ``delay`` seconds, and counts how often it was asked.

    It speaks DNS and the course protocol. The address is the same for a name whenever it is asked, see
    :meth:`address_of`; for names below ``unknown.test`` there is none.
    """

    def __init__(self, ttl: int = 300, delay: float = 0.0) -> None:
        self.ttl = ttl
        self.delay = delay
        self.answers = True
        self.asked: Counter[str] = Counter()
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(0.001)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @staticmethod
    def address_of(name: str) -> str:
        """The address that it tells of ``name``."""
        number = sum(byte * 31**place for place, byte in enumerate(name.lower().rstrip(".").encode())) % 65536
        return f"10.0.{number >> 8}.{number & 255}"

    def _serve(self) -> None:
        due: list[tuple[float, bytes, Address]] = []
        while not self._stopped.is_set():
            try:
                query, source = self._socket.recvfrom(4096)
                reply = self._reply(query)
                if reply is not None:
                    due.append((time.monotonic() + self.delay, reply, source))
            except TimeoutError:
                pass
            now = time.monotonic()
            while due and due[0][0] <= now:
                _, reply, source = due.pop(0)
                self._socket.sendto(reply, source)

    def _reply(self, query: bytes) -> bytes | None:
        if b"\0" not in query:
            name = query.decode()
            self.asked[name] += 1
            known = not name.endswith("unknown.test")
            return f"{name},{self.address_of(name)},{self.ttl}".encode() if self.answers and known else b""
        end = query.index(b"\0", 12) + 5
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name = ".".join(labels)
        self.asked[name] += 1
        if not self.answers:
            return None
        head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + query[12:end]
        if name.endswith("unknown.test"):
            soa = b"\xc0\x0c\xc0\x0c" + struct.pack("!IIIII", 1, 2, 3, 4, 30)
            negative = query[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 1, 0) + query[12:end]
            return negative + b"\xc0\x0c" + struct.pack("!HHIH", 6, 1, 30, len(soa)) + soa
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, self.ttl, 4)
        return head + record + socket.inet_aton(self.address_of(name))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(DEADLINE)
        self._socket.close()


def lab(
    folder: Path, redis: Redis, parent: CountingParent, shared: str = "", more: str = "", kind: str = "dns"
) -> Daemon:
    """A lab whose resolver main asks ``parent`` and shares ``redis``.

    ``shared`` and ``more`` are more lines of the tables, ``kind`` is what the parent is asked by.
    """
    folder.mkdir(exist_ok=True)
    url = "" if "url" in shared else f'url = "redis://{LOOPBACK}:{redis.port}"\n'
    (folder / "lab.toml").write_text(
        f'[shared]\n{url}{shared}\n[resolver.main]\nlisten = "udp:0"\nparents = "{kind}:{LOOPBACK}:{parent.port}"\n'
        f'learned = "main.learned"\nrate_limit = 0\nin_flight = 5000\nin_flight_per_client = 5000\n{more}\n'
    )
    return Daemon("labnet", "--config=lab.toml", cwd=folder, env=environment(**{PATIENT: "1"}))


def joined(daemon: Daemon) -> Address:
    """Where the resolver of ``daemon`` listens, once it shares what it learns."""
    daemon.wait_for("the lab shares what it learns")
    return daemon.address("resolver main")


def query(number: int, name: str) -> bytes:
    """A DNS query for the addresses of ``name``."""
    wire = b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!HH", 1, 1)


class Asking:
    """Asks DNS servers for many names, ``most`` at a time of each, and measures how long each answer took."""

    def __init__(self, servers: Sequence[Address], most: int = 100) -> None:
        self._servers = servers
        self._most = most
        self.took: list[float] = []
        self.lost = 0
        self.wrong: list[str] = []
        self.took_of: list[list[float]] = [[] for _ in servers]
        """The same of each server."""

    def ask(self, names: Sequence[str], patience: float = 10.0) -> None:
        """Ask every server for every one of ``names``; what has no answer after ``patience`` seconds is lost."""
        with selectors.DefaultSelector() as selector:
            sockets = []
            for place, server in enumerate(self._servers):
                sock = socket.socket(type=socket.SOCK_DGRAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
                sock.connect(server)
                sock.setblocking(False)
                selector.register(sock, selectors.EVENT_READ, place)
                sockets.append(sock)
            left = [list(reversed(list(enumerate(names)))) for _ in sockets]
            flying: list[dict[int, tuple[float, str]]] = [{} for _ in sockets]
            while any(left) or any(flying):
                for place, sock in enumerate(sockets):
                    while left[place] and len(flying[place]) < self._most:
                        number, name = left[place].pop()
                        sock.send(query(number & 0xFFFF, name))
                        flying[place][number & 0xFFFF] = (time.monotonic(), name)
                for key, _ in selector.select(0.02):
                    self._read(key.fileobj, key.data, flying[key.data])
                now = time.monotonic()
                for asked in flying:
                    for number in [number for number, (at, _) in asked.items() if now - at > patience]:
                        del asked[number]
                        self.lost += 1
            for sock in sockets:
                sock.close()

    def _read(self, sock: object, place: int, flying: dict[int, tuple[float, str]]) -> None:
        assert isinstance(sock, socket.socket)
        while True:
            try:
                reply = sock.recv(4096)
            except BlockingIOError:
                return
            number, flags = struct.unpack_from("!HH", reply)
            if number not in flying:
                continue
            at, name = flying.pop(number)
            self.took.append(time.monotonic() - at)
            end = 12 + len(name) + 2 + 4
            known = CountingParent.address_of(name)
            if flags & 0xF or reply[end + 12 : end + 16] != socket.inet_aton(known):
                self.wrong.append(name)
            self.took_of[place].append(self.took[-1])


def control(folder: Path, **request: str) -> object:
    """What the lab in ``folder`` replies to ``request`` over its control socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(str(folder / "var" / "control.sock"))
        sock.sendall(json.dumps(request).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            piece = sock.recv(65536)
            assert piece, reply
            reply += piece
        answer = json.loads(reply)
        assert answer["ok"], answer
        return answer["result"]


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for ``true``, which has to be soon."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def alone(folder: Path) -> int:
    """How many questions the lab in ``folder`` asked by itself, as the server was not there in time."""
    samples = control(folder, do="samples")
    assert isinstance(samples, list)
    return sum(
        value for name, labels, value in samples if (name, labels) == ("labnet_shared_requests_total", ["alone"])
    )
