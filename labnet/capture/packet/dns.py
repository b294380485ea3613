"""DNS messages with the place of every field (RFC 1035): what a decoder of values alone does not give.

dnspython's parser reads numbers and names; a name may point backwards only, so a compression loop ends at its first
turn.
"""

from __future__ import annotations

import contextlib
import ipaddress
import struct
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

from labnet.capture.model import Field, Layer, Value

HEADER: Final = 12
_HEADER_FIELDS: Final = struct.Struct("!HHHHHH")
MOST_RECORDS: Final = 2000
"""Records of one message that are read."""

MOST_UNUSUAL: Final = 200
"""Records of one message whose data dnspython words; of the others the bytes are shown."""
_OPT: Final = 41

TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "OPT",
    43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 252: "AXFR", 255: "ANY",
}  # fmt: skip
_FLAGS: Final = (
    ("dns.flags.response", "Response", 0, 1), ("dns.flags.opcode", "Opcode", 1, 4),
    ("dns.flags.authoritative", "Authoritative", 5, 1), ("dns.flags.truncated", "Truncated", 6, 1),
    ("dns.flags.recdesired", "Recursion desired", 7, 1), ("dns.flags.recavail", "Recursion available", 8, 1),
    ("dns.flags.z", "Reserved", 9, 1), ("dns.flags.authenticated", "Authenticated", 10, 1),
    ("dns.flags.checkdisable", "Checking disabled", 11, 1), ("dns.flags.rcode", "Reply code", 12, 4),
)  # fmt: skip
_COUNTS: Final = ("dns.count.queries", "dns.count.answers", "dns.count.auth_rr", "dns.count.add_rr")
_COUNT_TITLES: Final = ("Questions", "Answer records", "Authority records", "Additional records")
_ADDRESS_OR_NAME: Final = {1: "dns.a", 28: "dns.aaaa", 2: "dns.ns", 5: "dns.cname", 12: "dns.ptr.domain_name"}


class DNSError(ValueError):
    """The bytes are no DNS message; the text says why."""


@dataclass(slots=True)
class DNSMessage:
    """One DNS message: ``layer`` has its fields, ``problem`` says where it stops making sense, if it does."""

    ident: int
    is_response: bool
    rcode: int
    layer: Layer
    name: str | None = None
    kind: str = ""
    answers: list[str] = field(default_factory=list)
    answer_count: int = 0
    problem: str | None = None
    length: int = 0
    """Bytes that were read of it."""


def read_message(data: bytes, at: int) -> DNSMessage:
    """The DNS message in ``data``, whose first byte is byte ``at`` of the frame. Raises :class:`DNSError`.

    The fields of its layer are made when somebody asks for them.
    """
    if len(data) < HEADER:
        raise DNSError(f"a DNS header has {HEADER} bytes, here are {len(data)}")
    ident, flags, *counts = _HEADER_FIELDS.unpack_from(data)
    layer = Layer("dns", "Domain Name System", at, len(data))
    message = DNSMessage(ident, bool(flags >> 15), flags & 15, layer)
    message.answer_count = counts[1]
    reader = _Reader(data, at, None)
    try:
        _read_sections(reader, counts, message)
    except DNSError as error:
        message.problem = str(error)
    message.length = reader.position
    layer.add_later(lambda layer: _add_fields(layer, data, at))
    return message


def _add_fields(layer: Layer, data: bytes, at: int) -> None:
    """Every field of the message, up to where it stops making sense."""
    ident, flags, *counts = _HEADER_FIELDS.unpack_from(data)
    layer.fields.append(Field("dns.id", "Transaction ID", at, 2, ident, f"0x{ident:04x}"))
    layer.fields.append(Field("dns.flags", "Flags", at + 2, 2, flags, f"0x{flags:04x}"))
    for name, title, first, bits in _FLAGS:
        value = flags >> (16 - first - bits) & (1 << bits) - 1
        start = 2 + first // 8
        layer.fields.append(Field(name, title, at + start, 1, value, str(value), (first % 8, bits)))
    for n, count in enumerate(counts):
        layer.fields.append(Field(_COUNTS[n], _COUNT_TITLES[n], at + 4 + 2 * n, 2, count, str(count)))
    with contextlib.suppress(DNSError):
        _read_sections(_Reader(data, at, layer), counts, DNSMessage(ident, False, 0, layer))


