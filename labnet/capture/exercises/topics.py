"""Named frames and computed facts of a capture, which questions of an exercise are bound to.

A fact is written ``frame:field``, as ``tcp.syn:tcp.srcport``, where the frame is one of :data:`FRAMES` and the field
has Wireshark's name; or it is one of :data:`COMPUTED`, as ``tcp.rtt``. So a teacher writes an exercise without
programming.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from labnet.capture.exercises.model import ExerciseAnswer, Proof, proof
from labnet.capture.model import Dissected, Field
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.traffic.stream import Arrival, Stream

FIN, SYN, RST, ACK = 1, 2, 4, 16

FRAMES: Final = {
    "ethernet.first": "the first Ethernet frame", "ip.first": "the first IP packet",
    "ipv6.first": "the first IPv6 packet", "ip.fragment": "the first fragment of an IP datagram",
    "ip.last_fragment": "the last fragment of that datagram", "udp.first": "the first UDP datagram",
    "udp.reply": "the first datagram back from there", "icmp.request": "the first echo request",
    "icmp.reply": "its reply", "icmp.error": "the first ICMP error",
    "icmp.expired": "the first time-exceeded message",
    "icmp.unreachable": "the first destination-unreachable message", "dns.query": "the first DNS query",
    "dns.response": "its response", "tcp.syn": "the SYN of the first connection",
    "tcp.synack": "the SYN, ACK that answers it", "tcp.ack": "the ACK that ends the handshake",
    "tcp.data": "the client's first data", "tcp.data_ack": "the first acknowledgement of them",
    "tcp.server_data": "the server's first data", "tcp.fin": "the first FIN", "dhcp.discover": "the Discover",
    "dhcp.offer": "the Offer", "dhcp.request": "the Request", "dhcp.ack": "the ACK",
    "http.request": "the first HTTP request", "http.response": "its response",
    "http.conditional": "the first request with If-Modified-Since or If-None-Match",
    "http.unchanged": "the first response 304", "http.unauthorised": "the first response 401",
    "http.authorised": "the first request with Authorization", "tls.client_hello": "the Client Hello",
    "tls.server_hello": "the Server Hello", "tls.certificate": "the server's certificate",
}  # fmt: skip
"""The frames that have a name, and what they are."""

COMPUTED: Final = {
    "tcp.rtt": "seconds from the SYN to the SYN, ACK", "tcp.data_rtt": "seconds from the first data to their ACK",
    "tcp.segments": "segments with data from the server", "tcp.retransmissions": "segments that were sent again",
    "tcp.client_bytes": "bytes of data from the client", "tcp.server_bytes": "bytes of data from the server",
    "tcp.seconds": "seconds from the first to the last segment", "tcp.throughput": "bits a second from the server",
    "icmp.routers": "routers that sent time-exceeded messages, in order",
    "ip.fragments": "fragments of the first fragmented datagram",
}  # fmt: skip
"""Facts that no single field has, and what they are."""

_DHCP: Final = {1: "dhcp.discover", 2: "dhcp.offer", 3: "dhcp.request", 5: "dhcp.ack"}
_TLS: Final = {1: "tls.client_hello", 2: "tls.server_hello", 11: "tls.certificate"}


@dataclass
class _Connection:
    """The first TCP connection whose SYN is in the capture."""

    ends: tuple[tuple[str, int], tuple[str, int]]
    first_ns: int
    streams: dict[str, Stream] = field(default_factory=lambda: {"client": Stream(), "server": Stream()})
    last_ns: int = 0
    segments: int = 0
    again: int = 0
    data_end: int | None = None


class Topics:
    """Looks at a capture packet by packet and knows the frames and facts that have a name."""

    def __init__(self) -> None:
        self.found: dict[str, Dissected] = {}
        self._connection: _Connection | None = None
        self._routers: dict[str, Dissected] = {}
        self._fragments: list[Dissected] = []

    def see(self, frame: Dissected, message: ApplicationData | None) -> None:
        """Look at the next packet."""
        self._see_network(frame)
        transport = frame.transport
        if transport is not None and not transport.cut:
            (self._see_tcp if transport.name == "tcp" else self._see_udp)(frame)
        if message is not None:
            self._see_message(frame, message)

    def frames(self) -> Iterator[Dissected]:
        """All frames that an answer's proofs can be in."""
        yield from self.found.values()
        yield from self._routers.values()
        yield from self._fragments

    def _first(self, name: str, frame: Dissected) -> None:
        self.found.setdefault(name, frame)

    def _answers(self, name: str, frame: Dissected) -> bool:
        """Whether ``frame`` goes back the way of the frame that is called ``name``."""
        asked = self.found.get(name)
        if asked is None or frame.ports is None or asked.ports is None:
            return False
        return (frame.source, frame.ports[0]) == (asked.destination, asked.ports[1]) and (
            frame.destination, frame.ports[1]
        ) == (asked.source, asked.ports[0])  # fmt: skip

    def _see_network(self, frame: Dissected) -> None:
        if frame.layers and frame.layers[0].name == "eth":
            self._first("ethernet.first", frame)
        network = frame.network
        if network is not None:
            self._first("ip.first" if network.name == "ip" else "ipv6.first", frame)
        if frame.fragment is not None:
            self._see_fragment(frame)
        icmp = frame.layer("icmp", "icmpv6")
        if icmp is None or icmp.cut:
            return
        kind = icmp.number(f"{icmp.name}.type")
        if (icmp.name, kind) in (("icmp", 8), ("icmpv6", 128)):
            self._first("icmp.request", frame)
        elif (icmp.name, kind) in (("icmp", 0), ("icmpv6", 129)):
            asked = self.found.get("icmp.request")
            if asked is not None and (asked.source, asked.destination) == (frame.destination, frame.source):
                self._first("icmp.reply", frame)
        elif frame.quoted is not None:
            self._first("icmp.error", frame)
            is_expired = kind == (11 if icmp.name == "icmp" else 3)
            self._first("icmp.expired" if is_expired else "icmp.unreachable", frame)
            if is_expired and len(self._routers) < 255:
                self._routers.setdefault(frame.source, frame)

    def _see_fragment(self, frame: Dissected) -> None:
        assert frame.fragment is not None
        offset, more, identification = frame.fragment
        if not offset:
            self._first("ip.fragment", frame)
        first = self.found.get("ip.fragment")
        if (
            first is None
            or first.fragment is None
            or first.fragment[2] != identification
            or first.source != frame.source
        ):
            return
        if len(self._fragments) < 1000:
            self._fragments.append(frame)
        if not more:
            self._first("ip.last_fragment", frame)

    def _see_udp(self, frame: Dissected) -> None:
        self._first("udp.first", frame)
        if self._answers("udp.first", frame):
            self._first("udp.reply", frame)

    def _see_tcp(self, frame: Dissected) -> None:
        transport, ports = frame.transport, frame.ports
        if transport is None or ports is None:
            return
        flags = transport.number("tcp.flags") or 0
        source, destination = (frame.source, ports[0]), (frame.destination, ports[1])
        if self._connection is None and flags & (SYN | ACK) == SYN:
            self._connection = _Connection((source, destination), frame.packet.time_ns)
            self._first("tcp.syn", frame)
        connection = self._connection
        if connection is None or {source, destination} != set(connection.ends):
            return
        self._follow(connection, frame, flags, is_client=source == connection.ends[0])

    def _follow(self, connection: _Connection, frame: Dissected, flags: int, is_client: bool) -> None:
        transport = frame.transport
        assert transport is not None
        connection.last_ns = frame.packet.time_ns
        sequence = transport.number("tcp.seq_raw") or 0
        stream = connection.streams["client" if is_client else "server"]
        if flags & SYN:
            stream.start(sequence + 1)
            if not is_client:
                self._first("tcp.synack", frame)
        elif is_client and "tcp.synack" in self.found:
            self._first("tcp.ack", frame)
        if frame.size:
            self._first("tcp.data" if is_client else "tcp.server_data", frame)
            _, arrival = stream.take(sequence, frame.data, frame.size, -1)
            connection.segments += not is_client
            connection.again += arrival in (Arrival.AGAIN, Arrival.PARTLY_AGAIN, Arrival.FILLS)
            if is_client and connection.data_end is None:
                connection.data_end = (sequence + frame.size) % 2**32
        if not is_client and connection.data_end is not None and flags & ACK:
            ahead = ((transport.number("tcp.ack_raw") or 0) - connection.data_end) % 2**32
            if ahead < 2**31:
                self._first("tcp.data_ack", frame)
        if flags & FIN:
            self._first("tcp.fin", frame)

    def _see_message(self, frame: Dissected, message: ApplicationData) -> None:
        layer = message.layer
        if message.protocol == "DNS":
            if message.kind == "question":
                self._first("dns.query", frame)
            elif self._answers("dns.query", frame):
                asked = self.found["dns.query"].layer("dns")
                if asked is not None and asked.number("dns.id") == message.ident:
                    self._first("dns.response", frame)
        elif message.protocol == "DHCP":
            name = _DHCP.get(layer.number("dhcp.option.dhcp") or 0)
            first = self.found.get("dhcp.discover")
            begun = first.layer("dhcp") if first is not None else None
            if name is not None and (begun is None or begun.number("dhcp.id") == layer.number("dhcp.id")):
                self._first(name, frame)
        elif message.protocol == "HTTP":
            self._see_http(frame, message)
        elif message.protocol == "TLS":
            for one in layer.fields:
                if one.name == "tls.handshake.type" and one.value in _TLS:
                    self._first(_TLS[int(one.value)], frame)

    def _see_http(self, frame: Dissected, message: ApplicationData) -> None:
        lines = {one.title.lower() for one in message.layer.fields}
        if message.kind == "question":
            self._first("http.request", frame)
            if lines & {"if-modified-since", "if-none-match"}:
                self._first("http.conditional", frame)
            if "authorization" in lines:
                self._first("http.authorised", frame)
            return
        if self._answers("http.request", frame):
            self._first("http.response", frame)
        code = message.layer.text("http.response.code")
        if code in ("304", "401"):
            self._first("http.unchanged" if code == "304" else "http.unauthorised", frame)

    def answer(self, question: ExerciseAnswer, fact: str) -> ExerciseAnswer:
        """``question`` answered by ``fact``; without an answer where the capture does not have it."""
        name, _, wanted = fact.partition(":")
        if name in COMPUTED:
            return self._computed(question, name)
        frame = self.found.get(name)
        if frame is None:
            return question.lacking(f"The capture has no such packet: {FRAMES[name]}.")
        fields = list(_fields(frame, wanted))
        if not fields:
            return question.lacking(f"Frame {frame.packet.number}, {FRAMES[name]}, has no field {wanted}.")
        if question.kind in ("addresses", "list"):
            value = ", ".join(one.shown for one in fields)
            return _with(question, value, tuple(proof(frame, one) for one in fields))
        one = fields[0]
        return _with(question, _value(one, question.kind), (proof(frame, one),))

    def _computed(self, question: ExerciseAnswer, name: str) -> ExerciseAnswer:
        made = {
            "tcp.rtt": lambda: self._between("tcp.syn", "tcp.synack"),
            "tcp.data_rtt": lambda: self._between("tcp.data", "tcp.data_ack"),
            "icmp.routers": lambda: (", ".join(self._routers), list(self._routers.values())) if self._routers else None,
            "ip.fragments": lambda: (str(len(self._fragments)), self._fragments) if self._fragments else None,
        }.get(name, lambda: self._of_connection(name))()
        if made is None:
            return question.lacking(f"The capture does not show it: {COMPUTED[name]}.")
        value, frames = made
        proofs = tuple(
            proof(frame, layer.fields[0])
            for frame in frames[:20]
            if (layer := frame.transport or frame.network) is not None
        )
        return _with(question, value, proofs)

    def _between(self, first: str, second: str) -> tuple[str, list[Dissected]] | None:
        one, other = self.found.get(first), self.found.get(second)
        if one is None or other is None:
            return None
        return f"{(other.packet.time_ns - one.packet.time_ns) / 1e9:.6f} s", [one, other]

    def _of_connection(self, name: str) -> tuple[str, list[Dissected]] | None:
        connection = self._connection
        if connection is None:
            return None
        seconds = (connection.last_ns - connection.first_ns) / 1e9
        server = connection.streams["server"].total
        value = {
            "tcp.segments": str(connection.segments), "tcp.retransmissions": str(connection.again),
            "tcp.client_bytes": str(connection.streams["client"].total), "tcp.server_bytes": str(server),
            "tcp.seconds": f"{seconds:.6f} s", "tcp.throughput": f"{8 * server / seconds if seconds else 0:.0f} bit/s",
        }[name]  # fmt: skip
        return value, [self.found["tcp.syn"]]


