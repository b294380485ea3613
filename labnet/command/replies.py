"""What the command server says, in the assignment's words or in the published solution's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ReplyStyle:
    """One way to word the replies, and how far its EXIT reaches."""

    greeting: Callable[[str, int], str]
    time_end: str
    invalid: bytes
    closing: bytes
    exit_closes_all: bool

    def greet(self, host: str, port: int) -> bytes:
        """The first words to a client at address ``host`` and ``port``."""
        return self.greeting(host, port).encode()

    def time(self, now: float) -> bytes:
        """The reply to TIME at ``now`` (epoch seconds), local time in the form of :func:`time.ctime`."""
        return (time.ctime(now) + self.time_end).encode()


STYLES: Final = {
    "handout": ReplyStyle(
        greeting=lambda host, port: f"Connected: your IP address is {host} and your port is {port}\n",
        time_end="\n",
        invalid=b"Invalid command!\n",
        closing=b"The server is closing\n",
        exit_closes_all=True,
    ),
    "transcript": ReplyStyle(
        greeting=lambda host, port: f"MESSAGE!!! ----> We are now connected to {(host, port)}\n",
        time_end="",
        invalid=b"WARNING!!! ----> Please enter a valid command!\n",
        closing=b"WARNING!!! ----> The server is closing\n",
        exit_closes_all=False,
    ),
}
