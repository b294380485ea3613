"""Memory on huge pages: the same memory as before."""

from __future__ import annotations

import ctypes
import errno
import platform
import re
import sys
from array import array
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.net.kernel.hugepages import SIZE, collapse


class _System:
    """Takes down what the kernel is asked for: first byte, bytes, advice."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def madvise(self, start: ctypes.c_void_p, length: ctypes.c_size_t, advice: int) -> int:
        self.asked.append((start.value or 0, length.value, advice))
        return 0


def asked_for(memory: bytearray | array[int], platform: str = "linux") -> list[tuple[int, int, int]]:
    """What :func:`collapse` asks of the system for ``memory``."""
    system = _System()
    with (
        mock.patch.object(ctypes, "CDLL", return_value=system),
        mock.patch.object(sys, "platform", platform),
    ):
        collapse(memory)
    return system.asked


def has_advice() -> bool:
    """Whether this Linux knows the advice and has huge pages switched on."""
    version = tuple(map(int, re.findall(r"[0-9]+", platform.release())[:2]))
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return version >= (6, 1) and switch.exists() and "[never]" not in switch.read_text()


class CollapseTests(SynchronousTestCase):
    def test_the_data_stays(self) -> None:
        """Of bytes and of wider items, at the edges of the huge pages too."""
        data = bytes(range(256)) * (3 * SIZE // 256) + b"end"
        memory = bytearray(data)
        collapse(memory)
        self.assertEqual(memory, data)
        numbers = array("I", range(SIZE))
        collapse(numbers)
        self.assertEqual(numbers, array("I", range(SIZE)))

    def test_the_memory_can_grow_and_shrink(self) -> None:
        """Nothing holds on to it: a bytearray with a view of it could not be resized."""
        for memory in (bytearray(3 * SIZE), bytearray(10), array("I", bytes(2 * SIZE)), array("I", [1])):
            size = len(memory)
            collapse(memory)
            memory.append(7)
            self.assertEqual((len(memory), memory[-1]), (size + 1, 7))
            del memory[5:]
            self.assertLessEqual(len(memory), 5)

    def test_every_whole_huge_page_is_asked_for(self) -> None:
        """And no byte outside the memory, whatever the width of its items."""
        for memory in (bytearray(4 * SIZE), array("I", bytes(4 * SIZE)), array("Q", bytes(4 * SIZE))):
            start = ctypes.addressof((ctypes.c_char * 0).from_buffer(memory))
            ((first, length, advice),) = asked_for(memory)
            self.assertEqual((first % SIZE, length % SIZE, advice), (0, 0, 25))
            self.assertTrue(start <= first < start + SIZE)
            self.assertTrue(3 * SIZE <= length <= start + 4 * SIZE - first)

    def test_the_system_takes_what_it_is_asked_for(self) -> None:
        """Linux 6.1 and later put the pages together, or lack the memory for it; others know no such advice."""
        called: list[tuple[int, int]] = []
        library = ctypes.CDLL(None, use_errno=True)

        def madvise(start: ctypes.c_void_p, length: ctypes.c_size_t, advice: int) -> int:
            result: int = library.madvise(start, length, advice)
            called.append((result, ctypes.get_errno() if result else 0))
            return result

        with mock.patch.object(ctypes, "CDLL", return_value=mock.Mock(madvise=madvise)):
            collapse(bytearray(4 * SIZE))
        expected = {(0, 0), (-1, errno.ENOMEM), (-1, errno.EAGAIN), (-1, errno.EBUSY)}
        if sys.platform != "linux" or not has_advice():
            expected = {(-1, errno.EINVAL)} if sys.platform == "linux" else set()
        self.assertLessEqual(set(called), expected)
        self.assertEqual(len(called), sys.platform == "linux")

    def test_what_holds_no_huge_page_is_left(self) -> None:
        """So is all memory of other systems."""
        for memory in (bytearray(), bytearray(100), bytearray(SIZE - 1), array("I")):
            self.assertEqual(asked_for(memory), [])
        self.assertEqual(asked_for(bytearray(3 * SIZE), "darwin"), [])
