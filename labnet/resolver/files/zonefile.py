"""The reader behind :func:`labnet.resolver.files.detect.read_zone`: one zone file, a record at a time (sans-IO).

A file is cut into its records (a line, or the lines up to a closing parenthesis), so that one bad record costs that
record and no more. dnspython's reader takes each, and keeps what carries over: origin, last name, TTLs. Plain lines of
the commonest types are read here; the two share that state, so either may read any line.
"""

from __future__ import annotations

import io
import re
import socket
import traceback
import weakref
from collections.abc import Callable
from typing import Any, Final, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.zonefile

from labnet.resolver.files.course import Problem
from labnet.resolver.files.zonefile_bulk import CHUNK, read_chunk
from labnet.resolver.records.special import is_invalid
from labnet.wire.names import LONGEST_NAME, ROOT, is_below, text_of
from labnet.wire.types import LONGEST_TTL, RRset, RRType

Add = Callable[[RRset], str | None]
"""Takes one RRset; gives None, or in one sentence why it was left out."""

AddAddresses = Callable[[list[bytes], list[int], list[bytes], set[bytes]], bool]
"""Takes keys, TTLs and IPv4 addresses, one of each for a name, and what stands behind the first labels of the keys.

False where that cannot be, and then none is taken.
"""

MOST_GENERATED: Final = 1_000_000
"""Records that one ``$GENERATE`` may make."""

MOST_RDATA: Final = 65535
"""Bytes of one record's data (RFC 1035, section 3.2.1)."""

# What comes before relative names while no origin is known: a name that no file can hold by accident.
_UNKNOWN: Final = b"\x09no origin\x07labnet\0\x07invalid\0"

_PLAIN = re.compile(
    rb"([a-z0-9_*-][a-z0-9_*./-]*)?[ \t]+"
    rb"(?:([0-9]{1,9})[ \t]+)?(?:in[ \t]+)?(?:([0-9]{1,9})[ \t]+)?"
    rb"(aaaa|a|ns|cname|ptr)[ \t]+([a-z0-9_*:.-][a-z0-9_*:./-]*)[ \t]*(?:;.*)?\r?\n?",
    re.IGNORECASE,
)
_BLANK = re.compile(rb"[ \t]*(?:;.*)?\r?\n?")
_MARK = re.compile(rb'\\.|"(?:[^"\\]|\\.)*"|;.*|[()]')
_WHERE = re.compile(r"^[^:]*:\d+: ")
_CAUGHT = re.compile(r"^caught exception <class '[^']*'>: ")

# The types of plain lines; of an address, its family.
_TYPES: Final = {
    b"a": (RRType.A, socket.AF_INET),
    b"aaaa": (RRType.AAAA, socket.AF_INET6),
    b"ns": (RRType.NS, None),
    b"cname": (RRType.CNAME, None),
    b"ptr": (RRType.PTR, None),
}


