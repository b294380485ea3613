"""What everything about captures speaks: a packet, its layers, their fields, and what a reader should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

ETHERNET: Final = 1
NULL: Final = 0
LOOP: Final = 108
RAW: Final = 101
RAW_OLD: Final = (12, 14)
IPV4: Final = 228
IPV6: Final = 229
COOKED_V1: Final = 113
COOKED_V2: Final = 276

LINK_NAMES: Final = {
    ETHERNET: "Ethernet",
    NULL: "BSD loopback",
    LOOP: "BSD loopback",
    RAW: "raw IP",
    12: "raw IP",
    14: "raw IP",
    IPV4: "raw IPv4",
    IPV6: "raw IPv6",
    COOKED_V1: "Linux cooked v1",
    COOKED_V2: "Linux cooked v2",
}
"""Link types by their number in a capture (the tcpdump group's LINKTYPE registry)."""

OWN_MARK: Final = "labnet's own traffic"
"""How the comment begins on a packet that labnet wrote from what passed through its own sockets."""


class CaptureError(Exception):
    """The file cannot be used as a capture; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One record of a capture: frame ``number`` from 1, ``time_ns`` in nanoseconds of the epoch.

    ``wire_length`` is the length in bytes that the packet had; ``data`` is shorter where a snap length cut it.
    """

    number: int
    time_ns: int
    wire_length: int
    data: bytes
    link_type: int
    interface: str | None = None
    comment: str | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the capture holds less of it than there was."""
        return len(self.data) < self.wire_length

    @property
    def is_own(self) -> bool:
        """Whether labnet wrote it, with headers made up from addresses and ports."""
        return self.comment is not None and self.comment.startswith(OWN_MARK)


Value = int | str | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``name`` is its Wireshark display filter, ``offset`` and ``length`` are bytes of the frame.

    ``bits`` is the first bit, counted from the offset's highest, and the number of bits, where it is not whole bytes.
    """

    name: str
    title: str
    offset: int
    length: int
    value: Value
    shown: str
    bits: tuple[int, int] | None = None

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(slots=True)
class Layer:
    """One protocol's part of a frame; ``length`` in bytes is that of its header, or of all it has for the innermost."""

    name: str
    title: str
    offset: int
    length: int = 0
    fields: list[Field] = field(default_factory=list)
    cut: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.length

    def get(self, name: str) -> Field | None:
        """The first field of that name."""
        for one in self.fields:
            if one.name == name:
                return one
        return None

    def number(self, name: str) -> int | None:
        """The value of a field that is a number; None where it is not there."""
        found = self.get(name)
        return found.value if found is not None and isinstance(found.value, int) else None

    def text(self, name: str) -> str | None:
        """The value of a field that is text; None where it is not there."""
        found = self.get(name)
        return found.value if found is not None and isinstance(found.value, str) else None


@dataclass(frozen=True, slots=True)
class Note:
    """Something in a frame that misleads: ``kind`` names it for programs, ``text`` is one sentence for people."""

    kind: str
    text: str
    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """An IP datagram put together from the fragments in ``frames``: the transport's part of it."""

    protocol: int
    ports: tuple[int, int] | None
    frames: tuple[int, ...]


@dataclass(slots=True)
class Dissected:
    """A packet with its layers, outermost first."""

    packet: Packet
    layers: list[Layer] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    payload: tuple[int, int] = (0, 0)
    """Offset and end of the application data in the frame; empty where there is none."""
    data: bytes = b""
    """The application data; empty in a fragment, and whole again in the one that completes its datagram."""
    fragment: tuple[int, bool, int] | None = None
    """Offset in bytes, whether more follow, and the identification, in a fragment of an IP datagram."""
    joined: Joined | None = None
    """The datagram that this frame completes, where it came in fragments."""

    def layer(self, *names: str) -> Layer | None:
        """The outermost layer that has one of ``names``."""
        for one in self.layers:
            if one.name in names:
                return one
        return None

    def field(self, name: str) -> Field | None:
        """The first field of that Wireshark name."""
        for one in self.layers:
            found = one.get(name)
            if found is not None:
                return found
        return None

    def fields(self) -> Iterator[Field]:
        for one in self.layers:
            yield from one.fields

    @property
    def network(self) -> Layer | None:
        """The IP header that the transport is in."""
        for one in reversed(self.layers):
            if one.name in ("ip", "ipv6"):
                return one
        return None

    @property
    def transport(self) -> Layer | None:
        return self.layer("udp", "tcp")

    @property
    def source(self) -> str:
        """The network address it comes from, or the MAC address, or nothing."""
        return self._end("src")

    @property
    def destination(self) -> str:
        return self._end("dst")

    def _end(self, which: str) -> str:
        network = self.network
        if network is not None:
            return network.text(f"{network.name}.{which}") or "?"
        outer = self.layers[0] if self.layers else None
        if outer is None:
            return "?"
        if outer.name == "sll":
            return (outer.text("sll.src.eth") or "?") if which == "src" else "?"
        return outer.text(f"eth.{which}") or "?"

    @property
    def ports(self) -> tuple[int, int] | None:
        """Source and destination port; None without a transport layer that has both."""
        if self.joined is not None:
            return self.joined.ports
        layer = self.transport
        if layer is None:
            return None
        source, destination = layer.number(f"{layer.name}.srcport"), layer.number(f"{layer.name}.dstport")
        return None if source is None or destination is None else (source, destination)
