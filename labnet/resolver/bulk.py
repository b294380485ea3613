"""Many plain lines of a zone file at a time, ``www 300 IN A 192.0.2.1`` and nothing else: most of any large zone.

What takes a million lines must not take a step of Python for each part of each line. A chunk of the file is either
read here as a whole, or left untouched to be read line by line.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from labnet.resolver.names import LONGEST_NAME, ROOT

CHUNK: Final = 1 << 16
"""Bytes that are looked at together."""

_LINE = re.compile(
    rb"^([a-z0-9_-]{1,63})(\.[a-z0-9_.-]*)?[ \t]+(?:([0-9]{1,9})[ \t]+)?(?:IN[ \t]+)?A[ \t]+([0-9.]{7,15})\r?$",
    re.MULTILINE,
)
_LABELS = re.compile(rb"[a-z0-9_-]+(?: [a-z0-9_-]+)*")
_ADDRESSES = re.compile(rb"[0-9. ]+")
_LENGTHS: Final = [bytes((length,)) for length in range(64)]


class Addresses(NamedTuple):
    """What a chunk holds: ``keys`` with one IPv4 address each (4 bytes), and the TTLs as they are written, or none."""

    keys: list[bytes]
    ttls: Sequence[bytes]
    addresses: list[bytes]


def read_chunk(chunk: bytes, behind: Callable[[bytes], bytes | None]) -> Addresses | None:
    """The addresses in ``chunk``, whole lines; None where any of them is not plain.

    ``behind`` gives the wire form of what stands behind the first label of names, its dot included; None for what
    cannot stand there.
    """
    columns = _uniform(chunk) or _plain(chunk)
    if columns is None:
        return None
    wires: dict[bytes, bytes] = {}
    for rest in set(columns.rests):
        wire = behind(rest)
        if wire is None or wire == ROOT or len(wire) + 64 > LONGEST_NAME:
            return None
        wires[rest] = wire
    try:
        addresses = [socket.inet_pton(socket.AF_INET, text) for text in b" ".join(columns.texts).decode().split(" ")]
    except OSError:
        return None
    if len(wires) == 1:
        (wire,) = wires.values()
        keys = [_LENGTHS[len(label)] + label + wire for label in columns.labels]
    else:
        pairs = zip(columns.labels, columns.rests, strict=True)
        keys = [_LENGTHS[len(label)] + label + wires[rest] for label, rest in pairs]
    return Addresses(keys, columns.ttls, addresses)


class _Columns(NamedTuple):
    """The fields of all lines; ``rests`` has one for all, or one for each."""

    labels: Sequence[bytes]
    rests: Sequence[bytes]
    ttls: Sequence[bytes]
    texts: Sequence[bytes]


def _plain(chunk: bytes) -> _Columns | None:
    rows = _LINE.findall(chunk)
    return _Columns(*zip(*rows, strict=True)) if rows and len(rows) == chunk.count(b"\n") else None


def _uniform(chunk: bytes) -> _Columns | None:
    """What programs write: every line of the same form, ``NAME TTL IN A ADDRESS``, and names that end alike."""
    fields = chunk.replace(b"\n", b" \n ").split(b" ")
    if fields.pop() or not fields or len(fields) % 6 or set(fields[5::6]) != {b"\n"}:
        return None
    names, ttls, texts = fields[0::6], fields[1::6], fields[4::6]
    if set(fields[2::6]) != {b"IN"} or set(fields[3::6]) != {b"A"} or not all(map(_is_ttl, set(ttls))):
        return None
    _, dot, rest = names[0].partition(b".")
    rest = dot + rest
    together = b" ".join(names) + b" "
    labels = together.replace(rest + b" ", b" ").removesuffix(b" ")
    if not _LABELS.fullmatch(labels):
        return None
    split = labels.split(b" ")
    if len(split) != len(names) or max(map(len, split)) > 63 or not _ADDRESSES.fullmatch(b" ".join(texts)):
        return None
    return _Columns(split, (rest,), ttls, texts)


def _is_ttl(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 9
