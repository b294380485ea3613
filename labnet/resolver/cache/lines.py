"""Cached answers as lines of a log (sans-IO): those of the course protocol as in the records file, the others as JSON.

The records file has no place for types and chains. A DNS log line is a JSON object: ``q`` and ``t`` are the question's
name (hex of its key) and type, ``s`` is the epoch second at which it was learned, ``l`` its lifetime (seconds), ``r``
the RCODE, ``f`` the server it came from, ``a`` and ``n`` the answer and authority RRsets as ``[name, type, ttl, [rdata,
…]]``, names and rdatas in hex. Where it was validated ``v`` is what it is, a number of
:class:`~labnet.wire.types.Security`.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from labnet.resolver.cache.entry import Entry, Rdatas, mapping_of, packed
from labnet.resolver.cache.policy import entry_of_mapping
from labnet.wire.course_line import encode_record, parse_line
from labnet.wire.dns_common import end_of_name
from labnet.wire.names import key_of
from labnet.wire.rdata import check_rdata
from labnet.wire.types import LONGEST_TTL, Answer, Question, Rcode, RRset, Security

_VALIDATED: Final = {each: f',"v":{each:d}' if each else "" for each in Security}

CachedAnswer = tuple[Question, Entry]
"""A question and what is known of it."""


def course_name(cached: CachedAnswer) -> str | None:
    """The name that ``cached`` is about where it came from a course parent, and so belongs into the course log."""
    entry = cached[1]
    if not entry.from_course:
        return None
    mapping = entry.answer.mapping
    return None if mapping is None else mapping.name


def encode_line(cached: CachedAnswer, later: float = 0.0) -> str:
    """The line for ``cached`` in its log, without the newline; the times in it are ``later`` seconds later."""
    entry = cached[1]
    if not entry.from_course:
        return encode_dns_line(cached, later)
    assert entry.answer.mapping is not None
    return encode_record(replace(entry.answer.mapping, since=entry.since + later))


def decode_line(line: str, source: str) -> CachedAnswer:
    """The cached answer in a line of either log; a course line does not name its ``source``. Raises ValueError."""
    raw = line.encode()
    return decode_dns_line(raw) if raw.startswith(b"{") else decode_course_line(raw, source)


def decode_course_line(line: bytes, source: str) -> CachedAnswer:
    """The cached answer in a learned ``line`` of the records file's format. Raises ValueError."""
    mapping = parse_line(line, 0.0)
    return entry_of_mapping(key_of(mapping.name), mapping, source)


def encode_dns_line(cached: CachedAnswer, later: float = 0.0) -> str:
    """The DNS log line for ``cached``, without its newline; the time in it is ``later`` seconds later."""
    question, entry = cached
    since, content = entry.since + later, entry.content
    if isinstance(content, tuple):
        return _encode_rdatas(question, entry, since, content)
    # By hand it takes a third of the time; but for the source there is nothing in it that JSON would write otherwise.
    return (
        f'{{"q":"{question.key.hex()}","t":{question.rrtype:d},"s":{since!r},"l":{entry.ttl:d},'
        f'"r":{content.rcode:d},"f":{_quoted(entry.source)},'
        f'"a":[{",".join(map(_encoded, content.answer))}],"n":[{",".join(map(_encoded, content.authority))}]'
        f"{_VALIDATED[content.security]}}}"
    )


def _encode_rdatas(question: Question, entry: Entry, since: float, content: Rdatas) -> str:
    """The DNS log line for an entry that has the records ``content`` alone; made before its question is answered."""
    name, rrtype, ttl = question.key.hex(), int(question.rrtype), entry.ttl
    rdatas = '","'.join([rdata.hex() for rdata in content])
    return (
        f'{{"q":"{name}","t":{rrtype},"s":{_seconds(since)},"l":{ttl},"r":0,"f":{_quoted(entry.source)},'
        f'"a":[["{name}",{rrtype},{ttl},["{rdatas}"]]],"n":[]}}'
    )


def decode_dns_line(line: bytes) -> CachedAnswer:
    """The question and entry in ``line``. Raises ValueError for anything else."""
    try:
        fields = json.loads(line)
        question = Question(_name(fields["q"]).lower(), _number(fields["t"], 65535))
        answer = tuple(_decoded(rrset) for rrset in fields["a"])
        authority = tuple(_decoded(rrset) for rrset in fields["n"])
        since, ttl = _since(fields["s"]), _number(fields["l"], LONGEST_TTL)
        mapping = mapping_of(question, answer, ttl, since)
        security = Security(_number(fields.get("v", 0), Security.SECURE))
        whole = Answer(Rcode(fields["r"]), answer, authority, mapping=mapping, security=security)
        entry = Entry(packed(question, whole, ttl), since, ttl, _text(fields["f"]), question=question)
        return question, entry
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        # What exactly is wrong with it is of no help: no line of this log is written by hand.
        raise ValueError("the line is no answer that was kept") from None


def _encoded(rrset: RRset) -> str:
    rdatas = ",".join([f'"{rdata.hex()}"' for rdata in rrset.rdatas])
    return f'["{rrset.name.hex()}",{rrset.rrtype:d},{rrset.ttl:d},[{rdatas}]]'


_quoted: Final = lru_cache(1000)(json.dumps)
_seconds: Final = lru_cache(1)(float.__repr__)
"""What was learned together has the same second, and to write that out takes as long as a third of the line."""


def _decoded(fields: Any) -> RRset:
    name, rrtype, ttl, rdatas = fields
    kind = _number(rrtype, 65535)
    wires = tuple([bytes.fromhex(rdata) for rdata in rdatas])
    for wire in wires:
        check_rdata(kind, wire)
    if not wires:
        raise ValueError("an RRset has no records")
    return RRset(_name(name), kind, _number(ttl, LONGEST_TTL), wires)


def _name(value: Any) -> bytes:
    wire = bytes.fromhex(value)
    if end_of_name(wire, 0) != len(wire):
        raise ValueError("these bytes are no name")
    return wire


def _since(value: Any) -> float:
    since = float(value) if type(value) in (int, float) else math.nan
    if not math.isfinite(since) or since < 0:
        raise ValueError(f"{value!r} is no epoch second")
    return since


def _text(value: Any) -> str:
    if not (isinstance(value, str) and value.isprintable()):
        raise ValueError(f"{value!r} is no text")
    return value


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no number from 0 to {most}")
    return value
