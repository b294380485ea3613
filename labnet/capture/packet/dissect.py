"""A packet into its layers: which header follows which, and where the application data begins and ends."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from labnet.capture import model
from labnet.capture.model import Dissected, Field, Layer, Packet
from labnet.capture.packet import headers
from labnet.capture.packet.headers import HeaderFormat, read_header
from labnet.capture.packet.options import read_tcp_options

MOST_LAYERS: Final = 16
"""Headers in one frame; tags and extension headers can be piled up without end."""

_IPV6_EXTENSIONS: Final = (0, 43, 60)
_NULL_FAMILIES: Final = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}


def dissect(packet: Packet) -> Dissected:
    """The layers of ``packet`` from the link up to the transport; any bytes give what can be read of them."""
    return _Walk(packet).run()


class _Walk:
    """One frame on its way up."""

    def __init__(self, packet: Packet) -> None:
        self.data = packet.data
        self.at = 0
        self.end = len(packet.data)
        self.result = Dissected(packet)
        self._next: Callable[[], None] | None = self._link(packet.link_type)

    def run(self) -> Dissected:
        while self._next is not None and len(self.result.layers) < MOST_LAYERS:
            step, self._next = self._next, None
            step()
        at = min(self.at, self.end)
        self.result.payload = (at, self.end)
        if self.result.fragment is None:
            self.result.data = self.data[at : self.end]
        return self.result

    def _link(self, link_type: int) -> Callable[[], None] | None:
        return {
            model.ETHERNET: self._ethernet,
            model.NULL: self._null,
            model.LOOP: self._null,
            model.COOKED_V1: self._cooked_v1,
            model.COOKED_V2: self._cooked_v2,
            model.RAW: self._raw,
            12: self._raw,
            14: self._raw,
            model.IPV4: self._raw,
            model.IPV6: self._raw,
        }.get(link_type)

    def _take(self, header: HeaderFormat) -> Layer:
        layer = read_header(header, self.data, self.at, self.end)
        self.result.layers.append(layer)
        self.at = layer.end
        return layer

    def _by_ethertype(self, ethertype: int | None) -> None:
        steps = {0x0800: self._ipv4, 0x86DD: self._ipv6, 0x0806: self._arp, 0x8100: self._vlan, 0x88A8: self._vlan}
        self._next = steps.get(ethertype or 0)

    def _ethernet(self) -> None:
        layer = self._take(headers.ETHERNET)
        ethertype = layer.number("eth.type")
        if ethertype is not None and ethertype < 0x0600:
            old = layer.fields.pop()
            layer.fields.append(Field("eth.len", "Length", old.offset, 2, ethertype, str(ethertype)))
            layer.title = "IEEE 802.3 Ethernet"
            self.end = min(self.end, self.at + ethertype)
            return
        self._by_ethertype(ethertype)

    def _vlan(self) -> None:
        self._by_ethertype(self._take(headers.VLAN).number("vlan.etype"))

    def _cooked_v1(self) -> None:
        self._cooked(self._take(headers.COOKED_V1))

    def _cooked_v2(self) -> None:
        self._cooked(self._take(headers.COOKED_V2))

    def _cooked(self, layer: Layer) -> None:
        """The address field has eight bytes, of which ``sll.halen`` are the address."""
        for index, field in enumerate(layer.fields):
            if field.name == "sll.src.eth":
                length = min(layer.number("sll.halen") or 0, field.length)
                address = self.data[field.offset : field.offset + length]
                name = "sll.src.eth" if length == 6 else "sll.src.other"
                spare = Field("sll.unused", "Unused", field.offset + length, field.length - length, b"", "")
                shown = address.hex(":")
                named = [Field(name, field.title, field.offset, length, shown, shown)] if length else []
                layer.fields[index : index + 1] = [*named, *([spare] if spare.length else [])]
                break
        # For what has no EtherType the kernel writes numbers below 0x0600, such as 4 for 802.2.
        self._by_ethertype(layer.number("sll.etype"))

    def _null(self) -> None:
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
        self._by_ethertype(_NULL_FAMILIES.get(family))

    def _raw(self) -> None:
        version = self.data[0] >> 4 if self.data else 0
        self._by_ethertype({4: 0x0800, 6: 0x86DD}.get(version))

    def _arp(self) -> None:
        layer = self._take(headers.ARP)
        if not layer.cut:
            self.at = self.end = layer.end

    def _ipv4(self) -> None:
        layer = self._take(headers.IPV4)
        if layer.cut or layer.number("ip.version") != 4:
            return
        header, total = layer.number("ip.hdr_len") or 0, layer.number("ip.len") or 0
        if header < 20 or layer.offset + header > self.end:
            layer.cut = True
            return
        if header > 20:
            options = self.data[layer.end : layer.offset + header]
            layer.fields.append(Field("ip.options", "Options", layer.end, header - 20, options, options.hex(" ")))
        layer.length = header
        self.at = layer.end
        # A total length of 0 is written by cards that cut a large segment themselves: all the rest is its own.
        if total >= header:
            self.end = min(self.end, layer.offset + total)
        offset, more = layer.number("ip.frag_offset") or 0, bool((layer.number("ip.flags") or 0) & 1)
        if offset or more:
            self.result.fragment = (offset, more, layer.number("ip.id") or 0)
        if not offset:
            self._by_protocol(layer.number("ip.proto"))

    def _ipv6(self) -> None:
        layer = self._take(headers.IPV6)
        if layer.cut or layer.number("ipv6.version") != 6:
            return
        payload = layer.number("ipv6.plen") or 0
        if payload:
            self.end = min(self.end, layer.end + payload)
        self._by_protocol(layer.number("ipv6.nxt"))

    def _by_protocol(self, protocol: int | None) -> None:
        if protocol in _IPV6_EXTENSIONS and self.result.layer("ipv6") is not None:
            self._next = self._ipv6_extension
            return
        steps = {1: self._icmp, 6: self._tcp, 17: self._udp, 44: self._ipv6_fragment, 58: self._icmpv6}
        self._next = steps.get(-1 if protocol is None else protocol)

    def _ipv6_extension(self) -> None:
        layer = self._take(headers.IPV6_OPTIONS)
        length = 8 * ((layer.number("ipv6.opt.len") or 0) + 1)
        if layer.cut or layer.offset + length > self.end:
            layer.cut = True
            return
        layer.length = length
        self.at = layer.end
        self._by_protocol(layer.number("ipv6.opt.nxt"))

    def _ipv6_fragment(self) -> None:
        layer = self._take(headers.IPV6_FRAGMENT)
        if layer.cut:
            return
        offset, more = layer.number("ipv6.fraghdr.offset") or 0, bool(layer.number("ipv6.fraghdr.more"))
        if offset or more:
            self.result.fragment = (offset, more, layer.number("ipv6.fraghdr.ident") or 0)
        if not offset:
            self._by_protocol(layer.number("ipv6.fraghdr.nxt"))

    def _udp(self) -> None:
        layer = self._take(headers.UDP)
        length = layer.number("udp.length") or 0
        if length >= 8:
            self.end = min(self.end, layer.offset + length)

    def _tcp(self) -> None:
        layer = self._take(headers.TCP)
        header = layer.number("tcp.hdr_len") or 0
        if layer.cut or header < 20 or layer.offset + header > self.end:
            layer.cut = True
            return
        read_tcp_options(layer, self.data, layer.offset + header)
        layer.length = header
        self.at = layer.end

    def _icmp(self) -> None:
        layer = self._take(headers.ICMP)
        if not layer.cut and layer.length < 8:
            self.at = layer.offset + min(8, self.end - layer.offset)
            layer.length = self.at - layer.offset

    def _icmpv6(self) -> None:
        layer = self._take(headers.ICMPV6)
        kind, at = layer.number("icmpv6.type"), layer.end
        echo = "icmpv6.echo.identifier", "icmpv6.echo.sequence_number"
        if kind in (128, 129) and at + 4 <= self.end:
            for name, title, start in ((echo[0], "Identifier", at), (echo[1], "Sequence number", at + 2)):
                number = int.from_bytes(self.data[start : start + 2], "big")
                layer.fields.append(Field(name, title, start, 2, number, str(number)))
            layer.length += 4
        elif kind in (135, 136) and at + 20 <= self.end:
            address = str(ipaddress.IPv6Address(self.data[at + 4 : at + 20]))
            name = "icmpv6.nd.ns.target_address" if kind == 135 else "icmpv6.nd.na.target_address"
            layer.fields.append(Field(name, "Target address", at + 4, 16, address, address))
            layer.length += 20
        self.at = layer.end
