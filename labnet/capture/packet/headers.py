"""Headers, field by field: what scapy knows of each protocol, read with the exact bytes that every field comes from.

scapy describes the fields (how long, how coded); this module asks each in turn to read itself and notes where it stood
before and after. Which header comes next is decided in :mod:`labnet.capture.packet.dissect`, so scapy guesses nothing,
a header that the capture cuts is read as far as it goes, and bytes that make a field fail cost that field and not the
frame. scapy is imported when the first header is read and not before.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from labnet.capture import names
from labnet.capture.model import CaptureError, Field, Layer, Value

Shown = Callable[[Any], str]


@dataclass(frozen=True)
class HeaderFormat:
    """One kind of header: scapy's class and its fields that are shown, each under its Wireshark name."""

    name: str
    title: str
    module: str
    scapy: str
    fields: Mapping[str, tuple[str, str, Shown]]
    scale: Mapping[str, int] = field(default_factory=dict)
    """Fields that count in units: the bytes in one."""


def _hex(width: int) -> Shown:
    return lambda value: f"0x{value:0{width}x}"


def _named(known: Mapping[int, str], width: int = 0) -> Shown:
    def show(value: int) -> str:
        number = f"0x{value:0{width}x}" if width else str(value)
        return f"{known[value]} ({number})" if value in known else number

    return show


_ETHERTYPE: Final = _named(names.ETHERTYPES, 4)
_L2, _INET, _INET6 = "scapy.layers.l2", "scapy.layers.inet", "scapy.layers.inet6"

