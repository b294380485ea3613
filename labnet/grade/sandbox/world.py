"""The judge's side of a sandbox: its warden, the sockets inside, the program's streams."""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import labnet
from labnet.grade.sandbox.levels import Level, SandboxError, settings_for

MOST_OUTPUT: Final = 64 * 1024
"""Bytes kept of each of the program's streams; what comes later is counted and thrown away."""

LARGEST: Final = 4 << 20
"""Bytes of a file that is read from a program's folder."""

_PACKAGE: Final = str(Path(labnet.__file__).parent.parent)
_START: Final = (
    "import sys; sys.path.append(sys.argv[2]);from labnet.grade.sandbox import warden; warden.nursery(int(sys.argv[1]))"
)
_PATIENCE: Final = 30.0
"""Seconds that a warden may take for an order."""


class Output:
    """What the program writes to one of its streams, read by a thread so that the program never waits for us."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._parts = bytearray()
        self.thrown_away = 0
        """Bytes that came after the first :data:`MOST_OUTPUT`."""
        self.changed = threading.Condition()
        self.has_ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while part := self._file.read(1 << 16):
                with self.changed:
                    room = MOST_OUTPUT - len(self._parts)
                    self._parts += part[:room]
                    self.thrown_away += max(len(part) - room, 0)
                    self.changed.notify_all()
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    @property
    def data(self) -> bytes:
        with self.changed:
            return bytes(self._parts)

    def close(self) -> None:
        """Wait until the other end is closed; the program has to be at its end."""
        self._thread.join(2)
        self._file.close()


class Sandbox:
    """A world of ``level``, with the files of the folder ``program`` in it; :meth:`close` ends it.

    The program may read the folders ``readable`` beside the system's.
    Raises :class:`SandboxError` where the system does not allow it.
    """

    def __init__(self, level: Level, program: str, readable: Sequence[str] = ()) -> None:
        self.level = level
        self._folder = self._make_folders(program)
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders = threading.Lock()
        self._judge = mine
        mine.settimeout(_PATIENCE)
        settings = settings_for(level, f"{self._folder}/work", f"{self._folder}/root", readable)
        if settings["user"] is not None and level.name != "A":
            _give_away(f"{self._folder}/work", settings["user"])
        with its:
            _launch(settings, its)
        self._outputs: list[Output] = []
        self._stdin: int | None = None
        try:
            self._receive()
        except SandboxError:
            self.close()
            raise

    @staticmethod
    def _make_folders(program: str) -> str:
        import tempfile

        folder = tempfile.mkdtemp(prefix="labnet-world-")
        os.chmod(folder, 0o711)
        os.mkdir(f"{folder}/root")
        shutil.copytree(program, f"{folder}/work", symlinks=True)
        return folder

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._judge, 1 << 17, 8)
        except OSError as error:
            raise SandboxError(f"the sandbox does not answer: {error}") from None
        if not message:
            raise SandboxError("the sandbox has ended")
        reply: dict[str, Any] = json.loads(message)
        return reply, list(descriptors)

    def order(self, do: str, **more: Any) -> tuple[dict[str, Any], list[int]]:
        """Have the warden do something; its reply and the descriptors with it.

        Raises OSError where the warden met one, :class:`SandboxError` where it is gone.
        """
        with self._orders:
            try:
                self._judge.send(json.dumps({"do": do, **more}).encode())
            except OSError as error:
                raise SandboxError(f"the sandbox is gone: {error.strerror}") from None
            reply, descriptors = self._receive()
        if "errno" in reply:
            raise OSError(reply["errno"], reply["error"])
        if "error" in reply:
            raise SandboxError(str(reply["error"]))
        return reply, descriptors

    def tcp(self, host: str, port: int, listen: int = 0) -> socket.socket:
        """A TCP socket of the world, bound; listening if ``listen``, its backlog, is not 0."""
        _, (descriptor,) = self.order("socket", kind="tcp", bind=[host, port], listen=listen)
        return socket.socket(fileno=descriptor)

    def udp(self, host: str, port: int) -> socket.socket:
        """A UDP socket of the world, bound."""
        _, (descriptor,) = self.order("socket", kind="udp", bind=[host, port])
        return socket.socket(fileno=descriptor)

    def packets(self) -> socket.socket:
        """A socket that gets every packet of the world's loopback interface; level A alone has one."""
        _, (descriptor,) = self.order("socket", kind="packet")
        return socket.socket(fileno=descriptor)

    def start(self, argv: Sequence[str]) -> tuple[Output, Output]:
        """Start the program; its output and its errors."""
        _, (stdin, stdout, stderr) = self.order("start", argv=list(argv))
        self._close_stdin()
        self._stdin = stdin
        outputs = Output(stdout), Output(stderr)
        self._outputs += outputs
        return outputs

    def type(self, text: bytes, at_end: bool = False) -> None:
        """Give the program ``text`` on its standard input; with ``at_end`` that is all it ever gets."""
        if self._stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            os.set_blocking(self._stdin, False)
            with contextlib.suppress(BlockingIOError):
                os.write(self._stdin, text)
        if at_end:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    def ports(self) -> set[tuple[str, int]]:
        """What listens or is bound in the world's network: ("tcp" or "udp", port)."""
        reply, _ = self.order("ports")
        return {(kind, port) for kind, port, _ in reply["ports"]}

    def state(self) -> dict[str, Any]:
        """As :meth:`labnet.grade.sandbox.warden.Warden.do_state` says."""
        return self.order("state")[0]

    def file(self, name: str) -> bytes:
        """A file of the program's folder. Raises OSError where there is none, or one of more than :data:`LARGEST`."""
        content = b""
        while part := str(self.order("read", path=name, offset=len(content))[0]["text"]).encode("latin-1"):
            content += part
            if len(content) > LARGEST:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return content

    def interrupt(self, seconds: float) -> None:
        """End the program as Ctrl-C does, and by force if it is still there after ``seconds``."""
        self.order("signal", signal=int(signal.SIGINT))
        until = time.monotonic() + seconds
        while self.state()["status"] is None and time.monotonic() < until:
            time.sleep(0.01)
        self.end()

    def end(self) -> None:
        """Kill every process of the program."""
        self.order("end")
        self._close_stdin()

    def close(self) -> None:
        """End the world, with all that runs in it. Idempotent."""
        with contextlib.suppress(SandboxError, OSError):
            self.end()
        self._close_stdin()
        with contextlib.suppress(OSError):
            self._judge.shutdown(socket.SHUT_WR)
            while self._judge.recv(1 << 16):
                pass  # its end is the end of all that was in the world
        self._judge.close()
        for output in self._outputs:
            output.close()
        self._outputs.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Nursery:
    """The process that wardens are born of; one for all worlds of this process."""

    def __init__(self) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.requests = mine
        with its:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, str(its.fileno()), _PACKAGE],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env={},
            )


_nurseries: list[_Nursery] = []
_nursery_lock: Final = threading.Lock()


def _launch(settings: dict[str, Any], its: socket.socket) -> None:
    """Have a warden born that speaks over ``its``. Raises :class:`SandboxError` where none can be."""
    with _nursery_lock:
        if not _nurseries or _nurseries[-1].process.poll() is not None:
            _nurseries[:] = [_Nursery()]
            atexit.register(_nurseries[-1].requests.close)
        try:
            socket.send_fds(_nurseries[-1].requests, [json.dumps(settings).encode()], [its.fileno()])
        except OSError as error:
            raise SandboxError(f"no sandbox can be started: {error.strerror}") from None


def _give_away(folder: str, user: int) -> None:
    for path, _, files in os.walk(folder):
        os.chown(path, user, user)
        for name in files:
            os.chown(os.path.join(path, name), user, user, follow_symlinks=False)
