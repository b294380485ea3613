"""Sockets that systemd passes to a daemon (sd_listen_fds(3)), and the states that it expects (sd_notify(3))."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from labnet.net.addresses import address_text

FIRST_INHERITED: Final = 3
"""The first descriptor that systemd passes (SD_LISTEN_FDS_START)."""


class Inherited:
    """The sockets that were passed to this process: each a name and a descriptor, which stays open.

    A service gets duplicates, so that one which a reload has taken away can be had again by the next.
    """

    def __init__(self, descriptors: Iterable[tuple[str, int]] = ()) -> None:
        self._sockets: list[tuple[str, socket.socket]] = []
        self._used: set[int] = set()
        self._spent: set[int] = set()
        self._numbers: dict[int, socket.socket] = {}
        self._strange: list[str] = []
        for name, number in descriptors:
            try:
                self._numbers[number] = sock = _duplicate(number)
            except OSError:
                self._strange.append(f"{name} (no socket)")
            else:
                self._sockets.append((name, sock))

    @classmethod
    def of_process(
        cls, environment: Mapping[str, str] | None = None, pid: int | None = None, first: int = FIRST_INHERITED
    ) -> Inherited:
        """What ``environment`` says that the process ``pid`` got, from ``first`` on; by default, this one."""
        environment = first_environment() if environment is None else environment
        count = environment.get("LISTEN_FDS", "")
        if environment.get("LISTEN_PID") != str(os.getpid() if pid is None else pid) or not count.isdecimal():
            return cls()
        names = [name for name in environment.get("LISTEN_FDNAMES", "").split(":") if name]
        names += ["unknown"] * (int(count) - len(names))
        return cls(zip(names, range(first, first + int(count)), strict=False))

    def __bool__(self) -> bool:
        return bool(self._sockets or self._strange)

    def find(self, family: int, kind: int, address: object) -> socket.socket | None:
        """A duplicate of the socket that listens on ``address`` (as of ``getsockname()``); None where none does."""
        for at, (_, sock) in enumerate(self._sockets):
            if (sock.family, sock.type, sock.getsockname()) == (family, kind, address) and _listens(sock):
                self._used.add(at)
                return sock.dup()
        return None

    def take(self, number: int) -> socket.socket | None:
        """A duplicate of what came as descriptor ``number``, which Twisted's ``systemd:`` endpoint asks for and closes.

        None where it came as no such. Raises OSError the second time: another file may have that number by then.
        """
        sock = self._numbers.get(number)
        if sock is None:
            return None
        if number in self._spent:
            raise OSError(errno.EBADF, "systemd passed it once, at the start; restart labnet to have it again")
        self._spent.add(number)
        self._used.add([one for _, one in self._sockets].index(sock))
        return sock.dup()

    def unused(self) -> list[str]:
        """What no listener has asked for, each with its name."""
        sockets = enumerate(self._sockets)
        return [_described(name, sock) for at, (name, sock) in sockets if at not in self._used] + self._strange

    def passed_on(self) -> tuple[dict[int, int], dict[str, str]]:
        """What a child needs to inherit the same: descriptors as ``spawnProcess`` maps them, and its environment.

        The child has to set LISTEN_PID to its own id before it becomes labnet: ``sh -c 'LISTEN_PID=$$ exec …'``.
        """
        if not self._sockets:
            return {}, {}
        descriptors = {FIRST_INHERITED + at: sock.fileno() for at, (_, sock) in enumerate(self._sockets)}
        names = ":".join(name for name, _ in self._sockets)
        return descriptors, {"LISTEN_FDS": str(len(descriptors)), "LISTEN_FDNAMES": names}

    def close(self) -> None:
        """Close the sockets that are open yet."""
        for _, sock in self._sockets:
            sock.close()
        self._sockets, self._numbers = [], {}


def first_environment() -> Mapping[str, str]:
    """The environment that this process was started with; Twisted takes LISTEN_FDS out of ``os.environ`` on import."""
    if "LISTEN_FDS" in os.environ:
        return os.environ
    try:
        with open("/proc/self/environ", "rb") as file:
            lines = file.read().split(b"\0")
    except OSError:
        return os.environ
    pairs = (os.fsdecode(line).partition("=") for line in lines)
    return {key: value for key, _, value in pairs}


def _duplicate(number: int) -> socket.socket:
    """A socket of our own for the descriptor ``number``; raises OSError where that is none."""
    os.set_inheritable(number, False)
    own = os.dup(number)
    try:
        sock = socket.socket(fileno=own)
    except BaseException:
        os.close(own)
        raise
    sock.setblocking(False)
    return sock


def _listens(sock: socket.socket) -> bool:
    return sock.type == socket.SOCK_DGRAM or bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _described(name: str, sock: socket.socket) -> str:
    address = sock.getsockname()
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return f"{name} ({sock.family.name.removeprefix('AF_')} {address!r})"
    kind = {socket.SOCK_STREAM: "TCP", socket.SOCK_DGRAM: "UDP"}.get(sock.type, "other")
    return f"{name} ({kind} {address_text(*address[:2])})"


class Notifier:
    """Tells systemd how the daemon is (Type=notify), and that it lives (WatchdogSec=); without systemd, nobody.

    It takes systemd's variables out of ``environment`` (by default this process's): no child can speak in its name.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, environment: MutableMapping[str, str] | None = None, pid: int | None = None
    ) -> None:
        environment = os.environ if environment is None else environment
        pid = os.getpid() if pid is None else pid
        address = environment.pop("NOTIFY_SOCKET", "")
        # "@" stands for the NUL of the abstract namespace; other families than UNIX are for virtual machines.
        self._address = address.replace("@", "\0", 1) if address[:1] == "@" else address
        self._is_expected = self._address[:1] in ("/", "\0")
        self._failed = False
        self.is_well: Callable[[], bool] = lambda: True
        """Whether systemd may hear that the daemon lives; asked each time."""
        self._alive = LoopingCall(self._watched)
        self._alive.clock = clock
        watched, microseconds = environment.pop("WATCHDOG_PID", str(pid)), environment.pop("WATCHDOG_USEC", "")
        is_watched = watched == str(pid) and microseconds.isdecimal() and int(microseconds) > 0
        self._interval = int(microseconds) / 2_000_000 if is_watched and self._is_expected else 0.0

    def ready(self, status: str) -> None:
        """Everything listens, at first or after a reload; ``status`` is what ``systemctl status`` shows."""
        # Who has gone into the background is another process than systemd started.
        self._send("READY=1", f"MAINPID={os.getpid()}", _status(status))
        if self._interval and not self._alive.running:
            self._alive.start(self._interval)

    def reloading(self) -> None:
        """A reload begins; :meth:`ready` ends it, whatever came of it."""
        # The clock of sd_notify(3) is this one and no other.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, status: str) -> None:
        """What ``systemctl status`` shows from now on."""
        self._send(_status(status))

    def stopping(self, seconds: float) -> None:
        """The stop begins, and may take ``seconds``, whatever TimeoutStopSec= says."""
        self._send("STOPPING=1", _status("stopping"), f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}")

    def close(self) -> None:
        """Say nothing more by itself."""
        if self._alive.running:
            self._alive.stop()

    def _watched(self) -> None:
        if self.is_well():
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._is_expected:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(self._address)
                sock.send("\n".join(lines).encode("utf-8", "replace"))
        except OSError as error:
            if not self._failed:
                self.log.warn(
                    "systemd cannot be told {what}: {why}", what=lines[0], why=error, event="systemd.notify-failed"
                )
            self._failed = True
        else:
            self._failed = False


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
