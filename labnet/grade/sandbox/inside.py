"""Level A from the inside: namespaces, and a file system with the system's folders, the program's, and nothing else."""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from labnet.net.kernel import isolation
from labnet.net.kernel.isolation import (
    NEW_HOSTNAME,
    NEW_IPC,
    NEW_MOUNTS,
    NEW_NETWORK,
    NEW_PROCESSES,
    NEW_USERS,
    NO_DEVICES,
    NO_SETUID,
    PRIVATE,
    RECURSIVE,
)

WORK: Final = "/work"
"""The program's folder in level A."""

SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt")
"""What a program may read beside its own folder."""

DEVICES: Final = ("null", "zero", "full", "random", "urandom")


def enter_namespaces(judge: socket.socket, settings: dict[str, Any]) -> None:
    """Level A; the process that goes on is another one, 1 of its namespace."""
    uid, gid = os.getuid(), os.getgid()
    flags = NEW_MOUNTS | NEW_NETWORK | NEW_PROCESSES | NEW_IPC | NEW_HOSTNAME
    isolation.unshare(flags if uid == 0 else flags | NEW_USERS)
    if uid != 0:
        for name, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    first = os.fork()
    if first:
        judge.close()
        os.waitpid(first, 0)
        os._exit(0)
    socket.sethostname("lab")
    isolation.loopback_up()
    _make_root(settings)
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as file:
        file.write("0")


def _make_root(settings: dict[str, Any]) -> None:
    root = settings["root"]
    isolation.mount("", "/", flags=RECURSIVE | PRIVATE)
    isolation.mount("tmpfs", root, "tmpfs", NO_SETUID | NO_DEVICES, f"size={settings['disk']},mode=755")
    for path in (*SYSTEM, *settings["readable"]):
        target = root + path
        if os.path.islink(path) and path in SYSTEM:
            os.symlink(os.readlink(path), target)
        elif os.path.isdir(path) and not os.path.exists(target):
            os.makedirs(target)
            isolation.bind_read_only(path, target)
    for folder, mode in ("/proc", 0o755), ("/dev", 0o755), ("/dev/shm", 0o1777), ("/tmp", 0o1777), (WORK, 0o777):
        os.makedirs(root + folder, exist_ok=True)
        os.chmod(root + folder, mode)
    isolation.mount("proc", root + "/proc", "proc", NO_SETUID | NO_DEVICES)
    for device in DEVICES:
        with open(f"{root}/dev/{device}", "w"):
            pass
        isolation.mount(f"/dev/{device}", f"{root}/dev/{device}", flags=4096)
    _copy(settings["work"], root + WORK)
    os.chroot(root)
    os.chdir("/")


def _copy(folder: str, target: str) -> None:
    """A folder's regular files and folders, which the program may change there."""
    for entry in os.scandir(folder):
        copy = f"{target}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            os.mkdir(copy)
            os.chmod(copy, 0o777)
            _copy(entry.path, copy)
        elif entry.is_file(follow_symlinks=False):
            with open(entry.path, "rb") as original, open(copy, "wb") as file:
                file.write(original.read())
            os.chmod(copy, entry.stat().st_mode & 0o777 | 0o666)