def _read_sections(reader: _Reader, counts: list[int], message: DNSMessage) -> None:
    for n in range(counts[0]):
        name, kind = reader.question()
        if n == 0:
            message.name, message.kind = name, kind
    read = 0
    for section in range(1, 4):
        for _ in range(counts[section]):
            read += 1
            if read > MOST_RECORDS:
                raise DNSError(f"only the first {MOST_RECORDS} records are read")
            says = reader.record()
            if section == 1:
                message.answers.append(says)


class _Reader:
    """Reads ``data``, and adds each field to ``layer`` if there is one.

    Offsets count from ``base``, where the message begins in its frame.
    """

    def __init__(self, data: bytes, base: int, layer: Layer | None) -> None:
        self._data = data
        self._base = base
        self._layer = layer
        self._parser = dns.wire.Parser(data, HEADER)
        self._unusual = 0

    @property
    def position(self) -> int:
        """The offset of the next byte, from the start of the message."""
        return self._parser.current

    def question(self) -> tuple[str, str]:
        """Read a question; gives its name and its type. Raises :class:`DNSError`."""
        start = self.position
        name = self._name("the question")
        self._field("dns.qry.name", "Name", start, name, name)
        kind = self._number("dns.qry.type", "Type", 2)
        self._number("dns.qry.class", "Class", 2)
        return name, TYPES.get(kind, f"TYPE{kind}")

    def record(self) -> str:
        """Read a resource record; gives it as a line of text. Raises :class:`DNSError`."""
        start = self.position
        name = self._name("a record")
        self._field("dns.resp.name", "Name", start, name, name)
        kind = self._number("dns.resp.type", "Type", 2)
        is_opt = kind == _OPT  # its class and TTL hold something else (RFC 6891, section 6.1.3)
        self._number(*(("dns.rr.udp_payload_size", "UDP payload size") if is_opt else ("dns.resp.class", "Class")), 2)
        ttl = self._number(*(("dns.opt", "Code and flags") if is_opt else ("dns.resp.ttl", "Time to live")), 4)
        length = self._number("dns.resp.len", "Data length", 2)
        start = self.position
        if length > self._parser.remaining():
            raise DNSError(f"the data of the record for {name} are cut")
        says = self._rdata(kind, length)
        self._parser.seek(start + length)
        label = TYPES.get(kind, f"TYPE{kind}")
        self._field(_ADDRESS_OR_NAME.get(kind, "dns.rdata"), f"{label} data", start, says, says)
        return f"{name} {ttl} {label} {says}"

    def _rdata(self, kind: int, length: int) -> str:
        start = self.position
        data = self._data[start : start + length]
        if kind == 1 and length == 4:
            return str(ipaddress.IPv4Address(data))
        if kind == 28 and length == 16:
            return str(ipaddress.IPv6Address(data))
        if kind in (2, 5, 12):
            return self._name("a record's data")
        self._unusual += 1
        if self._unusual > MOST_UNUSUAL or kind == _OPT:
            return data.hex(" ")
        try:
            rrtype = dns.rdatatype.RdataType.make(kind)
            return dns.rdata.from_wire(dns.rdataclass.IN, rrtype, self._data, start, length).to_text()
        except (dns.exception.DNSException, ValueError):
            return data.hex(" ")

    def _number(self, name: str, title: str, length: int) -> int:
        start = self.position
        try:
            value = int.from_bytes(self._parser.get_bytes(length), "big")
        except dns.exception.FormError:
            raise DNSError(f"the message ends inside {title.lower()}") from None
        shown = f"{TYPES[value]} ({value})" if name.endswith(".type") and value in TYPES else str(value)
        self._field(name, title, start, value, shown)
        return value

    def _field(self, name: str, title: str, start: int, value: Value, shown: str) -> None:
        if self._layer is not None:
            self._layer.fields.append(Field(name, title, self._base + start, self.position - start, value, shown))

    def _name(self, where: str) -> str:
        """The name that begins here, odd bytes escaped as in a zone file (RFC 1035, section 5.1)."""
        try:
            return dns.name.from_wire_parser(self._parser).to_text(omit_final_dot=True)
        except dns.name.BadPointer:
            raise DNSError(f"the name of {where} points forward or at itself: a compression loop") from None
        except dns.name.BadLabelType:
            raise DNSError(f"the name of {where} has a label of a kind that is not used") from None
        except dns.name.NameTooLong:
            raise DNSError(f"the name of {where} is longer than 255 bytes") from None
        except dns.exception.DNSException:
            raise DNSError(f"the message ends inside the name of {where}") from None
