"""DNS messages with the place of every field (RFC 1035): what a decoder of values alone does not keep.

Names may point backwards only and are bounded, so a compression loop ends at its first turn.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from labnet.capture.model import Field, Layer, Value

HEADER: Final = 12
LONGEST_NAME: Final = 255
"""Bytes of a name on the wire, RFC 1035, section 2.3.4."""
MOST_RECORDS: Final = 2000
"""Records of one message that are told."""

MOST_UNUSUAL: Final = 200
"""Records of one message whose data dnspython words; of the others the bytes are told."""
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
class Message:
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


def read_message(data: bytes, at: int) -> Message:
    """The DNS message in ``data``, whose first byte is byte ``at`` of the frame. Raises :class:`DNSError`."""
    if len(data) < HEADER:
        raise DNSError(f"a DNS header has {HEADER} bytes, here are {len(data)}")
    flags = int.from_bytes(data[2:4], "big")
    layer = Layer("dns", "Domain Name System", at, len(data))
    message = Message(int.from_bytes(data[:2], "big"), bool(flags >> 15), flags & 15, layer)
    layer.fields.append(Field("dns.id", "Transaction ID", at, 2, message.ident, f"0x{message.ident:04x}"))
    layer.fields.append(Field("dns.flags", "Flags", at + 2, 2, flags, f"0x{flags:04x}"))
    for name, title, first, bits in _FLAGS:
        value = flags >> (16 - first - bits) & (1 << bits) - 1
        start = 2 + first // 8
        layer.fields.append(Field(name, title, at + start, 1, value, str(value), (first % 8, bits)))
    counts = [int.from_bytes(data[4 + 2 * n : 6 + 2 * n], "big") for n in range(4)]
    for n, count in enumerate(counts):
        layer.fields.append(Field(_COUNTS[n], _COUNT_TITLES[n], at + 4 + 2 * n, 2, count, str(count)))
    message.answer_count = counts[1]
    reader = _Reader(data, at)
    try:
        _read_sections(reader, counts, message)
    except DNSError as error:
        message.problem = str(error)
    message.length = reader.position
    return message


def _read_sections(reader: _Reader, counts: list[int], message: Message) -> None:
    for n in range(counts[0]):
        name, kind = reader.question(message.layer, n)
        if n == 0:
            message.name, message.kind = name, kind
    told = 0
    for section in range(1, 4):
        for _ in range(counts[section]):
            told += 1
            if told > MOST_RECORDS:
                raise DNSError(f"only the first {MOST_RECORDS} records are told")
            says = reader.record(message.layer)
            if section == 1:
                message.answers.append(says)


class _Reader:
    """Walks through ``data``; every offset it gives counts from ``base``, where the message begins in its frame."""

    def __init__(self, data: bytes, base: int) -> None:
        self._data = data
        self._base = base
        self._at = HEADER
        self._unusual = 0

    @property
    def position(self) -> int:
        return self._at

    def question(self, layer: Layer, n: int) -> tuple[str, str]:
        start = self._at
        name = self._name("the question")
        self._field(layer, "dns.qry.name", "Name", start, name, name)
        kind = self._number(layer, "dns.qry.type", "Type", 2)
        self._number(layer, "dns.qry.class", "Class", 2)
        return name, TYPES.get(kind, f"TYPE{kind}")

    def record(self, layer: Layer) -> str:
        start = self._at
        name = self._name("a record")
        self._field(layer, "dns.resp.name", "Name", start, name, name)
        kind = self._number(layer, "dns.resp.type", "Type", 2)
        self._number(layer, "dns.resp.class", "Class", 2)
        ttl = self._number(layer, "dns.resp.ttl", "Time to live", 4)
        length = self._number(layer, "dns.resp.len", "Data length", 2)
        end = self._at + length
        if end > len(self._data):
            raise DNSError(f"the data of the record for {name} are cut")
        start, says = self._at, self._rdata(kind, end)
        self._at = end
        label = TYPES.get(kind, f"TYPE{kind}")
        self._field(layer, _ADDRESS_OR_NAME.get(kind, "dns.rdata"), f"{label} data", start, says, says)
        return f"{name} {ttl} {label} {says}"

    def _rdata(self, kind: int, end: int) -> str:
        data = self._data[self._at : end]
        if kind == 1 and len(data) == 4:
            return str(ipaddress.IPv4Address(data))
        if kind == 28 and len(data) == 16:
            return str(ipaddress.IPv6Address(data))
        if kind in (2, 5, 12):
            return self._name("a record's data")
        self._unusual += 1
        if self._unusual > MOST_UNUSUAL or kind == _OPT:
            return data.hex(" ")
        try:
            rrtype = dns.rdatatype.RdataType.make(kind)
            return dns.rdata.from_wire(dns.rdataclass.IN, rrtype, self._data, self._at, len(data)).to_text()
        except (dns.exception.DNSException, ValueError):
            return data.hex(" ")

    def _number(self, layer: Layer, name: str, title: str, length: int) -> int:
        start = self._at
        if start + length > len(self._data):
            raise DNSError(f"the message ends inside {title.lower()}")
        self._at += length
        value = int.from_bytes(self._data[start : self._at], "big")
        shown = f"{TYPES[value]} ({value})" if name.endswith(".type") and value in TYPES else str(value)
        self._field(layer, name, title, start, value, shown)
        return value

    def _field(self, layer: Layer, name: str, title: str, start: int, value: Value, shown: str) -> None:
        layer.fields.append(Field(name, title, self._base + start, self._at - start, value, shown))

    def _name(self, where: str) -> str:
        """The name that begins here; the reader is behind it afterwards. Raises :class:`DNSError`."""
        at, behind, lowest = self._at, None, self._at
        labels: list[str] = []
        size = 1
        while True:
            if at >= len(self._data):
                raise DNSError(f"the message ends inside the name of {where}")
            length = self._data[at]
            if length >= 0xC0:
                if at + 1 >= len(self._data):
                    raise DNSError(f"the message ends inside the name of {where}")
                behind = at + 2 if behind is None else behind
                target = (length & 0x3F) << 8 | self._data[at + 1]
                if target >= lowest:
                    raise DNSError(f"the name of {where} points forward or at itself: a compression loop")
                at = lowest = target
                continue
            if length > 63:
                raise DNSError(f"the name of {where} has a label of a kind that is not used")
            if not length:
                self._at = at + 1 if behind is None else behind
                return ".".join(labels) or "."
            size += length + 1
            if at + 1 + length > len(self._data) or size > LONGEST_NAME:
                raise DNSError(f"the name of {where} is cut or longer than {LONGEST_NAME} bytes")
            labels.append(_label(self._data[at + 1 : at + 1 + length]))
            at += 1 + length


def _label(label: bytes) -> str:
    """RFC 1035, section 5.1: what is no printable character is written \\DDD, a dot inside a label \\."""
    return "".join(
        f"\\{chr(byte)}" if byte in b".\\" else chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03d}" for byte in label
    )
