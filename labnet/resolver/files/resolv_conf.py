"""/etc/resolv.conf: where the system's own DNS servers are (resolv.conf(5)), sans-IO.

Only its ``nameserver`` lines count here. Reading takes any bytes; what is wrong comes back as problems with their line
numbers, never as an exception.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from labnet.resolver.files.problem import Problem
from labnet.values.addresses import lacks_zone


@dataclass(frozen=True, slots=True)
class SystemServers:
    """The ``addresses`` of the file in their order, each once: IPv4, or IPv6 with its scope (``fe80::1%eth0``)."""

    addresses: tuple[str, ...]
    problems: tuple[Problem, ...]


def parse_resolv_conf(content: bytes) -> SystemServers:
    """Read ``content``. A file without servers gives none; that the C library then asks 127.0.0.1 is not copied."""
    addresses: dict[str, None] = {}
    problems = []
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        text = re.split("[#;]", line, maxsplit=1)[0]
        keyword, *values = text.split() or [""]
        if keyword != "nameserver":
            continue
        try:
            if text[0].isspace():
                raise ValueError("nameserver must start the line")
            addresses[_address(values)] = None
        except ValueError as error:
            problems.append(Problem(number, f"{error}; the line was skipped", warning=True))
    return SystemServers(tuple(addresses), tuple(problems))


def _address(values: list[str]) -> str:
    if not values:
        raise ValueError("nameserver has no address")
    try:
        # What follows the address is ignored, as the C library does.
        address = ipaddress.ip_address(values[0])
    except ValueError:
        raise ValueError(f"{values[0][:60]!r} is no IP address") from None
    if lacks_zone(address):
        raise ValueError(f"{address} is on every link: write it with one, as in {address}%eth0")
    return str(address)
