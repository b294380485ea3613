"""The values that every room of the resolver passes on: questions, RRsets, answers, and the course's mappings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple

import dns.rdatatype

from labnet.wire.names import LONGEST_NAME, text_of

LONGEST_TTL: Final = 2**31 - 1
"""Seconds; the bound of RFC 2181, section 8."""

DNSSEC_OK, CHECKING_DISABLED = 1, 2
"""What a client may ask for of DNSSEC: signatures and proofs (DO, RFC 3225), data not validated (CD, RFC 4035)."""


class RRType(IntEnum):
    """The types that the resolver itself looks at; any other is a number to it (RFC 1035, section 3.2.2)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    AAAA = 28
    DNAME = 39
    OPT = 41
    DS = 43
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    NSEC3 = 50
    ANY = 255


def type_text(rrtype: int) -> str:
    """The mnemonic of a type, or ``TYPE`` and its number (RFC 3597)."""
    return str(dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rrtype)))


def type_of(text: str) -> int | None:
    """The number of the type with this mnemonic, None where there is none."""
    try:
        return int(dns.rdatatype.from_text(text))
    except (dns.rdatatype.UnknownRdatatype, ValueError):
        return None


class Rcode(IntEnum):
    """The RCODEs that the resolver gives (RFC 1035, section 4.1.1; RFC 6672; RFC 6891; RFC 8945)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    NOTAUTH = 9
    BADVERS = 16


class InfoCode(IntEnum):
    """The INFO-CODEs of extended errors that the resolver gives (RFC 8914, section 4)."""

    OTHER = 0
    UNSUPPORTED_DNSKEY_ALGORITHM = 1
    UNSUPPORTED_DS_DIGEST_TYPE = 2
    STALE_ANSWER = 3
    DNSSEC_BOGUS = 6
    SIGNATURE_EXPIRED = 7
    SIGNATURE_NOT_YET_VALID = 8
    DNSKEY_MISSING = 9
    RRSIGS_MISSING = 10
    NO_ZONE_KEY_BIT_SET = 11
    NSEC_MISSING = 12
    CACHED_ERROR = 13
    NOT_READY = 14
    BLOCKED = 15
    FILTERED = 17
    PROHIBITED = 18
    STALE_NXDOMAIN = 19
    NOT_AUTHORITATIVE = 20
    NOT_SUPPORTED = 21
    NO_REACHABLE_AUTHORITY = 22
    NETWORK_ERROR = 23
    INVALID_DATA = 24
    UNSUPPORTED_NSEC3_ITERATIONS = 27


class Security(IntEnum):
    """What validation found (RFC 4035, section 4.3); the least of the parts is that of the whole.

    INDETERMINATE is what nobody validated, INSECURE what is proven to need no signature, SECURE what is signed by keys
    that a trust anchor leads to. What ought to be so and is not is BOGUS.
    """

    BOGUS = -1
    INDETERMINATE = 0
    INSECURE = 1
    SECURE = 2

    @property
    def word(self) -> str:
        """It as people read it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ExtendedError:
    """An extended error (RFC 8914): why the answer is what it is."""

    code: InfoCode
    text: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """One name with its address, static or learned (assignment, "information line").

    ``address`` is opaque text: the assignment's own records are no IPv4 addresses. ``ttl`` is in seconds;
    ``since`` is the epoch second at which the mapping was loaded or learned.
    """

    name: str
    address: str
    ttl: int
    learned: bool
    since: float

    @property
    def until(self) -> float:
        """The epoch second from which it may not be answered: a learned one until its age passes its TTL."""
        return math.nextafter(self.since + self.ttl, math.inf) if self.learned else math.inf

    def is_valid(self, now: float) -> bool:
        """Whether it may be answered at ``now`` (epoch seconds)."""
        return now < self.until


class Question:
    """A name, as its key (:mod:`labnet.wire.names`), and a type, always of class IN. Nothing of it ever changes.

    ``spelled`` is the name as a client of the course spelled it: its parent is asked in the same bytes. It makes no
    difference between two questions. ``dnssec`` does: DNSSEC_OK, CHECKING_DISABLED, both or 0. The parent is asked with
    the same bits, as its answer may depend on them.
    """

    # A frozen dataclass would take twice as long to make, and to be looked up, which each is several times.
    __slots__ = ("_hash", "dnssec", "key", "rrtype", "spelled")

    def __init__(self, key: bytes, rrtype: int, spelled: str = "", dnssec: int = 0) -> None:
        self.key: Final = key
        self.rrtype: Final = rrtype
        self.spelled: Final = spelled
        self.dnssec: Final = dnssec
        self._hash: Final = hash(key) ^ rrtype ^ dnssec << 16

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Question):
            return NotImplemented
        return self.key == other.key and self.rrtype == other.rrtype and self.dnssec == other.dnssec

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Question], tuple[bytes, int, str, int]]:
        return Question, (self.key, self.rrtype, self.spelled, self.dnssec)  # another process has another hash

    def __repr__(self) -> str:
        return f"Question({self.key!r}, {self.rrtype!r}, {self.spelled!r}, {self.dnssec!r})"

    def __str__(self) -> str:
        return f"{text_of(self.key)} {type_text(self.rrtype)}"

    def at(self, key: bytes) -> Question:
        """The question about the name ``key`` instead, as a CNAME leads to it."""
        return Question(key, self.rrtype, dnssec=self.dnssec)


