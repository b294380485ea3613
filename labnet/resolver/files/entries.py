"""One entry of a zone file in its text form (RFC 1035, section 5.1; RFC 3597, section 5), sans-IO.

dnspython parts the text into tokens and reads record data; what carries over from one entry to the next is a
:class:`Scope`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer

from labnet.wire.types import LONGEST_TTL, RRset, RRType

MOST_RDATA: Final = 65535
"""Bytes of one record's data (RFC 1035, section 3.2.1)."""

UNKNOWN: Final = b"\x09no origin\x07labnet\0\x07invalid\0"
"""The origin while none is known: a name that no file can hold by accident."""

_NAMES: Final = {3: 1, 4: 1, 7: 1, 8: 1, 9: 1, 14: 2}
"""Types whose data are so many names and that dnspython does not read: MD, MF, MB, MG, MR, MINFO."""

_OWNER = re.compile(rb"[^\s;()]+")
_HIGH = re.compile(rb"[\x80-\xff]")
_MARK = re.compile(rb'\\.|"(?:[^"\\]|\\.)*"|;.*|[()]')
_TTL = re.compile(r"(?:[0-9]+[smhdw])+|[0-9]+", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WHERE = re.compile(r"^[^:]*:\d+: ")
_CAUGHT = re.compile(r"^caught exception <class '[^']*'>: ")


class EntryError(Exception):
    """An entry cannot be taken; the text is the sentence."""


@dataclass(slots=True)
class Scope:
    """What an entry of a zone file takes from those before it.

    ``origin`` and ``owner`` (the last record's) are in wire form. The TTLs, in seconds, are that of ``$TTL``, that of
    the last record that has one, and MINIMUM of the first SOA.
    """

    origin: bytes = UNKNOWN
    owner: bytes | None = None
    default_ttl: int | None = None
    last_ttl: int | None = None
    minimum: int | None = None

    @property
    def implicit_ttl(self) -> int | None:
        """The TTL of a record that has none of its own (RFC 2308, section 4; RFC 1035, section 5.1)."""
        if self.default_ttl is not None:
            return self.default_ttl
        return self.minimum if self.last_ttl is None else self.last_ttl


def decoded(raw: bytes) -> str:
    """An entry as text; where it is not UTF-8, the bytes behind its owner stand for themselves."""
    raw = raw.replace(b"\r\n", b"\n").removesuffix(b"\r")
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode()
    owner = _OWNER.match(raw)
    try:
        start = "" if owner is None else owner[0].decode()
    except UnicodeDecodeError:
        raise EntryError("the name is not UTF-8; other bytes are written \\DDD") from None
    rest = _HIGH.sub(lambda found: b"\\%03d" % found[0][0], raw[len(start.encode()) :])
    return start + rest.decode("ascii")


def depth_of(line: bytes, depth: int) -> int:
    """How many parentheses are open after ``line``, where ``depth`` are before it."""
    if depth == 0 and b"(" not in line:
        return 0
    for mark in _MARK.findall(line):
        if mark == b"(":
            depth += 1
        elif mark == b")":
            depth -= 1
    return depth


def read_record(text: str, scope: Scope) -> RRset | None:
    """The record in ``text``, which :class:`Scope` learns from; None where there is nothing but comment.

    Its TTL is as it is written, which may be too long. Raises :class:`EntryError`.
    """
    with _complaining_of(text):
        tok = dns.tokenizer.Tokenizer(text)
        token = tok.get(want_leading=True)
        if token.is_whitespace():
            token = tok.get()
            if token.is_eol_or_eof():
                return None
            tok.unget(token)
            if scope.owner is None:
                raise EntryError("the record has no name, and none stands before it")
        elif token.is_eol_or_eof():
            return None
        else:
            scope.owner = _name(token, scope.origin)
        ttl, rrtype = _middle(tok)
        if ttl is not None:
            scope.last_ttl = bounded(ttl)
        rdata = _rdata(tok, rrtype, scope.origin)
        return _checked(scope, ttl, rrtype, rdata)


def name_of(text: str, origin: bytes) -> bytes:
    """The wire form of a name in a zone file, below ``origin`` where it is relative. Raises :class:`EntryError`."""
    with _complaining_of(text):
        return _wire(text, origin)


def words_of(text: str) -> list[str]:
    """The words of a directive, without its comment. Raises :class:`EntryError`."""
    words: list[str] = []
    with _complaining_of(text):
        tok = dns.tokenizer.Tokenizer(text)
        while not (token := tok.get()).is_eol_or_eof():
            words.append(token.value)
    return words


def seconds_of(text: str) -> int | None:
    """A TTL such as ``3600`` or ``1h30m`` in seconds; None where ``text`` is no TTL."""
    if _TTL.fullmatch(text) is None:
        return None
    return sum(int(number) * _SECONDS[unit.lower()] for number, unit in _TTL_PART.findall(text))


def bounded(ttl: int) -> int:
    """A TTL in seconds; one of more than 31 bits counts as none (RFC 2181, section 8)."""
    return ttl if ttl <= LONGEST_TTL else 0


def is_type(text: str) -> bool:
    """Whether ``text`` is the mnemonic of a type that a zone file can hold."""
    try:
        return not is_meta_type(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        return False


def is_meta_type(rrtype: int) -> bool:
    """Whether the type is of questions or messages, not of records in a zone (RFC 6895, section 3.1)."""
    return rrtype in (0, RRType.OPT) or 128 <= rrtype <= 255


def shown(text: str) -> str:
    """``text`` for a sentence: quoted, white space narrowed, cut where it is long."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _middle(tok: dns.tokenizer.Tokenizer) -> tuple[int | None, dns.rdatatype.RdataType]:
    """TTL and class in either order, each of which may be missing, and the type behind them."""
    ttl, has_class = None, False
    while True:
        token = tok.get()
        if not token.is_identifier():
            raise dns.exception.SyntaxError
        text: str = token.value
        seconds = seconds_of(text) if ttl is None else None
        if seconds is not None:
            ttl = seconds
        elif not has_class and (rdclass := class_of(text)) is not None:
            if rdclass != dns.rdataclass.IN:
                raise EntryError("the record's class is not IN; no other is served")
            has_class = True
        else:
            break
    try:
        rrtype = dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise EntryError(f"{text!r} is no record type") from None
    if is_meta_type(rrtype):
        raise EntryError(f"{dns.rdatatype.to_text(rrtype)} is a type for questions, not for a zone file")
    return ttl, rrtype


def class_of(text: str) -> int | None:
    """The number of a class; None where ``text`` names none."""
    try:
        return int(dns.rdataclass.from_text(text))
    except (dns.exception.DNSException, ValueError):
        return None


def _rdata(tok: dns.tokenizer.Tokenizer, rrtype: dns.rdatatype.RdataType, origin: bytes) -> bytes:
    if rrtype in _NAMES:
        token = tok.get()
        tok.unget(token)
        if token.value != r"\#":
            rdata = b"".join([_name(tok.get(), origin) for _ in range(_NAMES[rrtype])])
            tok.get_eol()
            return rdata
    below = dns.name.from_wire(origin, 0)[0]
    read = dns.rdata.from_text(dns.rdataclass.IN, rrtype, tok, below, relativize=False).to_wire()
    assert read is not None  # None is for writing into a file
    return read


def _checked(scope: Scope, ttl: int | None, rrtype: int, rdata: bytes) -> RRset:
    owner = scope.owner
    assert owner is not None
    if len(rdata) > MOST_RDATA:
        raise EntryError(f"the record's data has {len(rdata)} bytes, more than {MOST_RDATA}")
    if scope.origin is UNKNOWN and (owner.endswith(UNKNOWN) or UNKNOWN in rdata):
        raise EntryError("a name without a final dot is relative, and no origin is known: put $ORIGIN before it")
    if rrtype == RRType.SOA and scope.minimum is None:
        scope.minimum = bounded(int.from_bytes(rdata[-4:], "big"))
    if ttl is None:
        ttl = scope.implicit_ttl
    if ttl is None:
        raise EntryError("the record has no TTL, and no $TTL stands before it")
    return RRset(owner, int(rrtype), ttl, (rdata,))


def _name(token: dns.tokenizer.Token, origin: bytes) -> bytes:
    if token.is_eol_or_eof():
        raise dns.exception.SyntaxError
    return _wire(token.value, origin)


def _wire(text: str, origin: bytes) -> bytes:
    wire = dns.name.from_text(text, dns.name.from_wire(origin, 0)[0]).to_wire()
    assert wire is not None  # None is for writing into a file
    return wire


@contextlib.contextmanager
def _complaining_of(text: str) -> Iterator[None]:
    """Make one sentence of dnspython's complaint about the entry ``text``."""
    try:
        yield
    except (dns.exception.DNSException, ValueError) as error:
        error.__traceback__ = None  # else it and its frames hold each other, and all that is read, from Python 3.12 on
        detail = _CAUGHT.sub("", _WHERE.sub("", str(error))).rstrip(".")
        raise EntryError(f"{shown(text)} cannot be read: {detail or 'its form is wrong'}") from None
