"""Hosts files and zone files (RFC 1035, section 5) to RRsets (sans-IO).

Any bytes are read: what is wrong comes back as problems with their line numbers, never as an exception. Zone files are
dnspython's to read, except plain lines such as ``www 300 IN A 192.0.2.1``: read here, they cost a tenth of the time,
and a large zone has little else.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from labnet.resolver.files.course import Problem
from labnet.resolver.files.zonefile import Add, AddAddresses, MasterFile, is_type, shown
from labnet.wire.names import text_of, wire_of
from labnet.wire.types import RRset, RRType, is_name

_SINGLE: Final = frozenset((RRType.CNAME, RRType.SOA, RRType.DNAME))
_BESIDE_CNAME: Final = frozenset((25, 46, 47, 50))  # KEY, RRSIG, NSEC, NSEC3: RFC 2181, section 10.1; RFC 4034

_DIRECTIVE = re.compile(rb"\$[A-Za-z]+(\s|$)")
_COURSE_LINE = re.compile(rb"[^\s,;]+\s*,\s*[^\s,]+\s*,\s*[0-9]+\s*(,.*)?")
_ZONE_LINE = re.compile(rb"[^\s,;]*(\s+([0-9][0-9smhdwSMHDW]*|[Ii][Nn]))*\s+([A-Za-z][A-Za-z0-9-]*)\s+\S.*")


@dataclass(slots=True)
class HostsFile:
    """What one hosts file holds: an RRset for each name and type, and what is wrong in the file."""

    rrsets: list[RRset] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class ZoneFile:
    """What one zone file holds: an RRset for each name and type, and what is wrong in the file.

    ``origin`` is the zone's name as a key: the one given, else the owner of the SOA, else the first ``$ORIGIN``; None
    where the file has neither.
    """

    rrsets: list[RRset] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    origin: bytes | None = None


def parse_hosts(content: bytes, ttl: int = 60) -> HostsFile:
    """Read a hosts file (hosts(5)); its records get ``ttl`` (seconds)."""
    gathered = _Gathered()
    problems = read_hosts(content, gathered.add, ttl)
    return HostsFile(gathered.rrsets(), problems)


def read_hosts(content: bytes, add: Add, ttl: int = 60) -> list[Problem]:
    """Read a hosts file, handing each record to ``add`` instead of gathering them; the problems come back."""
    problems: list[Problem] = []
    for number, raw in enumerate(io.BytesIO(_without_mark(content)), 1):
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
            if says := add(RRset(owner, rrtype, ttl, (rdata,))):
                problems.append(Problem(number, says))
    return problems


def parse_zone(content: bytes, origin: str | None = None, default_ttl: int | None = None) -> ZoneFile:
    """Read a zone file.

    ``origin`` is the zone's name; what stands outside it is left out with a warning. ``default_ttl`` (seconds) is as if
    ``$TTL`` stood before the first line.
    """
    gathered = _Gathered()
    file = read_zone(content, gathered.add, origin, default_ttl)
    file.rrsets = gathered.rrsets()
    return file


def read_zone(
    content: bytes,
    add: Add,
    origin: str | None = None,
    default_ttl: int | None = None,
    add_addresses: AddAddresses | None = None,
) -> ZoneFile:
    """Read a zone file as :func:`parse_zone` does, handing the records to ``add`` instead of gathering them.

    ``add`` may be given one name and type more than once. The result holds no RRsets; a million names are read so
    without a million objects. What is plain goes to ``add_addresses``, where it is given, many names at a time.
    """
    zone = None if origin is None else wire_of(origin)
    if origin is not None and zone is None:
        return ZoneFile(problems=[Problem(1, f"{origin!r} is no name of a zone")])
    master = MasterFile(add, zone, default_ttl, add_addresses)
    master.read(_without_mark(content))
    return ZoneFile([], master.problems, master.origin)


def clash(present: Mapping[int, Iterable[bytes]], rrset: RRset) -> str | None:
    """Why ``rrset`` cannot stand beside its name's records, or None where it can (RFC 2181, section 10.1).

    ``present`` are the rdatas that the name has, by type.
    """
    if rrset.rrtype == RRType.CNAME:
        if any(rrtype not in _BESIDE_CNAME for rrtype in present if rrtype != RRType.CNAME):
            return f"{text_of(rrset.name)} has other records, so it can have no CNAME; the CNAME is left out"
    elif RRType.CNAME in present and rrset.rrtype not in _BESIDE_CNAME:
        return f"{text_of(rrset.name)} has a CNAME, so it can have no other record; this one is left out"
    if rrset.rrtype in _SINGLE and len({*present.get(rrset.rrtype, ()), *rrset.rdatas}) > 1:
        return f"{text_of(rrset.name)} has more than one {RRType(rrset.rrtype).name}; the first is the one answered"
    return None


def kind_of(path: str, content: bytes) -> str:
    """Guess what a records file is: ``course``, ``hosts`` or ``zone``.

    The first line that only one of them can have decides; where none does, the name of the file: ``hosts``,
    ``*.hosts``, ``*.zone``, ``db.*``. Else it is a course's file.
    """
    for raw in io.BytesIO(_without_mark(content)):
        line = raw.rstrip()
        if not line or line.lstrip().startswith(b"#"):
            continue
        if line.lstrip().startswith(b";") or _DIRECTIVE.match(line):
            return "zone"
        if _COURSE_LINE.fullmatch(line.strip()):
            return "course"
        if _is_hosts_line(line):
            return "hosts"
        if _is_record(line):
            return "zone"
    name = path.rpartition("/")[2]
    if name == "hosts" or name.endswith(".hosts"):
        return "hosts"
    return "zone" if name.endswith(".zone") or name.startswith("db.") else "course"


def _is_record(line: bytes) -> bool:
    match = _ZONE_LINE.fullmatch(line)
    return match is not None and is_type(match[3].decode())


def _is_hosts_line(line: bytes) -> bool:
    first, *names = line.partition(b"#")[0].split()
    try:
        ipaddress.ip_address(first.partition(b"%")[0].decode())
    except ValueError:
        return False
    # An owner in a zone file can look like an IPv4 address; then a TTL or a class stands behind it.
    return bool(names) and not names[0].isdigit() and names[0].upper() != b"IN"


def _address(text: str) -> tuple[int, bytes]:
    with contextlib.suppress(OSError, ValueError):
        return RRType.A, socket.inet_pton(socket.AF_INET, text)  # the usual case, in a fifth of the time
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


def _without_mark(content: bytes) -> bytes:
    return content.removeprefix(b"\xef\xbb\xbf")


class _Gathered:
    """RRsets in the order in which their first records come."""

    def __init__(self) -> None:
        self._names: dict[bytes, dict[int, dict[bytes, None]]] = {}
        self._heads: dict[tuple[bytes, int], tuple[bytes, int]] = {}

    def add(self, rrset: RRset) -> str | None:
        types = self._names.setdefault(rrset.key, {})
        if says := clash(types, rrset):
            return says
        types.setdefault(rrset.rrtype, {}).update(dict.fromkeys(rrset.rdatas))
        head = (rrset.key, rrset.rrtype)
        name, ttl = self._heads.get(head, (rrset.name, rrset.ttl))
        self._heads[head] = (name, min(ttl, rrset.ttl))
        return None

    def rrsets(self) -> list[RRset]:
        heads = self._heads.items()
        return [RRset(name, rrtype, ttl, tuple(self._names[key][rrtype])) for (key, rrtype), (name, ttl) in heads]