class MasterFile:
    """One zone file being read: every record goes to ``add``, what is wrong to :attr:`problems`.

    Where there is ``add_addresses`` it is handed many names with an IPv4 address each at a time.

    ``zone`` is its name in wire form, None where only the file tells. ``default_ttl`` (seconds) is as if ``$TTL`` stood
    before the first line.
    """

    def __init__(
        self, add: Add, zone: bytes | None, default_ttl: int | None, add_addresses: AddAddresses | None = None
    ) -> None:
        self.problems: list[Problem] = []
        self._add = add
        self._add_addresses = add_addresses
        self._zone = None if zone is None else zone.lower()
        self._soa: bytes | None = None
        self._first_origin: bytes | None = None
        self._line = 0
        self._in_record = 0
        self._default_ttl = default_ttl
        itself = weakref.proxy(self)  # a cycle would keep ``add``, and so a whole zone, until all garbage is collected
        self._reader = dns.zonefile.Reader(
            dns.tokenizer.Tokenizer(""),
            dns.rdataclass.IN,
            # The reader uses no more of a transaction than this has.
            cast(Any, _Taking(lambda name, ttl, rdata: itself._take(name, ttl, rdata))),
            default_ttl=default_ttl,
        )
        # Outside or inside the zone is decided in _outside, with a warning; the reader's own check drops silently.
        self._reader.zone_origin = dns.name.root
        self._origin = _UNKNOWN if zone is None else zone
        self._reader.current_origin = _name_of(self._origin)
        self._owner = zone
        # Neighbours in a file mostly end alike: what stood behind the last first label, and its wire form.
        self._rest: bytes | None = None
        self._behind: bytes | None = None
        self._reader.last_name = None if zone is None else self._reader.current_origin

    @property
    def origin(self) -> bytes | None:
        """The zone's name as a key, as far as it is known."""
        return self._zone or self._soa or self._first_origin

    def read(self, content: bytes) -> None:
        """Read the whole file."""
        lines = io.BytesIO(content)
        while chunk := self._chunk(content, lines.tell()):
            start = lines.tell()
            if self._bulk(chunk):
                lines.seek(start + len(chunk))
            else:
                while lines.tell() < start + len(chunk):
                    self._next(lines)

    def _chunk(self, content: bytes, start: int) -> bytes:
        """The next lines, as many as are looked at together; without one more than that it is what is left."""
        end = content.rfind(b"\n", start, start + CHUNK) + 1
        return content[start : end or len(content)]

    def _bulk(self, chunk: bytes) -> bool:
        """Read a chunk that has nothing but addresses; False leaves it, untouched, to be read line by line."""
        found = None if self._add_addresses is None else read_chunk(chunk, self._behind_label)
        if found is None or self._add_addresses is None:
            return False
        ttls = {text: int(text) for text in set(found.ttls) if text}
        if "" in found.ttls:
            ttl = self._ttl(None, None)
            if ttls or ttl is None:
                return False
            ttls = {"": ttl}
        each = [ttls[text] for text in found.ttls] if len(ttls) > 1 else [*ttls.values()] * len(found.keys)
        if not self._add_addresses(found.keys, each, found.addresses, found.parents):
            return False
        if found.ttls[-1]:
            self._ttl(found.ttls[-1].encode(), None)
        self._line += len(found.keys)
        self._owner = found.keys[-1]
        return True

    def _behind_label(self, rest: bytes) -> bytes | None:
        """The wire form of what stands behind a first label; None where the name has to be looked at by itself."""
        wire = self._wire(b"a" + rest)
        if wire is None:
            return None
        wire = wire[2:].lower()
        if is_invalid(wire) or (self._zone is not None and not is_below(wire, self._zone)):
            return None
        return wire

    def _next(self, lines: io.BytesIO) -> None:
        """Read the next record."""
        self._line += 1
        raw = lines.readline()
        plain = _PLAIN.fullmatch(raw)
        if (plain is not None and self._plain(plain)) or _BLANK.fullmatch(raw):
            return
        record, depth = [raw], _depth(raw, 0)
        while depth > 0:
            more = lines.readline()
            if not more:
                break
            record.append(more)
            depth = _depth(more, depth)
        if depth > 0:
            self._problem("a parenthesis is opened here and never closed")
        else:
            self._any(b"".join(record))
        self._line += len(record) - 1

    def _plain(self, match: re.Match[bytes]) -> bool:
        """Read a plain line; False leaves it, untouched, to dnspython."""
        name, before, after, kind, value = match.groups()
        owner = self._owner if name is None else self._wire(name)
        rrtype, family = _TYPES[kind.lower()]
        rdata = self._wire(value) if family is None else _address(family, value)
        ttl = self._ttl(before, after)
        if owner is None or rdata is None or ttl is None:
            return False
        self._owner = owner
        self._hand_on(RRset(owner, rrtype, ttl, (rdata,)))
        return True

    def _ttl(self, before: bytes | None, after: bytes | None) -> int | None:
        """The TTL of a plain line, whichever side of the class it stands; None for the reader to complain of."""
        reader = self._reader
        if before is not None or after is not None:
            if before is not None and after is not None:
                return None
            reader.last_ttl = int(before or after or b"")
            reader.last_ttl_known = True
            return reader.last_ttl
        # From 2.9 on dnspython tells a default taken of the SOA from one of $TTL (RFC 2308, section 4).
        of_soa = getattr(reader, "default_ttl_from_soa", False)
        if reader.last_ttl_known and (not reader.default_ttl_known or of_soa):
            ttl = reader.last_ttl
        elif reader.default_ttl_known:
            ttl = reader.default_ttl
        else:
            return None
        return ttl if ttl <= LONGEST_TTL else None

    def _wire(self, name: bytes) -> bytes | None:
        """The wire form of a plain name; None for the reader to complain of."""
        if len(name) > LONGEST_NAME:
            return None
        label, dot, rest = name.partition(b".")
        if not dot:
            behind = None if self._origin is _UNKNOWN else self._origin
        elif rest == self._rest:
            behind = self._behind
        else:
            behind = self._wire(rest) if rest else ROOT
            self._rest, self._behind = rest, behind
        if behind is None or not 0 < len(label) < 64:
            return None
        wire = b"%c%b%b" % (len(label), label, behind)
        return wire if len(wire) <= LONGEST_NAME else None

    def _any(self, raw: bytes) -> None:
        """Read one record or directive by dnspython's reader."""
        reader = self._reader
        try:
            text = raw.decode().replace("\r\n", "\n").removesuffix("\r")
        except UnicodeDecodeError:
            self._problem("the record is not UTF-8; other bytes are written \\DDD")
            return
        if text[0] in " \t" and self._owner is None:
            self._problem("the record has no name, and none stands before it")
            return
        if self._owner is not None:
            reader.last_name = _name_of(self._owner)
        reader.tok = dns.tokenizer.Tokenizer(text)
        self._in_record = 0
        try:
            reader.read()
        except _Refused as refused:
            self._problem(str(refused))
        except Exception as error:
            # The reader raises more than it says (BadTTL, IDNA's errors, ValueError): whatever it is, the text is bad.
            self._problem(_sentence(str(error), text))
            traceback.clear_frames(error.__traceback__)  # the reader's own frame holds itself, and so all behind it
        self._carry_over()

    def _carry_over(self) -> None:
        """Take over what the reader learned of a record or directive."""
        reader = self._reader
        self._owner = None if reader.last_name is None else reader.last_name.to_wire()
        self._move_to(reader.current_origin or dns.name.root)
        if reader.default_ttl > LONGEST_TTL:
            reader.default_ttl = LONGEST_TTL
            self._problem(f"$TTL is more than {LONGEST_TTL} seconds")

    def _move_to(self, name: dns.name.Name) -> None:
        """Make ``name`` the origin, where a ``$ORIGIN`` says so."""
        if not name.is_absolute():  # dnspython's reader before 2.9
            name = name.derelativize(_name_of(self._origin))
        origin = _wire_of(name)
        if origin == self._origin:
            return
        if origin.endswith(_UNKNOWN):
            self._problem("the name behind $ORIGIN is relative, and no origin is known: end it with a dot")
        else:
            self._origin = origin
            self._rest = None
            self._first_origin = self._first_origin or origin.lower()
        self._reader.current_origin = _name_of(self._origin)

    def _take(self, name: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata) -> None:
        """What dnspython's reader does with a record."""
        self._in_record += 1
        if self._in_record > MOST_GENERATED:
            raise _Refused(f"$GENERATE makes more than {MOST_GENERATED} records; write several smaller ones")
        owner, wire = _wire_of(name), _wire_of(rdata)
        if self._origin is _UNKNOWN and (owner.endswith(_UNKNOWN) or _UNKNOWN in wire):
            raise _Refused("a name without a final dot is relative, and no origin is known: put $ORIGIN before it")
        if is_meta_type(rdata.rdtype):
            raise _Refused(f"{dns.rdatatype.to_text(rdata.rdtype)} is a type for questions, not for a zone file")
        if ttl > LONGEST_TTL:
            raise _Refused(f"the TTL {ttl} is more than {LONGEST_TTL} seconds")
        if len(wire) > MOST_RDATA:
            raise _Refused(f"the record's data has {len(wire)} bytes, more than {MOST_RDATA}")
        if rdata.rdtype == RRType.SOA:
            self._soa = self._soa or owner.lower()
        self._hand_on(RRset(owner, int(rdata.rdtype), ttl, (wire,)))

    def _hand_on(self, rrset: RRset) -> None:
        zone = self._zone
        if zone is not None and not (rrset.key.endswith(zone) and is_below(rrset.key, zone)):
            self._problem(f"{text_of(rrset.name)} is outside the zone {text_of(zone)} and is left out", warning=True)
        elif says := self._add(rrset):
            self._problem(says)

    def _problem(self, says: str, warning: bool = False) -> None:
        self.problems.append(Problem(self._line, says, warning))


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


