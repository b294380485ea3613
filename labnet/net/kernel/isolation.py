"""Namespaces, Landlock and what a process may never have again: the calls of Linux that keep a program in its place.

Each raises OSError where the system refuses; nothing here is undone, so they are for a process that ends soon.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from typing import Final

from labnet.net.kernel.libc import libc

NEW_MOUNTS: Final = 0x00020000
NEW_HOSTNAME: Final = 0x04000000
NEW_IPC: Final = 0x08000000
NEW_USERS: Final = 0x10000000
NEW_PROCESSES: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000

READ_ONLY, NO_SETUID, NO_DEVICES, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18

_SET_DUMPABLE, _DROP_CAPABILITY, _SUBREAPER, _NO_NEW_PRIVILEGES = 4, 24, 36, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_MOST_CAPABILITIES: Final = 64


def unshare(flags: int) -> None:
    """Put this process, or for processes its children, into new namespaces."""
    _call(libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    texts = (source.encode(), target.encode(), kind.encode() or None)
    _call(libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None))


def bind_read_only(source: str, target: str) -> None:
    """Show the file or folder ``source`` at ``target``, where nothing of it can be written."""
    mount(source, target, flags=BIND | RECURSIVE)
    # A user namespace may not take flags away that the mount has in the namespace that it comes from.
    kept = os.statvfs(target).f_flag & (NO_SETUID | NO_DEVICES | 8 | 1024 | 2048 | 4096)
    relatime = 1 << 21 if kept & 4096 else 0
    mount("", target, flags=BIND | REMOUNT | READ_ONLY | NO_SETUID | (kept & ~4096) | relatime)


def loopback_up() -> None:
    """Bring the loopback interface of a new network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def untraceable() -> None:
    """Let no process of the same user look into this one."""
    _call(libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of each descendant whose own parent ends."""
    _call(libc.prctl(_SUBREAPER, 1, 0, 0, 0))


def give_up_privileges() -> None:
    """No capability, and none by executing a file either, for good."""
    for capability in range(_MOST_CAPABILITIES):
        if libc.prctl(_DROP_CAPABILITY, capability, 0, 0, 0):
            break  # past the last one, or nothing may be dropped because nothing is there
    _call(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def landlock_version() -> int:
    """The version of Landlock that the kernel speaks; 0 where it has none."""
    version: int = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    return max(version, 0)


def restrict_files(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Let this process read and execute below ``readable`` and do anything below ``writable``, and no more (Landlock).

    Paths that do not exist are passed over.
    """
    every = 0x1FFF | (0x2000 if landlock_version() >= 2 else 0) | (0x4000 if landlock_version() >= 3 else 0)
    look = 0b1101  # execute, read a file, list a folder
    ruleset = _call(libc.syscall(_LANDLOCK_CREATE, struct.pack("<Q", every), ctypes.c_size_t(8), 0))
    for paths, rights in (readable, look), (writable, every):
        for path in paths:
            try:
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = rights if os.path.isdir(path) else rights & 0x4007  # a file cannot be listed or held files
            try:
                _call(libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("<Qi", allowed, opened), 0))
            finally:
                os.close(opened)
    _call(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _call(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _call(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
