"""Names that never leave the resolver: localhost and invalid (RFC 6761), onion (RFC 7686), resolver.arpa (RFC 9462).

``test`` and ``example`` are not special here, although RFC 6761 names them: a lab is what they are for, and its zones
and parents may well have names below them. The reserved second-level names (example.com, …) are ordinary too.
"""

from __future__ import annotations

import socket
from collections.abc import Container
from struct import pack
from typing import Final

from labnet.resolver.records.reverse import reverse_name
from labnet.wire.names import is_below, key_of, text_of
from labnet.wire.types import Answer, Mapping, Question, Rcode, RRset, RRType

TTL: Final = 10800
"""Seconds that answers about special names may be cached (RFC 6303, section 3)."""

ORIGIN: Final = "from the special names (RFC 6761)"

INVALID: Final = key_of("invalid")

_LOCALHOST: Final = key_of("localhost")
_ONION: Final = key_of("onion")
_RESOLVER: Final = key_of("resolver.arpa")
_ADDRESSES: Final = {
    RRType.A: socket.inet_pton(socket.AF_INET, "127.0.0.1"),
    RRType.AAAA: socket.inet_pton(socket.AF_INET6, "::1"),
}
_LOOPBACK: Final = frozenset(reverse_name(address) for address in _ADDRESSES.values())
_ENDS: Final = (INVALID, _LOCALHOST, _ONION, key_of("arpa"))


def special_find(question: Question, known: Container[bytes] = (), since: float = 0.0) -> Answer | None:
    """The answer for a special name, or None for any other.

    ``known`` (keys; a :class:`~labnet.resolver.records.zone.Zone`) are names whose records win over what is special,
    except below ``invalid``. ``since`` (epoch seconds) is the time of loading in the course protocol.
    """
    key = question.key
    if is_invalid(key):
        return _negative(INVALID, Rcode.NXDOMAIN)
    top = next((top for top in (_LOCALHOST, _ONION, _RESOLVER) if key.endswith(top) and is_below(key, top)), None)
    if (top is None and key not in _LOOPBACK) or key in known:
        return None
    if top is None:
        return _positive(question, RRType.PTR, _LOCALHOST) or _negative(key, Rcode.NOERROR)
    if top == _ONION:
        return _negative(top, Rcode.NXDOMAIN)
    if top == _RESOLVER:  # it speaks of this resolver, which has no encrypted transport (RFC 9462, section 4)
        return _negative(top, Rcode.NOERROR)
    for rrtype, address in _ADDRESSES.items():
        if answer := _positive(question, rrtype, address, _loopback(key, since)):
            return answer
    return _negative(top, Rcode.NOERROR)


def may_be_special(key: bytes) -> bool:
    """Whether :func:`special_find` may have an answer for ``key``: quick, for those that are asked for most."""
    return key.endswith(_ENDS)


def is_invalid(key: bytes) -> bool:
    """Whether ``key`` is ``invalid`` or below it; nothing makes such a name exist."""
    return key.endswith(INVALID) and is_below(key, INVALID)


def made_up_soa(name: bytes, ttl: int = TTL, serial: int = 1) -> RRset:
    """An SOA for a zone that has none of its own, for its negative answers (RFC 6303, section 3; RFC 2308).

    ``name`` is the zone's in wire form; ``ttl`` (seconds) is how long a negative answer may be cached.
    """
    numbers = pack(">5I", serial & 0xFFFFFFFF, 3600, 1200, 604800, ttl)
    return RRset(name, RRType.SOA, ttl, (name + b"\x06nobody" + INVALID + numbers,))


def _positive(question: Question, rrtype: RRType, rdata: bytes, mapping: Mapping | None = None) -> Answer | None:
    if question.rrtype not in (rrtype, RRType.ANY):
        return None
    rrset = RRset(question.key, rrtype, TTL, (rdata,))
    return Answer(Rcode.NOERROR, (rrset,), authoritative=True, mapping=mapping, origin=ORIGIN)


def _negative(zone: bytes, rcode: Rcode) -> Answer:
    return Answer(rcode, authority=(made_up_soa(zone),), authoritative=True, origin=ORIGIN)


def _loopback(key: bytes, since: float) -> Mapping:
    return Mapping(text_of(key), "127.0.0.1", TTL, learned=False, since=since)