class _Refused(Exception):
    """A record that dnspython can read and that cannot be served; the text is the sentence."""


class _Taking:
    """As much of dnspython's transaction as its reader uses: each record goes to ``take``."""

    def __init__(self, take: Callable[[dns.name.Name, int, dns.rdata.Rdata], None]) -> None:
        self.add = take
        self.manager = self

    def origin_information(self) -> tuple[dns.name.Name | None, bool, dns.name.Name | None]:
        return None, False, None

    def check_put_rdataset(self, check: object) -> None:
        """What a CNAME can stand beside is not the reader's to decide: another file may have the other record."""

    def _set_origin(self, origin: dns.name.Name) -> None:
        pass


def _address(family: int, text: bytes) -> bytes | None:
    try:
        return socket.inet_pton(family, text.decode())
    except OSError:
        return None


def _depth(line: bytes, depth: int) -> int:
    """How many parentheses are open after ``line``, where ``depth`` are before it."""
    if depth == 0 and b"(" not in line:
        return 0
    for mark in _MARK.findall(line):
        if mark == b"(":
            depth += 1
        elif mark == b")":
            depth -= 1
    return depth


def _sentence(detail: str, text: str) -> str:
    """dnspython's complaint about the record ``text`` as one sentence."""
    detail = _CAUGHT.sub("", _WHERE.sub("", detail)).rstrip(".")
    if "$INCLUDE" in detail:
        return "$INCLUDE is refused: name the other file in the configuration"
    if detail == "Missing default TTL value":
        return "the record has no TTL, and no $TTL stands before it"
    if detail.startswith("unknown rdatatype "):
        return f"{detail.removeprefix('unknown rdatatype ')} is no record type"
    if detail == "RR class is not zone's class":
        return "the record's class is not IN; no other is served"
    return f"{shown(text)} cannot be read: {detail or 'its form is wrong'}"


def _wire_of(of: dns.name.Name | dns.rdata.Rdata) -> bytes:
    wire = of.to_wire()
    assert wire is not None  # None is for writing into a file
    return wire


def _name_of(wire: bytes) -> dns.name.Name:
    return dns.name.from_wire(wire, 0)[0]
