"""How well this machine can keep a program in its place: found out by trying, never assumed.

* **A**: namespaces of its own (users, network, processes, mounts, IPC), a read-only system, folders in memory.
* **B**: a user of its own and Landlock, where root may not make namespaces (most containers).
* **C**: Landlock, limits and a process group, as the user who grades.
* **D**: limits and a process group alone; only where the user trusts the program.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from labnet.net.kernel.isolation import landlock_version

MIB: Final = 1 << 20
FIRST_SPARE_USER: Final = 61_000
"""Users from here on have no account on a usual system: root gives each world one of 4,096 of them."""

LIMITS: Final = {
    "RLIMIT_CPU": 60,
    "RLIMIT_DATA": 1024 * MIB,
    "RLIMIT_FSIZE": 32 * MIB,
    "RLIMIT_NOFILE": 512,
    "RLIMIT_CORE": 0,
}
"""Seconds of CPU, bytes of memory of one process and of one file, open files."""

MOST_PROCESSES: Final = 128
"""Processes and threads of a program at one time, where they can be counted apart from its user's."""

DISK: Final = 64 * MIB
"""Bytes of all files of a program, in level A."""


class SandboxError(Exception):
    """No sandbox of the level can be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Level:
    """``name`` is A to D; ``about`` says what it gives, ``why`` why it is no better one."""

    name: str
    about: str
    why: str = ""

    @property
    def has_own_network(self) -> bool:
        return self.name == "A"


_ABOUT: Final = {
    "A": "own network, processes and files; a real capture",
    "B": "a user of its own and Landlock; the machine's network, random ports",
    "C": "Landlock, limits and a process group; the machine's network, random ports",
    "D": "limits and a process group; the machine's files and network",
}


def choose(is_trusted: bool = False, wanted: str | None = None) -> Level:
    """The best level that this machine has. Raises :class:`SandboxError` where there is only D and no trust."""
    why = "" if wanted in (None, "A") else f"level {wanted} was asked for"
    if not why:
        why = _refusal("A")
        if not why:
            return Level("A", _ABOUT["A"])
    if landlock_version() and wanted != "D":
        name = "B" if os.getuid() == 0 else "C"
        return Level(name, _ABOUT[name], why)
    if is_trusted:
        return Level("D", _ABOUT["D"], why)
    raise SandboxError(
        f"this machine has neither namespaces ({why}) nor Landlock: grade in a container that allows one of them, or "
        "say --trust if the program may do what you may do"
    )


@functools.cache
def _refusal(name: str) -> str:
    """Why level ``name`` cannot be had; nothing where it can."""
    from labnet.grade.sandbox.world import Sandbox

    with tempfile.TemporaryDirectory(prefix="labnet-grade-") as folder:
        try:
            sandbox = Sandbox(Level(name, _ABOUT[name]), folder)
            sandbox.udp("127.0.0.1", 0).close()
            sandbox.close()
        except SandboxError as error:
            return str(error)
    return ""


@functools.cache
def readable_folders() -> tuple[str, ...]:
    """Where interpreters and compilers lie on this machine beside the system's own folders."""
    system = ("/usr", "/bin", "/sbin", "/lib", "/etc", "/opt")
    found = []
    for program in "python3", "python2", "python", "node", "java", "gcc":
        path = shutil.which(program)
        for real in (path, path and os.path.realpath(path)):
            if real and not real.startswith(system):
                # The interpreter's folder and its library, as a version manager or an environment lays them out.
                found.append(os.path.dirname(os.path.dirname(real)))
    if not sys.base_prefix.startswith(system):
        found.append(sys.base_prefix)
    return tuple(dict.fromkeys(path for path in found if path not in ("/", "")))


def settings_for(level: Level, work: str, root: str, readable: Sequence[str]) -> dict[str, Any]:
    """What the warden is told; ``work`` is the program's folder, ``root`` an empty one for level A."""
    limits: dict[str, int] = dict(LIMITS)
    user = FIRST_SPARE_USER + (os.getpid() * 61 + int.from_bytes(os.urandom(2))) % 4096 if os.getuid() == 0 else None
    if level.name == "D":
        user = None
    if user is not None or level.name == "A":
        limits["RLIMIT_NPROC"] = MOST_PROCESSES
    return {
        "level": level.name,
        "work": work,
        "root": root,
        "disk": DISK,
        "user": user,
        "landlock": level.name in "BC",
        "readable": [*readable_folders(), *readable],
        "limits": limits,
        "environment": {
            "PATH": os.pathsep.join(
                dict.fromkeys([f"{sys.base_prefix}/bin", "/usr/local/bin", *os.defpath.split(":")])
            ),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    }


def free_port() -> int:
    """A port that is free for TCP and UDP on this machine's loopback; another program may take it meanwhile."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
