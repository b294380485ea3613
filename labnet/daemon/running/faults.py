"""Faults on order in one process: the switchboard, made when the first is ordered, and where its orders are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from labnet.command.service import CommandService
from labnet.events import Exchange
from labnet.faults.sockets import FaultyFactory, FaultyPort, FaultySockets
from labnet.interfaces import IDatagramSockets, IEvents, IReactor
from labnet.metrics import Sample
from labnet.resolver.service import ResolverService

if TYPE_CHECKING:
    from labnet.faults.switchboard import Switchboard


class Faulty(Protocol):
    """The lab that meets faults."""

    command: CommandService | None
    resolvers: dict[str, ResolverService]


class LabFaults:
    """Takes orders for ``lab``; ``events`` is told of them."""

    def __init__(self, lab: Faulty, reactor: IReactor, events: IEvents) -> None:
        self._lab = lab
        self._reactor = reactor
        self._events = events
        self._board: Switchboard | None = None
        self._sockets: dict[str, FaultySockets] = {}
        self._ports: dict[int, FaultyPort] = {}
        self.begun: Callable[[Switchboard], object] = lambda board: None
        """Called once, when the first fault is ordered."""

    def sockets_for(self, resolver: str, sockets: IDatagramSockets) -> IDatagramSockets:
        """``sockets``, for the parents of ``resolver``; they can be made to meet faults."""
        self._sockets[resolver] = faulty = FaultySockets(sockets, resolver)
        return faulty

    @property
    def board(self) -> Switchboard:
        """Where faults are ordered."""
        if self._board is None:
            from labnet.faults.switchboard import Switchboard  # a lab without faults needs none of it

            self._board = Switchboard(self._reactor, lambda: list(self._lab.resolvers), self._events)
            self._board.changed.append(self.apply)
            self.begun(self._board)
        return self._board

    def apply(self) -> None:
        """Have ports, sockets and connections meet what is ordered now; called after a reload too."""
        board = self._board
        if board is None:
            return
        wanted: dict[int, tuple[Any, str]] = {}
        for name, resolver in self._lab.resolvers.items():
            sides = board.sides_of(name)
            if name in self._sockets:
                self._sockets[name].turn(board if "parent" in sides else None, self._reactor)
            FaultyFactory(resolver.streams, board, self._reactor, name).turn("session" in sides)
            if sides - {"session"}:  # of the parent side alone too: the fast path has sockets of its own
                wanted |= {id(port): (_seen(port), name) for port in resolver.ports}
        for key in [key for key in self._ports if key not in wanted]:
            self._ports.pop(key).end()
        for key, (port, name) in wanted.items():
            if key not in self._ports:
                self._ports[key] = FaultyPort(port, board, name)
                self._ports[key].begin()
        self._turn_command(board)

    def _turn_command(self, board: Switchboard) -> None:
        command = self._lab.command
        if command is not None:
            FaultyFactory(command.factory, board, self._reactor, "command").turn(bool(board.sides_of("command")))

    def shown(self) -> dict[str, Any]:
        """What is ordered, and what can be."""
        return self.board.shown()

    def active(self) -> list[dict[str, Any]]:
        """What is ordered now."""
        return [] if self._board is None else self._board.shown()["faults"]

    def samples(self) -> Iterator[Sample]:
        """What is ordered and what was done."""
        yield Sample("labnet_faults_active", (), len(self.active()))
        if self._board is not None:
            for kind, count in self._board.done.items():
                yield Sample("labnet_faults_done_total", (kind,), count)

    def order(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out an order; the order, as :meth:`shown` has it. Raises LookupError with what is wrong with it."""
        from labnet.faults.model import OrderError

        try:
            number = self.board.order(dict(given))
        except OrderError as error:
            raise LookupError(str(error)) from None
        return next((one for one in self.active() if one["id"] == number), {"id": number})

    def end(self, number: str) -> dict[str, Any]:
        """End the order ``number``; all of them where it is empty. Raises LookupError where there is none."""
        ended = [number] if number else [one["id"] for one in self.active()]
        for one in ended:
            self.board.end(one)
        return {"ended": ended}

    def marked(self, exchange: Exchange) -> Exchange:
        """``exchange``, whose datagrams say what was done to them."""
        return exchange if self._board is None else self._board.marked(exchange)

    def stop(self) -> None:
        """The lab ends."""
        if self._board is not None:
            self._board.stop()


def _seen(port: Any) -> Any:
    """The side of ``port`` that a resolver sees: behind what captures its traffic, which sees what is on the wire."""
    return getattr(port.protocol, "transport_of_protocol", port)
