"""A packet into its layers: which header follows which, and where the application data begins and ends."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Final

from labnet.capture import model, names
from labnet.capture.model import Dissected, Field, Layer, Packet
from labnet.capture.packet import headers
from labnet.capture.packet.headers import HeaderFormat, read_header
from labnet.capture.packet.options import read_tcp_options

MOST_LAYERS: Final = 16
"""Headers in one frame; tags and extension headers can be piled up without end."""

_IPV6_EXTENSIONS: Final = (0, 60)
_NULL_FAMILIES: Final = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}
_ECHO: Final = frozenset((0, 8, 13, 14, 15, 16, 17, 18))
"""ICMP types whose messages have an identifier and a sequence number (RFC 792, RFC 950)."""
_ICMP_ERRORS: Final = frozenset((3, 4, 5, 11, 12))
_GRE_OPTIONS: Final = ((0x8000, 4), (0x2000, 4), (0x1000, 4))
"""Bits of a GRE header that announce more of it (RFC 2784, RFC 2890): checksum, key, sequence number; their bytes."""
_VXLAN_PORT: Final = 4789


def dissect(packet: Packet) -> Dissected:
    """The layers of ``packet`` from the link up to the transport; any bytes give what can be read of them."""
    return _Walk(packet, packet.data).run(_LINKS.get(packet.link_type))


class _Walk:
    """One frame on its way up; ``end`` is where what is inside ends, which the headers claim."""

    def __init__(self, packet: Packet, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.end = len(data)
        self.claimed = packet.wire_length
        self.result = Dissected(packet)
        self._next: Callable[[], None] | None = None

    def run(self, first: Callable[[_Walk], None] | None) -> Dissected:
        result = self.result
        if first is None:
            result.unread = names.LINK_TYPES.get(result.packet.link_type, f"link type {result.packet.link_type}")
        else:
            first(self)
            while self._next is not None and len(result.layers) < MOST_LAYERS:
                step, self._next = self._next, None
                step()
        at = self.at if self.at < self.end else self.end
        result.payload = (at, self.end)
        result.size = max(0, self.claimed - at)
        if result.fragment is None:
            result.data = self.data[at : self.end]
        return result

    def take(self, header: HeaderFormat) -> Layer:
        """Read ``header`` where the walk stands, and pass it."""
        layer = read_header(header, self.data, self.at, self.end)
        self.result.layers.append(layer)
        self.at = layer.offset + layer.length
        return layer

    def shorten(self, end: int) -> None:
        """What is inside ends at byte ``end`` of the frame, as a header claims."""
        self.claimed = min(self.claimed, end)
        self.end = min(self.end, end)

    def by_ethertype(self, ethertype: int | None) -> None:
        step = _ETHERTYPES.get(ethertype or 0)
        if step is not None:
            self._next = partial(step, self)
        elif ethertype is not None:
            self.result.unread = names.ETHERTYPES.get(ethertype, f"EtherType 0x{ethertype:04x}")

    def ethernet(self) -> None:
        layer = self.take(headers.ETHERNET)
        ethertype = layer.number("eth.type")
        if ethertype is not None and ethertype < 0x0600:
            old = layer.fields.pop()
            layer.fields.append(Field("eth.len", "Length", old.offset, 2, ethertype, str(ethertype)))
            layer.title = "IEEE 802.3 Ethernet"
            self.shorten(self.at + ethertype)
            self._next = self.llc
            return
        self.by_ethertype(ethertype)

    def llc(self) -> None:
        """IEEE 802.2; behind a SNAP header (RFC 1042) stands an EtherType."""
        is_snap = self.data[self.at : self.at + 3] == b"\xaa\xaa\x03"
        layer = self.take(headers.SNAP if is_snap else headers.LLC)
        if is_snap and not layer.cut and not layer.number("llc.oui"):
            self.by_ethertype(layer.number("llc.type"))
        else:
            self.result.unread = "IEEE 802.2 (LLC)"

    def vlan(self) -> None:
        self.by_ethertype(self.take(headers.VLAN).number("vlan.etype"))

    def cooked_v1(self) -> None:
        self._cooked(self.take(headers.COOKED_V1))

    def cooked_v2(self) -> None:
        self._cooked(self.take(headers.COOKED_V2))

    def _cooked(self, layer: Layer) -> None:
        """The address field has eight bytes, of which ``sll.halen`` are the address."""
        ethertype = layer.number("sll.etype")
        fields = layer.fields
        for index, field in enumerate(fields):
            if field.name == "sll.src.eth":
                length = min(layer.number("sll.halen") or 0, field.length)
                address = self.data[field.offset : field.offset + length]
                name = "sll.src.eth" if length == 6 else "sll.src.other"
                spare = Field("sll.unused", "Unused", field.offset + length, field.length - length, b"", "")
                shown = address.hex(":")
                named = [Field(name, field.title, field.offset, length, shown, shown)] if length else []
                fields[index : index + 1] = [*named, *([spare] if spare.length else [])]
                break
        # For what has no EtherType the kernel writes numbers below 0x0600, such as 4 for 802.2.
        self.by_ethertype(ethertype)

    def null(self) -> None:
        """The family is a number in the byte order of the machine that captured (NULL) or of the network (LOOP)."""
        layer = Layer("null", "BSD loopback", 0, min(4, self.end), cut=self.end < 4)
        self.result.layers.append(layer)
        self.at = layer.end
        if layer.cut:
            return
        little = self.data[2:4] == b"\0\0"
        family = int.from_bytes(self.data[:4], "little" if little else "big")
        shown = {2: "IPv4 (2)"}.get(family, f"IPv6 ({family})" if family in _NULL_FAMILIES else str(family))
        layer.fields.append(Field("null.family", "Family", 0, 4, family, shown))
        self.by_ethertype(_NULL_FAMILIES.get(family))

    def raw(self) -> None:
        version = self.data[self.at] >> 4 if self.at < self.end else 0
        self.by_ethertype({4: 0x0800, 6: 0x86DD}.get(version))

    def mpls(self) -> None:
        """Behind the last label stands mostly IP, which its first four bits say (RFC 3032)."""
        layer = self.take(headers.MPLS)
        if not layer.cut:
            self._next = self.raw if layer.number("mpls.bottom") else self.mpls

    def pppoe(self) -> None:
        layer = self.take(headers.PPPOE)
        if not layer.cut:
            self.shorten(layer.end + (layer.number("pppoe.payload_length") or 0))
            self._next = self.ppp

    def ppp(self) -> None:
        protocol = self.take(headers.PPP).number("ppp.protocol")
        ethertype = {0x0021: 0x0800, 0x0057: 0x86DD}.get(protocol or 0)
        if ethertype is not None:
            self.by_ethertype(ethertype)
        else:
            self.result.unread = "PPP control"

    def ppp_link(self) -> None:
        """PPP as a link type (RFC 1662): address and control bytes may stand before the protocol."""
        if self.data[:2] == b"\xff\x03":
            self.at = 2
        self.ppp()

    def arp(self) -> None:
        sizes = self.data[self.at + 4 : self.at + 6]
        layer = self.take(headers.ARP if sizes in (b"\6\4", b"") or len(sizes) < 2 else headers.ARP_HEAD)
        if layer.cut:
            return
        if layer.length == headers.ARP_HEAD.size:
            self._arp_addresses(layer, sizes[0], sizes[1])
        self.at = layer.end
        self.shorten(layer.end)

    def _arp_addresses(self, layer: Layer, hardware: int, protocol: int) -> None:
        """Addresses of other sizes than Ethernet's and IPv4's (RFC 826)."""
        parts = (
            ("arp.src.hw", "Sender hardware address", hardware), ("arp.src.proto", "Sender protocol address", protocol),
            ("arp.dst.hw", "Target hardware address", hardware), ("arp.dst.proto", "Target protocol address", protocol),
        )  # fmt: skip
        for name, title, size in parts:
            if layer.end + size > self.end:
                layer.cut = True
                return
            address = self.data[layer.end : layer.end + size]
            is_ipv4 = title.endswith("protocol address") and size == 4
            shown = str(ipaddress.IPv4Address(address)) if is_ipv4 else address.hex(":")
            if size:
                layer.fields.append(Field(f"{name}_ipv4" if is_ipv4 else name, title, layer.end, size, shown, shown))
            layer.length += size

    def ipv4(self) -> None:
        layer = self.take(headers.IPV4)
        self.result.network = layer
        if layer.cut or layer.number("ip.version") != 4:
            return
        data, start = self.data, layer.offset
        header, total = 4 * (data[start] & 15), data[start + 2] << 8 | data[start + 3]
        if header < 20 or start + header > self.end:
            layer.cut = True
            return
        if header > 20:
            layer.add_later(partial(_ip_options, data=data, end=start + header))
        layer.length = header
        self.at = start + header
        # A total length of 0 is written by cards that cut a large segment themselves: all the rest is its own.
        if total >= header:
            self.shorten(start + total)
        offset, more = (data[start + 6] & 31) << 11 | data[start + 7] << 3, bool(data[start + 6] & 32)
        if offset or more:
            self.result.fragment = (offset, more, data[start + 4] << 8 | data[start + 5])
        if not offset:
            self.by_protocol(data[start + 9])

    def ipv6(self) -> None:
        layer = self.take(headers.IPV6)
        self.result.network = layer
        if layer.cut or layer.number("ipv6.version") != 6:
            return
        payload = layer.number("ipv6.plen") or 0
        if payload:
            self.shorten(layer.end + payload)
        self.by_protocol(layer.number("ipv6.nxt"))

    def by_protocol(self, protocol: int | None) -> None:
        is_v6 = self.result.network is not None and self.result.network.name == "ipv6"
        if is_v6 and protocol in _IPV6_EXTENSIONS:
            self._next = self.ipv6_extension
            return
        if is_v6 and protocol == 43:
            self._next = self.ipv6_routing
            return
        step = _PROTOCOLS.get(-1 if protocol is None else protocol)
        if step is not None:
            self._next = partial(step, self)
        elif protocol is not None and protocol != 59:
            self.result.unread = names.IP_PROTOCOLS.get(protocol, f"IP protocol {protocol}")

    def ipv6_extension(self) -> None:
        self._extension(self.take(headers.IPV6_OPTIONS), "ipv6.opt")

    def ipv6_routing(self) -> None:
        self._extension(self.take(headers.IPV6_ROUTING), "ipv6.routing")

    def _extension(self, layer: Layer, prefix: str) -> None:
        length = 8 * ((layer.number(f"{prefix}.len") or 0) + 1)
        if layer.cut or layer.offset + length > self.end:
            layer.cut = True
            return
        layer.length = length
        self.at = layer.end
        self.by_protocol(layer.number(f"{prefix}.nxt"))

    def ipv6_fragment(self) -> None:
        layer = self.take(headers.IPV6_FRAGMENT)
        if layer.cut:
            return
        offset, more = layer.number("ipv6.fraghdr.offset") or 0, bool(layer.number("ipv6.fraghdr.more"))
        if offset or more:
            self.result.fragment = (offset, more, layer.number("ipv6.fraghdr.ident") or 0)
        if not offset:
            self.by_protocol(layer.number("ipv6.fraghdr.nxt"))

    def gre(self) -> None:
        layer = self.take(headers.GRE)
        if layer.cut:
            return
        flags = layer.number("gre.flags_and_version") or 0
        more = sum(size for bit, size in _GRE_OPTIONS if flags & bit)
        if flags & 7 or layer.end + more > self.end:
            self.result.unread = "GRE of another version" if flags & 7 else ""
            layer.cut = not flags & 7
            return
        layer.length += more
        self.at = layer.end
        self.by_ethertype(layer.number("gre.proto"))

    def udp(self) -> None:
        layer = self.take(headers.UDP)
        self._transport(layer)
        if layer.cut:
            return
        start, data = layer.offset, self.data
        length = data[start + 4] << 8 | data[start + 5]
        if length >= 8:
            self.shorten(start + length)
        if data[start + 2] << 8 | data[start + 3] == _VXLAN_PORT and data[self.at : self.at + 1] == b"\x08":
            self._next = self.vxlan

    def vxlan(self) -> None:
        if not self.take(headers.VXLAN).cut:
            self.result.transport = self.result.own_ports = None
            self._next = self.ethernet

    def _transport(self, layer: Layer) -> None:
        at, data = layer.offset, self.data
        self.result.transport = layer
        if layer.length >= 4:
            self.result.own_ports = (data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3])

    def tcp(self) -> None:
        layer = self.take(headers.TCP)
        self._transport(layer)
        header = 0 if layer.cut else 4 * (self.data[layer.offset + 12] >> 4)
        if header < 20 or layer.offset + header > self.end:
            layer.cut = True
            return
        if header > 20:
            layer.add_later(partial(read_tcp_options, data=self.data, first=layer.end, end=layer.offset + header))
        layer.length = header
        self.at = layer.offset + header

    def icmp(self) -> None:
        kind = self.data[self.at] if self.at < self.end else -1
        layer = self.take(headers.ICMP_ECHO if kind in _ECHO else headers.ICMP)
        if not layer.cut and layer.length < 8:
            self.at = layer.offset + min(8, self.end - layer.offset)
            layer.length = self.at - layer.offset
            if kind in _ICMP_ERRORS:
                self._quote(_Walk.ipv4)

    def icmpv6(self) -> None:
        layer = self.take(headers.ICMPV6)
        kind, at = layer.number("icmpv6.type"), layer.end
        if kind in (128, 129) and at + 4 <= self.end:
            for name, title, start, show in (
                ("icmpv6.echo.identifier", "Identifier", at, str),
                ("icmpv6.echo.sequence_number", "Sequence number", at + 2, names.both_orders),
            ):
                number = int.from_bytes(self.data[start : start + 2], "big")
                layer.fields.append(Field(name, title, start, 2, number, show(number)))
            layer.length += 4
        elif kind in (135, 136) and at + 20 <= self.end:
            address = str(ipaddress.IPv6Address(self.data[at + 4 : at + 20]))
            name = "icmpv6.nd.ns.target_address" if kind == 135 else "icmpv6.nd.na.target_address"
            layer.fields.append(Field(name, "Target address", at + 4, 16, address, address))
            layer.length += 20
        self.at = layer.end
        if kind in (1, 2, 3, 4) and at + 4 <= self.end:
            layer.length += 4
            self.at = layer.end
            self._quote(_Walk.ipv6)

    def _quote(self, first: Callable[[_Walk], None]) -> None:
        """The start of the packet that an ICMP error is about (RFC 792, RFC 4443)."""
        if self.at < self.end:
            walk = _Walk(self.result.packet, self.data[: self.end], self.at)
            self.result.quoted = walk.run(first)


def _ip_options(layer: Layer, data: bytes, end: int) -> None:
    start = layer.offset + headers.IPV4.size
    options = data[start:end]
    layer.fields.append(Field("ip.options", "Options", start, len(options), options, options.hex(" ")))


_LINKS: Final[dict[int, Callable[[_Walk], None]]] = {
    model.ETHERNET: _Walk.ethernet, model.NULL: _Walk.null, model.LOOP: _Walk.null,
    model.COOKED_V1: _Walk.cooked_v1, model.COOKED_V2: _Walk.cooked_v2, model.RAW: _Walk.raw,
    12: _Walk.raw, 14: _Walk.raw, model.IPV4: _Walk.raw, model.IPV6: _Walk.raw, model.PPP: _Walk.ppp_link,
}  # fmt: skip
_ETHERTYPES: Final[dict[int, Callable[[_Walk], None]]] = {
    0x0800: _Walk.ipv4, 0x86DD: _Walk.ipv6, 0x0806: _Walk.arp, 0x8100: _Walk.vlan, 0x88A8: _Walk.vlan,
    0x9100: _Walk.vlan, 0x8847: _Walk.mpls, 0x8864: _Walk.pppoe, 0x6558: _Walk.ethernet,
}  # fmt: skip
_PROTOCOLS: Final[dict[int, Callable[[_Walk], None]]] = {
    1: _Walk.icmp, 4: _Walk.ipv4, 6: _Walk.tcp, 17: _Walk.udp, 41: _Walk.ipv6, 44: _Walk.ipv6_fragment,
    47: _Walk.gre, 58: _Walk.icmpv6,
}  # fmt: skip
