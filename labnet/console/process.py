"""What is to be said of the process itself: which program it is, and what it takes of the system."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
from collections.abc import Iterator
from typing import Final

from zope.interface import implementer

from labnet.interfaces import IMeasured
from labnet.metrics import Sample, version

_PAGE: Final = resource.getpagesize()


@implementer(IMeasured)
class Process:
    """This process, started at ``started`` (epoch seconds); ``proc`` is its folder in /proc, where there is one."""

    def __init__(self, started: float, proc: str = "/proc/self") -> None:
        self._started = started
        self._proc = proc
        self._build = (version(), platform.python_version())

    def samples(self) -> Iterator[Sample]:
        yield Sample("labnet_build_info", self._build, 1)
        yield Sample("labnet_start_time_seconds", (), self._started)
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield Sample("process_cpu_seconds_total", (), used.ru_utime + used.ru_stime)
        # Elsewhere than on Linux the system does not say these two, and there is no sample.
        with contextlib.suppress(OSError):
            with open(os.path.join(self._proc, "statm"), "rb") as file:
                yield Sample("process_resident_memory_bytes", (), int(file.read().split()[1]) * _PAGE)
            # That of reading the folder is one of them.
            yield Sample("process_open_fds", (), len(os.listdir(os.path.join(self._proc, "fd"))) - 1)
        yield Sample("process_max_fds", (), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
