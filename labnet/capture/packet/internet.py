"""IP of both versions with what it carries: extension headers, fragments, tunnels, UDP, TCP, ICMP.

Each function reads one header where the walk stands and says what comes next.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import Final

from labnet.capture import names
from labnet.capture.model import Field, Layer
from labnet.capture.packet import headers
from labnet.capture.packet.options import read_tcp_options
from labnet.capture.packet.walk import Step, Walk

ETHERNET_BRIDGED: Final = 0x6558
"""The EtherType of a whole Ethernet frame inside a tunnel (RFC 1701)."""

_ECHO: Final = frozenset((0, 8, 13, 14, 15, 16, 17, 18))
"""ICMP types whose messages have an identifier and a sequence number (RFC 792, RFC 950)."""
_ICMP_ERRORS: Final = frozenset((3, 4, 5, 11, 12))
_GRE_OPTIONS: Final = ((0x8000, 4), (0x2000, 4), (0x1000, 4))
"""Bits of a GRE header that announce more of it (RFC 2784, RFC 2890): checksum, key, sequence number; their bytes."""
_VXLAN_PORT: Final = 4789


def ipv4(walk: Walk) -> None:
    layer = walk.take(headers.IPV4)
    walk.result.network = layer
    if layer.cut or layer.number("ip.version") != 4:
        return
    data, start = walk.data, layer.offset
    header, total = 4 * (data[start] & 15), data[start + 2] << 8 | data[start + 3]
    if header < 20 or start + header > walk.end:
        layer.cut = True
        return
    if header > 20:
        layer.add_later(partial(_ip_options, data=data, end=start + header))
    layer.length = header
    walk.at = start + header
    # A total length of 0 is written by cards that cut a large segment themselves: all the rest is its own.
    if total >= header:
        walk.shorten(start + total)
    offset, more = (data[start + 6] & 31) << 11 | data[start + 7] << 3, bool(data[start + 6] & 32)
    if offset or more:
        walk.result.fragment = (offset, more, data[start + 4] << 8 | data[start + 5])
    if not offset:
        walk.by_protocol(data[start + 9])


def ipv6(walk: Walk) -> None:
    layer = walk.take(headers.IPV6)
    walk.result.network = layer
    if layer.cut or layer.number("ipv6.version") != 6:
        return
    payload = layer.number("ipv6.plen") or 0
    if payload:
        walk.shorten(layer.end + payload)
    walk.by_protocol(layer.number("ipv6.nxt"))


def ipv6_extension(walk: Walk) -> None:
    _extension(walk, walk.take(headers.IPV6_OPTIONS), "ipv6.opt")


def ipv6_routing(walk: Walk) -> None:
    _extension(walk, walk.take(headers.IPV6_ROUTING), "ipv6.routing")


def _extension(walk: Walk, layer: Layer, prefix: str) -> None:
    length = 8 * ((layer.number(f"{prefix}.len") or 0) + 1)
    if layer.cut or layer.offset + length > walk.end:
        layer.cut = True
        return
    layer.length = length
    walk.at = layer.end
    walk.by_protocol(layer.number(f"{prefix}.nxt"))


def ipv6_fragment(walk: Walk) -> None:
    layer = walk.take(headers.IPV6_FRAGMENT)
    if layer.cut:
        return
    offset, more = layer.number("ipv6.fraghdr.offset") or 0, bool(layer.number("ipv6.fraghdr.more"))
    if offset or more:
        walk.result.fragment = (offset, more, layer.number("ipv6.fraghdr.ident") or 0)
    if not offset:
        walk.by_protocol(layer.number("ipv6.fraghdr.nxt"))


def gre(walk: Walk) -> None:
    layer = walk.take(headers.GRE)
    if layer.cut:
        return
    flags = layer.number("gre.flags_and_version") or 0
    more = sum(size for bit, size in _GRE_OPTIONS if flags & bit)
    if flags & 7 or layer.end + more > walk.end:
        walk.result.unread = "GRE of another version" if flags & 7 else ""
        layer.cut = not flags & 7
        return
    layer.length += more
    walk.at = layer.end
    walk.by_ethertype(layer.number("gre.proto"))


def udp(walk: Walk) -> None:
    layer = walk.take(headers.UDP)
    _transport(walk, layer)
    if layer.cut:
        return
    start, data = layer.offset, walk.data
    length = data[start + 4] << 8 | data[start + 5]
    if length >= 8:
        walk.shorten(start + length)
    if data[start + 2] << 8 | data[start + 3] == _VXLAN_PORT and data[walk.at : walk.at + 1] == b"\x08":
        walk.following = vxlan


def vxlan(walk: Walk) -> None:
    if not walk.take(headers.VXLAN).cut:
        walk.result.transport = walk.result.own_ports = None
        walk.by_ethertype(ETHERNET_BRIDGED)


def _transport(walk: Walk, layer: Layer) -> None:
    at, data = layer.offset, walk.data
    walk.result.transport = layer
    if layer.length >= 4:
        walk.result.own_ports = (data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3])


def tcp(walk: Walk) -> None:
    layer = walk.take(headers.TCP)
    _transport(walk, layer)
    header = 0 if layer.cut else 4 * (walk.data[layer.offset + 12] >> 4)
    if header < 20 or layer.offset + header > walk.end:
        layer.cut = True
        return
    if header > 20:
        layer.add_later(partial(read_tcp_options, data=walk.data, first=layer.end, end=layer.offset + header))
    layer.length = header
    walk.at = layer.offset + header


def icmp(walk: Walk) -> None:
    kind = walk.data[walk.at] if walk.at < walk.end else -1
    layer = walk.take(headers.ICMP_ECHO if kind in _ECHO else headers.ICMP)
    if not layer.cut and layer.length < 8:
        walk.at = layer.offset + min(8, walk.end - layer.offset)
        layer.length = walk.at - layer.offset
        if kind in _ICMP_ERRORS:
            _quote(walk, ipv4)


def icmpv6(walk: Walk) -> None:
    layer = walk.take(headers.ICMPV6)
    kind, at = layer.number("icmpv6.type"), layer.end
    if kind in (128, 129) and at + 4 <= walk.end:
        for name, title, start, show in (
            ("icmpv6.echo.identifier", "Identifier", at, str),
            ("icmpv6.echo.sequence_number", "Sequence number", at + 2, names.both_orders),
        ):
            number = int.from_bytes(walk.data[start : start + 2], "big")
            layer.fields.append(Field(name, title, start, 2, number, show(number)))
        layer.length += 4
    elif kind in (135, 136) and at + 20 <= walk.end:
        address = str(ipaddress.IPv6Address(walk.data[at + 4 : at + 20]))
        name = "icmpv6.nd.ns.target_address" if kind == 135 else "icmpv6.nd.na.target_address"
        layer.fields.append(Field(name, "Target address", at + 4, 16, address, address))
        layer.length += 20
    walk.at = layer.end
    if kind in (1, 2, 3, 4) and at + 4 <= walk.end:
        layer.length += 4
        walk.at = layer.end
        _quote(walk, ipv6)


def _quote(walk: Walk, first: Step) -> None:
    """The start of the packet that an ICMP error is about (RFC 792, RFC 4443)."""
    if walk.at < walk.end:
        walk.result.quoted = walk.again().run(first)


def _ip_options(layer: Layer, data: bytes, end: int) -> None:
    start = layer.offset + headers.IPV4.size
    options = data[start:end]
    layer.fields.append(Field("ip.options", "Options", start, len(options), options, options.hex(" ")))
