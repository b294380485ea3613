"""Header fields in HTTP/2: those of requests by hpack (RFC 7541), those of responses by the static table alone.

A connection with one kind of requests sends the same few bytes for the fields of each. A block of them that leaves the
compression's table as it is means the same for as long as the table stays so, and is decoded once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from hpack import Decoder

from labnet.wire.web.http2_frames import DATA, END_HEADERS, END_STREAM, HEADERS, head_of
from labnet.wire.web.model import HEADER_BYTES

MOST_KNOWN: Final = 1 << 19
"""Bytes that the blocks of one connection take that are not decoded again: some 1,500 questions by GET."""

_KNOWN_BYTES: Final = 200
"""What one of them costs beside what it says: a tuple, three bytes objects, an integer and its place (measured)."""


class AskedFields(NamedTuple):
    """What a block of header fields says; ``length`` is that of the body, -1 where it says none."""

    method: bytes
    target: bytes
    content_type: bytes
    length: int


class RequestFields:
    """Reads the blocks of one connection, in their order. ``known`` has those that need not be decoded again."""

    def __init__(self) -> None:
        self.known: dict[bytes, AskedFields] = {}
        self._known_bytes = 0
        self._decoder = Decoder(max_header_list_size=HEADER_BYTES)

    def read(self, block: bytes) -> AskedFields | None:
        """What ``block`` says; None where that is no request (RFC 9113, section 8.1.1). Raises hpack.HPACKError."""
        if block in self.known:
            return self.known[block]
        before = self._table()
        fields = self._decoder.decode(block, raw=True)
        asked = asked_in([(bytes(field[0]), bytes(field[1])) for field in fields])
        after = self._table()
        if before[:2] != after[:2] or before[2] is not after[2]:
            self.known.clear()
            self._known_bytes = 0
        elif asked is not None:
            self.known[block] = asked
            self._known_bytes += _size(block, asked)
            while self._known_bytes > MOST_KNOWN:
                oldest = next(iter(self.known))
                self._known_bytes -= _size(oldest, self.known.pop(oldest))
        return asked

    def _table(self) -> tuple[int, int, object]:
        """What tells whether the table has changed: its size, how many entries it has, and the newest."""
        entries = self._decoder.header_table.dynamic_entries
        return self._decoder.header_table_size, len(entries), next(iter(entries), None)


def _size(block: bytes, asked: AskedFields) -> int:
    return _KNOWN_BYTES + len(block) + len(asked.method) + len(asked.target) + len(asked.content_type)


def asked_in(fields: list[tuple[bytes, bytes]]) -> AskedFields | None:
    found: dict[bytes, bytes] = {}
    is_pseudo = True
    for name, value in fields:
        is_pseudo = is_pseudo and name[:1] == b":"
        if name != name.lower() or (name[:1] == b":") != is_pseudo or (is_pseudo and name in found):
            return None
        found.setdefault(name, value)
    length = found.get(b"content-length", b"-1")
    if not found.get(b":method") or not found.get(b":path") or not (length == b"-1" or length.isdigit()):
        return None
    return AskedFields(found[b":method"], found[b":path"], found.get(b"content-type", b""), int(length[:10]))


_STATUSES: Final = {200: b"\x88", 400: b"\x8c", 404: b"\x8d"}
_NAMES: Final = {b"allow": 22, b"cache-control": 24, b"content-length": 28, b"content-type": 31}
"""Where header fields stand in the static table (RFC 7541, appendix A)."""


@lru_cache(4096)
def block_of(status: int, fields: tuple[tuple[bytes, bytes], ...], length: int) -> bytes:
    """The header fields of a response, without use of the compression's table."""
    block = _STATUSES.get(status) or b"\x08\x03%d" % status
    for name, value in (*fields, (b"content-length", b"%d" % length)):
        block += bytes((0x0F, _NAMES[name] - 15, len(value))) + value
    return block


@lru_cache(4096)
def heads_of(status: int, fields: tuple[tuple[bytes, bytes], ...], length: int) -> tuple[bytes, bytes]:
    """What stands before and between the two numbers of its stream in a whole response whose body is one frame."""
    block = block_of(status, fields, length)
    return head_of(HEADERS, END_HEADERS, len(block)), block + head_of(DATA, END_STREAM, length)
