"""Events as a test takes them."""

from __future__ import annotations

from zope.interface import implementer

from labnet.events import Event, Exchange
from labnet.interfaces import IEvents


@implementer(IEvents)
class Recorded:
    """Keeps what happens; wants everything while it is ``watched``."""

    def __init__(self) -> None:
        self.watched = True
        self.events: list[Event] = []
        self._ids = 0

    @property
    def wants(self) -> bool:
        return self.watched

    def take(self, count: int = 1, ready: bool = False) -> int:
        return count if self.watched else 0

    def new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def happened(self, event: Event) -> None:
        self.events.append(event)

    def exchanges(self) -> list[Exchange]:
        """The exchanges since the last look."""
        found = [event for event in self.events if isinstance(event, Exchange)]
        self.events.clear()
        return found

    def exchange(self) -> Exchange:
        """The one exchange since the last look."""
        (one,) = self.exchanges()
        return one


def steps(exchange: Exchange) -> list[str]:
    """The kinds of its steps."""
    return [step.kind for step in exchange.why]


def ladder(exchange: Exchange) -> list[str]:
    """Each datagram as ``kind from to``, an end by its port."""
    return [f"{one.kind} {one.source[1]} {one.destination[1]}" for one in exchange.datagrams]
