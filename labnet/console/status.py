"""The page of ``labnet status``: what a lab says of itself, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labnet.console.overview import clock, is_missing, size, span, troubles
from labnet.console.rates import Snapshot, rates
from labnet.wire.quoting import quoted


def page(before: Snapshot, now: Snapshot) -> RenderableType:
    """Everything, for a terminal of any width: troubles first."""
    status = now.status
    is_well = not troubles(status)
    parts: list[RenderableType] = [_head(status)]
    if not is_well:
        parts.append(_troubles(status))
    parts.append(_services(before, now))
    parents = [(service["name"], parent) for service in status["services"] for parent in service.get("parents", ())]
    if parents:
        parts.append(_parents(parents))
    if status.get("secondary"):
        parts.append(_secondary(status["secondary"]))
    if status.get("workers"):
        parts.append(_workers(before, now))
    if is_well:
        parts.append(Text("no warnings, no errors"))
    return Group(*parts)


def _head(status: Mapping[str, Any]) -> Text:
    config = status["config"] or "the built-in lab"
    head = f"labnet {status['version']}  process {status['pid']}  up {span(status['uptime'])}  {config}"
    reload = status["reload"]
    if reload["at"] is not None:
        how = "failed" if reload["problems"] else "done"
        head += f"\nlast reload {how} at {clock(reload['at'])}"
    return Text(head)


def _services(before: Snapshot, now: Snapshot) -> Table:
    by_name = rates(before, now)
    table = _table("service", "state", "listens on", "queries/s", "no parent asked", "in flight", "learned", "records")
    for service in now.status["services"]:
        row = [service["name"], service["state"], "\n".join(service["listeners"])]
        if service["kind"] == "resolver":
            rate, ratio = by_name[service["name"]]["queries_per_second"], by_name[service["name"]]["hit_ratio"]
            cache = service["cache"]
            row += [
                "-" if rate is None else f"{rate:,.0f}",
                "-" if ratio is None else f"{ratio:.1%}",
                str(service["in_flight"]),
                f"{cache['entries']:,} ({size(cache['bytes'])})",
                f"{service['records']:,}",
            ]
        else:
            sessions = [
                f"{value:,} {labels[0]}" for name, labels, value in now.samples if name == "labnet_sessions" and labels
            ]
            row += ["sessions: " + ", ".join(sessions) if sessions else "-"]
        table.add_row(*map(_cell, row))
    return table


def _parents(parents: Iterable[tuple[str, Mapping[str, Any]]]) -> Table:
    table = _table("parents of", "for", "address", "state", "round trip", "failures in a row")
    for resolver, parent in parents:
        again = parent["asked_again_in"]
        down = "down" if again is None else f"down, asked again in {again:.0f} s"
        trip = parent["round_trip"]
        table.add_row(
            _cell(resolver),
            _cell(parent["domain"]),
            _cell(parent["address"]),
            Text("up", "green") if parent["up"] else Text(down, "red"),
            "-" if trip is None else f"{trip * 1000:.1f} ms",
            str(parent["failures"]),
        )
    return table


def _secondary(zones: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("zone of others", "of", "state", "serial", "primary", "next look", "expires")
    for zone in zones:
        table.add_row(
            _cell(zone["zone"]),
            _cell(zone["resolver"]),
            Text(zone["state"], "red" if is_missing(zone) else "green"),
            "-" if zone["serial"] is None else str(zone["serial"]),
            _cell(zone["primary"] or "-"),
            "-" if zone["next"] is None else f"in {span(zone['next'])}",
            "-" if zone["expires"] is None else f"in {span(zone['expires'])}",
        )
    return table


def _workers(before: Snapshot, now: Snapshot) -> Table:
    table = _table("worker", "process", "state", "queries/s", "restarts")
    then = {worker["number"]: worker["queries"] for worker in before.status.get("workers", ())}
    for worker in now.status["workers"]:
        seconds = now.at - before.at
        rate = (worker["queries"] - then.get(worker["number"], 0)) / seconds if seconds > 0 else None
        table.add_row(
            str(worker["number"]),
            "-" if worker["pid"] is None else str(worker["pid"]),
            _state(worker),
            "-" if rate is None else f"{max(0.0, rate):,.0f}",
            str(worker["restarts"]),
        )
    return table


def _state(worker: Mapping[str, Any]) -> Text:
    if not worker["up"]:
        return Text("down", "red")
    return Text("up", "green") if worker["answers"] else Text("no answer", "red")


def _troubles(status: Mapping[str, Any]) -> Table:
    table = _table("troubles", "", "")
    for trouble in troubles(status):
        table.add_row("now" if trouble.at is None else clock(trouble.at), trouble.times, _cell(trouble.text))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _cell(text: object) -> Text:
    """``text`` as it is: nothing in it is markup, and nothing that a terminal would obey gets through."""
    return Text(quoted(str(text), keep="\n"))
