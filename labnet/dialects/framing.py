"""Streams into messages, and messages into what goes over a stream, as a dialect frames them (sans-IO)."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 8192
"""Bytes of a message on a stream."""

_PREFIXES: Final = {"digits-2": 2, "bytes-2": 2, "bytes-4": 4}


class FramingError(ValueError):
    """A stream is not framed as it should be: nothing on it can be read any more."""


def frame(framing: str, message: bytes) -> bytes:
    """``message`` as it goes over a stream. Raises :class:`FramingError` where its length does not fit."""
    if framing == "lf":
        return message + b"\n"
    if framing == "crlf":
        return message + b"\r\n"
    if framing == "digits-2":
        if len(message) > 99:
            raise FramingError(f"a message of {len(message)} bytes is too long for a length of two digits")
        return b"%02d" % len(message) + message
    prefix = _PREFIXES.get(framing)
    return message if prefix is None else len(message).to_bytes(prefix, "big") + message


class Framer:
    """Collects the bytes of one direction of a stream.

    Framed ``whole``, a message is what one receive brings; ``by_line`` makes a message of each line of it, as of
    questions that somebody types.
    """

    def __init__(self, framing: str, by_line: bool = True) -> None:
        self._framing = framing
        self._by_line = by_line
        self._rest = b""

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes, in order. Raises :class:`FramingError`."""
        if self._framing == "whole":
            return [line for line in data.splitlines() if line.strip()] if self._by_line else [data]
        self._rest += data
        if self._framing in _PREFIXES:
            return self._prefixed(_PREFIXES[self._framing])
        *lines, self._rest = self._rest.split(b"\n")
        if max(map(len, (*lines, self._rest))) > LONGEST:
            raise FramingError(f"a line is longer than {LONGEST} bytes")
        return [line.removesuffix(b"\r") for line in lines]

    def end(self) -> list[bytes]:
        """Nothing more comes: what is left and is a message."""
        rest, self._rest = self._rest, b""
        return [rest] if rest.strip() and self._framing not in _PREFIXES else []

    def _prefixed(self, size: int) -> list[bytes]:
        messages = []
        while len(self._rest) >= size:
            head = self._rest[:size]
            if self._framing != "digits-2":
                length = int.from_bytes(head, "big")
            elif head.isdigit():
                length = int(head)
            else:
                raise FramingError("a message does not begin with its length in two digits")
            if length > LONGEST:
                raise FramingError(f"a message is longer than {LONGEST} bytes")
            if len(self._rest) < size + length:
                break
            messages.append(self._rest[size : size + length])
            self._rest = self._rest[size + length :]
        return messages
