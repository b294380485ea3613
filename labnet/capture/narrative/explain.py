"""``labnet explain``: the packet list, then the story.

The file is read once; in memory there are never more than the open exchanges and sessions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from labnet.capture.files.formats import PROGRESS, open_capture
from labnet.capture.model import CaptureError, Dissected, Packet
from labnet.capture.narrative.narrative import HEADING, exchange_story, fields_of, frame_story, list_line, session_story
from labnet.capture.packet.applications import ApplicationData, recognise
from labnet.capture.packet.dissect import dissect
from labnet.capture.packet.fragments import Fragments
from labnet.capture.traffic.checks import notes
from labnet.capture.traffic.course_servers import CourseServers
from labnet.capture.traffic.exchanges import CapturedExchange, Exchanges
from labnet.capture.traffic.sessions import CapturedSession, Sessions

Progress = Callable[[float], None]
STORIES: Final = 200
"""Packets that are shown layer by layer when nobody said how many."""


@dataclass
class Understanding:
    """What a packet means depends on those before it: fragments, questions that wait, connections."""

    fragments: Fragments = field(default_factory=Fragments)
    exchanges: Exchanges = field(default_factory=Exchanges)
    sessions: Sessions = field(default_factory=Sessions)
    course_servers: CourseServers = field(default_factory=CourseServers)

    def take(
        self, packet: Packet
    ) -> tuple[Dissected, ApplicationData | None, list[CapturedExchange | CapturedSession]]:
        """``packet`` dissected, its message, and what is over with it."""
        frame = dissect(packet)
        self.fragments.join(frame)
        message = recognise(frame, self.exchanges.expects(frame), self.course_servers.speaks)
        over: list[CapturedExchange | CapturedSession] = []
        if message is not None:
            over.extend(self.exchanges.add(frame, message))
        over.extend(self.sessions.add(frame, message))
        return frame, message, over

    def rest(self) -> Iterator[CapturedExchange | CapturedSession]:
        """What is open at the end of the capture."""
        yield from self.exchanges.rest()
        yield from self.sessions.rest()


def story(happened: Iterable[CapturedExchange | CapturedSession]) -> Iterator[str]:
    """Exchanges and sessions in words."""
    for one in happened:
        yield from exchange_story(one) if isinstance(one, CapturedExchange) else session_story(one)


def explain(path: str, most: int, colour: bool, progress: Progress) -> Iterator[str]:
    """The lines of the whole explanation; at most ``most`` packets are shown layer by layer.

    ``progress`` is called with how much is done, 0 to 1. Raises :class:`CaptureError`.
    """
    count = cut = snap = 0
    zero: int | None = None
    understanding = Understanding(course_servers=CourseServers(path))
    with open_capture(path) as capture, _spool() as stories, _spool() as frames:
        yield HEADING
        for packet in capture:
            if zero is None and packet.has_time:
                zero = packet.time_ns
            count += 1
            if packet.is_cut:
                cut += 1
                snap = max(snap, len(packet.data))
            frame, message, over = understanding.take(packet)
            yield list_line(frame, message, zero or 0)
            _put(stories, story(over))
            if count <= most:
                _put(frames, frame_story(frame, notes(frame), colour))
                _put(frames, [""])
            if count % PROGRESS == 0:
                progress(capture.progress)
        _put(stories, story(understanding.rest()))
        progress(1.0)
        if not count:
            yield f"({path} holds no packets)"
        if capture.stopped:
            yield f"Note: {capture.stopped}."
        if cut:
            yield f"Note: {cut} of {count} packets are cut: the snap length left at most {snap} bytes of each."
        yield from _section("What happened", stories)
        yield from _section("Packet by packet, from the application data down", frames)
        if 0 < most < count:
            yield f"… and {count - most} more packets: --frame N tells one, --packets {count} tells all."


def _spool() -> IO[str]:
    """Lines that are printed after they are made; beyond a megabyte they wait on disk."""
    return tempfile.SpooledTemporaryFile(max_size=1 << 20, mode="w+", encoding="utf-8", errors="replace")


def _put(spool: IO[str], lines: Iterable[str]) -> None:
    spool.writelines(f"{line}\n" for line in lines)


def _section(heading: str, spool: IO[str]) -> Iterator[str]:
    spool.seek(0)
    for number, line in enumerate(spool):
        if not number:
            yield from ("", heading, "")
        yield line.removesuffix("\n")


def explain_frame(path: str, number: int, colour: bool) -> Iterator[str]:
    """Frame ``number`` alone, with every field. Raises :class:`CaptureError`."""
    with open_capture(path) as capture:
        understanding, seen = Understanding(course_servers=CourseServers(path)), 0
        zero: int | None = None
        for packet in capture:
            if zero is None and packet.has_time:
                zero = packet.time_ns
            seen = packet.number
            frame, message, _ = understanding.take(packet)
            if packet.number == number:
                yield HEADING
                yield list_line(frame, message, zero or 0)
                yield ""
                yield from frame_story(frame, notes(frame), colour)
                yield ""
                yield "Every field: bytes, what they are, what Wireshark calls them"
                yield from fields_of(frame)
                return
        why = f"; {capture.stopped}" if capture.stopped else ""
    raise CaptureError(f"{path}: there is no frame {number}: the capture has {seen}{why}")
