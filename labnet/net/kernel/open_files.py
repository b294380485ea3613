"""A process with many open files: its limit, and waiting for one whose descriptor is a large number."""

from __future__ import annotations

import contextlib
import resource
import select
import socket


def raise_open_files_limit() -> None:
    """Raise the soft limit of open files, usually 1024, to the hard one: a connection is a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def is_readable(opened: socket.socket, seconds: float) -> bool:
    """Whether ``opened`` can be read, or has ended, within ``seconds``: select() takes descriptors up to 1023 alone."""
    poll = select.poll()
    poll.register(opened, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