def _fields(frame: Dissected, wanted: str) -> Iterator[Field]:
    """The fields of that name; ``quoted.`` before it looks into what an ICMP error quotes."""
    looked_at = frame
    if wanted.startswith("quoted.") and frame.quoted is not None:
        looked_at, wanted = frame.quoted, wanted.removeprefix("quoted.")
    title = wanted.removeprefix("http.header.").lower() if wanted.startswith("http.header.") else None
    for one in looked_at.fields():
        if one.name == wanted or (title is not None and one.title.lower() == title):
            yield one


def _value(one: Field, kind: str) -> str:
    return str(one.value) if kind == "number" else one.shown


def _with(question: ExerciseAnswer, value: str, proofs: tuple[Proof, ...]) -> ExerciseAnswer:
    return ExerciseAnswer(
        question.key, question.question, question.kind, value, question.explanation, proofs, concepts=question.concepts
    )


def kind_of(fact: str) -> str:
    """How answers to ``fact`` are compared, where an exercise does not say it."""
    name, _, wanted = fact.partition(":")
    if not wanted:
        return {"icmp.routers": "addresses"}.get(
            name, "quantity" if name.endswith(("rtt", "seconds", "throughput")) else "number"
        )
    for pattern, kind in _KINDS:
        if re.search(pattern, wanted):
            return kind
    return "number"


_KINDS: Final = (
    (r"lease_time|time_value", "number"),
    (r"eth\.type$|etype$|llc\.type$", "ethertype"),
    (r"eth\.|hw_mac|mac_addr|sll\.src", "mac"),
    (r"ip\.proto$|ipv6\.nxt$|frag.*nxt$", "protocol"),
    (r"domain_name_server|option\.router$", "addresses"),
    (r"\.(src|dst)$|proto_ipv4|dhcp\.ip\.|dns\.aaaa?$|subnet_mask|server_id|address|target", "address"),
    (r"flags$", "list"),
    (
        r"name|uri|http\.|dns\.(cname|ns|rdata|qry\.name)|x509|host|phrase|supported_version|ciphersuite|version$",
        "name",
    ),
)


def check_fact(fact: str) -> str | None:
    """What is wrong with a fact's name; None where nothing is."""
    name, colon, wanted = fact.partition(":")
    if name in COMPUTED and not colon:
        return None
    if name in FRAMES and wanted:
        return None
    if name in FRAMES:
        return f"{fact!r} names a frame and no field: write {name}:FIELD, with Wireshark's name of the field"
    return f"{fact!r} is no fact; the frames are {', '.join(FRAMES)}, the computed facts {', '.join(COMPUTED)}"
