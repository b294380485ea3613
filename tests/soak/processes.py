"""What a process takes: memory, processor time, open files."""

from __future__ import annotations

import os
import re
from pathlib import Path


def memory(pid: int, key: str = "VmRSS") -> int:
    """Kilobytes of the process that are in memory now (VmRSS), or were at most (VmHWM)."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def processor_time(pid: int) -> float:
    """Seconds of processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> list[str]:
    """What the process has open: sockets, pipes, files."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            continue
    return sorted(found)
