"""What stands before the IP header: Ethernet and its tags, other links, tunnels of links, ARP.

Each function reads one header where the walk stands and says what comes next.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from labnet.capture.model import Field, Layer
from labnet.capture.packet import headers
from labnet.capture.packet.walk import Walk

_NULL_FAMILIES: Final = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}


def ethernet(walk: Walk) -> None:
    layer = walk.take(headers.ETHERNET)
    ethertype = layer.number("eth.type")
    if ethertype is not None and ethertype < 0x0600:
        old = layer.fields.pop()
        layer.fields.append(Field("eth.len", "Length", old.offset, 2, ethertype, str(ethertype)))
        layer.title = "IEEE 802.3 Ethernet"
        walk.shorten(walk.at + ethertype)
        walk.following = llc
        return
    walk.by_ethertype(ethertype)


def llc(walk: Walk) -> None:
    """IEEE 802.2; behind a SNAP header (RFC 1042) stands an EtherType."""
    is_snap = walk.data[walk.at : walk.at + 3] == b"\xaa\xaa\x03"
    layer = walk.take(headers.SNAP if is_snap else headers.LLC)
    if is_snap and not layer.cut and not layer.number("llc.oui"):
        walk.by_ethertype(layer.number("llc.type"))
    else:
        walk.result.unread = "IEEE 802.2 (LLC)"


def vlan(walk: Walk) -> None:
    walk.by_ethertype(walk.take(headers.VLAN).number("vlan.etype"))


def cooked_v1(walk: Walk) -> None:
    _cooked(walk, walk.take(headers.COOKED_V1))


def cooked_v2(walk: Walk) -> None:
    _cooked(walk, walk.take(headers.COOKED_V2))


def _cooked(walk: Walk, layer: Layer) -> None:
    """The address field has eight bytes, of which ``sll.halen`` are the address."""
    ethertype = layer.number("sll.etype")
    fields = layer.fields
    for index, field in enumerate(fields):
        if field.name == "sll.src.eth":
            length = min(layer.number("sll.halen") or 0, field.length)
            address = walk.data[field.offset : field.offset + length]
            name = "sll.src.eth" if length == 6 else "sll.src.other"
            spare = Field("sll.unused", "Unused", field.offset + length, field.length - length, b"", "")
            shown = address.hex(":")
            named = [Field(name, field.title, field.offset, length, shown, shown)] if length else []
            fields[index : index + 1] = [*named, *([spare] if spare.length else [])]
            break
    # For what has no EtherType the kernel writes numbers below 0x0600, such as 4 for 802.2.
    walk.by_ethertype(ethertype)


def null(walk: Walk) -> None:
    """The family is a number in the byte order of the machine that captured (NULL) or of the network (LOOP)."""
    layer = Layer("null", "BSD loopback", 0, min(4, walk.end), cut=walk.end < 4)
    walk.result.layers.append(layer)
    walk.at = layer.end
    if layer.cut:
        return
    little = walk.data[2:4] == b"\0\0"
    family = int.from_bytes(walk.data[:4], "little" if little else "big")
    shown = {2: "IPv4 (2)"}.get(family, f"IPv6 ({family})" if family in _NULL_FAMILIES else str(family))
    layer.fields.append(Field("null.family", "Family", 0, 4, family, shown))
    walk.by_ethertype(_NULL_FAMILIES.get(family))


def raw(walk: Walk) -> None:
    version = walk.data[walk.at] >> 4 if walk.at < walk.end else 0
    walk.by_ethertype({4: 0x0800, 6: 0x86DD}.get(version))


def mpls(walk: Walk) -> None:
    """Behind the last label stands mostly IP, which its first four bits say (RFC 3032)."""
    layer = walk.take(headers.MPLS)
    if not layer.cut:
        walk.following = raw if layer.number("mpls.bottom") else mpls


def pppoe(walk: Walk) -> None:
    layer = walk.take(headers.PPPOE)
    if not layer.cut:
        walk.shorten(layer.end + (layer.number("pppoe.payload_length") or 0))
        walk.following = ppp


def ppp(walk: Walk) -> None:
    protocol = walk.take(headers.PPP).number("ppp.protocol")
    ethertype = {0x0021: 0x0800, 0x0057: 0x86DD}.get(protocol or 0)
    if ethertype is not None:
        walk.by_ethertype(ethertype)
    else:
        walk.result.unread = "PPP control"


def ppp_link(walk: Walk) -> None:
    """PPP as a link type (RFC 1662): address and control bytes may stand before the protocol."""
    if walk.data[:2] == b"\xff\x03":
        walk.at = 2
    ppp(walk)


def arp(walk: Walk) -> None:
    sizes = walk.data[walk.at + 4 : walk.at + 6]
    layer = walk.take(headers.ARP if sizes in (b"\6\4", b"") or len(sizes) < 2 else headers.ARP_HEAD)
    if layer.cut:
        return
    if layer.length == headers.ARP_HEAD.size:
        _arp_addresses(walk, layer, sizes[0], sizes[1])
    walk.at = layer.end
    walk.shorten(layer.end)


def _arp_addresses(walk: Walk, layer: Layer, hardware: int, protocol: int) -> None:
    """Addresses of other sizes than Ethernet's and IPv4's (RFC 826)."""
    parts = (
        ("arp.src.hw", "Sender hardware address", hardware), ("arp.src.proto", "Sender protocol address", protocol),
        ("arp.dst.hw", "Target hardware address", hardware), ("arp.dst.proto", "Target protocol address", protocol),
    )  # fmt: skip
    for name, title, size in parts:
        if layer.end + size > walk.end:
            layer.cut = True
            return
        address = walk.data[layer.end : layer.end + size]
        is_ipv4 = title.endswith("protocol address") and size == 4
        shown = str(ipaddress.IPv4Address(address)) if is_ipv4 else address.hex(":")
        if size:
            layer.fields.append(Field(f"{name}_ipv4" if is_ipv4 else name, title, layer.end, size, shown, shown))
        layer.length += size
