"""Headers, field by field: where in a header each field stands, and how it is read and shown.

A header is a table of fields in the order of their bits. :func:`read_header` makes a layer that knows its table and
makes the fields only when somebody asks for all of them; a single value is read straight from the frame's bytes. A
header that the capture cuts is read as far as it goes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labnet.capture import names
from labnet.capture.model import Field, Layer, Value

Show = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """One field of a header: ``name`` is Wireshark's, ``first`` the first of its ``bits``, counted in the header.

    ``read`` takes the frame and the header's offset and gives the value; ``show`` words a value.
    """

    name: str
    title: str
    first: int
    bits: int
    read: Callable[[bytes, int], Value]
    show: Show

    @property
    def end(self) -> int:
        """Bytes from the header's start to the field's end."""
        return (self.first + self.bits + 7) // 8

    def field(self, data: bytes, at: int) -> Field:
        """The field of the header at ``at`` of the frame ``data``, which has to be whole."""
        first = self.first // 8
        bits = None if self.first % 8 == 0 and self.bits % 8 == 0 else (self.first % 8, self.bits)
        value = self.read(data, at)
        return Field(self.name, self.title, at + first, self.end - first, value, self.show(value), bits)


class HeaderFormat:
    """One kind of header: ``name`` as layers have it, its ``title`` for people, and its fields."""

    def __init__(self, name: str, title: str, *fields: tuple[str, str, int | str, Show] | tuple[int]) -> None:
        self.name = name
        self.title = title
        self.fields: list[FieldFormat] = []
        at = 0
        for one in fields:
            if len(one) == 1:
                at += one[0]  # bits that nobody names
                continue
            wireshark, label, kind, show = one
            bits, scale = _BITS.get(kind, (kind, 1)) if isinstance(kind, str) else (kind, 1)
            self.fields.append(FieldFormat(wireshark, label, at, int(bits), _reader(at, kind, scale), show))
            at += int(bits)
        self.size = at // 8
        self.by_name: Mapping[str, FieldFormat] = {one.name: one for one in self.fields}


_BITS: Final[dict[str, tuple[int, int]]] = {
    "mac": (48, 1), "ipv4": (32, 1), "ipv6": (128, 1), "bytes8": (64, 1), "bytes16": (128, 1), "bytes64": (512, 1),
    "bytes128": (1024, 1), "words": (4, 4), "units": (13, 8),
}  # fmt: skip
"""Kinds of fields that are no plain numbers: their bits, and the bytes in one where they count in units."""


def _reader(first: int, kind: int | str, scale: int) -> Callable[[bytes, int], Value]:
    """What reads a field of ``kind`` whose first bit is ``first``: a number of so many bits, or one of the kinds."""
    start = first // 8
    if kind == "mac":
        return lambda data, at: data[at + start : at + start + 6].hex(":")
    if kind == "ipv4":
        return lambda data, at: socket.inet_ntop(socket.AF_INET, data[at + start : at + start + 4])
    if kind == "ipv6":
        return lambda data, at: socket.inet_ntop(socket.AF_INET6, data[at + start : at + start + 16])
    if isinstance(kind, str) and kind.startswith("bytes"):
        size = int(kind[5:])
        return lambda data, at: data[at + start : at + start + size]
    bits = _BITS[kind][0] if isinstance(kind, str) else kind
    end = (first + bits + 7) // 8
    shift, mask = 8 * end - first - bits, (1 << bits) - 1
    if shift or bits % 8 or scale > 1:
        return lambda data, at: (int.from_bytes(data[at + start : at + end], "big") >> shift & mask) * scale
    if bits == 8:
        return lambda data, at: data[at + start]
    if bits == 16:
        return lambda data, at: data[at + start] << 8 | data[at + start + 1]
    return lambda data, at: int.from_bytes(data[at + start : at + end], "big")


def read_header(header: HeaderFormat, data: bytes, start: int, end: int) -> Layer:
    """The ``header`` at ``start`` of a frame, of which the bytes up to ``end`` may be its; ``cut`` where some miss."""
    length = header.size
    if start + length <= end:
        return Layer.of_header(header, data, start)
    whole = [one for one in header.fields if start + one.end <= end]
    fields = [one.field(data, start) for one in whole]
    return Layer(header.name, header.title, start, whole[-1].end if whole else 0, fields, cut=True)


def _hex(width: int) -> Show:
    return lambda value: f"0x{value:0{width}x}"


def _named(known: Mapping[int, str], width: int = 0) -> Show:
    def show(value: int) -> str:
        number = f"0x{value:0{width}x}" if width else str(value)
        return f"{known[value]} ({number})" if value in known else number

    return show


def _bytes(value: int) -> str:
    return f"{value} bytes"


_ETHERTYPE: Final = _named(names.ETHERTYPES, 4)
_PROTOCOL: Final = _named(names.IP_PROTOCOLS)
_HARDWARE: Final = _named({1: "Ethernet"})

ETHERNET: Final = HeaderFormat(
    "eth", "Ethernet",
    ("eth.dst", "Destination", "mac", str), ("eth.src", "Source", "mac", str), ("eth.type", "Type", 16, _ETHERTYPE),
)  # fmt: skip
VLAN: Final = HeaderFormat(
    "vlan", "VLAN tag (IEEE 802.1Q)",
    ("vlan.priority", "Priority", 3, str), ("vlan.dei", "Drop eligible", 1, str), ("vlan.id", "VLAN id", 12, str),
    ("vlan.etype", "Type", 16, _ETHERTYPE),
)  # fmt: skip
COOKED_V1: Final = HeaderFormat(
    "sll", "Linux cooked capture v1",
    ("sll.pkttype", "Packet type", 16, _named(names.COOKED_KINDS)), ("sll.hatype", "Link-layer address type", 16, str),
    ("sll.halen", "Link-layer address length", 16, str), ("sll.src.eth", "Source", "bytes8", bytes.hex),
    ("sll.etype", "Protocol", 16, _ETHERTYPE),
)  # fmt: skip
COOKED_V2: Final = HeaderFormat(
    "sll", "Linux cooked capture v2",
    ("sll.etype", "Protocol", 16, _ETHERTYPE), ("sll.reserved", "Reserved", 16, str),
    ("sll.ifindex", "Interface index", 32, str), ("sll.hatype", "Link-layer address type", 16, str),
    ("sll.pkttype", "Packet type", 8, _named(names.COOKED_KINDS)),
    ("sll.halen", "Link-layer address length", 8, str), ("sll.src.eth", "Source", "bytes8", bytes.hex),
)  # fmt: skip
ARP: Final = HeaderFormat(
    "arp", "Address Resolution Protocol",
    ("arp.hw.type", "Hardware type", 16, _HARDWARE), ("arp.proto.type", "Protocol type", 16, _ETHERTYPE),
    ("arp.hw.size", "Hardware size", 8, str), ("arp.proto.size", "Protocol size", 8, str),
    ("arp.opcode", "Opcode", 16, _named(names.ARP_OPERATIONS)),
    ("arp.src.hw_mac", "Sender MAC address", "mac", str),
    ("arp.src.proto_ipv4", "Sender IP address", "ipv4", str), ("arp.dst.hw_mac", "Target MAC address", "mac", str),
    ("arp.dst.proto_ipv4", "Target IP address", "ipv4", str),
)  # fmt: skip
ARP_HEAD: Final = HeaderFormat(
    "arp", "Address Resolution Protocol",
    ("arp.hw.type", "Hardware type", 16, _HARDWARE), ("arp.proto.type", "Protocol type", 16, _ETHERTYPE),
    ("arp.hw.size", "Hardware size", 8, str), ("arp.proto.size", "Protocol size", 8, str),
    ("arp.opcode", "Opcode", 16, _named(names.ARP_OPERATIONS)),
)  # fmt: skip
IPV4: Final = HeaderFormat(
    "ip", "Internet Protocol version 4",
    ("ip.version", "Version", 4, str), ("ip.hdr_len", "Header length", "words", _bytes),
    ("ip.dsfield", "Differentiated services", 8, _hex(2)), ("ip.len", "Total length", 16, str),
    ("ip.id", "Identification", 16, _hex(4)), ("ip.flags", "Flags", 3, names.ip_flags),
    ("ip.frag_offset", "Fragment offset", "units", str), ("ip.ttl", "Time to live", 8, str),
    ("ip.proto", "Protocol", 8, _PROTOCOL), ("ip.checksum", "Header checksum", 16, _hex(4)),
    ("ip.src", "Source address", "ipv4", str), ("ip.dst", "Destination address", "ipv4", str),
)  # fmt: skip
IPV6: Final = HeaderFormat(
    "ipv6", "Internet Protocol version 6",
    ("ipv6.version", "Version", 4, str), ("ipv6.tclass", "Traffic class", 8, _hex(2)),
    ("ipv6.flow", "Flow label", 20, _hex(5)), ("ipv6.plen", "Payload length", 16, str),
    ("ipv6.nxt", "Next header", 8, _PROTOCOL), ("ipv6.hlim", "Hop limit", 8, str),
    ("ipv6.src", "Source address", "ipv6", str), ("ipv6.dst", "Destination address", "ipv6", str),
)  # fmt: skip
IPV6_FRAGMENT: Final = HeaderFormat(
    "ipv6.fraghdr", "IPv6 fragment header",
    ("ipv6.fraghdr.nxt", "Next header", 8, _PROTOCOL), ("ipv6.fraghdr.reserved_octet", "Reserved", 8, str),
    ("ipv6.fraghdr.offset", "Fragment offset", "units", str), ("ipv6.fraghdr.reserved_bits", "Reserved", 2, str),
    ("ipv6.fraghdr.more", "More fragments", 1, str), ("ipv6.fraghdr.ident", "Identification", 32, _hex(8)),
)  # fmt: skip
IPV6_OPTIONS: Final = HeaderFormat(
    "ipv6.options", "IPv6 extension header",
    ("ipv6.opt.nxt", "Next header", 8, _PROTOCOL), ("ipv6.opt.len", "Length", 8, str),
)  # fmt: skip
IPV6_ROUTING: Final = HeaderFormat(
    "ipv6.routing", "IPv6 routing header",
    ("ipv6.routing.nxt", "Next header", 8, _PROTOCOL), ("ipv6.routing.len", "Length", 8, str),
    ("ipv6.routing.type", "Type", 8, str), ("ipv6.routing.segleft", "Segments left", 8, str),
)  # fmt: skip
UDP: Final = HeaderFormat(
    "udp", "User Datagram Protocol",
    ("udp.srcport", "Source port", 16, str), ("udp.dstport", "Destination port", 16, str),
    ("udp.length", "Length", 16, str), ("udp.checksum", "Checksum", 16, _hex(4)),
)  # fmt: skip
TCP: Final = HeaderFormat(
    "tcp", "Transmission Control Protocol",
    ("tcp.srcport", "Source port", 16, str), ("tcp.dstport", "Destination port", 16, str),
    ("tcp.seq_raw", "Sequence number", 32, str), ("tcp.ack_raw", "Acknowledgement number", 32, str),
    ("tcp.hdr_len", "Header length", "words", _bytes), ("tcp.flags.res", "Reserved", 3, str),
    ("tcp.flags", "Flags", 9, names.tcp_flags), ("tcp.window_size_value", "Window", 16, str),
    ("tcp.checksum", "Checksum", 16, _hex(4)), ("tcp.urgent_pointer", "Urgent pointer", 16, str),
)  # fmt: skip
ICMP: Final = HeaderFormat(
    "icmp", "Internet Control Message Protocol",
    ("icmp.type", "Type", 8, _named(names.ICMP_TYPES)), ("icmp.code", "Code", 8, str),
    ("icmp.checksum", "Checksum", 16, _hex(4)),
)  # fmt: skip
ICMP_ECHO: Final = HeaderFormat(
    "icmp", "Internet Control Message Protocol",
    ("icmp.type", "Type", 8, _named(names.ICMP_TYPES)), ("icmp.code", "Code", 8, str),
    ("icmp.checksum", "Checksum", 16, _hex(4)), ("icmp.ident", "Identifier", 16, _hex(4)),
    ("icmp.seq", "Sequence number", 16, names.both_orders),
)  # fmt: skip
ICMPV6: Final = HeaderFormat(
    "icmpv6", "Internet Control Message Protocol v6",
    ("icmpv6.type", "Type", 8, _named(names.ICMPV6_TYPES)), ("icmpv6.code", "Code", 8, str),
    ("icmpv6.checksum", "Checksum", 16, _hex(4)),
)  # fmt: skip
BOOTP: Final = HeaderFormat(
    "dhcp", "Dynamic Host Configuration Protocol",
    ("dhcp.type", "Message type", 8, _named({1: "request", 2: "reply"})),
    ("dhcp.hw.type", "Hardware type", 8, _HARDWARE), ("dhcp.hw.len", "Hardware address length", 8, str),
    ("dhcp.hops", "Hops", 8, str), ("dhcp.id", "Transaction ID", 32, _hex(8)),
    ("dhcp.secs", "Seconds elapsed", 16, str), ("dhcp.flags", "Flags", 16, _hex(4)),
    ("dhcp.ip.client", "Client IP address", "ipv4", str), ("dhcp.ip.your", "Your IP address", "ipv4", str),
    ("dhcp.ip.server", "Next server IP address", "ipv4", str),
    ("dhcp.ip.relay", "Relay agent IP address", "ipv4", str),
    ("dhcp.hw.mac_addr", "Client MAC address", "bytes16", lambda value: value.hex(":")),
    ("dhcp.server", "Server name", "bytes64", names.fixed_text),
    ("dhcp.file", "Boot file", "bytes128", names.fixed_text),
)  # fmt: skip
PPPOE: Final = HeaderFormat(
    "pppoe", "PPP over Ethernet",
    ("pppoe.version", "Version", 4, str), ("pppoe.type", "Type", 4, str), ("pppoe.code", "Code", 8, _hex(2)),
    ("pppoe.session_id", "Session id", 16, _hex(4)), ("pppoe.payload_length", "Payload length", 16, str),
)  # fmt: skip
PPP: Final = HeaderFormat("ppp", "Point-to-Point Protocol", ("ppp.protocol", "Protocol", 16, _hex(4)))
MPLS: Final = HeaderFormat(
    "mpls", "MPLS label",
    ("mpls.label", "Label", 20, str), ("mpls.exp", "Traffic class", 3, str), ("mpls.bottom", "Bottom of stack", 1, str),
    ("mpls.ttl", "TTL", 8, str),
)  # fmt: skip
LLC: Final = HeaderFormat(
    "llc", "Logical Link Control (IEEE 802.2)",
    ("llc.dsap", "Destination service", 8, _hex(2)), ("llc.ssap", "Source service", 8, _hex(2)),
    ("llc.control", "Control", 8, _hex(2)),
)  # fmt: skip
SNAP: Final = HeaderFormat(
    "llc", "Logical Link Control with SNAP",
    ("llc.dsap", "Destination service", 8, _hex(2)), ("llc.ssap", "Source service", 8, _hex(2)),
    ("llc.control", "Control", 8, _hex(2)), ("llc.oui", "Organisation", 24, _hex(6)),
    ("llc.type", "Type", 16, _ETHERTYPE),
)  # fmt: skip
GRE: Final = HeaderFormat(
    "gre", "Generic Routing Encapsulation",
    ("gre.flags_and_version", "Flags and version", 16, _hex(4)), ("gre.proto", "Protocol type", 16, _ETHERTYPE),
)  # fmt: skip
VXLAN: Final = HeaderFormat(
    "vxlan", "Virtual eXtensible LAN",
    ("vxlan.flags", "Flags", 16, _hex(4)), ("vxlan.gbp", "Group policy", 16, str), ("vxlan.vni", "Network id", 24, str),
    ("vxlan.reserved8", "Reserved", 8, str),
)  # fmt: skip
