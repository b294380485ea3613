"""The four-packet trace: a query, the question to the parent, the parent's answer, the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from labnet.capture.exercises.model import ExerciseAnswer, Proof, link_answer
from labnet.capture.model import Dissected
from labnet.capture.narrative.ladder import exchange_ladder
from labnet.capture.narrative.sentences import sentence
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.traffic.exchanges import CapturedExchange, Exchanges, ExchangeStep
from labnet.ladder.model import Ladder

MOST_FRAMES = 8192
"""Frames with questions and replies that wait until their exchange is over."""

_NO_TRACE = (
    "The capture has no query that a resolver passed on to its parent and that was answered: start the parent and the "
    "child, capture on both ports at once (labnet capture -i any -w trace.pcapng --filter 'udp port 1199 or udp port "
    "1200'), and ask the child for a name that only the parent knows and that it has not learned yet."
)
_FEWER = "The capture has {} exchange(s) that went to a parent, and number {} was asked for."
_WHO = ("the client's query", "the child's question to its parent", "the parent's answer", "the child's answer")


class Trace:
    """Answers from exchange ``number`` of those that went to a parent and came back; 0 prefers the course protocol.

    The resolver of the system asks its parent in the same way, so without a number the first exchange of the course's
    own protocol counts, and one of DNS only where there is none.
    """

    title = "The four packets of a query that goes to the parent"

    def __init__(self, number: int = 0) -> None:
        self._number = number
        self._passed = 0
        self.frames: dict[int, Dissected] = {}
        self._exchanges = Exchanges()
        self._recent: OrderedDict[int, Dissected] = OrderedDict()
        self._found: list[Dissected] = []
        self.ladder: Ladder | None = None
        """The exchange that is answered, drawn."""
        self._is_final = False
        self._others: list[list[Dissected]] = []

    def wants(self, frame: Dissected) -> bool:
        return frame.joined is not None or (frame.transport is not None and frame.transport.name == "udp")

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        if message is None:
            return False
        self._recent[frame.packet.number] = frame
        if len(self._recent) > MOST_FRAMES:
            self._recent.popitem(last=False)
        return any(self._ends_with(exchange) for exchange in self._exchanges.add(frame, message))

    def _ends_with(self, exchange: CapturedExchange) -> bool:
        """Whether ``exchange`` is the one, and no other can be; of several parents the one that answered counts."""
        for parent in exchange.parents:
            if exchange.answer is not None and parent.answer is not None:
                steps: list[ExchangeStep] = [exchange.question, parent.question, parent.answer, exchange.answer]
                found = [frame for step in steps if (frame := self._recent.get(step.frame)) is not None]
                if len(found) < len(steps):
                    continue
                self._passed += 1
                is_course = exchange.protocol == "Course"
                if self._passed == self._number or (
                    not self._number and not self._is_final and (is_course or not self._found)
                ):
                    self._found = found
                    self.ladder = exchange_ladder(exchange)
                    self._is_final = is_course or bool(self._number)
                    self.frames = {frame.packet.number: frame for frame in found}
                elif not self._number and is_course and len(self._others) < MOST_FRAMES:
                    self._others.append(found)
                return self._is_final
        return False

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        if not self._found:
            why = _NO_TRACE if not self._passed else _FEWER.format(self._passed, self._number)
            yield [one.lacking(why) for number, who in enumerate(_WHO, 1) for one in _questions(number, who)]
            return
        for frames in (self._found, *self._others):
            yield [
                answer
                for number, (who, frame) in enumerate(zip(_WHO, frames, strict=True), 1)
                for answer in _packet(frame, _questions(number, who))
            ]


def _questions(number: int, who: str) -> list[ExerciseAnswer]:
    asked = (
        ("data", "What are the data of {}?", "text"),
        ("source_port", "From which port is {}?", "number"),
        ("destination_port", "To which port is {}?", "number"),
        ("source", "From which IP address is {}?", "address"),
        ("destination", "To which IP address is {}?", "address"),
        ("source_mac", "From which MAC address is {}?", "mac"),
        ("destination_mac", "To which MAC address is {}?", "mac"),
    )
    start = f"Packet {number}: "
    return [
        ExerciseAnswer(f"packet{number}.{key}", start + question.format(who), kind) for key, question, kind in asked
    ]


def _packet(frame: Dissected, questions: list[ExerciseAnswer]) -> list[ExerciseAnswer]:
    data, source_port, destination_port, source, destination, source_mac, destination_mac = questions
    says = {layer.name: sentence(frame, layer) for layer in frame.layers}
    start, end = frame.payload
    shown = frame.packet.data[start:end].decode(errors="replace").strip()
    application = frame.layers[-1]
    if application.name == "dns":
        shown = application.text("dns.qry.name") or "?"
    network, transport = frame.network, says.get("udp", "")
    outer = says.get(frame.layers[0].name, "")
    prefix = network.name if network is not None else "ip"
    ip = says.get(prefix, "")
    return [
        ExerciseAnswer(
            data.key, data.question, data.kind, shown, says.get(application.name, ""),
            (Proof(frame.packet.number, start, frame.packet.data[start:end], "Data"),),
        ),
        source_port.proved(frame, "udp.srcport", explanation=transport),
        destination_port.proved(frame, "udp.dstport", explanation=transport),
        source.proved(frame, f"{prefix}.src", explanation=ip),
        destination.proved(frame, f"{prefix}.dst", explanation=ip),
        link_answer(source_mac, frame, "src", outer),
        link_answer(destination_mac, frame, "dst", outer),
    ]  # fmt: skip
