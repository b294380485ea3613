"""One exercise on one capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from labnet.capture.exercises.arp import ARP
from labnet.capture.exercises.dhcp import DHCP
from labnet.capture.exercises.http import HTTP
from labnet.capture.exercises.ip import IPHeader
from labnet.capture.exercises.model import Exercise, ExerciseAnswer
from labnet.capture.exercises.trace import Trace
from labnet.capture.files.formats import PROGRESS, open_capture
from labnet.capture.model import Dissected
from labnet.capture.packet.applications import recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.packet.fragments import Fragments
from labnet.capture.traffic.exchanges import Exchanges

EXERCISES: Final[dict[str, Callable[[], Exercise]]] = {
    "ip": IPHeader, "dhcp": DHCP, "arp": ARP, "http": HTTP, "trace": Trace,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Done:
    """An exercise done: ``frames`` are those that the answers speak of, ``stopped`` where the file ended early."""

    name: str
    title: str
    answers: list[ExerciseAnswer]
    frames: dict[int, Dissected]
    stopped: str | None


def run(name: str, path: str, progress: Callable[[float], None]) -> Done:
    """The exercise ``name`` on the capture at ``path``; ``progress`` is called with how much is read, 0 to 1.

    Raises :class:`labnet.capture.model.CaptureError`.
    """
    exercise = EXERCISES[name]()
    fragments, exchanges = Fragments(), Exchanges()
    with open_capture(path) as capture:
        for packet in capture:
            frame, message = dissect(packet), None
            if frame.fragment is not None:
                fragments.join(frame)
            if exercise.wants(frame):
                message = recognise(frame, exchanges.expects(frame))
                if message is not None:
                    for _ in exchanges.add(frame, message):
                        pass
            if packet.number % PROGRESS == 0:
                progress(capture.progress)
            if exercise.see(frame, message):
                break
        progress(1.0)
        return Done(name, exercise.title, exercise.answers(), exercise.frames, capture.stopped)
