"""Source ports that get no answer: servers that answer anything have them, and clients never ask from there.

One datagram with a forged source address and such a port would have two servers talk to each other for ever.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

from labnet.net.kernel.packet_filter import ATTACH_FILTER, attach, program_of

REFLECTORS: Final = (0, 7, 13, 17, 19, 37, 464)
"""Port 0, which is none, echo, daytime, quote of the day, character generator, time, and kpasswd."""

_LOAD_SOURCE_PORT: Final = (0x28, 0, 0, 0)  # BPF_LD | BPF_H | BPF_ABS: a UDP socket's filter sees the UDP header first
_IS_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_TAKE: Final = (0x06, 0, 0, 0xFFFFFFFF)  # BPF_RET | BPF_K
_DROP: Final = (0x06, 0, 0, 0)


def ignore_reflectors(sock: socket.socket, ports: Sequence[int] = REFLECTORS) -> bool:
    """Have the kernel drop what comes to the UDP socket ``sock`` from one of ``ports``, before it is read.

    Returns False where the system refuses: it is not Linux.
    """
    tests = [(_IS_EQUAL, len(ports) - place, 0, port) for place, port in enumerate(ports)]
    try:
        attach(sock, ATTACH_FILTER, program_of([_LOAD_SOURCE_PORT, *tests, _TAKE, _DROP]))
    except OSError:
        return False
    return True
