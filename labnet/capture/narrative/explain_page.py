"""``labnet explain --html`` and ``--json``: the packet list, the ladders of what happened, the frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from labnet.capture.files.formats import PROGRESS, open_capture
from labnet.capture.model import Dissected
from labnet.capture.narrative.explain import Understanding, story
from labnet.capture.narrative.ladder import ladders
from labnet.capture.narrative.narrative import protocol_and_info
from labnet.capture.narrative.webpage import document, frame_figure, text
from labnet.capture.traffic.checks import notes
from labnet.capture.traffic.course_servers import CourseServers
from labnet.capture.traffic.exchanges import CapturedExchange
from labnet.capture.traffic.sessions import CapturedSession
from labnet.ladder.svg import ladder_svg

MOST_LISTED: Final = 10_000
"""Packets in the list of a page; a browser shows no longer one well."""
MOST_LADDERS: Final = 200


@dataclass
class _Looked:
    """A capture as a page or as JSON shows it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    happened: list[CapturedExchange | CapturedSession] = field(default_factory=list)
    frames: list[Dissected] = field(default_factory=list)
    count: int = 0
    stopped: str | None = None


def explain_page(path: str, most: int, progress: Callable[[float], None]) -> str:
    """One web page about the capture at ``path``; ``most`` packets are shown layer by layer.

    Raises :class:`labnet.capture.model.CaptureError`.
    """
    looked = _look(path, most, progress)
    return document(f"What is in {path}", _body(looked))


def explain_json(path: str, most: int, progress: Callable[[float], None]) -> str:
    """The list, what happened in words, and the fields of ``most`` packets, for other programs.

    Raises :class:`labnet.capture.model.CaptureError`.
    """
    looked = _look(path, most, progress)
    frames = [
        {
            "frame": frame.packet.number,
            "layers": [
                {
                    "layer": layer.name,
                    "title": layer.title,
                    "fields": [
                        {"field": one.name, "offset": one.offset, "length": one.length, "shown": one.shown}
                        for one in layer.fields
                    ],
                }
                for layer in frame.layers
            ],
            "notes": [{"kind": note.kind, "text": note.text} for note in frame.notes],
        }
        for frame in looked.frames
    ]
    happened = [list(story([one])) for one in looked.happened]
    result: dict[str, Any] = {"packets": looked.rows, "count": looked.count, "happened": happened, "frames": frames}
    result["stopped"] = looked.stopped
    return json.dumps(result, indent=1, ensure_ascii=False)


def _look(path: str, most: int, progress: Callable[[float], None]) -> _Looked:
    looked, understanding = _Looked(), Understanding(course_servers=CourseServers(path))
    zero: int | None = None
    with open_capture(path) as capture:
        for packet in capture:
            frame, message, over = understanding.take(packet)
            if zero is None and packet.has_time:
                zero = packet.time_ns
            looked.count += 1
            looked.happened.extend(over[: MOST_LADDERS - len(looked.happened)])
            if looked.count <= MOST_LISTED:
                protocol, info = protocol_and_info(frame, message)
                looked.rows.append({
                    "frame": packet.number,
                    "seconds": (packet.time_ns - (zero or 0)) / 1e9 if packet.has_time else None,
                    "source": frame.source, "destination": frame.destination, "protocol": protocol,
                    "length": packet.wire_length, "info": info,
                })  # fmt: skip
            if looked.count <= most:
                frame.notes = notes(frame)
                looked.frames.append(frame)
            if looked.count % PROGRESS == 0:
                progress(capture.progress)
        looked.happened.extend(list(understanding.rest())[: MOST_LADDERS - len(looked.happened)])
        looked.stopped = capture.stopped
    progress(1.0)
    return looked


def _body(looked: _Looked) -> Iterator[str]:
    if looked.stopped:
        yield f"<p>Note: {text(looked.stopped)}.</p>"
    if looked.happened:
        yield "<h2>What happened</h2>"
    for one, ladder in zip(looked.happened, ladders(looked.happened), strict=True):
        lines = "\n".join(text(line) for line in story([one]))
        yield f'<div class="scroll">{ladder_svg(ladder)}</div>'
        yield f"<details><summary>In words</summary><pre>{lines}</pre></details>"
    yield "<h2>Packets</h2>"
    yield from _list(looked)
    for frame in looked.frames:
        yield from frame_figure(frame, set())


def _list(looked: _Looked) -> Iterator[str]:
    shown = {frame.packet.number for frame in looked.frames}
    yield '<div class="scroll" tabindex="0"><table class="list"><thead><tr>'
    yield "".join(f"<th>{name}</th>" for name in ("No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"))
    yield "</tr></thead><tbody>"
    for row in looked.rows:
        number = row["frame"]
        link = f'<a href="#frame{number}">{number}</a>' if number in shown else str(number)
        when = "no time" if row["seconds"] is None else f"{row['seconds']:.6f}"
        cells = [row["source"], row["destination"], row["protocol"], str(row["length"]), row["info"]]
        yield f"<tr><td>{link}</td><td>{when}</td>{''.join(f'<td>{text(cell)}</td>' for cell in cells)}</tr>"
    yield "</tbody></table></div>"
    if looked.count > len(looked.rows):
        yield f"<p>… and {looked.count - len(looked.rows)} more packets.</p>"
