"""Which column a host of the live ladder has: the command server, the clients, the resolvers, their parents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from labnet.ladder.model import Column

Value = Mapping[str, Any]

_MOST_CLIENTS: Final = 3
"""Columns of clients; more clients than that share one."""
_ORDER: Final = ("server", "client", "resolver", "parent")


def address_of(end: Value) -> str:
    """An end of the API as text: ``127.0.0.1:1199``, ``[::1]:1199``."""
    host = end["host"]
    return f"[{host}]:{end['port']}" if ":" in host else f"{host}:{end['port']}"


class Hosts:
    """Gives each host its column as it appears; :meth:`order` says where the columns stand when all have appeared."""

    def __init__(
        self, exchanges: Sequence[Value], sessions: Sequence[Value], names: Mapping[str, str], hide: bool, alone: bool
    ) -> None:
        self._names = names
        self._hide = hide
        self._places: dict[tuple[str, str], int] = {}
        self._columns: list[tuple[str, Column]] = []
        self._of_exchange: dict[str, int] = {}
        self._own: dict[str, set[str]] = {}
        self._listeners = {address_of(one["listener"]): one["resolver"] for one in exchanges}
        asking = {
            address_of(datagram["from"])
            for one in exchanges
            for datagram in one["datagrams"]
            if datagram["from"] not in (one["client"], one["listener"])
        }
        ends = [one["client"] for one in (*exchanges, *sessions) if address_of(one["client"]) not in asking]
        each = {address_of(end) for end in ends}
        self._machines = machines = {end["host"] for end in ends}
        self._by_port = alone and len(each) <= _MOST_CLIENTS
        self._by_host = not self._by_port and len(machines) <= _MOST_CLIENTS

    def client(self, end: Value) -> int:
        """The column of a client; one that is a resolver of this lab has that resolver's."""
        address = address_of(end)
        if ("asks", address) in self._places:
            return self._places["asks", address]
        if self._by_port:
            where = address if len(self._machines) > 1 else f"port {end['port']}"
            return self._seat("client", address, where, "client")
        if self._by_host:
            return self._seat("client", end["host"], end["host"], "client")
        return self._seat("client", "", "", "clients")

    def server(self, end: Value) -> int:
        """The column of the command server that listens at ``end``."""
        return self._seat("server", address_of(end), address_of(end), "command server")

    def enter(self, one: Value) -> None:
        """The exchange ``one`` comes next."""
        if one["id"] not in self._of_exchange:
            self.client(one["client"])
            listener = address_of(one["listener"])
            name = one["resolver"]
            self._of_exchange[one["id"]] = self._seat("resolver", name, listener, f"resolver {name}")
            self._own[one["id"]] = {listener}

    def resolver(self, exchange: str) -> int:
        """The column of the resolver that the ``exchange`` came to."""
        return self._of_exchange[exchange]

    def way(self, one: Value, datagram: Value) -> tuple[int, int]:
        """From which column to which ``datagram`` of the exchange ``one`` goes."""
        source, target = address_of(datagram["from"]), address_of(datagram["to"])
        client, resolver = address_of(one["client"]), self._of_exchange[one["id"]]
        own = self._own[one["id"]]
        if source == client:
            return self.client(one["client"]), resolver
        if target == client:
            return resolver, self.client(one["client"])
        if target in own and source not in own:
            return self._parent(source), resolver
        own.add(source)
        self._places.setdefault(("asks", source), resolver)
        return resolver, self._parent(target)

    def hidden(self, text: str, client: Value) -> str:
        """``text`` without the address of its ``client``, where clients are not to be named."""
        if not self._hide:
            return text
        text = text.replace(address_of(client), "the client")
        text = re.sub(rf"(?<![\w.]){re.escape(client['host'])}(?![\w.:])", "the client's", text)
        return re.sub(rf"\bport (is )?{client['port']}\b", r"port \1its own", text)

    def columns(self) -> list[Column]:
        """All columns, from left to right."""
        ranked = sorted(range(len(self._columns)), key=lambda place: (self._rank(place), place))
        return [self._columns[place][1] for place in ranked]

    def order(self) -> list[int]:
        """Where each column stands, by the number that the other methods gave it."""
        ranked = sorted(range(len(self._columns)), key=lambda place: (self._rank(place), place))
        return [ranked.index(place) for place in range(len(ranked))]

    def _rank(self, place: int) -> int:
        return _ORDER.index(self._columns[place][0])

    def _parent(self, address: str) -> int:
        if address in self._listeners:
            name = self._listeners[address]
            return self._seat("resolver", name, address, f"resolver {name}")
        return self._seat("parent", address, address, self._names.get(address, "parent"))

    def _seat(self, kind: str, key: str, address: str, role: str) -> int:
        place = self._places.get((kind, key))
        if place is None:
            place = self._places[kind, key] = len(self._columns)
            if kind == "client" and self._hide:
                address = ""
                others = sum(one == "client" for one, _ in self._columns)
                role = f"client {others + 1}" if self._by_port or self._by_host else role
            self._columns.append((kind, Column(role, address)))
        return place
