"""One frame on its way up through its headers: where the walk stands, where what is inside ends, what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from labnet.capture import names
from labnet.capture.model import Dissected, Layer, Packet
from labnet.capture.packet.headers import HeaderFormat, read_header

MOST_LAYERS: Final = 16
"""Headers in one frame; tags and extension headers can be piled up without end."""

_IPV6_ALONE: Final = (0, 43, 60)
"""Extension headers, which IPv4 does not have."""

Step = Callable[["Walk"], None]
"""Reads one header and says by :attr:`Walk.following` which one comes next."""


class Walk:
    """A walk through ``data`` of ``packet`` from byte ``at``.

    ``ethertypes`` and ``protocols`` say which header an EtherType and an IP protocol stand for.
    """

    def __init__(
        self,
        packet: Packet,
        data: bytes,
        ethertypes: Mapping[int, Step],
        protocols: Mapping[int, Step],
        at: int = 0,
    ) -> None:
        self.data = data
        self.at = at
        self.end = len(data)
        """Where what is inside ends, by the headers so far."""
        self.claimed = packet.wire_length
        """Where it would end had the capture not cut the frame."""
        self.result = Dissected(packet)
        self.following: Step | None = None
        self._ethertypes = ethertypes
        self._protocols = protocols

    def run(self, first: Step | None) -> Dissected:
        """Take ``first`` and what follows it, as far as headers are known."""
        result = self.result
        if first is None:
            result.unread = names.LINK_TYPES.get(result.packet.link_type, f"link type {result.packet.link_type}")
        else:
            self.following = first
            while self.following is not None and len(result.layers) < MOST_LAYERS:
                step, self.following = self.following, None
                step(self)
        at = self.at if self.at < self.end else self.end
        result.payload = (at, self.end)
        result.size = max(0, self.claimed - at)
        if result.fragment is None:
            result.data = self.data[at : self.end]
        return result

    def again(self) -> Walk:
        """A walk through what is left, as a packet of its own."""
        return Walk(self.result.packet, self.data[: self.end], self._ethertypes, self._protocols, self.at)

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
        """Go on with what ``ethertype`` names, if it is known."""
        self.following = self._ethertypes.get(ethertype or 0)
        if self.following is None and ethertype is not None:
            self.result.unread = names.ETHERTYPES.get(ethertype, f"EtherType 0x{ethertype:04x}")

    def by_protocol(self, protocol: int | None) -> None:
        """Go on with what the IP ``protocol`` names, if it is known."""
        network = self.result.network
        if protocol in _IPV6_ALONE and network is not None and network.name == "ip":
            protocol = None
        self.following = self._protocols.get(-1 if protocol is None else protocol)
        if self.following is None and protocol is not None and protocol != 59:
            self.result.unread = names.IP_PROTOCOLS.get(protocol, f"IP protocol {protocol}")
