"""What labs send each other over a shared cache, as bytes: keys, values, messages (sans-IO).

Whatever is read here another program may have written: anything that is not exactly an answer to the question that was
looked up counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import dns.exception
import dns.name

from labnet.resolver.cache.lines import decode_dns_line, encode_dns_line
from labnet.resolver.cache.policy import Bounds, entry_of
from labnet.wire.course_line import TextError, encode_record, parse_line
from labnet.wire.names import ROOT, is_below, is_opaque, key_of, text_of
from labnet.wire.reply_chain import chain_of
from labnet.wire.types import Answer, CourseReply, Question, Rcode, Reply, RRset, RRType, Upstream, type_text

LONGEST_VALUE: Final = 400_000
"""Bytes; a DNS message of the greatest size takes fewer."""

_FORMAT: Final = "1"
_DNS, _COURSE, _NOTHING = b"D", b"C", b"N"
_CLOCKS_AGREE: Final = 1.0
"""Seconds by which an age may differ that is counted by two clocks."""

_LONGEST_FLUSH: Final = 4096
_GLOB: Final = str.maketrans({sign: "\\" + sign for sign in "*?[]^-\\"})
_RCODES: Final = (Rcode.NOERROR, Rcode.NXDOMAIN)


class StoreGone(Exception):
    """The server of the shared cache is not there, or not in time, or says no; the text says which."""


@dataclass(frozen=True)
class ParentGroup:
    """Who shares: the labs whose resolver ``resolver`` asks the same ``parents`` for what is below ``domain`` (a key).

    ``by_name`` says that the parents know names and no types, as those of the course protocol do. ``parents`` stands
    for whatever in the configuration says which servers are asked.
    """

    resolver: str
    domain: bytes
    parents: tuple[str, ...]
    by_name: bool

    def key(self, question: Question) -> bytes:
        """Where the answer to ``question`` stands, without the prefix that all keys have."""
        rrtype = "NAME" if self.by_name or is_opaque(question.key) else type_text(question.rrtype)
        return f"{self._start}{rrtype}:{text_of(question.key)}".encode("utf-8", "surrogatepass")

    @cached_property
    def _start(self) -> str:
        digest = hashlib.blake2s("\n".join(self.parents).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        return f"{_FORMAT}:{quote(self.resolver, safe='')}:{quote(text_of(self.domain), safe='')}:{digest}:"


class Looked(NamedTuple):
    """What the server says of a key: its ``value``, which is there for ``left`` more seconds, and who asks the parents.

    A value that came as a message has ``left`` infinite.
    ``ours``: the key is now locked for us. ``theirs``: another lab has it locked, and its word comes. Neither: there
    is a value, or no lock is to be had. ``is_slow``: it has taken more than half of its time to say so.
    """

    value: bytes | None = None
    left: float = 0.0
    ours: bool = False
    theirs: bool = False
    is_slow: bool = False


class Shared(NamedTuple):
    """A value that can be used. ``is_due`` says that its time is nearly over, and the parents are better asked."""

    upstream: Upstream
    is_due: bool


class Flush(NamedTuple):
    """What all labs are to forget: the name with the key ``name`` and all below it, or all that ``resolver`` knows."""

    name: bytes | None
    resolver: str | None


def encode_value(question: Question, upstream: Upstream, bounds: Bounds, now: float) -> tuple[bytes, float]:
    """The value for a reply that has just come from a parent, and the seconds for which it may be used; 0: once."""
    cached = entry_of(question, upstream, now, bounds)
    if cached is None:
        return b"%b%d %b" % (_NOTHING, upstream.rcode, upstream.parent.encode()), 0.0
    entry = cached[1]
    left = max(0.0, entry.since + entry.ttl - now)
    if entry.from_course:
        assert entry.answer.mapping is not None
        line = encode_record(entry.answer.mapping)
        return b"%b%b\n%b" % (_COURSE, upstream.parent.encode(), line.encode("utf-8", "surrogatepass")), left
    return _DNS + encode_dns_line((question, entry)).encode(), left


def decode_value(question: Question, looked: Looked, bounds: Bounds, now: float) -> Shared | None:
    """What the value tells about ``question``; None where it is no answer to it or its time is over.

    Its age is what the server's clock has counted, so that no lifetime gets longer or shorter where the clocks of two
    labs differ; where they agree it is the teller's own.
    """
    value = looked.value
    if value is None or len(value) > LONGEST_VALUE or not looked.left > 0:
        return None
    try:
        if value.startswith(_NOTHING):
            return _nothing(value, now) if looked.left == math.inf else None
        upstream, ttl = (_course if value.startswith(_COURSE) else _dns)(question, value)
    except (ValueError, TextError):
        return None
    assert upstream.since is not None
    counted = now - max(0.0, ttl - looked.left)
    agree = abs(upstream.since - counted) < _CLOCKS_AGREE
    upstream = replace(upstream, since=min(upstream.since, counted) if agree else counted)
    cached = entry_of(question, upstream, now, bounds)
    if cached is None or not cached[1].is_valid(now):
        return None
    return Shared(upstream, bounds.prefetch and cached[1].is_due(now))


def _nothing(value: bytes, now: float) -> Shared:
    rcode, _, source = value[1:].decode().partition(" ")
    if rcode not in [str(int(known)) for known in _RCODES] or not source.isprintable():
        raise ValueError("no such value")
    return Shared(Upstream(Rcode(int(rcode)), source, since=now), False)


def _course(question: Question, value: bytes) -> tuple[Upstream, int]:
    source, _, line = value[1:].partition(b"\n")
    mapping = parse_line(line, math.nan)
    parent = source.decode()
    if not mapping.learned or key_of(mapping.name) != question.key or not parent.isprintable():
        raise ValueError("the value is about another name")
    reply = CourseReply(mapping.name, mapping.address, mapping.ttl)
    return Upstream(Rcode.NOERROR, parent, course_reply=reply, since=mapping.since), mapping.ttl


def _dns(question: Question, value: bytes) -> tuple[Upstream, int]:
    asked, entry = decode_dns_line(value.removeprefix(_DNS))
    answer = entry.answer
    if asked != question or answer.rcode not in _RCODES or not _is_about(question, entry.answer):
        raise ValueError("the value is about something else")
    soa = answer.authority[0] if answer.authority else None
    return Upstream(answer.rcode, entry.source, answer.answer, soa, since=entry.since), entry.ttl


def _is_about(question: Question, answer: Answer) -> bool:
    """Whether ``answer`` holds the chain from the name asked for, or a negative answer's SOA above it, and no more."""
    if any(not _is_name(rrset.rdatas[0]) for rrset in answer.answer if rrset.rrtype == RRType.CNAME):
        return False
    chain = chain_of(question, Reply(answer.rcode, answer=answer.answer, authority=answer.authority))
    names = [question.key, chain.target, *(rrset.key for rrset in chain.rrsets)]

    def is_made_of(rrset: RRset) -> bool:  # a DNAME, which its own CNAME stands behind (RFC 6672, section 3.1)
        return rrset.rrtype == RRType.DNAME and any(is_below(name, rrset.key) for name in names)

    others = [rrset for rrset in answer.answer if rrset not in chain.rrsets]
    if not all(is_made_of(rrset) for rrset in others) or len(answer.answer) - len(others) != len(chain.rrsets):
        return False
    return answer.authority == (() if chain.soa is None else (chain.soa,))


