"""All zones of a lab that are had from other servers, and all servers that are told of newer ones.

One process of a lab has it: the only one, or the supervisor of several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import SystemRandom
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from labnet.config.reading import Config
from labnet.config.resolver import ResolverConfig
from labnet.interfaces import IDatagramSockets, IReactor
from labnet.metrics import Sample
from labnet.net.datagrams import SystemSockets
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.records.listing import ZoneRecord, is_newer, serial_of, soa_of
from labnet.resolver.transfers.exchange import keyring_of
from labnet.resolver.transfers.fetching import InThread, Means
from labnet.resolver.transfers.notifying import NotifySender
from labnet.resolver.transfers.secondary import SecondaryZone, ZoneLooked
from labnet.wire.names import key_of, key_of_shown, text_of

AT_A_TIME: Final = 10
"""Zones that are transferred at a time."""

Place = tuple[str, bytes]
"""A resolver's name, and the key of one of its zones."""


class ZoneKeeper(Service):
    """Has the zones that a configuration names, and calls ``changed`` when their files have changed."""

    def __init__(self, means: Means, sockets: IDatagramSockets, changed: Callable[[], object]) -> None:
        self._means = means
        self._changed = changed
        self._slots = DeferredSemaphore(AT_A_TIME)
        self._notifies = NotifySender(sockets, means.reactor, means.random)
        self._zones: dict[Place, SecondaryZone] = {}
        self._soas: dict[Place, ZoneRecord] = {}
        self._config: Config | None = None
        self._is_served = False

    def take(self, config: Config, loaded: Mapping[str, Loaded]) -> None:
        """The lab is ``config`` from now on, and serves what was ``loaded``; before the start, it will be."""
        before, self._config = self._soas, config
        self._soas = {
            (name, apex): soa
            for name, resolver in config.resolver.items()
            if resolver.notify or resolver.secondary
            for apex in map(key_of, resolver.every_zone)
            if (soa := soa_of(loaded[name].zone, apex)) is not None
        }
        if self._is_served:
            self._notify(before)
        if self.running:
            self._begin()

    def startService(self) -> None:
        super().startService()
        self._begin()

    def served(self) -> None:
        """The lab answers by now, so whoever is told of its zones may ask for them. Idempotent."""
        if not self._is_served:
            self._is_served = True
            self._notify({})

    def stopService(self) -> None:
        super().stopService()
        self._is_served = False
        self._notifies.stop()
        zones, self._zones = self._zones, {}
        for zone in zones.values():
            zone.stop()

    def notified(self, resolver: str, zone: bytes, serial: int | None, host: str) -> None:
        """The primary at ``host`` has told ``resolver`` that its ``zone`` is a newer one."""
        found = self._zones.get((resolver, zone))
        if found is not None:
            found.notified(serial, host)

    def has(self, name: str | None) -> bool:
        """Whether there is a zone of this name, or any."""
        return bool(self._zones) if name is None else any(apex == key_of_shown(name) for _, apex in self._zones)

    def transfer(self, name: str | None) -> Deferred[list[tuple[str, str, ZoneLooked]]]:
        """Have the zones of this name asked for, or all; fires with what came of each, behind its resolver and name."""
        wanted = None if name is None else key_of_shown(name)
        chosen = [zone for (_, apex), zone in self._zones.items() if wanted in (None, apex)]
        return Deferred.fromCoroutine(_all_told(chosen))

    def status(self) -> list[dict[str, Any]]:
        """How each zone is, for JSON."""
        return [zone.status() for zone in self._zones.values()]

    def samples(self) -> Iterator[Sample]:
        for zone in self._zones.values():
            for (kind, result), count in zone.counts.items():
                yield Sample("labnet_transfers_total", (zone.title, "in", kind, result), count)
            left = zone.status()["expires"]
            yield Sample("labnet_secondary_expires_seconds", (zone.title, text_of(zone.zone)), left or 0)

    def _begin(self) -> None:
        """Ask for the zones of the configuration, and for no others."""
        assert self._config is not None
        wanted: dict[Place, ResolverConfig] = {}
        for name, resolver in self._config.resolver.items():
            wanted |= dict.fromkeys([(name, key_of(zone)) for zone in resolver.secondary], resolver)
        for place in [place for place in self._zones if place not in wanted]:
            self._zones.pop(place).stop()
        for place, resolver in wanted.items():
            title, apex = place
            keys = keyring_of(resolver).key
            servers = next(servers for zone, servers in resolver.secondary.items() if key_of(zone) == apex)
            if place in self._zones:
                self._zones[place].change(servers, keys)
            else:
                names = title, apex, resolver.zone_file(apex)
                self._zones[place] = SecondaryZone(names, self._means, self._slots, self._changed)
                self._zones[place].begin(servers, keys, self._soas.get(place))

    def _notify(self, before: Mapping[Place, ZoneRecord]) -> None:
        """Tell the servers that want to know it of zones that are newer than they were ``before``."""
        assert self._config is not None
        for (name, apex), soa in self._soas.items():
            resolver, was = self._config.resolver[name], before.get((name, apex))
            if was is None or is_newer(serial_of(soa), serial_of(was)):
                keys = keyring_of(resolver)
                for server in resolver.notify:
                    self._notifies.tell(name, soa, server, keys.key(server.key) if server.key else None)


def keeper_of(reactor: IReactor, in_thread: InThread, changed: Callable[[], object]) -> ZoneKeeper:
    """What keeps the zones of a lab on ``reactor``."""
    random = SystemRandom()
    return ZoneKeeper(Means(reactor, in_thread, random), SystemSockets(reactor, random), changed)


async def _all_told(zones: Sequence[SecondaryZone]) -> list[tuple[str, str, ZoneLooked]]:
    looked = await gatherResults([zone.look_and_tell() for zone in zones])
    return [(zone.title, text_of(zone.zone), each) for zone, each in zip(zones, looked, strict=True)]
