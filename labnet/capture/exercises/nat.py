"""The exercise on address translation: one packet in two captures, inside and outside of the translating router."""

from __future__ import annotations

from collections.abc import Iterator

from labnet.capture.exercises.model import ExerciseAnswer, Proof
from labnet.capture.files.formats import open_capture
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.packet.dissect import dissect

MOST_CANDIDATES = 1000
"""Packets of the inside capture of which the outside one may have the translation."""

_NO_PAIR = (
    "The two captures have no packet in common: capture on both sides of the router at once, and open a page meanwhile."
)
_NO_OUTSIDE = "This exercise takes two captures: labnet exercise nat INSIDE.pcap --outside OUTSIDE.pcap"

QUESTIONS = (
    ExerciseAnswer("inside_source", "From which address is the packet inside?", "address",
           explanation="A private address (RFC 1918), which no router of the Internet would find."),
    ExerciseAnswer("inside_source_port", "From which port is it inside?", "number"),
    ExerciseAnswer("outside_source", "From which address is it outside?", "address",
           explanation="The router's own public address: it stands for all machines behind it."),
    ExerciseAnswer("outside_source_port", "From which port is it outside?", "number",
           explanation="The router remembers which machine and port this one stands for."),
    ExerciseAnswer("destination", "To which address is it, on both sides?", "address",
           explanation="The destination does not change."),
    ExerciseAnswer("destination_port", "To which port is it, on both sides?", "number"),
    ExerciseAnswer("inside_ttl", "Which TTL has it inside?", "number"),
    ExerciseAnswer("outside_ttl", "Which TTL has it outside?", "number",
           explanation="The router takes one off, as any router; so the header checksum changes as well."),
)  # fmt: skip
_FIELDS = ("ip.src", "srcport", "ip.src", "srcport", "ip.dst", "dstport", "ip.ttl", "ip.ttl")
_IS_OUTSIDE = (False, False, True, True, False, False, False, True)


class NAT:
    """Answers from the first packet of the inside capture that the one at ``outside`` has with another source."""

    title = "Address translation: one packet on both sides of the router"

    def __init__(self, outside: str | None) -> None:
        self.frames: dict[int, Dissected] = {}
        self._outside = outside
        self._sent: dict[tuple[object, ...], Dissected] = {}

    def wants(self, frame: Dissected) -> bool:
        return False

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        sign = _sign(frame)
        if sign is not None and len(self._sent) < MOST_CANDIDATES:
            self._sent.setdefault(sign, frame)
        return False

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        pair = None if self._outside is None else self._pair(self._outside)
        if pair is None:
            why = _NO_OUTSIDE if self._outside is None else _NO_PAIR
            yield [question.lacking(why) for question in QUESTIONS]
            return
        inside, outside = pair
        self.frames[inside.packet.number] = inside
        yield [
            _answer(question, outside if is_outside else inside, name, is_outside)
            for question, name, is_outside in zip(QUESTIONS, _FIELDS, _IS_OUTSIDE, strict=True)
        ]

    def _pair(self, path: str) -> tuple[Dissected, Dissected] | None:
        with open_capture(path) as capture:
            for packet in capture:
                frame = dissect(packet)
                inside = self._sent.get(_sign(frame) or ())
                if inside is not None and inside.source != frame.source:
                    return inside, frame
        return None


def _sign(frame: Dissected) -> tuple[object, ...] | None:
    """What a translation leaves as it is: the destination, the sequence number or the data."""
    ports, transport = frame.ports, frame.transport
    if ports is None or transport is None or frame.network is None or frame.network.name != "ip":
        return None
    sequence = transport.number("tcp.seq_raw") if transport.name == "tcp" else None
    if sequence is None and not frame.data:
        return None
    return frame.destination, ports[1], transport.name, sequence, frame.data


def _answer(question: ExerciseAnswer, frame: Dissected, name: str, is_outside: bool) -> ExerciseAnswer:
    if name.endswith("port"):
        name = f"{frame.transport.name if frame.transport is not None else 'tcp'}.{name}"
    answer = question.proved(frame, name)
    if not is_outside:
        return answer
    # The page shows the frames of the inside capture alone; these bytes are of the other one.
    proofs = tuple(
        Proof(one.frame, one.offset, one.data, f"{one.title}, in the outside capture") for one in answer.proofs
    )
    return ExerciseAnswer(
        answer.key, answer.question, answer.kind, answer.value, answer.explanation, proofs, answer.missing
    )
