"""Domain names as the resolver compares them: the folded wire form, or the text where DNS cannot carry the name.

A *key* is a name's wire form (RFC 1035, section 3.1) in lower case, its final zero byte included. Names of the course
protocol that DNS cannot carry (an empty label, a label of more than 63 bytes) have their folded text behind a byte
0xFF, which no wire form begins with. Text is UTF-8 on both sides; of an internationalized name it has the U-labels,
and wire forms and keys have the A-labels (RFC 5890, section 2.3.2.1), by the mapping of RFC 3490.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from encodings.idna import ToASCII, ToUnicode
from typing import Final

LONGEST_NAME: Final = 255
"""Bytes of a name, in wire form or as text; RFC 1035, section 2.3.4."""

ROOT: Final = b"\0"

_OPAQUE: Final = b"\xff"
_ESCAPED: Final = frozenset(b'."\\();@$')
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490, section 3.1
_ACE: Final = b"xn--"
_SHOWN: Final = re.compile(r"\\([0-9]{3})|\\([^0-9])|([^\\.]+|\.)", re.DOTALL)


def wire_of(name: str) -> bytes | None:
    """The wire form of a text name without escapes, its case kept; None where DNS cannot carry it."""
    if name.isascii():
        labels = name.removesuffix(".").encode().split(b".")
    else:
        labels = [_a_label(label) for label in _DOTS.split(_DOTS.sub(".", name).removesuffix("."))]
    if labels == [b""]:
        return ROOT if name == "." else None
    if not all(0 < len(label) < 64 for label in labels):
        return None
    wire = b"".join([bytes((len(label),)) + label for label in labels]) + ROOT
    return wire if len(wire) <= LONGEST_NAME else None


def key_of(name: str) -> bytes:
    """The key of a text name: case and one final dot do not count (RFC 4343)."""
    wire = wire_of(name)
    if wire is not None:
        return wire.lower()
    return _OPAQUE + name.lower().removesuffix(".").encode("utf-8", "surrogatepass")


def key_of_shown(text: str) -> bytes:
    """The key of a name as :func:`text_of` or a master file writes it: ``foo\\.bar.test``, ``\\046``.

    Where an escape is none, or DNS cannot carry the name, its backslashes are its own.
    """
    labels = _shown_labels(text) if "\\" in text else None
    if labels is None or not all(0 < len(label) < 64 for label in labels):
        return key_of(text)
    wire = b"".join([bytes((len(label),)) + label for label in labels]) + ROOT
    return wire.lower() if len(wire) <= LONGEST_NAME else key_of(text)


def text_of(wire: bytes) -> str:
    """A wire form or a key as text without the final dot (``.`` for the root), odd bytes escaped as in zone files."""
    if wire.startswith(_OPAQUE):
        return wire[1:].decode("utf-8", "surrogatepass")
    if wire == ROOT:
        return "."
    return ".".join([_label_text(label) for label in labels(wire)])


def labels(wire: bytes) -> Iterator[bytes]:
    """The labels of a wire form, leftmost first, without the root's."""
    at = 0
    while length := wire[at]:
        yield wire[at + 1 : at + 1 + length]
        at += 1 + length


def parent(wire: bytes) -> bytes:
    """``wire`` without its leftmost label. The root has none; it gives an empty string."""
    return wire[1 + wire[0] :]


def ancestors(wire: bytes) -> Iterator[bytes]:
    """``wire``, its parent, and so on to the root."""
    while wire:
        yield wire
        wire = wire[1 + wire[0] :]


def is_below(key: bytes, zone: bytes) -> bool:
    """Whether ``key`` is ``zone`` or below it, both being keys."""
    if not key.endswith(zone):
        return False
    at, above = 0, len(key) - len(zone)
    while at < above:
        at += 1 + key[at]
    return at == above


def canonical(key: bytes) -> tuple[bytes, ...]:
    """A key as it sorts (RFC 4034, section 6.1)."""
    return tuple(reversed(list(labels(key))))


def next_closer(key: bytes, encloser: bytes) -> bytes:
    """The name between ``key`` and ``encloser``, an ancestor of it, that is one label longer than that."""
    closer = key
    for ancestor in ancestors(key):
        if ancestor == encloser:
            break
        closer = ancestor
    return closer


def renamed(name: bytes, owner: bytes, target: bytes) -> bytes | None:
    """What a DNAME at ``owner`` with ``target`` makes of ``name``, which is below ``owner`` (RFC 6672, section 2.2).

    None where the result is longer than a name can be.
    """
    made = name[: len(name) - len(owner)] + target
    return made if len(made) <= LONGEST_NAME else None


def is_opaque(key: bytes) -> bool:
    """Whether the key is of a name that DNS cannot carry."""
    return key.startswith(_OPAQUE)


def _a_label(label: str) -> bytes:
    """A label as it is on the wire: in UTF-8 where it has no A-label."""
    try:
        found = ToASCII(label)
    except UnicodeError:
        found = b"."
    return label.encode("utf-8", "surrogatepass") if b"." in found else found


def _shown_labels(text: str) -> list[bytes] | None:
    """The labels of a name with escapes, without the root's; None where an escape is none."""
    found: list[bytes] = [b""]
    at = 0
    for part in _SHOWN.finditer(text):
        if part.start() != at:
            return None
        at = part.end()
        number, sign, plain = part.groups()
        if plain == ".":
            found.append(b"")
        elif plain is not None:
            is_whole = not found[-1] and text[at : at + 1] in ("", ".")
            found[-1] += _a_label(plain) if is_whole else plain.encode("utf-8", "surrogatepass")
        elif sign is not None:
            found[-1] += sign.encode("utf-8", "surrogatepass")
        elif int(number) < 256:
            found[-1] += bytes((int(number),))
        else:
            return None
    return None if at != len(text) else found[:-1] if not found[-1] else found


def _u_label(label: bytes) -> str:
    """An A-label for people: its U-label, or what it is itself where no U-label gives it."""
    try:
        return ToUnicode(label.decode("ascii"))
    except UnicodeError:
        return label.decode()


def _label_text(label: bytes) -> str:
    if label.isalnum():
        return label.decode()
    try:
        text = _u_label(label) if label[:4].lower() == _ACE else label.decode()
        # A label in UTF-8 that has an A-label is another name than that; it must not look the same.
        is_own = text.isascii() or _a_label(text) in (label, label.lower())
        if is_own and text.isprintable() and " " not in text and not _ESCAPED.intersection(label):
            return text
    except UnicodeDecodeError:
        pass
    escaped = []
    for byte in label:
        if byte in _ESCAPED:
            escaped.append("\\" + chr(byte))
        else:
            escaped.append(chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03d}")
    return "".join(escaped)
