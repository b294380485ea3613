"""How a process was started: the sockets and the notification socket of systemd, and the user that it is to become.

After ``twistd --uid --gid`` it runs as that user, who gets what root has made by then.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from twisted.logger import Logger

from labnet.net.opening.systemd import Inherited, Notifier


class Owner(NamedTuple):
    """The user and group that the process is to become; -1 leaves one as it is, as for chown(2)."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Started:
    """The sockets that were ``inherited``, the ``notifier`` of systemd, and the ``owner`` that twistd makes it become.

    ``files`` are those that twistd itself has opened by then: its log.
    """

    log: ClassVar[Logger] = Logger()

    inherited: Inherited
    notifier: Notifier
    owner: Owner | None = None
    files: tuple[str, ...] = field(default=())

    def hand_over(self, folder: str | None, sockets: Iterable[str]) -> None:
        """Make the state ``folder``, if one is needed; give it, the UNIX ``sockets`` and the log to the owner."""
        try:
            if folder is not None:
                make_folder(folder, self.owner)
            give((*self.files, *sockets), self.owner)
        except OSError as error:
            self.log.warn(
                "{path} cannot be made or given to the user that labnet runs as: {why}; do it by hand",
                path=error.filename if isinstance(error.filename, str) else folder,
                why=error.strerror,
                event="start.not-handed-over",
            )

    def warn_of_unused(self) -> None:
        """Say once which inherited sockets no listener has: their clients wait for ever."""
        unused = self.inherited.unused()
        if unused:
            self.log.warn(
                "nothing listens on what systemd passed: {sockets}; give a service such a listener, or take it out of "
                "the socket unit",
                sockets=", ".join(unused),
                event="start.unused-socket",
            )


def owner_of_daemon(options: Mapping[str, Any]) -> Owner | None:
    """The user and group that twistd becomes by its ``options``; None where both stay."""
    uid, gid = options.get("uid"), options.get("gid")
    if uid is not None and gid is None:
        gid = pwd.getpwuid(uid).pw_gid  # as twistd does it
    return None if gid is None else Owner(-1 if uid is None else uid, gid)


def make_folder(folder: str, owner: Owner | None) -> None:
    """Make ``folder``, where it is not there, and give it to ``owner`` with root's files that are directly in it.

    A folder that other users can write to is left as it is: a link in it could lead root anywhere. Raises OSError.
    """
    before = os.path.dirname(os.path.abspath(folder))
    with contextlib.suppress(FileExistsError):
        os.makedirs(before)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
        if owner is not None:
            os.chmod(folder, 0o750)  # whatever the umask: twistd's own keeps the group out
    if owner is None:
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return
        for name in os.listdir(handle):
            file = os.stat(name, dir_fd=handle, follow_symlinks=False)
            # A file with a second name may be one of the system's.
            if file.st_uid == os.geteuid() and (stat.S_ISSOCK(file.st_mode) or _is_regular(file)):
                os.chown(name, *owner, dir_fd=handle, follow_symlinks=False)
        os.chown(handle, *owner)
    finally:
        os.close(handle)


def give(paths: Iterable[str], owner: Owner | None) -> None:
    """Give the files at ``paths``, which this process has just made, to ``owner``; what is not there is left out."""
    if owner is None:
        return
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            file = os.lstat(path)
            if stat.S_ISSOCK(file.st_mode) or _is_regular(file):
                os.chown(path, *owner, follow_symlinks=False)


def _is_regular(file: os.stat_result) -> bool:
    return stat.S_ISREG(file.st_mode) and file.st_nlink == 1