def _is_name(wire: bytes) -> bool:
    try:
        return dns.name.from_wire(wire, 0)[1] == len(wire)
    except dns.exception.DNSException:
        return False


def encode_flush(flush: Flush, sender: str) -> bytes:
    """The message that has all labs but ``sender`` forget."""
    return json.dumps(
        {"from": sender, "name": None if flush.name is None else flush.name.hex(), "resolver": flush.resolver}
    ).encode()


def decode_flush(message: bytes, receiver: str) -> Flush | None:
    """What ``receiver`` is to forget; None where the message is its own, or none at all."""
    try:
        if len(message) > _LONGEST_FLUSH:
            return None
        fields: Any = json.loads(message)
        name, resolver = fields["name"], fields["resolver"]
        if fields["from"] == receiver or (name is None) == (resolver is None):
            return None
        if name is None:
            return Flush(None, resolver) if isinstance(resolver, str) else None
        key = bytes.fromhex(name).lower()
        return Flush(key, None) if _is_name(key) or key_of(text_of(key)) == key else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def patterns_of(flush: Flush) -> list[str]:
    """What the keys of all that is to be forgotten match, without the prefix, as SCAN has its patterns.

    A name stands for those below it too, the root for every name.
    """
    if flush.resolver is not None:
        return [f"{_FORMAT}:{quote(flush.resolver, safe='').translate(_GLOB)}:*"]
    if flush.name == ROOT or flush.name is None:
        return [f"{_FORMAT}:*"]
    name = text_of(flush.name).translate(_GLOB)
    return [f"{_FORMAT}:*:{name}", f"{_FORMAT}:*.{name}"]


def escaped_prefix(prefix: str) -> str:
    """``prefix`` as it stands in a pattern."""
    return prefix.translate(_GLOB)
