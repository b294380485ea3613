"""What a fault does to one datagram: bytes in, and what goes on in its place, with delays (sans-IO).

Whatever the bytes are, each function gives bytes: what a kind cannot do to them leaves them as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

FORGED: Final = "6.6.6.6"
"""The address in a forged reply."""

_ECHO: Final = 0.001
"""Seconds between a datagram and its double."""


class Sending(NamedTuple):
    """``data`` goes on after ``delay`` seconds; from another port than it should if ``is_elsewhere``."""

    delay: float
    data: bytes
    is_elsewhere: bool = False


def struck(kind: str, data: bytes, amount: int, random: Random, to: tuple[str, int] = ("", 0)) -> list[Sending] | None:
    """What goes on in place of ``data``; None where it waits for the next datagram (reorder).

    ``amount`` is in milliseconds, ``to`` is the address and the port of the parent that is asked.
    """
    if kind in ("drop", "silent", "down"):
        return []
    if kind == "reorder":
        return None
    if kind == "delay":
        return [Sending(amount / 1000, data)]
    if kind == "duplicate":
        return [Sending(0, data), Sending(_ECHO, data)]
    if kind == "wrong-port":
        return [Sending(0, data, is_elsewhere=True)]
    if kind == "spoof":
        return [Sending(0, forged(data)), Sending(_ECHO, data)]
    if kind == "referral-loop":
        return [Sending(0, referring(data, to))]
    return [Sending(0, CHANGES[kind](data, random))]


def name_of(data: bytes) -> str:
    """The name that a message of either protocol is about; nothing where it has none."""
    if b"\0" in data:
        try:
            message = dns.message.from_wire(data, ignore_trailing=True, continue_on_error=True)
        except (dns.exception.DNSException, ValueError):
            return ""
        return message.question[0].name.to_text(omit_final_dot=True) if message.question else ""
    text = data.decode("utf-8", "replace").strip()
    found = re.match(r'[\["\s]*([^\s",\]]+)', text)
    return found[1] if found else ""


def _truncate(data: bytes, random: Random) -> bytes:
    return data[: len(data) // 2]


def _corrupt(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _wrong_id(data: bytes, random: Random) -> bytes:
    return bytes(byte ^ 0x55 for byte in data[:2]) + data[2:] if b"\0" in data else data


def _wrong_name(data: bytes, random: Random) -> bytes:
    name = name_of(data).encode()
    if b"\0" in data:
        # The first label's first letter, wherever the question begins.
        return data[:13] + _other_letter(data[13:14]) + data[14:] if len(data) > 13 else data
    at = data.find(name) if name else -1
    return data if at < 0 else data[:at] + _other_letter(data[at : at + 1]) + data[at + 1 :]


def _other_letter(letter: bytes) -> bytes:
    return b"y" if letter.lower() == b"x" else b"x"


def _garbage(data: bytes, random: Random) -> bytes:
    return random.randbytes(max(len(data), 12))


def _empty(data: bytes, random: Random) -> bytes:
    return b""


def _stale_ttl(data: bytes, random: Random) -> bytes:
    message = _reply_in(data)
    if message is not None:
        for rrset in (*message.answer, *message.authority, *message.additional):
            rrset.ttl = 0
        return message.to_wire()
    return _course(data, ttl="0")


CHANGES: Final[dict[str, Callable[[bytes, Random], bytes]]] = {
    "truncate": _truncate,
    "corrupt": _corrupt,
    "wrong-id": _wrong_id,
    "wrong-name": _wrong_name,
    "garbage": _garbage,
    "empty": _empty,
    "stale-ttl": _stale_ttl,
}


def forged(data: bytes) -> bytes:
    """What a forger would send in place of the reply ``data``: :data:`FORGED`, and an id that is guessed wrong."""
    message = _reply_in(data)
    if message is None:
        return _course(data, address=FORGED)
    message.id ^= 0x5555
    question = message.question[0] if message.question else None
    if question is not None:
        message.answer = [dns.rrset.from_text(question.name, 300, "IN", "A", FORGED)]
        message.authority, message.additional = [], []
    return message.to_wire()


def referring(data: bytes, to: tuple[str, int]) -> bytes:
    """A reply as ``data`` that refers to the server itself, which is at ``to``."""
    message = _reply_in(data)
    if message is None or not message.question:
        name = name_of(data)
        suffix = name[name.find(".") :] if "." in name else f".{name}"
        return f"{suffix},{to[0]}:{to[1]},NS".encode()
    message.flags &= ~dns.flags.AA & ~dns.flags.RA
    asked = message.question[0].name
    zone = asked.parent() if len(asked.labels) > 1 else asked
    server = dns.name.from_text("loop", zone)
    message.set_rcode(dns.rcode.NOERROR)
    message.answer = []
    message.authority = [dns.rrset.from_text(zone, 300, "IN", "NS", server.to_text())]
    kind = "AAAA" if ":" in to[0] else "A"
    message.additional = [dns.rrset.from_text(server, 300, "IN", kind, to[0] or FORGED)]
    return message.to_wire()


def _reply_in(data: bytes) -> dns.message.Message | None:
    if b"\0" not in data:
        return None
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return message if message.flags & dns.flags.QR else None


def _course(data: bytes, address: str = "", ttl: str = "") -> bytes:
    """A course reply with another address or TTL; what is none stays as it is."""
    text = data.decode("utf-8", "replace")
    try:
        fields = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        return data
    if isinstance(fields, list) and len(fields) > 2:
        fields[1], fields[2] = address or fields[1], ttl or fields[2]
        return json.dumps(fields).encode()
    parts = text.rstrip("\r\n").split(",")
    if fields is not None or len(parts) < 2:
        return address.encode() if address and fields is None and parts[0] else data
    parts[1] = address or parts[1]
    if ttl and len(parts) > 2:
        parts[2] = ttl
    return (",".join(parts) + text[len(text.rstrip("\r\n")) :]).encode()
