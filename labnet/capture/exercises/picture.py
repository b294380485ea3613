"""The four-packet trace as a picture: who sends what to whom, when, in SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Final

from labnet.capture.exercises.run import Done
from labnet.capture.model import CaptureError, Dissected
from labnet.capture.narrative.hexdump import printable
from labnet.net.addresses import address_text

_WIDTH: Final = 940
_LINES: Final = {"client": 130, "child": 470, "parent": 810}
_TOP: Final = 90
_STEP: Final = 92
_WAYS: Final = (("client", "child"), ("child", "parent"), ("parent", "child"), ("child", "client"))
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.who{font-weight:600;font-size:15px}.data{font:12px ui-monospace,"
    "monospace}.small{fill:#666}line{stroke:#888}.way{stroke:#1565c0;stroke-width:1.6}rect{fill:#fff}"
)


def picture(done: Done) -> str:
    """A sequence diagram of the trace in ``done``. Raises :class:`CaptureError` where it has none."""
    frames = [done.frames[number] for number in sorted(done.frames)]
    if done.name != "trace" or len(frames) != len(_WAYS):
        raise CaptureError("only a trace with its four packets has a picture: labnet exercise trace FILE --svg")
    height = _TOP + _STEP * len(frames) + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{html.escape(done.title)}</title><style>{_STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#1565c0"/></marker></defs>',
            f'<rect width="{_WIDTH}" height="{height}"/>',
            *_lifelines(frames, height),
            *(line for number in range(len(frames)) for line in _packet(number, frames)),
            "</svg>",
        ]
    )


def _lifelines(frames: list[Dissected], height: int) -> Iterator[str]:
    """Each program with its address and the port that it listens on or asks from."""
    query, onward = frames[0], frames[1]
    ports = {"client": query.ports, "child": query.ports, "parent": onward.ports}
    addresses = {"client": query.source, "child": query.destination, "parent": onward.destination}
    for who, x in _LINES.items():
        known = ports[who] or (0, 0)
        port = known[0] if who == "client" else known[1]
        yield f'<text class="who" x="{x}" y="30" text-anchor="middle">{who}</text>'
        yield f'<text class="small" x="{x}" y="50" text-anchor="middle">{_end(addresses[who], port)}</text>'
        yield f'<line x1="{x}" y1="62" x2="{x}" y2="{height - 10}" stroke-dasharray="4 4"/>'


def _packet(number: int, frames: list[Dissected]) -> Iterator[str]:
    frame = frames[number]
    sender, receiver = _WAYS[number]
    start, end = _LINES[sender], _LINES[receiver]
    middle, y = (start + end) // 2, _TOP + _STEP * number + 34
    source, destination = frame.ports or (0, 0)
    after = (frame.packet.time_ns - frames[0].packet.time_ns) / 1e6
    data = printable(frame.data.decode(errors="replace").strip())
    shown = data if len(data) <= 46 else data[:45] + "…"
    where = f"frame {frame.packet.number} · {after:.3f} ms · port {source} → {destination} · {len(frame.data)} bytes"
    yield f'<text class="data" x="{middle}" y="{y - 8}" text-anchor="middle">{html.escape(shown)}</text>'
    yield f'<line class="way" x1="{start}" y1="{y}" x2="{end}" y2="{y}" marker-end="url(#head)"/>'
    yield f'<text class="small" x="{middle}" y="{y + 18}" text-anchor="middle">{html.escape(where)}</text>'


def _end(host: str, port: int) -> str:
    return html.escape(address_text(host, port))
