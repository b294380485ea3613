"""What everything about captures speaks: a packet, its layers, their fields, and what a reader should know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, Protocol

ETHERNET: Final = 1
NULL: Final = 0
LOOP: Final = 108
RAW: Final = 101
RAW_OLD: Final = (12, 14)
IPV4: Final = 228
IPV6: Final = 229
COOKED_V1: Final = 113
COOKED_V2: Final = 276
PPP: Final = 9

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
    PPP: "PPP",
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
    has_time: bool = True
    """Whether the capture says when it came; if not, ``time_ns`` is that of the packet before."""

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


class FieldSource(Protocol):
    """A header's table of fields (:class:`labnet.capture.packet.headers.HeaderFormat`)."""

    @property
    def name(self) -> str:
        """The name of the layer."""

    @property
    def title(self) -> str:
        """The protocol's name for people."""

    @property
    def size(self) -> int:
        """Bytes of the header."""

    @property
    def fields(self) -> Sequence[Any]:
        """Each field of the header, in order."""

    @property
    def by_name(self) -> Mapping[str, Any]:
        """The fields by Wireshark's names."""


class Layer:
    """One protocol's part of a frame; ``length`` in bytes is that of its header, or of all it has for the innermost.

    A layer that :meth:`of_header` made reads a single value straight from the bytes; :meth:`add_later` adds what stands
    behind the header's own fields, such as options.
    """

    _header: FieldSource
    _data: bytes
    __slots__ = ("_data", "_fields", "_header", "_late", "cut", "length", "name", "offset", "title")

    def __init__(
        self,
        name: str,
        title: str,
        offset: int,
        length: int = 0,
        fields: list[Field] | None = None,
        cut: bool = False,
    ) -> None:
        self.name = name
        self.title = title
        self.offset = offset
        self.length = length
        self.cut = cut
        self._fields: list[Field] | None = fields if fields is not None else []
        self._late: Callable[[Layer], None] | None = None

    @classmethod
    def of_header(cls, header: FieldSource, data: bytes, offset: int) -> Layer:
        """The whole ``header`` at ``offset`` of the frame ``data``, whose fields are made when they are asked for."""
        layer = cls(header.name, header.title, offset, header.size)
        layer._header, layer._data, layer._fields = header, data, None
        return layer

    def add_later(self, late: Callable[[Layer], None]) -> None:
        """Have ``late`` append more fields when the fields are asked for."""
        self._late = late

    @property
    def fields(self) -> list[Field]:
        """All fields in their order; the list may be changed."""
        if self._fields is None:
            self._fields = [one.field(self._data, self.offset) for one in self._header.fields]
        if self._late is not None:
            late, self._late = self._late, None
            late(self)
        return self._fields

    @property
    def end(self) -> int:
        """The offset of the first byte behind it."""
        return self.offset + self.length

    def unpack(self, layout: Struct, start: int) -> tuple[Any, ...]:
        """Several values at once from byte ``start`` of a header that :meth:`of_header` made."""
        return layout.unpack_from(self._data, self.offset + start)

    def get(self, name: str) -> Field | None:
        """The first field of that name."""
        if self._fields is None:
            found = self._header.by_name.get(name)
            if found is not None:
                field: Field = found.field(self._data, self.offset)
                return field
        for one in self.fields:
            if one.name == name:
                return one
        return None

    def value(self, name: str) -> Value | None:
        """The value of the first field of that name; None where there is none."""
        if self._fields is None:
            found = self._header.by_name.get(name)
            if found is not None:
                value: Value = found.read(self._data, self.offset)
                return value
        for one in self.fields:
            if one.name == name:
                return one.value
        return None

    def number(self, name: str) -> int | None:
        """The value of a field that is a number; None where it is not there."""
        if self._fields is None and (found := self._header.by_name.get(name)) is not None:
            value = found.read(self._data, self.offset)
        else:
            value = self.value(name)
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """The value of a field that is text; None where it is not there."""
        value = self.value(name)
        return value if isinstance(value, str) else None


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
    network: Layer | None = None
    """The innermost IP header, which the transport is in."""
    transport: Layer | None = None
    """The UDP or TCP header."""
    size: int = 0
    """Bytes of application data that the packet had, by its headers' lengths; the capture may hold fewer."""
    quoted: Dissected | None = None
    """The packet that an ICMP error quotes."""
    unread: str = ""
    """What stands where no further header could be read; empty where everything was."""
    ends: tuple[str, str] | None = None
    own_ports: tuple[int, int] | None = None
    """Source and destination port of its own transport header, where that is whole."""

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
        """Every field of every layer, outermost first."""
        for one in self.layers:
            yield from one.fields

    @property
    def source(self) -> str:
        """The network address it comes from, or the MAC address, or ``?``."""
        return (self.ends or self._find_ends())[0]

    @property
    def destination(self) -> str:
        """The network address it goes to, or the MAC address, or ``?``."""
        return (self.ends or self._find_ends())[1]

    def _find_ends(self) -> tuple[str, str]:
        network = self.network
        if network is not None:
            ends = network.text(f"{network.name}.src"), network.text(f"{network.name}.dst")
        elif self.layers:
            outer = self.layers[0]
            ends = (
                (outer.text("sll.src.eth"), None)
                if outer.name == "sll"
                else (outer.text("eth.src"), outer.text("eth.dst"))
            )
        else:
            ends = None, None
        self.ends = ends[0] or "?", ends[1] or "?"
        return self.ends

    @property
    def ports(self) -> tuple[int, int] | None:
        """Source and destination port; None without a transport layer that has both."""
        if self.joined is not None:
            return self.joined.ports
        return self.own_ports
