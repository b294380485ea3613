"""Filters in the kernel: programs of classic BPF that are attached to sockets (socket(7))."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable
from typing import Final

ATTACH_FILTER: Final = 26
"""The socket option SO_ATTACH_FILTER: which packets come, and how much of each."""

ATTACH_REUSEPORT: Final = 51
"""The socket option SO_ATTACH_REUSEPORT_CBPF: which of the sockets that share a port gets a datagram."""


def program_of(instructions: Iterable[Iterable[int]]) -> bytes:
    """The program of ``instructions``, each a code, two jumps and a value (struct sock_filter)."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def attach(sock: socket.socket, option: int, program: bytes) -> None:
    """Have ``sock`` use ``program``; raises OSError where the system refuses it."""
    held = ctypes.create_string_buffer(program)
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@HP", len(program) // 8, ctypes.addressof(held)))
