"""The ladder: a column a host, an arrow a datagram or segment, time downwards; as SVG and as text.

What went on to a parent is an arrow further; an answer from memory has none. A question that was asked again is dashed,
and silence is drawn: who waited, for how long.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from labnet.capture.narrative.hexdump import printable
from labnet.capture.traffic.exchanges import PATIENCE, Exchange
from labnet.capture.traffic.sessions import Session
from labnet.net.addresses import address_text

MOST_ARROWS: Final = 200
"""Arrows of one ladder; a longer one says how many more there are."""

_COLUMN, _MARGIN, _TOP, _STEP = 340, 130, 90, 62
_STYLE: Final = (
    ".ladder text{font:13px system-ui,sans-serif;fill:currentColor}.ladder .who{font-weight:600;font-size:15px}"
    ".ladder .data{font:12px ui-monospace,monospace}.ladder .small{opacity:.7}.ladder line{stroke:currentColor;"
    "stroke-opacity:.4}.ladder .way{stroke:#2f7bd6;stroke-opacity:1;stroke-width:1.8}"
    ".ladder .again{stroke-dasharray:6 4}.ladder .silence{fill:#c2410c}.ladder #head path{fill:#2f7bd6}"
)


@dataclass(frozen=True, slots=True)
class Arrow:
    """One datagram or segment from column ``start`` to column ``end``; the same column twice is a note there.

    ``says`` stands on it and ``detail`` below; ``kind`` is "sent", "again" (dashed) or "silence".
    """

    time_ns: int
    start: int
    end: int
    says: str
    detail: str
    kind: str = "sent"
    frame: int = 0


@dataclass(slots=True)
class Ladder:
    """``hosts`` are the columns, each a role and an address; times count from the first arrow."""

    title: str
    hosts: list[tuple[str, str]] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    more: int = 0

    def add(self, arrow: Arrow) -> None:
        """Add an arrow, if there is room."""
        if len(self.arrows) < MOST_ARROWS:
            self.arrows.append(arrow)
        else:
            self.more += 1


def exchange_ladder(exchange: Exchange) -> Ladder:
    """The ladder of a question, with the questions to parents that it caused."""
    ladder = Ladder(f"{exchange.protocol} exchange about {exchange.name}")
    ladder.hosts.append(("client", address_text(*exchange.client)))
    arrows: list[Arrow] = []
    _add_exchange(ladder, exchange, 0, arrows)
    for arrow in sorted(arrows, key=lambda one: (one.time_ns, one.frame)):
        ladder.add(arrow)
    return ladder


def _add_exchange(ladder: Ladder, exchange: Exchange, depth: int, arrows: list[Arrow]) -> None:
    if len(ladder.hosts) < depth + 2:
        role = "server" if depth == 0 else "parent" if depth == 1 else f"parent {depth}"
        ladder.hosts.append((role, address_text(*exchange.server)))
    ports = f"port {exchange.client[1]} → {exchange.server[1]}"
    for number, step in enumerate((exchange.question, *exchange.retries)):
        kind = "again" if number else "sent"
        arrows.append(Arrow(step.time_ns, depth, depth + 1, step.says, ports, kind, step.frame))
    for parent in exchange.parents:
        _add_exchange(ladder, parent, depth + 1, arrows)
    if exchange.answer is not None:
        answer = exchange.answer
        back = f"port {answer.source[1]} → {answer.destination[1]}"
        arrows.append(Arrow(answer.time_ns, depth + 1, depth, answer.says, back, "sent", answer.frame))
    else:
        last = (exchange.retries or [exchange.question])[-1]
        says = f"no answer in this capture (looked for {PATIENCE // 1_000_000_000} s)"
        arrows.append(Arrow(last.time_ns + 1, depth, depth, says, "", "silence", last.frame))


def session_ladder(session: Session) -> Ladder:
    """The ladder of a TCP connection."""
    ladder = Ladder(f"{session.protocol or 'TCP'} session")
    ladder.hosts = [("client", address_text(*session.client)), ("server", address_text(*session.server))]
    for event in session.events:
        if event.who in ("client", "server"):
            start, end = (0, 1) if event.who == "client" else (1, 0)
            kind = "again" if event.kind in ("again", "partly_again", "fills", "keep_alive", "probe") else "sent"
            ladder.add(Arrow(event.time_ns, start, end, event.says, event.kind, kind, event.frame))
    ladder.more += session.untold
    return ladder


def ladder_text(ladder: Ladder) -> Iterator[str]:
    """The ladder for a terminal or a screen reader: a line an arrow."""
    width = 28
    yield "".join(f"{role} {address}"[: width - 2].ljust(width) for role, address in ladder.hosts).rstrip()
    first = ladder.arrows[0].time_ns if ladder.arrows else 0
    for arrow in ladder.arrows:
        after = f"{(arrow.time_ns - first) / 1e6:10.3f} ms  "
        left, right = sorted((arrow.start, arrow.end))
        says = printable(arrow.says)
        if left == right:
            yield f"{after}{' ' * (width * left)}! {says}"
            continue
        stroke = ("- " if arrow.kind == "again" else "—") * (width * (right - left))
        way = stroke[: width * (right - left) - 1]
        drawn = f"{way}>" if arrow.start < arrow.end else f"<{way}"
        yield f"{after}{' ' * (width * left)}{drawn}  {says}"
    if ladder.more:
        yield f"… and {ladder.more} more"


def ladder_svg(ladder: Ladder, is_alone: bool = False) -> str:
    """The ladder as an SVG element; ``is_alone`` makes it a file of its own, black on white."""
    width = 2 * _MARGIN + _COLUMN * (len(ladder.hosts) - 1)
    height = _TOP + _STEP * (len(ladder.arrows) + bool(ladder.more)) + 20
    paper = f'<rect width="{width}" height="{height}" fill="#fff"/>' if is_alone else ""
    colour = ' xmlns="http://www.w3.org/2000/svg" color="#222"' if is_alone else ""
    first = ladder.arrows[0].time_ns if ladder.arrows else 0
    parts = [
        f'<svg class="ladder" viewBox="0 0 {width} {height}" role="img"{colour}>',
        f"<title>{_text(ladder.title)}</title>",
        f"<style>{_STYLE}</style>" if is_alone else "",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z"/></marker></defs>',
        paper,
        *(line for column, host in enumerate(ladder.hosts) for line in _lifeline(column, host, height)),
        *(line for number, arrow in enumerate(ladder.arrows) for line in _arrow(number, arrow, first)),
    ]
    if ladder.more:
        parts.append(f'<text class="small" x="{_MARGIN}" y="{height - 24}">… and {ladder.more} more</text>')
    return "\n".join([*filter(None, parts), "</svg>"])


def _x(column: int) -> int:
    return _MARGIN + _COLUMN * column


def _lifeline(column: int, host: tuple[str, str], height: int) -> Iterator[str]:
    x = _x(column)
    yield f'<text class="who" x="{x}" y="30" text-anchor="middle">{_text(host[0])}</text>'
    yield f'<text class="small" x="{x}" y="50" text-anchor="middle">{_text(host[1])}</text>'
    yield f'<line x1="{x}" y1="62" x2="{x}" y2="{height - 10}" stroke-dasharray="4 4"/>'


def _arrow(number: int, arrow: Arrow, first: int) -> Iterator[str]:
    y = _TOP + _STEP * number + 24
    start, end = _x(arrow.start), _x(arrow.end)
    room = 46 * max(1, abs(arrow.end - arrow.start))
    says = arrow.says if len(arrow.says) <= room else arrow.says[: room - 1] + "…"
    after = f"{(arrow.time_ns - first) / 1e6:.3f} ms"
    if arrow.start == arrow.end:
        yield f'<text class="silence" x="{start + 10}" y="{y}">✕ {_text(says)}</text>'
        return
    where = " · ".join(filter(None, (f"frame {arrow.frame}" if arrow.frame else "", after, arrow.detail)))
    again = " again" if arrow.kind == "again" else ""
    middle = (start + end) // 2
    yield f'<text class="data" x="{middle}" y="{y - 7}" text-anchor="middle">{_text(says)}</text>'
    yield f'<line class="way{again}" x1="{start}" y1="{y}" x2="{end}" y2="{y}" marker-end="url(#head)"/>'
    yield f'<text class="small" x="{middle}" y="{y + 16}" text-anchor="middle">{_text(where)}</text>'


def ladder_style() -> str:
    """The style sheet of ladders inside a page."""
    return _STYLE


def _text(value: str) -> str:
    return html.escape(printable(value))


def ladders(happened: Iterable[Exchange | Session]) -> Iterator[Ladder]:
    """The ladder of each."""
    for one in happened:
        yield exchange_ladder(one) if isinstance(one, Exchange) else session_ladder(one)