@dataclass(frozen=True, slots=True)
class RRset:
    """The records of one name and type (RFC 2181, section 5).

    ``name`` is in wire form with its case kept, ``ttl`` in seconds, ``rdatas`` in wire form without compression.
    """

    name: bytes
    rrtype: int
    ttl: int
    rdatas: tuple[bytes, ...]

    @property
    def key(self) -> bytes:
        """The name as it is compared."""
        return self.name.lower()

    def lasting(self, ttl: int) -> RRset:
        """The RRset with the TTL ``ttl``, in seconds; itself where that is its own."""
        return self if ttl == self.ttl else RRset(self.name, self.rrtype, ttl, self.rdatas)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known about a question.

    ``answer`` holds the CNAME chain and what it leads to; ``authority`` the SOA of a negative answer, or a referral's
    NS with its addresses in ``additional``. ``mapping`` is the answer in the course protocol. ``origin`` says in a few
    words where it comes from. Until the epoch second ``until`` it may be given again, byte for byte.

    ``signatures`` are the RRSIGs of what is in ``answer``. ``proofs`` are what stands beside ``authority``: RRSIGs,
    NSEC, NSEC3, and a referral's DS (RFC 4035, section 3.1). Both are for clients that set DO (RFC 3225), no others.
    ``security`` is what validation found, of all of it.
    """

    rcode: Rcode
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    authoritative: bool = False
    mapping: Mapping | None = None
    errors: tuple[ExtendedError, ...] = ()
    origin: str = ""
    until: float = 0.0
    signatures: tuple[RRset, ...] = ()
    proofs: tuple[RRset, ...] = ()
    security: Security = Security.INDETERMINATE

    @property
    def is_referral(self) -> bool:
        """Whether it names the servers of a zone further down (RFC 1034, section 4.3.1)."""
        return not self.answer and any(rrset.rrtype == RRType.NS for rrset in self.authority)

    def with_proofs(self) -> Answer:
        """This answer for a client that set DO: signatures and proofs are in its sections, each once."""
        if not (self.signatures or self.proofs):
            return self
        return replace(
            self,
            answer=(*self.answer, *_once(self.signatures)),
            authority=(*self.authority, *_once(self.proofs)),
            signatures=(),
            proofs=(),
        )

    def behind(self, chain: Sequence[RRset], signatures: Sequence[RRset] = (), proofs: Sequence[RRset] = ()) -> Answer:
        """This answer, with ``chain`` (CNAMEs, DNAMEs) that led to its name, and what proves that, before it."""
        if not chain:
            return self
        asked = next((rrset for rrset in chain if rrset.rrtype != RRType.DNAME), chain[0])
        return replace(
            self,
            answer=(*chain, *[rrset for rrset in self.answer if rrset not in chain]),
            mapping=self.mapping and replace(self.mapping, name=text_of(asked.name)),
            signatures=(*signatures, *[rrset for rrset in self.signatures if rrset not in signatures]),
            proofs=(*proofs, *self.proofs),
        )


@dataclass(frozen=True, slots=True)
class BlockedAnswer(Answer):
    """What is said in place of an answer, because of the list ``by``; nothing by UDP where it ``is_dropped``."""

    by: str = ""
    is_dropped: bool = False


def _once(rrsets: Sequence[RRset]) -> Iterable[RRset]:
    return {(rrset.key, rrset.rrtype, rrset.rdatas): rrset for rrset in rrsets}.values()


def failure_of(says: str, code: InfoCode = InfoCode.OTHER, errors: tuple[ExtendedError, ...] = ()) -> Answer:
    """The answer where there is none (SERVFAIL): why, in a few words, and the ``errors`` of the servers asked."""
    return Answer(Rcode.SERVFAIL, errors=(ExtendedError(code, says), *errors))


class CourseReply(NamedTuple):
    """What a course parent's reply says: ``name`` is None in a bare address, ``ttl`` (seconds) where there is none."""

    name: str | None
    address: str
    ttl: int | None


class Referral(NamedTuple):
    """A course server's word that another one, the ``target``, knows the names that end in ``suffix``.

    ``target`` is a host or an address, with ``:port`` where it has one; an empty ``suffix`` fits every name.
    """

    suffix: str
    target: str

    def fits(self, name: str) -> bool:
        """Whether ``name`` is one of those names; case does not count."""
        return not self.suffix or name.lower().removesuffix(".").endswith(self.suffix.lower())


@dataclass(frozen=True, slots=True)
class Upstream:
    """A parent's reply, checked against the question.

    ``rrsets`` is the chain from the name asked for and what it leads to, nothing else; ``soa`` is that of a negative
    answer. ``signatures`` and ``proofs`` are those of :class:`Answer`. ``course_reply`` is what a course parent said
    instead. ``parent`` names the parent, for people. ``since`` is the epoch second at which another lab received the
    reply and shared it; None where the parent sent it just now. ``is_of_course`` says that a course parent
    sent it, also where it knows nothing.
    """

    rcode: Rcode
    parent: str
    rrsets: tuple[RRset, ...] = ()
    soa: RRset | None = None
    course_reply: CourseReply | None = None
    errors: tuple[ExtendedError, ...] = ()
    since: float | None = None
    signatures: tuple[RRset, ...] = ()
    proofs: tuple[RRset, ...] = ()
    security: Security = Security.INDETERMINATE
    is_of_course: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One DNS server's reply, matched to what was sent (address, port, id, question) and nothing more.

    The sections are RRsets in their order; OPT, TSIG and records of a class other than IN are left out.
    """

    rcode: Rcode | int
    authoritative: bool = False
    recursion_available: bool = False
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    errors: tuple[ExtendedError, ...] = ()


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name in a records file: 1 to 255 bytes, no comma, white space or control character."""
    return (
        0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
        and "," not in text
        and text.isprintable()
        and " " not in text
    )


def fold(name: str) -> str:
    """The form under which text names are compared: case and one final dot do not count (RFC 4343)."""
    return name.lower().removesuffix(".")
