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
from labnet.wire.types import RRset, RRType, is_name

TTL: Final = 60
"""Seconds that a record of a hosts file lives; the file says nothing about it."""

_LINES: Final = 4096  # between two calls of a checkpoint


def read_hosts(
    content: bytes, add: Callable[[RRset], str | None], checkpoint: Callable[[], None] = lambda: None
) -> list[Problem]:
    """Read a hosts file, handing each record to ``add``, which gives None or why it is left out.

    Gives what is wrong in the file. ``checkpoint`` is called every some thousand lines; what it raises ends the
    reading.
    """
    problems: list[Problem] = []
    for number, raw in enumerate(io.BytesIO(without_mark(content)), 1):
        if number % _LINES == 0:
            checkpoint()
        try:
            fields = raw.decode().partition("#")[0].split()
            rrtype, rdata = _address(fields[0]) if fields else (0, b"")
            owners = [_host(name) for name in fields[1:]]
        except UnicodeDecodeError:
            problems.append(Problem(number, "the line is not UTF-8"))
            continue
        except ValueError as error:
            problems.append(Problem(number, str(error)))
            continue
        if fields and not owners:
            problems.append(Problem(number, f"no name stands behind the address {fields[0]}"))
        for owner in owners:
            if says := add(RRset(owner, rrtype, TTL, (rdata,))):
                problems.append(Problem(number, says))
    return problems


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


def _host(name: str) -> bytes:
    wire = wire_of(name)
    if wire is None or not is_name(name):
        raise ValueError(f"{shown(name)} is no host name: labels of 1 to 63 bytes, 255 bytes in all")
    return wire
