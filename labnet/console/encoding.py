"""Events as JSON: as the page and its API give them, and as a worker sends them to its supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from labnet.console.ring import Noted, Skipped
from labnet.events import Datagram, End, Event, Exchange, FaultChanged, LogLine, ParentChanged, Session, Step
from labnet.wire.quoting import quoted
from labnet.wire.said import said

KINDS: Final[Mapping[type, str]] = {
    Exchange: "exchange",
    Session: "session",
    ParentChanged: "parent",
    LogLine: "log",
    FaultChanged: "fault",
    Skipped: "skipped",
}
"""How each kind of event is called."""

_KINDS: Final = {name: kind for kind, name in KINDS.items()}


def shown(noted: Noted, whole: bool = False) -> dict[str, Any]:
    """``noted`` as JSON: by the time of day, harmless; the bytes of datagrams only where it is ``whole``."""
    event = noted.event
    if isinstance(event, Exchange):
        return _exchange(event, noted.ahead, whole)
    if isinstance(event, Skipped):
        return {"count": event.left_out}
    table = _harmless(event._asdict())
    if not isinstance(event, LogLine):  # whose time is that of day already
        table["time"] += noted.ahead
    return {key: end_json(value) if isinstance(value, tuple) else value for key, value in table.items()}


def end_json(end: End) -> dict[str, Any]:
    """An address and a port."""
    return {"host": end[0], "port": end[1]}


def step_json(step: Step) -> dict[str, Any]:
    """A step of a decision."""
    return {"kind": step.kind, "sentence": quoted(step.sentence)}


def _exchange(event: Exchange, ahead: float, whole: bool) -> dict[str, Any]:
    table = _harmless(event._asdict())
    table.update(
        listener=end_json(event.listener),
        client=end_json(event.client),
        began=event.began + ahead,
        ended=event.ended + ahead,
        datagrams=[_datagram(one, ahead, whole) for one in event.datagrams],
        why=[step_json(step) for step in event.why],
    )
    return table


def _datagram(one: Datagram, ahead: float, whole: bool) -> dict[str, Any]:
    table: dict[str, Any] = {
        "time": one.time + ahead,
        "from": end_json(one.source),
        "to": end_json(one.destination),
        "transport": one.transport,
        "kind": one.kind,
        "text": said(one.data).line,
        "note": quoted(one.note),
        "fault": one.fault or None,
        "size": len(one.data),
    }
    if whole:
        table["bytes"] = one.data.hex()
    return table


def _harmless(table: dict[str, Any]) -> dict[str, Any]:
    return {key: quoted(value) if isinstance(value, str) else value for key, value in table.items()}


def packed(event: Event | Skipped) -> list[Any]:
    """``event`` for a process that :func:`unpacked` makes it anew in."""
    fields: list[Any] = list(event)
    if isinstance(event, Exchange):
        fields[13] = [[*one[:3], one.data.hex(), *one[4:]] for one in event.datagrams]
        fields[14] = [[step.kind, dict(step.values)] for step in event.why]
    return [KINDS[type(event)], *fields]


def unpacked(packed: list[Any]) -> Event | Skipped:
    """The event that :func:`packed` took apart."""
    name, *fields = packed
    fields = [(field[0], field[1]) if _is_end(field) else field for field in fields]
    if name == "exchange":
        fields[13] = tuple(
            Datagram(time, _end(source), _end(destination), bytes.fromhex(data), *rest)
            for time, source, destination, data, *rest in fields[13]
        )
        fields[14] = tuple(Step(kind, values) for kind, values in fields[14])
    made: Event | Skipped = _KINDS[name](*fields)
    return made


def _is_end(field: Any) -> bool:
    return isinstance(field, list) and len(field) == 2 and isinstance(field[0], str) and isinstance(field[1], int)


def _end(end: list[Any]) -> End:
    return str(end[0]), int(end[1])
