"""Tells the kinds of records files apart: the course's, hosts files, zone files (sans-IO)."""

from __future__ import annotations

import io
import ipaddress
import re

from labnet.resolver.files.entries import is_type

_DIRECTIVE = re.compile(rb"\$[A-Za-z]+(\s|$)")
_COURSE_LINE = re.compile(rb"[^\s,;]+\s*,\s*[^\s,]+\s*,\s*[0-9]+\s*(,.*)?")
_ZONE_LINE = re.compile(rb"[^\s,;]*(\s+([0-9][0-9smhdwSMHDW]*|[Ii][Nn]))*\s+([A-Za-z][A-Za-z0-9-]*)\s+\S.*")


def kind_of(path: str, content: bytes) -> str:
    """Guess what a records file is: ``course``, ``hosts`` or ``zone``.

    The first line that only one of them can have decides; where none does, the name of the file: ``hosts``,
    ``*.hosts``, ``*.zone``, ``db.*``. Else it is a course's file.
    """
    for raw in io.BytesIO(without_mark(content)):
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


def without_mark(content: bytes) -> bytes:
    """``content`` without the byte order mark of UTF-8."""
    return content.removeprefix(b"\xef\xbb\xbf")


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