ETHERNET: Final = HeaderFormat("eth", "Ethernet", _L2, "Ether", {
    "dst": ("eth.dst", "Destination", str), "src": ("eth.src", "Source", str), "type": ("eth.type", "Type", _ETHERTYPE),
})  # fmt: skip
VLAN: Final = HeaderFormat("vlan", "VLAN tag (IEEE 802.1Q)", _L2, "Dot1Q", {
    "prio": ("vlan.priority", "Priority", str), "dei": ("vlan.dei", "Drop eligible", str),
    "vlan": ("vlan.id", "VLAN id", str), "type": ("vlan.etype", "Type", _ETHERTYPE),
})  # fmt: skip
COOKED_V1: Final = HeaderFormat("sll", "Linux cooked capture v1", _L2, "CookedLinux", {
    "pkttype": ("sll.pkttype", "Packet type", _named(names.COOKED_KINDS)),
    "lladdrtype": ("sll.hatype", "Link-layer address type", str),
    "lladdrlen": ("sll.halen", "Link-layer address length", str),
    "src": ("sll.src.eth", "Source", str), "proto": ("sll.etype", "Protocol", _ETHERTYPE),
})  # fmt: skip
COOKED_V2: Final = HeaderFormat("sll", "Linux cooked capture v2", _L2, "CookedLinuxV2", {
    "proto": ("sll.etype", "Protocol", _ETHERTYPE), "reserved": ("sll.reserved", "Reserved", str),
    "ifindex": ("sll.ifindex", "Interface index", str),
    "lladdrtype": ("sll.hatype", "Link-layer address type", str),
    "pkttype": ("sll.pkttype", "Packet type", _named(names.COOKED_KINDS)),
    "lladdrlen": ("sll.halen", "Link-layer address length", str), "src": ("sll.src.eth", "Source", str),
})  # fmt: skip
ARP: Final = HeaderFormat("arp", "Address Resolution Protocol", _L2, "ARP", {
    "hwtype": ("arp.hw.type", "Hardware type", _named({1: "Ethernet"})),
    "ptype": ("arp.proto.type", "Protocol type", _ETHERTYPE),
    "hwlen": ("arp.hw.size", "Hardware size", str), "plen": ("arp.proto.size", "Protocol size", str),
    "op": ("arp.opcode", "Opcode", _named(names.ARP_OPERATIONS)),
    "hwsrc": ("arp.src.hw_mac", "Sender MAC address", str), "psrc": ("arp.src.proto_ipv4", "Sender IP address", str),
    "hwdst": ("arp.dst.hw_mac", "Target MAC address", str), "pdst": ("arp.dst.proto_ipv4", "Target IP address", str),
})  # fmt: skip
IPV4: Final = HeaderFormat("ip", "Internet Protocol version 4", _INET, "IP", {
    "version": ("ip.version", "Version", str), "ihl": ("ip.hdr_len", "Header length", lambda n: f"{n} bytes"),
    "tos": ("ip.dsfield", "Differentiated services", _hex(2)), "len": ("ip.len", "Total length", str),
    "id": ("ip.id", "Identification", _hex(4)), "flags": ("ip.flags", "Flags", names.ip_flags),
    "frag": ("ip.frag_offset", "Fragment offset", str), "ttl": ("ip.ttl", "Time to live", str),
    "proto": ("ip.proto", "Protocol", _named(names.IP_PROTOCOLS)),
    "chksum": ("ip.checksum", "Header checksum", _hex(4)),
    "src": ("ip.src", "Source address", str), "dst": ("ip.dst", "Destination address", str),
}, {"ihl": 4, "frag": 8})  # fmt: skip
IPV6: Final = HeaderFormat("ipv6", "Internet Protocol version 6", _INET6, "IPv6", {
    "version": ("ipv6.version", "Version", str), "tc": ("ipv6.tclass", "Traffic class", _hex(2)),
    "fl": ("ipv6.flow", "Flow label", _hex(5)), "plen": ("ipv6.plen", "Payload length", str),
    "nh": ("ipv6.nxt", "Next header", _named(names.IP_PROTOCOLS)), "hlim": ("ipv6.hlim", "Hop limit", str),
    "src": ("ipv6.src", "Source address", str), "dst": ("ipv6.dst", "Destination address", str),
})  # fmt: skip
IPV6_FRAGMENT: Final = HeaderFormat("ipv6.fraghdr", "IPv6 fragment header", _INET6, "IPv6ExtHdrFragment", {
    "nh": ("ipv6.fraghdr.nxt", "Next header", _named(names.IP_PROTOCOLS)),
    "res1": ("ipv6.fraghdr.reserved_octet", "Reserved", str),
    "offset": ("ipv6.fraghdr.offset", "Fragment offset", str),
    "res2": ("ipv6.fraghdr.reserved_bits", "Reserved", str),
    "m": ("ipv6.fraghdr.more", "More fragments", str), "id": ("ipv6.fraghdr.ident", "Identification", _hex(8)),
}, {"offset": 8})  # fmt: skip
IPV6_OPTIONS: Final = HeaderFormat("ipv6.options", "IPv6 extension header", _INET6, "IPv6ExtHdrHopByHop", {
    "nh": ("ipv6.opt.nxt", "Next header", _named(names.IP_PROTOCOLS)), "len": ("ipv6.opt.len", "Length", str),
})  # fmt: skip
UDP: Final = HeaderFormat("udp", "User Datagram Protocol", _INET, "UDP", {
    "sport": ("udp.srcport", "Source port", str), "dport": ("udp.dstport", "Destination port", str),
    "len": ("udp.length", "Length", str), "chksum": ("udp.checksum", "Checksum", _hex(4)),
})  # fmt: skip
TCP: Final = HeaderFormat("tcp", "Transmission Control Protocol", _INET, "TCP", {
    "sport": ("tcp.srcport", "Source port", str), "dport": ("tcp.dstport", "Destination port", str),
    "seq": ("tcp.seq_raw", "Sequence number", str), "ack": ("tcp.ack_raw", "Acknowledgement number", str),
    "dataofs": ("tcp.hdr_len", "Header length", lambda n: f"{n} bytes"),
    "reserved": ("tcp.flags.res", "Reserved", str), "flags": ("tcp.flags", "Flags", names.tcp_flags),
    "window": ("tcp.window_size_value", "Window", str), "chksum": ("tcp.checksum", "Checksum", _hex(4)),
    "urgptr": ("tcp.urgent_pointer", "Urgent pointer", str),
}, {"dataofs": 4})  # fmt: skip
ICMP: Final = HeaderFormat("icmp", "Internet Control Message Protocol", _INET, "ICMP", {
    "type": ("icmp.type", "Type", _named(names.ICMP_TYPES)), "code": ("icmp.code", "Code", str),
    "chksum": ("icmp.checksum", "Checksum", _hex(4)),
    "id": ("icmp.ident", "Identifier", _hex(4)), "seq": ("icmp.seq", "Sequence number", str),
})  # fmt: skip
ICMPV6: Final = HeaderFormat("icmpv6", "Internet Control Message Protocol v6", _INET6, "ICMPv6Unknown", {
    "type": ("icmpv6.type", "Type", _named(names.ICMPV6_TYPES)), "code": ("icmpv6.code", "Code", str),
    "cksum": ("icmpv6.checksum", "Checksum", _hex(4)),
})  # fmt: skip
BOOTP: Final = HeaderFormat("dhcp", "Dynamic Host Configuration Protocol", "scapy.layers.dhcp", "BOOTP", {
    "op": ("dhcp.type", "Message type", _named({1: "request", 2: "reply"})),
    "htype": ("dhcp.hw.type", "Hardware type", _named({1: "Ethernet"})),
    "hlen": ("dhcp.hw.len", "Hardware address length", str), "hops": ("dhcp.hops", "Hops", str),
    "xid": ("dhcp.id", "Transaction ID", _hex(8)), "secs": ("dhcp.secs", "Seconds elapsed", str),
    "flags": ("dhcp.flags", "Flags", _hex(4)),
    "ciaddr": ("dhcp.ip.client", "Client IP address", str), "yiaddr": ("dhcp.ip.your", "Your IP address", str),
    "siaddr": ("dhcp.ip.server", "Next server IP address", str),
    "giaddr": ("dhcp.ip.relay", "Relay agent IP address", str),
    "chaddr": ("dhcp.hw.mac_addr", "Client MAC address", str),
    "sname": ("dhcp.server", "Server name", names.fixed_text), "file": ("dhcp.file", "Boot file", names.fixed_text),
})  # fmt: skip


