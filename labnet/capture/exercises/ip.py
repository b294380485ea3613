"""The exercise on the IP header: the first ICMP echo request."""

from __future__ import annotations

from collections.abc import Iterator

from labnet.capture.exercises.model import Concepts, ExerciseAnswer
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData

_GET_ONE = "The capture has no ICMP echo request over IPv4: start capturing, and run: ping -4 -c 2 8.8.8.8"

QUESTIONS = (
    ExerciseAnswer("source", "What is the source address?", "address",
           explanation="Bytes 12 to 15 of the IP header are the address of the machine that sends."),
    ExerciseAnswer("destination", "What is the destination address?", "address",
           explanation="Bytes 16 to 19 of the IP header are the address of the machine that it is for."),
    ExerciseAnswer("protocol", "Which upper-layer protocol is inside?", "protocol",
           explanation="The protocol field numbers what the payload is: 1 is ICMP, 6 TCP, 17 UDP."),
    ExerciseAnswer("header_length", "How many bytes has the IP header?", "number",
           explanation="The low four bits of the first byte count words of four bytes."),
    ExerciseAnswer("payload_length", "How many bytes has the payload of the IP packet?", "number"),
    ExerciseAnswer("ttl", "What is the TTL?", "number",
           explanation="The sender's system chose where it starts, mostly 64, 128 or 255."),
    ExerciseAnswer("ttl_meaning", "What does the TTL mean?", "words",
           concepts=Concepts(("hops?", "routers?", "gateways? it may pass", "jumps?"),
                             never=("seconds?", "minutes?", "milliseconds?", "time in seconds", "bytes?", "length")),
           explanation="Each router on the way takes one off and drops the packet at 0, so that none circles for ever; "
           "it counts routers, not seconds."),
    ExerciseAnswer("version_field", "Which field tells IPv4 from IPv6?", "words",
           concepts=Concepts(("version", "first four bits", "first 4 bits", "nibble", "high four bits", "top 4 bits"),
                             never=("header length", "ttl", "total length", "source", "destination", "next header",
                                    "checksum", "flags?", "identification", "ether ?type")),
           explanation="The version, the high four bits of the header's first byte, 4 or 6, in the same place."),
)  # fmt: skip


MOST_REQUESTS = 1000
"""Echo requests by which answers are marked."""


class IPHeader:
    """Answers from the first ICMP echo request."""

    title = "The IP header of the first ICMP echo request"

    def __init__(self) -> None:
        self.frames: dict[int, Dissected] = {}
        self._requests: list[Dissected] = []
        self._only_v6 = False

    def wants(self, frame: Dissected) -> bool:
        return False

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        icmp = frame.layer("icmp")
        if icmp is not None and icmp.number("icmp.type") == 8 and len(self._requests) < MOST_REQUESTS:
            self._requests.append(frame)
            self.frames.setdefault(self._requests[0].packet.number, self._requests[0])
        v6 = frame.layer("icmpv6")
        self._only_v6 |= v6 is not None and v6.number("icmpv6.type") == 128
        return bool(self._requests)

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        if not self._requests:
            why = _GET_ONE.replace("has no", "has IPv6's echo requests only, no") if self._only_v6 else _GET_ONE
            yield [question.lacking(why) for question in QUESTIONS]
        for frame in self._requests:
            yield self._answers(frame)

    def _answers(self, frame: Dissected) -> list[ExerciseAnswer]:
        source, destination, protocol, header, payload, ttl, meaning, version = QUESTIONS
        return [
            source.proved(frame, "ip.src"),
            destination.proved(frame, "ip.dst"),
            protocol.proved(frame, "ip.proto"),
            self._header(frame, header),
            self._payload(frame, payload),
            ttl.proved(frame, "ip.ttl"),
            meaning.proved(frame, "ip.ttl", value="how many more routers (hops) it may pass before it is dropped"),
            version.proved(frame, "ip.version", value="version"),
        ]

    @staticmethod
    def _header(frame: Dissected, question: ExerciseAnswer) -> ExerciseAnswer:
        layer = frame.layer("ip")
        words = (layer.number("ip.hdr_len") or 0) // 4 if layer is not None else 0
        says = f"The low four bits of the first byte count words of four bytes: {words} times 4 is {words * 4}."
        return question.proved(frame, "ip.hdr_len", value=str(words * 4), explanation=says)

    @staticmethod
    def _payload(frame: Dissected, question: ExerciseAnswer) -> ExerciseAnswer:
        layer = frame.layer("ip")
        total, header = (layer.number("ip.len"), layer.number("ip.hdr_len")) if layer is not None else (None, None)
        if layer is None or total is None or header is None:
            return question.proved(frame, "ip.len", "ip.hdr_len")
        if total < header:
            length = frame.packet.wire_length - layer.offset - header
            says = (
                f"The total length field says {total}: the network card was to fill it in (segmentation offload). By "
                f"the packet's own length: {frame.packet.wire_length - layer.offset} - {header} = {length}."
            )
            return question.proved(frame, "ip.len", "ip.hdr_len", value=str(length), explanation=says)
        length = total - header
        says = f"Total length minus header length: {total} - {header} = {length}."
        return question.proved(frame, "ip.len", "ip.hdr_len", value=str(length), explanation=says)
