"""Hosts files (hosts(5)) to RRsets (sans-IO)."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
from collections.abc import Callable
from typing import Final

from labnet.resolver.files.detect import without_mark
from labnet.resolver.files.entries import shown
from labnet.resolver.files.problem import Problem
from labnet.wire.names import wire_of
from labnet.wire.types import RRType, is_name

TTL: Final = 60
"""Seconds that a record of a hosts file lives; the file says nothing about it."""

_LINES: Final = 4096  # between two calls of a checkpoint


AddHost = Callable[[bytes, int, int, bytes, bool], str | None]
"""Takes a name in wire form, the type, TTL and data of its record, and whether another name stands before it.

Gives None, or in one sentence why the record was left out.
"""


def read_hosts(content: bytes, add: AddHost, checkpoint: Callable[[], None] = lambda: None) -> list[Problem]:
    """Read a hosts file, handing each record to ``add``; gives what is wrong in it.

    A line that cannot be read is passed over, as other programs do. The first name of a line is the one that its
    address leads back to. ``checkpoint`` is called every some thousand lines; what it raises ends the reading.
    """
    problems: list[Problem] = []
    for number, raw in enumerate(io.BytesIO(without_mark(content)), 1):
        if number % _LINES == 0:
            checkpoint()
        try:
            address, *names = raw.partition(b"#")[0].decode().split() or [""]
            if address:
                said = _add_line(address, names, add)
                problems += [Problem(number, says, warning=True) for says in said if says is not None]
        except UnicodeDecodeError:
            problems.append(Problem(number, "the line is not UTF-8; it was skipped", warning=True))
        except ValueError as error:
            problems.append(Problem(number, f"{error}; the line was skipped", warning=True))
    return problems


def _add_line(text: str, names: list[str], add: AddHost) -> list[str | None]:
    """Add the names of a line; gives for each None or why it was left out. Raises ValueError."""
    rrtype, address = _address(text)
    if not names:
        raise ValueError(f"no name stands behind the address {text}")
    said: list[str | None] = []
    for name in names:
        owner = wire_of(name)
        if owner is None or not is_name(name):
            said.append(f"{shown(name)} is no host name (labels of 1 to 63 bytes, 255 in all); it was skipped")
        else:
            said.append(add(owner, rrtype, TTL, address, bool(said)))
    return said


def _address(text: str) -> tuple[int, bytes]:
    with contextlib.suppress(OSError, ValueError):
        return RRType.A, socket.inet_pton(socket.AF_INET, text)  # the most common case, in a fifth of the time
    if "%" in text:
        raise ValueError(f"{shown(text)} has a zone index (%), which DNS cannot carry: write the address without it")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no IPv4 or IPv6 address") from None
    return (RRType.A if address.version == 4 else RRType.AAAA), address.packed
