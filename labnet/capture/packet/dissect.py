"""A packet into its layers: which header follows which."""

from __future__ import annotations

from typing import Final

from labnet.capture import model
from labnet.capture.model import Dissected, Packet
from labnet.capture.packet import internet, links
from labnet.capture.packet.walk import Step, Walk


def dissect(packet: Packet) -> Dissected:
    """The layers of ``packet`` from the link up to the transport; any bytes give what can be read of them."""
    return Walk(packet, packet.data, _ETHERTYPES, _PROTOCOLS).run(_LINKS.get(packet.link_type))


_LINKS: Final[dict[int, Step]] = {
    model.ETHERNET: links.ethernet, model.NULL: links.null, model.LOOP: links.null,
    model.COOKED_V1: links.cooked_v1, model.COOKED_V2: links.cooked_v2, model.RAW: links.raw,
    12: links.raw, 14: links.raw, model.IPV4: links.raw, model.IPV6: links.raw, model.PPP: links.ppp_link,
}  # fmt: skip
_ETHERTYPES: Final[dict[int, Step]] = {
    0x0800: internet.ipv4, 0x86DD: internet.ipv6, 0x0806: links.arp, 0x8100: links.vlan, 0x88A8: links.vlan,
    0x9100: links.vlan, 0x8847: links.mpls, 0x8864: links.pppoe, internet.ETHERNET_BRIDGED: links.ethernet,
}  # fmt: skip
_PROTOCOLS: Final[dict[int, Step]] = {
    0: internet.ipv6_extension, 1: internet.icmp, 4: internet.ipv4, 6: internet.tcp, 17: internet.udp,
    41: internet.ipv6, 43: internet.ipv6_routing, 44: internet.ipv6_fragment, 47: internet.gre, 58: internet.icmpv6,
    60: internet.ipv6_extension,
}  # fmt: skip
