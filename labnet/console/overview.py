"""What the screen of ``labnet status`` shows, as rows of text: troubles, services, parents, workers (sans-IO)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from labnet.console.control import CLOSED_BY_EXIT
from labnet.console.rates import Snapshot, rates
from labnet.wire.quoting import quoted


class Trouble(NamedTuple):
    """Something that is wrong: since or at ``at`` (epoch second), None for now; how often, "" for once."""

    at: float | None
    times: str
    text: str


class Row(NamedTuple):
    """One line of a table: its cells, and the value that each column is sorted by."""

    key: str
    cells: tuple[str, ...]
    order: tuple[float | str, ...]
    is_troubled: bool
    detail: str


@dataclass(frozen=True)
class Table:
    """Rows under ``heads``; columns from ``numbers`` on are numbers. Rows with troubles are first."""

    name: str
    heads: tuple[str, ...]
    numbers: int
    rows: Sequence[Row]

    def shown(self, find: str = "", column: int | None = None, is_reversed: bool = False) -> list[Row]:
        """The rows that hold ``find`` in any cell or in their detail, sorted by a column; without one troubles first.

        Upper case and lower case are alike.
        """
        wanted = find.casefold()
        found = [row for row in self.rows if wanted in f"{' '.join(row.cells)} {row.detail}".casefold()]
        if column is None:
            found.sort(key=lambda row: not row.is_troubled, reverse=is_reversed)
        else:
            found.sort(key=lambda row: row.order[column], reverse=is_reversed)
        return found


def troubles(status: Mapping[str, Any]) -> list[Trouble]:
    """What is wrong now, then the warnings and errors of the log, the newest first; each once."""
    now = [Trouble(None, "", text) for text in _wrong_now(status)]
    said = {trouble["text"] for trouble in status["troubles"]}
    reload = status["reload"]
    failed = [
        Trouble(reload["at"], "", f"the last reload failed: {one}") for one in reload["problems"] if one not in said
    ]
    logged = [
        Trouble(one["at"], f"{one['times']} times" if one["times"] > 1 else "", one["text"])
        for one in reversed(status["troubles"])
    ]
    return [*now, *failed, *logged]


def _wrong_now(status: Mapping[str, Any]) -> Iterator[str]:
    for service in status["services"]:
        if service["state"] == CLOSED_BY_EXIT:
            yield "EXIT has closed the command server: labnet command-server open opens it again"
        down = [parent for parent in service.get("parents", ()) if not parent["up"]]
        if down:
            which = ", ".join(parent["address"] for parent in down)
            yield f"{service['name']}: {len(down)} of {len(service['parents'])} parents down: {which}"
    for zone in status.get("secondary", ()):
        if is_missing(zone):
            why = f": {zone['problem']}" if zone["problem"] else ""
            yield f"{zone['resolver']}: the zone {zone['zone']} is not answered from: {zone['state']}{why}"
    for worker in status.get("workers", ()):
        if not (worker["up"] and worker.get("answers")):
            yield f"worker {worker['number']} {'does not answer' if worker['up'] else 'is down'}"


def is_missing(zone: Mapping[str, Any]) -> bool:
    """Whether a zone of other servers is not there to be answered from."""
    return zone["state"] in ("expired", "never had")


def tables(before: Snapshot, now: Snapshot) -> list[Table]:
    """Services, then parents, zones of other servers and workers where there are any."""
    found = [_services(before, now), _parents(now.status), _secondary(now.status), _workers(before, now)]
    return [table for table in found if table.rows or table is found[0]]


def _services(before: Snapshot, now: Snapshot) -> Table:
    by_name = rates(before, now)
    rows = [
        _resolver(service, by_name[service["name"]]) if service["kind"] == "resolver" else _command(service, now)
        for service in now.status["services"]
    ]
    return Table("Services", ("name", "state", "queries/s", "hits", "in flight", "learned", "records"), 2, rows)


def _resolver(service: Mapping[str, Any], rate: Mapping[str, float | None]) -> Row:
    per_second, hits = rate["queries_per_second"], rate["hit_ratio"]
    cache, parents = service["cache"], service.get("parents", ())
    down = sum(not parent["up"] for parent in parents)
    state = service["state"] if not down else "parent down" if down == 1 else f"{down} parents down"
    detail = f"listens on {', '.join(service['listeners'])}; learned {size(cache['bytes'])}"
    if parents:
        detail += f"; parents {len(parents)}, {down or 'none'} down"
    return _row(
        service["name"],
        (service["name"], state),
        (per_second, hits, service["in_flight"], cache["entries"], service["records"]),
        bool(down) or service["state"] != "running",
        detail,
        percent=1,
    )


def _command(service: Mapping[str, Any], now: Snapshot) -> Row:
    sessions = [f"{value:,} {labels[0]}" for name, labels, value in now.samples if name == "labnet_sessions" and labels]
    detail = f"listens on {', '.join(service['listeners'])}" if service["listeners"] else "listens nowhere"
    if sessions:
        detail += f"; sessions: {', '.join(sessions)}"
    is_troubled = service["state"] != "running"
    return _row(service["name"], (service["name"], service["state"]), (None,) * 5, is_troubled, detail)


def _parents(status: Mapping[str, Any]) -> Table:
    rows = []
    for service in status["services"]:
        for parent in service.get("parents", ()):
            trip, again = parent["round_trip"], parent["asked_again_in"]
            detail = "" if again is None else f"asked again in {again:.0f} s"
            names = service["name"], parent["domain"], parent["address"], "up" if parent["up"] else "down"
            milliseconds = None if trip is None else trip * 1000
            rows.append(_row("\n".join(names[:3]), names, (milliseconds, parent["failures"]), not parent["up"], detail))
    return Table("Parents", ("of", "for", "address", "state", "ms", "failures"), 4, rows)


def _secondary(status: Mapping[str, Any]) -> Table:
    rows = []
    for zone in status.get("secondary", ()):
        names = zone["resolver"], zone["zone"], zone["state"]
        detail = "; ".join(filter(None, [zone["primary"] and f"from {zone['primary']}", zone["problem"]]))
        numbers = zone["serial"], zone["next"], zone["expires"]
        rows.append(_row("\n".join(names[:2]), names, numbers, is_missing(zone), detail, plain=0))
    return Table("Zones of others", ("of", "zone", "state", "serial", "next look s", "expires s"), 3, rows)


def _workers(before: Snapshot, now: Snapshot) -> Table:
    then = {worker["number"]: worker["queries"] for worker in before.status.get("workers", ())}
    seconds = now.at - before.at
    rows = []
    for worker in now.status.get("workers", ()):
        grown = worker["queries"] - then.get(worker["number"], 0)
        rate = max(0.0, grown / seconds) if seconds > 0 else None
        state = ("up" if worker.get("answers") else "no answer") if worker["up"] else "down"
        name = f"worker {worker['number']}"
        numbers = rate, worker["restarts"], worker["pid"]
        rows.append(_row(name, (name, state), numbers, state != "up", "", plain=2))
    return Table("Workers", ("worker", "state", "queries/s", "restarts", "process"), 2, rows)


def _row(
    key: str,
    texts: tuple[str, ...],
    numbers: tuple[float | None, ...],
    is_troubled: bool,
    detail: str,
    percent: int = -1,
    plain: int = -1,
) -> Row:
    """A row of texts, then numbers, where None is nothing; number ``percent`` is a share, ``plain`` has no commas."""
    shown = [quoted(text) for text in texts]
    for at, number in enumerate(numbers):
        if number is None:
            shown.append("-")
        elif at == percent:
            shown.append(f"{number:.0%}")
        else:
            shown.append(str(number) if at == plain else f"{number:,.0f}")
    order: tuple[float | str, ...] = (*texts, *(-1.0 if number is None else number for number in numbers))
    return Row(key, tuple(shown), order, is_troubled, quoted(detail))


def clock(at: float) -> str:
    """An epoch second as the local time of day with its date."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A time in its two largest units."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join([part for part in parts if part][:2]) or f"{left} s"


def size(count: float) -> str:
    """So many bytes in a unit that fits."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
