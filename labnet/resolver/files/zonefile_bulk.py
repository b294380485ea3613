"""Many address lines of a zone file at a time, ``www 300 IN A 192.0.2.1`` and nothing else: most of any large zone.

What takes a million lines must not take a step of Python for each part of each line. A chunk of the file is either
read here as a whole, or left untouched to be read line by line.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, repeat
from typing import Final, NamedTuple

from labnet.wire.names import LONGEST_NAME, ROOT

CHUNK: Final = 1 << 15
"""Bytes that are looked at together: so few that what is made of them stays in the processor's cache."""

_LINE = re.compile(
    r"^([a-z0-9_-]{1,63})(\.[a-z0-9_.-]*)?[ \t]+(?:([0-9]{1,9})[ \t]+)?(?:IN[ \t]+)?A[ \t]+([0-9.]{7,15})\r?$",
    re.MULTILINE,
)
_IN_FIELDS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789_-."
_MARKS: Final = (b"\v", b"\f")  # what no such line has, and what split() splits at
_BETWEEN_KEYS: Final = "\xff"
_LENGTHS: Final = [chr(length) for length in range(64)]


class Addresses(NamedTuple):
    """What a chunk holds: ``keys`` with one IPv4 address each (4 bytes), and the TTLs as they are written, or none.

    ``ttls`` has one for each key or one for all. ``parents`` is what stands behind the first labels of the keys.
    """

    keys: list[bytes]
    ttls: Sequence[str]
    addresses: list[bytes]
    parents: set[bytes]


def read_chunk(chunk: bytes, behind: Callable[[bytes], bytes | None]) -> Addresses | None:
    """The addresses in ``chunk``, whole lines; None where any of them has another form.

    ``behind`` gives the wire form of what stands behind the first label of names, its dot included; None for what
    cannot stand there.
    """
    columns = _uniform(chunk) or _rows(chunk)
    if columns is None:
        return None
    wires: dict[str, bytes] = {}
    for rest in set(columns.rests):
        wire = behind(rest.encode())
        if wire is None or wire == ROOT or len(wire) + 64 > LONGEST_NAME or _BETWEEN_KEYS.encode("latin-1") in wire:
            return None
        wires[rest] = wire
    try:
        addresses = list(map(socket.inet_pton, repeat(socket.AF_INET), columns.texts))
    except OSError:
        return None
    return Addresses(_keys(columns, wires), columns.ttls, addresses, set(wires.values()))


def _keys(columns: _Columns, wires: Mapping[str, bytes]) -> list[bytes]:
    """The keys of all names; ``wires`` are the wire forms of ``rests``."""
    # All in one text, with a character for each byte: so the parts of a key are no objects of their own.
    behind = {rest: wire.decode("latin-1") for rest, wire in wires.items()}
    labels, lengths = columns.labels, _LENGTHS
    length, *others = {lengths[size] for size in set(map(len, labels))}
    if len(behind) == 1 and not others:
        end = behind[columns.rests[0]]
        together = length + (end + _BETWEEN_KEYS + length).join(labels) + end
    else:
        pairs = zip(labels, cycle(columns.rests))
        together = _BETWEEN_KEYS.join([lengths[len(label)] + label + behind[rest] for label, rest in pairs])
    return together.encode("latin-1").split(_BETWEEN_KEYS.encode("latin-1"))


class _Columns(NamedTuple):
    """The fields of all lines; ``rests`` and ``ttls`` have one for all, or one for each."""

    labels: Sequence[str]
    rests: Sequence[str]
    ttls: Sequence[str]
    texts: Sequence[str]


def _rows(chunk: bytes) -> _Columns | None:
    rows = _LINE.findall(chunk.decode("latin-1"))
    return _Columns(*zip(*rows, strict=True)) if rows and len(rows) == chunk.count(b"\n") else None


def _uniform(chunk: bytes) -> _Columns | None:
    """What programs write: lines that differ in the first label, the address and perhaps the TTL, and no more."""
    first = _LINE.match(chunk[: chunk.find(b"\n")].decode("latin-1"))
    if first is None:
        return None
    _, rest, ttl, _ = first.groups("")
    label, address = first.end(1), first.start(4)
    columns = _columns(chunk, chunk[label:address])
    if columns is None and ttl:
        columns = _columns(chunk, chunk[label : first.start(3)], chunk[first.end(3) : address])
    if columns is None:
        return None
    labels, *ttls, texts = columns
    if "." in "".join(labels) or max(map(len, labels)) > 63 or not all(map(_is_ttl, set(*ttls))):
        return None
    return _Columns(labels, (rest,), ttls[0] if ttls else (ttl,), texts)


def _columns(chunk: bytes, *between: bytes) -> list[list[str]] | None:
    """The fields left and right of ``between`` in every line; None where one has another form, or an empty field."""
    shape, marked = b"\n", chunk
    for mark, text in zip(_MARKS, reversed(between), strict=False):  # the first may be a part of the last
        shape, marked = mark + shape, marked.replace(text, mark)
    lines, width = chunk.count(b"\n"), len(between) + 1
    if any(mark in chunk for mark in _MARKS) or marked.translate(None, _IN_FIELDS) != shape * lines:
        return None
    fields = marked.decode().split()
    return [fields[n::width] for n in range(width)] if len(fields) == width * lines else None


def _is_ttl(text: str) -> bool:
    return text.isdigit() and len(text) <= 9