def require_scapy() -> None:
    """Raises :class:`CaptureError` where scapy is not installed."""
    try:
        _scapy_class("scapy.packet", "Packet")
    except ImportError:
        raise CaptureError("captures are read with scapy, which is missing: pip install txlabnet[capture]") from None


def read_header(header: HeaderFormat, data: bytes, start: int, end: int) -> Layer:
    """The ``header`` at ``start`` of a frame, of which the bytes up to ``end`` may be its; ``cut`` where some miss."""
    layer = Layer(header.name, header.title, start)
    packet: Any = _scapy_class(header.module, header.scapy)()
    rest: Any = data[start:end]
    at = 0  # bits read
    for one in packet.fields_desc:
        if one.name not in header.fields:
            break
        before = _bits_left(rest)
        try:
            rest, raw = one.getfield(packet, rest)
        except Exception:  # scapy's fields raise whatever their decoding meets
            layer.cut = True
            break
        used = before - _bits_left(rest)
        if not _needed(one, packet) <= used <= before:
            layer.cut = True
            break
        if raw is None or not used:
            continue
        packet.fields[one.name] = raw
        name, title, shown = header.fields[one.name]
        value = _plain(raw, header.scale.get(one.name, 1))
        first, last = at // 8, (at + used - 1) // 8
        bits = None if at % 8 == 0 and used % 8 == 0 else (at % 8, used)
        layer.fields.append(Field(name, title, start + first, last - first + 1, value, shown(value), bits))
        at += used
    layer.length = (at + 7) // 8
    return layer


def _bits_left(rest: Any) -> int:
    """scapy passes on the rest of the bytes, inside a byte with the number of its bits that are read."""
    return len(rest[0]) * 8 - int(rest[1]) if isinstance(rest, tuple) else len(rest) * 8


def _needed(field: Any, packet: Any) -> int:
    """Bits that a text of fixed length must have: that kind of field alone reads less without a word."""
    if hasattr(field, "_find_fld_pkt"):
        field = field._find_fld_pkt(packet)
    return 8 * int(field.length_from(packet)) if type(field).__name__ == "StrFixedLenField" else 0


def _plain(raw: Any, scale: int) -> Value:
    if isinstance(raw, bytes | str):
        return raw
    return int(raw) * scale


@functools.cache
def _scapy_class(module: str, name: str) -> Any:
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # of the machine's own interfaces it has much to warn
    return getattr(importlib.import_module(module), name)
