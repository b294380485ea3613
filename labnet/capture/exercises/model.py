"""A question, and its answer with the bytes that prove it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from labnet.capture.model import Dissected, Field
from labnet.capture.packet.applications import ApplicationData


@dataclass(frozen=True, slots=True)
class Proof:
    """Bytes of a frame: ``offset`` counts from the frame's first byte, ``title`` says which field they are."""

    frame: int
    offset: int
    data: bytes
    title: str

    @property
    def place(self) -> str:
        last = self.offset + len(self.data) - 1
        return (
            f"frame {self.frame}, byte {self.offset}"
            if last == self.offset
            else (f"frame {self.frame}, bytes {self.offset}-{last}")
        )


@dataclass(frozen=True, slots=True)
class Concepts:
    """How a sentence in the student's own words is judged; each part is regular expressions of whole words.

    A right one affirms something of ``says``, or has something of ``mentions`` whether affirmed or denied ("UDP needs
    no connection"); a wrong one affirms something of ``never``. What does neither, or both, is for the teacher.
    """

    says: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExerciseAnswer:
    """One question with its answer; ``value`` is None where the capture does not hold it, and ``missing`` says why.

    ``kind`` says how a student's answer is compared: address, mac, number, ethertype, protocol, addresses, text, or
    words, by ``concepts``. ``also`` are other right answers, each with a remark.
    """

    key: str
    question: str
    kind: str
    value: str | None = None
    explanation: str = ""
    proofs: tuple[Proof, ...] = ()
    missing: str | None = None
    concepts: Concepts = Concepts()
    also: Mapping[str, str] = field(default_factory=dict)

    def lacking(self, why: str) -> ExerciseAnswer:
        """This question without an answer; ``why`` says what to do to get one."""
        return replace(self, value=None, proofs=(), missing=why)

    def proved(self, frame: Dissected, *names: str, value: str | None = None, explanation: str = "") -> ExerciseAnswer:
        """The answer that the fields ``names`` of ``frame`` give, ``value`` where it is not the first as shown."""
        fields = [frame.field(name) for name in names]
        known = [one for one in fields if one is not None]
        if len(known) < len(fields):
            return self.lacking(_cut(frame))
        shown = value if value is not None else known[0].shown
        proofs = tuple(proof(frame, one) for one in known)
        return replace(self, value=shown, explanation=explanation or self.explanation, proofs=proofs)


class Exercise(Protocol):
    """Looks at a capture packet by packet, then answers."""

    title: str
    frames: dict[int, Dissected]
    """The frames that the answers' proofs are in."""

    def wants(self, frame: Dissected) -> bool:
        """Whether it matters what ``frame`` carries; if not, only its headers are read."""

    def see(self, frame: Dissected, message: ApplicationData | None) -> bool:
        """Look at the next packet; True once nothing more is needed for the first candidate."""

    def candidates(self) -> Iterator[list[ExerciseAnswer]]:
        """All questions with their answers, in order; of each exchange that can be meant, the first one first."""


def proof(frame: Dissected, one: Field) -> Proof:
    """The bytes of a field."""
    return Proof(frame.packet.number, one.offset, frame.packet.data[one.offset : one.end], one.title)


def _cut(frame: Dissected) -> str:
    if frame.packet.is_cut:
        return (
            f"The snap length cut frame {frame.packet.number} before that field: capture again without a snap length "
            f"(in tcpdump -s 0)."
        )
    return f"Frame {frame.packet.number} has no such field: its header is not whole."


def ethertype_answer(question: ExerciseAnswer, frame: Dissected) -> ExerciseAnswer:
    """The EtherType that says what is inside ``frame``: behind VLAN tags it is the last tag's."""
    field = None
    for layer in frame.layers:
        for name in ("eth.type", "vlan.etype", "sll.etype", "llc.type"):
            field = layer.get(name) or field
    if field is None:
        return question.lacking("The capture begins with the IP header: capture on the network card itself.")
    return replace(question, value=field.shown, proofs=(proof(frame, field),))


NO_LINK = {
    "sll": "The capture is of Linux's interface `any`, which keeps no {which} MAC address: capture on the interface "
    "itself, as labnet capture -i eth0.",
    "raw": "The capture begins with the IP header, so it holds no MAC addresses: capture on the interface itself, as "
    "labnet capture -i eth0.",
    "null": "The capture is of a BSD loopback interface, which has no MAC addresses: capture on a network card.",
}


def link_answer(question: ExerciseAnswer, frame: Dissected, which: str, explanation: str) -> ExerciseAnswer:
    """The ``which`` ("src" or "dst") MAC address of ``frame``, or what to do to get it."""
    outer = frame.layers[0].name if frame.layers else ""
    if outer == "eth":
        if not any(frame.packet.data[:12]):
            return question.lacking(
                "A loopback interface has no MAC addresses, all are zero: capture on a network card."
            )
        return question.proved(frame, f"eth.{which}", explanation=explanation)
    if outer == "sll" and which == "src":
        if frame.field("sll.src.eth") is not None:
            return question.proved(frame, "sll.src.eth", explanation=explanation)
        return question.lacking("The packet came over an interface without MAC addresses.")
    why = NO_LINK.get(outer, NO_LINK["raw"])
    return question.lacking(why.format(which="source" if which == "src" else "destination"))
