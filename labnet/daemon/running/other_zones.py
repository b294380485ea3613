"""What a running lab has to do with other servers of its zones: it gets zones from them, and tells them of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from labnet.config.reading import Config
from labnet.interfaces import IReactor
from labnet.metrics import Sample
from labnet.resolver.loading.loaded import Loaded

if TYPE_CHECKING:
    from labnet.resolver.transfers.keeper import ZoneKeeper


class OtherZones:
    """The zones of other servers that a lab has; its service for them is there once the configuration names any.

    ``in_thread`` is how files are written without holding up the reactor; ``changed`` is called when other servers have
    given a newer version. Where they are not ``kept`` here, a supervisor has them.
    """

    def __init__(
        self,
        reactor: IReactor,
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]],
        changed: Callable[[], object],
        kept: bool,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._changed = changed
        self._kept = kept
        self._keeper: ZoneKeeper | None = None

    def take(self, config: Config, loaded: Mapping[str, Loaded]) -> None:
        """Have the zones of other servers that ``config`` names, and tell others of the lab's own."""
        if self._keeper is None:
            if not self._kept or not any(each.secondary or each.notify for each in config.resolver.values()):
                return
            from labnet.resolver.transfers.keeper import keeper_of  # most labs know of no other servers

            self._keeper = keeper_of(self._reactor, self._in_thread, self._changed)
        self._keeper.take(config, loaded)

    def join(self, lab: MultiService) -> bool:
        """Have their service be a part of ``lab``; False where there is none, or it is one already."""
        if self._keeper is None or self._keeper.parent is not None:
            return False
        self._keeper.setServiceParent(lab)
        return True

    def served(self) -> None:
        """The lab answers from now on."""
        if self._keeper is not None:
            self._keeper.served()

    def transfer(self, name: str | None) -> Deferred[list[list[Any]]]:
        """Have the primaries of the zone of this ``name`` asked for it, or those of all zones that are others'.

        Fires with the resolver, the zone, whether there is the newest version, and that in a sentence, of each.
        Raises ValueError.
        """
        if self._keeper is None or not self._keeper.has(name):
            raise ValueError(f"no resolver has {'a zone' if name is None else name} from other servers")
        told = self._keeper.transfer(name)
        return told.addCallback(lambda found: [[resolver, zone, *looked] for resolver, zone, looked in found])

    def notified(self, resolver: str, zone: bytes, serial: int | None, host: str) -> None:
        """The primary at ``host`` has told ``resolver`` that its ``zone`` is a newer one."""
        if self._keeper is not None:
            self._keeper.notified(resolver, zone, serial, host)

    def status(self) -> list[Any]:
        """What there is to say of each, for JSON."""
        return [] if self._keeper is None else self._keeper.status()

    def samples(self) -> Iterator[Sample]:
        """What was counted of them."""
        if self._keeper is not None:
            yield from self._keeper.samples()
