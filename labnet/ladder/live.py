"""Exchanges and sessions, as the API under ``/api/1/`` tells them, as one ladder: the last at the bottom.

A question that joined another one in flight, and the questions that a resolver of this lab asks another one of it,
stand under the question that they belong to, each datagram once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from labnet.ladder.hosts import Hosts, address_of
from labnet.ladder.model import MEANING, Arrow, ArrowKind, Bar, Heading, Ladder

Value = Mapping[str, Any]

_RESULTS: Final = {
    "hit": "from memory",
    "learned": "from memory: learned before",
    "asked": "asked the parent",
    "joined": "waited for the same question of somebody else",
    "negative": "there is no such record",
    "refused": "refused",
    "dropped": "dropped",
    "limited": "over its rate",
    "failed": "no parent answered",
    "malformed": "not readable",
}
_KINDS: Final = {"again": ArrowKind.RETRY, "silence": ArrowKind.SILENCE, "thrown-away": ArrowKind.IGNORED}
_ENDS: Final = {"refused": ArrowKind.REFUSED, "dropped": ArrowKind.DROPPED, "limited": ArrowKind.LIMITED}
"""What the mark is of a question that got no reply, by its result."""
_LOST: Final = frozenset({"drop", "silent", "down"})
"""Faults by which a datagram never arrives."""
_HELD: Final = frozenset({"delay", "reorder"})
"""Faults by which it arrives later."""
_CONNECTION: Final = {"opened": "connects", "waiting": "waits for its turn: place", "served": "", "closed": "closes"}


@dataclass(slots=True)
class _Group:
    """What stands under one heading."""

    began: float
    heading: tuple[str, str]
    exchanges: list[Value] = field(default_factory=list)
    session: list[Value] = field(default_factory=list)

    def rows(self) -> int:
        return 1 + sum(len(one["datagrams"]) for one in self.exchanges) + len(self.session)


def live_ladder(
    exchanges: Sequence[Value],
    sessions: Sequence[Value] = (),
    hosts: Mapping[str, str] | None = None,
    hide_clients: bool = False,
    most: int = 120,
) -> Ladder:
    """The ladder of ``exchanges`` and of what happened in ``sessions``; the last are shown, in about ``most`` rows.

    ``hosts`` says what listens at an address ("127.0.0.1:1200" is "resolver parent"); ``hide_clients`` leaves away who
    the clients are, for a projector.
    """
    groups = sorted(_groups(exchanges, sessions), key=lambda group: group.began)
    shown: list[_Group] = []
    rows = 0
    for group in reversed(groups):
        rows += group.rows()
        if shown and rows > most:
            break
        shown.insert(0, group)
    whole = [one for group in shown for one in group.exchanges]
    told = [group.session[0] for group in shown if group.session]
    seats = Hosts(whole, told, hosts or {}, hide_clients, alone=len(shown) == 1)
    ladder = Ladder(_title(shown), more=0)
    for group in shown:
        _add(ladder, group, seats)
    ladder.columns = seats.columns()
    order = seats.order()
    ladder.rows = [row if isinstance(row, Heading) else _placed(row, order) for row in ladder.rows]
    ladder.bars = [Bar(order[bar.column], bar.first, bar.last) for bar in ladder.bars]
    return ladder


def _title(shown: Sequence[_Group]) -> str:
    if len(shown) == 1:
        return f"The ladder of {shown[0].heading[0]}"
    return f"The ladder of the last {len(shown)} exchanges and sessions, time downwards"


def _placed(arrow: Arrow, order: Sequence[int]) -> Arrow:
    return replace(arrow, start=order[arrow.start], end=order[arrow.end])


def _groups(exchanges: Sequence[Value], sessions: Sequence[Value]) -> Iterator[_Group]:
    by_id = {one["id"]: one for one in exchanges}
    asked_from = {
        address_of(datagram["from"]): one["id"]
        for one in exchanges
        for datagram in one["datagrams"]
        if datagram["from"]["port"] and datagram["from"] not in (one["client"], one["listener"])
    }
    groups: dict[str, _Group] = {}
    for one in exchanges:
        top = _top(one, by_id, asked_from)
        group = groups.get(top["id"])
        if group is None:
            group = groups[top["id"]] = _Group(top["began"], _heading(top))
        group.exchanges.insert(0 if one is top else len(group.exchanges), one)
    yield from groups.values()
    by_session: dict[str, list[Value]] = {}
    for event in sessions:
        by_session.setdefault(event["id"], []).append(event)
    for events in by_session.values():
        why = next((event["why"] for event in events if event.get("why")), "open")
        began = events[0]["time"]
        yield _Group(began, ("TCP session", f"{_clock(began)} · {why}"), session=events)


def _top(one: Value, by_id: Mapping[str, Value], asked_from: Mapping[str, str]) -> Value:
    """The exchange that ``one`` is part of; itself where it is part of none that is shown."""
    passed = {one["id"]}
    while True:
        above = one.get("joined_to") or asked_from.get(address_of(one["client"]))
        if above is None or above in passed or above not in by_id:
            return one
        passed.add(above)
        one = by_id[above]


def _heading(one: Value) -> tuple[str, str]:
    name = " ".join(filter(None, (one["name"] or "(no name)", one["type"])))
    result = _RESULTS.get(one["result"] or "", one["result"] or "waits")
    return name, " · ".join(filter(None, (_clock(one["began"]), result, one.get("answer"))))


def _clock(when: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(when))


def _add(ladder: Ladder, group: _Group, seats: Hosts) -> None:
    ladder.add(Heading(int(group.began * 1e9), *group.heading))
    if group.session:
        for arrow in _session(group.session, seats):
            ladder.add(arrow)
        return
    waits: dict[int, tuple[int, int]] = {}
    arrows = [(arrow, way) for one in group.exchanges for arrow, way in _exchange(one, seats)]
    arrows.sort(key=lambda one: one[0].time_ns)
    counted: Counter[tuple[str, Any]] = Counter()
    drawn: dict[tuple[int, Any], int] = {}
    for arrow, (source, target, is_upward) in arrows:
        key = (source, target, arrow.says)
        counted[arrow.exchange, key] += 1
        place = drawn.setdefault((counted[arrow.exchange, key], key), len(ladder.rows))
        if is_upward:
            column = seats.resolver(arrow.exchange)
            first, last = waits.get(column, (place, place))
            waits[column] = (min(first, place), max(last, place))
        if place == len(ladder.rows):
            ladder.add(arrow)
        elif arrow.fault or arrow.kind is not ArrowKind.SENT:
            # One end of the same process sent it, and the other, which received it, has more to tell.
            ladder.rows[place] = replace(arrow, time_ns=ladder.rows[place].time_ns)
    ladder.bars += [Bar(column, *rows) for column, rows in waits.items()]


def _exchange(one: Value, seats: Hosts) -> Iterator[tuple[Arrow, tuple[str, str, bool]]]:
    """Its arrows, each with both addresses and whether it is between the resolver and a parent."""
    seats.enter(one)
    resolver, client = seats.resolver(one["id"]), seats.client(one["client"])
    asked = next((at for at, one_of in enumerate(one["datagrams"]) if one_of["from"] == one["client"]), None)
    is_answered = any(datagram["to"] == one["client"] for datagram in one["datagrams"])
    for number, datagram in enumerate(one["datagrams"]):
        start, end = seats.way(one, datagram)
        ends = (address_of(datagram["from"]), address_of(datagram["to"]))
        kind = _KINDS.get(datagram["kind"], ArrowKind.SENT)
        says, detail = datagram.get("text") or "", datagram.get("note") or ""
        if kind is ArrowKind.SILENCE:
            start, end = end, start  # who was silent is named first, and who waited is drawn
            says, detail = detail or says, ""
        elif number == asked and one.get("joined_to"):
            kind = ArrowKind.JOINED
        elif number == asked and not is_answered and one["result"] in _ENDS:
            kind, detail = _ENDS[one["result"]], detail or _reason(one)
        fault = str(datagram.get("fault") or "").partition(" at ")[0]
        if fault:
            kind, detail = _struck(fault.partition(" ")[0], kind, detail)
        says, detail = seats.hidden(says, one["client"]), seats.hidden(detail, one["client"])
        arrow = Arrow(int(datagram["time"] * 1e9), start, end, says, detail, kind, fault, one["id"], number)
        yield arrow, (*ends, client not in (start, end) and resolver in (start, end))


def _struck(fault: str, kind: ArrowKind, detail: str) -> tuple[ArrowKind, str]:
    """What became of a datagram, and its detail, that the ``fault`` was done to."""
    detail = "" if detail == fault else detail
    if fault in _HELD and kind is ArrowKind.IGNORED:
        return ArrowKind.DROPPED, "held back"
    if fault in _LOST:
        return ArrowKind.DROPPED, MEANING[kind] if kind is ArrowKind.RETRY else detail
    return kind, detail


def _reason(one: Value) -> str:
    """What the decision came to in the end."""
    return str(one["why"][-1]["sentence"]) if one.get("why") else ""


def _session(events: Sequence[Value], seats: Hosts) -> Iterator[Arrow]:
    for number, event in enumerate(events):
        client, server = seats.client(event["client"]), seats.server(event["server"])
        what, text, reply = event["what"], event.get("text") or "", event.get("reply") or ""
        why = seats.hidden(event.get("why") or "", event["client"])
        by_server = what in ("served", "waiting") or (what == "closed" and "client" not in why)
        when, ident = int(event["time"] * 1e9), event["id"]
        says = f"{_CONNECTION['waiting']} {text}" if what == "waiting" else str(text or _CONNECTION.get(what, what))
        says = seats.hidden(says.strip(), event["client"])
        if says:
            ends = (server, client) if by_server else (client, server)
            yield Arrow(when, *ends, says, why, session=ident, number=number)
        if reply:
            yield Arrow(when, server, client, seats.hidden(reply, event["client"]), session=ident, number=number)
