"""What a running lab shows of itself, and does for who looks at it, by name, as on its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from labnet.command.service import CommandService
from labnet.config.reading import Config
from labnet.daemon.running.faults import LabFaults
from labnet.daemon.running.listen_addresses import shown
from labnet.interfaces import IReactor
from labnet.metrics import version
from labnet.net.clocks import ahead
from labnet.resolver.inspection import KINDS
from labnet.resolver.service import ResolverService

MOST_ROWS: Final = 500
"""Rows of one view."""

Arguments = Mapping[str, Any]


class Viewed(Protocol):
    """The lab that is looked at."""

    config: Config
    command: CommandService | None
    resolvers: dict[str, ResolverService]
    faults: LabFaults

    @property
    def command_is_open(self) -> bool:
        """Whether the command server listens."""

    @property
    def started_at(self) -> float:
        """When the lab started, by the time of day."""

    def flush(self, name: str) -> Any:
        """Forget ``name`` in every resolver."""

    def open_command_server(self) -> Any:
        """Have the command server listen again."""


class Views:
    """The views of ``lab``: each is asked for by its name, with arguments by theirs."""

    def __init__(self, lab: Viewed, reactor: IReactor) -> None:
        self._lab = lab
        self._reactor = reactor
        self._views: dict[str, Callable[[Arguments], Any]] = {
            "lab": self._of_lab,
            "names": self._of_names,
            "sessions": self._of_sessions,
            "parents": self._of_parents,
            "map": self._of_map,
            "faults": lambda arguments: self._lab.faults.shown(),
            "order-fault": lambda arguments: self._lab.faults.order(arguments["order"]),
            "end-fault": lambda arguments: self._lab.faults.end(str(arguments.get("id") or "")),
            "flush": self._flush,
            "ask-parent": self._ask_parent,
            "close-session": self._close_session,
            "open-command-server": lambda arguments: self._lab.open_command_server(),
        }

    def view(self, what: str, arguments: Arguments) -> Any:
        """The view ``what``, for JSON, or a Deferred of that. Raises LookupError with a sentence."""
        if what not in self._views:
            raise LookupError(f"there is nothing to be seen by the name {what!r}: there are {', '.join(self._views)}")
        return self._views[what](arguments)

    def _resolvers(self, arguments: Arguments) -> Iterable[ResolverService]:
        """The resolver that is asked for, or all."""
        name = str(arguments.get("resolver") or "")
        return [self._resolver(name)] if name else self._lab.resolvers.values()

    def _resolver(self, name: str) -> ResolverService:
        """The resolver ``name``; "" is the first. Raises LookupError."""
        resolvers = self._lab.resolvers
        if not name and resolvers:
            return next(iter(resolvers.values()))
        if name not in resolvers:
            raise LookupError(f"there is no resolver {name!r}: there are {', '.join(resolvers) or 'none'}")
        return resolvers[name]

    def _of_lab(self, arguments: Arguments) -> dict[str, Any]:
        lab = self._lab
        return {
            "name": "labnet",
            "version": version(),
            "started": lab.started_at,
            "now": self._reactor.seconds() + ahead(self._reactor),
            "workers": lab.config.lab.workers,
            "resolvers": [self._of_resolver(resolver) for resolver in self._resolvers(arguments)],
            "command": None if lab.command is None or arguments.get("resolver") else self._of_command(lab.command),
            "faults": self._lab.faults.active(),
        }

    def _of_resolver(self, resolver: ResolverService) -> dict[str, Any]:
        status, config = resolver.status(), self._lab.config.resolver.get(resolver.title)
        return {
            "name": resolver.title,
            "dialect": "" if config is None else config.dialect,
            "listens": [f"{kind} {shown(port)}" for kind, port in resolver.all_ports],
            "parents": [parent["address"] for parent in status["parents"]],
            "records": status["records"],
            "cached": status["cache"]["entries"],
            "in_flight": status["in_flight"],
        }

    def _of_command(self, command: CommandService) -> dict[str, Any]:
        config = self._lab.config.command
        is_open = self._lab.command_is_open
        return {
            "listens": [f"tcp {shown(port)}" for port in command.ports],
            "open": is_open,
            "exit_closed": not is_open,
            "clients": 0 if config is None else config.clients,
            "timeout": 0.0 if config is None else config.timeout,
        }

    def _of_names(self, arguments: Arguments) -> dict[str, Any]:
        """Names from the place ``after`` on, which is the number of a resolver and a place in it."""
        kind, limit = str(arguments.get("kind") or ""), int(arguments.get("limit") or 100)
        if kind and kind not in KINDS:
            raise LookupError(f"kind is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}")
        first, _, place = str(arguments.get("after") or "0-0").partition("-")
        if not (first.isdecimal() and place.isdecimal() and len(first + place) < 12):
            raise LookupError("after is what the answer before said is next")
        rows: list[dict[str, Any]] = []
        resolvers = list(self._resolvers(arguments))
        shift = ahead(self._reactor)
        for number, resolver in enumerate(resolvers):
            if number < int(first):
                continue
            begin = int(place) if number == int(first) else 0
            found, then = resolver.inspection.names(str(arguments.get("find") or ""), kind, limit - len(rows), begin)
            for row in found:
                since = row["since"]
                rows.append({"resolver": resolver.title, **row, "since": None if since is None else since + shift})
            if then is not None:
                return {"names": rows, "more": True, "next": f"{number}-{then}"}
            if len(rows) >= limit and number + 1 < len(resolvers):
                return {"names": rows, "more": True, "next": f"{number + 1}-0"}
        return {"names": rows, "more": False, "next": None}

    def _of_sessions(self, arguments: Arguments) -> dict[str, Any]:
        command = self._lab.command
        if command is None:
            return {"sessions": [], "waiting": [], "more": 0}
        status, shift = command.status(), ahead(self._reactor)
        for session in status["sessions"]:
            if session["since"] is not None:
                session["since"] += shift
        return status

    def _of_parents(self, arguments: Arguments) -> dict[str, Any]:
        parents = [parent for resolver in self._resolvers(arguments) for parent in resolver.inspection.parents()]
        return {"parents": parents[:MOST_ROWS]}

    def _of_map(self, arguments: Arguments) -> dict[str, Any]:
        nodes, edges = [], []
        listens: dict[str, str] = {}
        resolvers = list(self._resolvers(arguments))
        for resolver in resolvers:
            about = self._of_resolver(resolver)
            id = f"resolver {resolver.title}"
            listens.update({listen.partition(" ")[2]: id for listen in about["listens"]})
            knows = f"{about['records']} records, {about['cached']} learned"
            nodes.append(_node(id, "resolver", resolver.title, about["listens"], knows))
        for resolver in resolvers:
            for parent in resolver.inspection.parents():
                there = listens.get(parent["address"]) or f"parent {parent['address']}"
                if all(node["id"] != there for node in nodes):
                    nodes.append(_node(there, "parent", parent["address"], [], parent["state"]))
                domain = parent["domain"]
                label = "" if domain in (".", "") else domain
                edges.append({"from": f"resolver {resolver.title}", "to": there, "label": label})
        command = self._lab.command
        if command is not None and not arguments.get("resolver"):
            about = self._of_command(command)
            says = "open" if about["open"] else "closed by EXIT"
            nodes.append(_node("command", "command", "command server", about["listens"], says))
        return {"nodes": nodes[:MOST_ROWS], "edges": edges[:MOST_ROWS]}

    def _flush(self, arguments: Arguments) -> Any:
        name, resolver = str(arguments.get("name") or ""), str(arguments.get("resolver") or "")
        return self._resolver(resolver).flush(name) if resolver else self._lab.flush(name)

    def _ask_parent(self, arguments: Arguments) -> Any:
        resolver = self._resolver(str(arguments.get("resolver") or ""))
        return resolver.inspection.ask_parent(str(arguments.get("address")), str(arguments.get("name")))

    def _close_session(self, arguments: Arguments) -> None:
        command = self._lab.command
        if command is None:
            raise LookupError("there is no command server")
        command.close_session(str(arguments.get("id")))


def _node(id: str, kind: str, label: str, listens: list[str], knows: str) -> dict[str, Any]:
    return {"id": id, "kind": kind, "label": label, "listens": listens, "knows": knows}
