"""One zone that is had from primaries: when they are asked, and what of it counts (RFC 1034, section 4.3.5).

Each look is a question for what changed (IXFR); a primary that has nothing newer says so in one record, so no SOA is
asked for before. Where that fails the whole zone is asked for, then the next primary. What is served stays what it was
until a newer version is whole, and no longer than its SOA lets it expire.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import dns.tsig
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.addresses import address_text
from labnet.resolver.records.listing import ZoneRecord, is_newer, serial_of
from labnet.resolver.transfers.fetching import Fetched, Means, fetch
from labnet.resolver.transfers.incoming import TransferError, TransferKind
from labnet.resolver.transfers.zonestore import touch
from labnet.values.servers import ServerAddress
from labnet.wire.names import text_of
from labnet.wire.soa import SOA, soa_numbers

SOONEST: Final = 5
"""Seconds between two looks at the least, whatever the SOA says and however often there is a NOTIFY."""

LATEST: Final = 14 * 86400
"""Seconds between two looks at most."""

FIRST_RETRY: Final = 10
"""Seconds to the next look where there is no SOA yet to say it."""

Keys = Callable[[str], dns.tsig.Key]
"""Gives the key of a name that is known."""


class ZoneLooked(NamedTuple):
    """What came of asking: whether there is the newest version now, and that in a sentence."""

    done: bool
    says: str


class SecondaryZone:
    """The zone with the key ``zone`` of the resolver ``title``, kept in the file at ``path``.

    ``changed`` is called when another version is to be served, or none any more. ``slots`` are shared by all that
    transfer.
    """

    log = Logger()

    def __init__(
        self, names: tuple[str, bytes, str], means: Means, slots: DeferredSemaphore, changed: Callable[[], object]
    ) -> None:
        self.title, self.zone, self.path = names
        self.counts: Counter[tuple[str, str]] = Counter()
        self.soa: ZoneRecord | None = None
        """That of the version in the file."""
        self._means = means
        self._clock = means.reactor
        self._slots = slots
        self._changed = changed
        self._primaries: Sequence[ServerAddress] = ()
        self._keys: Keys = dict[str, dns.tsig.Key]().__getitem__
        self._current_at = 0.0
        self._has_expired = True
        self._problem = ""
        self._primary = ""
        self._asked_next = ""
        self._next: IDelayedCall | None = None
        self._expiry: IDelayedCall | None = None
        self._running: Deferred[None] | None = None
        self._is_looking = False
        self._looked_at = float("-inf")
        self._again = False
        self._waiting: list[Deferred[ZoneLooked]] = []

    def begin(self, primaries: Sequence[ServerAddress], keys: Keys, soa: ZoneRecord | None) -> None:
        """Have it from ``primaries``; ``soa`` is that of the version that is served, if there is one."""
        self._primaries, self._keys = primaries, keys
        self.soa = soa
        now = self._clock.seconds()
        if soa is None:
            self._schedule(0.0)
            return
        try:
            self._current_at = min(now, os.stat(self.path).st_mtime)
        except OSError:
            self._current_at = now  # it was read a moment ago
        self._has_expired = False
        self._schedule(max(0.0, self._current_at + self._seconds("refresh") - now))
        self._watch_expiry()

    def change(self, primaries: Sequence[ServerAddress], keys: Keys) -> None:
        """Have it from these from now on."""
        if tuple(primaries) != tuple(self._primaries):
            self._primaries = primaries
            self.look()
        self._keys = keys

    def stop(self) -> None:
        """Ask nobody any more."""
        for call in (self._next, self._expiry):
            if call is not None and call.active():
                call.cancel()
        self._next = self._expiry = None
        running, self._running, self._is_looking = self._running, None, False
        if running is not None:
            running.cancel()
        self._tell(ZoneLooked(False, "the zone is no longer asked for"))

    def notified(self, serial: int | None, host: str) -> None:
        """The primary at ``host`` says that its version is ``serial``, or another one."""
        if serial is not None and self.soa is not None and not is_newer(serial, serial_of(self.soa)):
            return
        self._asked_next = host
        self.look()

    def look(self) -> None:
        """Ask now, or as soon as may be."""
        if self._is_looking:
            self._again = True
        else:
            self._schedule(max(0.0, self._looked_at + SOONEST - self._clock.seconds()))

    def look_and_tell(self) -> Deferred[ZoneLooked]:
        """Ask as :meth:`look` does; fires with what came of it."""
        told: Deferred[ZoneLooked] = Deferred()
        self._waiting.append(told)
        self.look()
        return told

    def status(self) -> dict[str, Any]:
        """How it is, for JSON; times in seconds."""
        now = self._clock.seconds()
        expires = None if self._expiry is None else self._expiry.getTime() - now
        state = "transferring" if self._is_looking else "expired" if self._has_expired else "served"
        return {
            "resolver": self.title,
            "zone": text_of(self.zone),
            "state": state if self.soa is not None or self._is_looking else "never had",
            "serial": None if self.soa is None else serial_of(self.soa),
            "primary": self._primary,
            "next": None if self._next is None else max(0.0, self._next.getTime() - now),
            "expires": expires,
            "problem": self._problem,
        }

    def _numbers(self) -> SOA:
        return SOA(0, FIRST_RETRY, FIRST_RETRY, 0, 0) if self.soa is None else soa_numbers(self.soa.rdata)

    def _seconds(self, which: str) -> float:
        """The refresh or retry time, within bounds."""
        return float(min(max(SOONEST, getattr(self._numbers(), which)), LATEST))

    def _schedule(self, seconds: float) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = self._clock.callLater(seconds, self._begin_look)

    def _watch_expiry(self) -> None:
        if self._expiry is not None and self._expiry.active():
            self._expiry.cancel()
        until = self._current_at + self._numbers().lifetime
        self._expiry = self._clock.callLater(max(0.0, until - self._clock.seconds()), self._expired)

    def _expired(self) -> None:
        self._expiry, self._has_expired = None, True
        self.log.error(
            "resolver {resolver}: the zone {zone} has expired, and is not answered from any more: no primary said for "
            "{seconds} s that it is the newest",
            resolver=self.title,
            zone=text_of(self.zone),
            seconds=self._numbers().lifetime,
            event="secondary.expired",
        )
        self._changed()

    def _begin_look(self) -> None:
        self._next = None
        self._looked_at = self._clock.seconds()
        self._again = False
        self._is_looking = True
        running = self._slots.run(lambda: Deferred.fromCoroutine(self._look()))
        running.addErrback(self._broken)
        self._running = running if self._is_looking else None

    def _broken(self, failure: Failure) -> None:
        """A look that was given up at a stop, or ended by a fault in labnet, which costs that look alone."""
        if self._is_looking:
            self.log.failure("a transfer failed", failure, event="secondary.broken")
            self._failed("a fault in labnet itself; the log has it")

    async def _look(self) -> None:
        problems: list[str] = []
        servers = sorted(self._primaries, key=lambda server: server.host != self._asked_next)
        for server in servers:
            try:
                fetched = await self._ask(server)
            except TransferError as error:
                problems.append(f"{address_text(server.host, server.port)}: {error}")
            else:
                self._primary = address_text(server.host, server.port)
                self._take(fetched)
                return
        self._failed("; ".join(problems))

    async def _ask(self, server: ServerAddress) -> Fetched:
        """What changed, or where that is not to be had all there is."""
        key = self._keys(server.key) if server.key else None
        if self.soa is not None:
            try:
                return await self._fetch(server, key, self.soa)
            except TransferError as error:
                self.log.debug(
                    "resolver {resolver}: the zone {zone} is asked for in full: {error}",
                    resolver=self.title,
                    zone=text_of(self.zone),
                    error=error,
                    event="secondary.in-full",
                )
        return await self._fetch(server, key, None)

    async def _fetch(self, server: ServerAddress, key: dns.tsig.Key | None, have: ZoneRecord | None) -> Fetched:
        kind = "axfr" if have is None else "ixfr"
        try:
            fetched = await fetch(self._means, self.path, self.zone, server, key, have)
        except TransferError:
            self.counts[kind, "failed"] += 1
            raise
        self.counts[kind, "current" if fetched.kind is TransferKind.CURRENT else "done"] += 1
        return fetched

    def _take(self, fetched: Fetched) -> None:
        """A primary has said what there is."""
        is_new = fetched.kind is not TransferKind.CURRENT
        if is_new:
            self.soa = fetched.soa
            self.log.info(
                "resolver {resolver}: the zone {zone}, serial {serial}, came from {primary}: {kind}, {size} bytes",
                resolver=self.title,
                zone=text_of(self.zone),
                serial=serial_of(fetched.soa),
                primary=self._primary,
                kind="IXFR" if fetched.kind is TransferKind.CHANGES else "AXFR",
                size=fetched.size,
                event="secondary.transferred",
            )
        self._current_at = self._clock.seconds()
        self._problem = ""
        try:
            touch(self.path, self._current_at)
        except OSError as error:
            self._problem = f"{self.path} cannot be touched: {error.strerror}"
        was_expired, self._has_expired = self._has_expired, False
        self._watch_expiry()
        if is_new or was_expired:
            self._changed()
        assert self.soa is not None
        what = "came" if is_new else "is the newest"
        self._over(ZoneLooked(True, f"serial {serial_of(self.soa)} {what}, from {self._primary}"), "refresh")

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            self.log.warn(
                "resolver {resolver}: the zone {zone} is not to be had: {problem}",
                resolver=self.title,
                zone=text_of(self.zone),
                problem=problem,
                event="secondary.failed",
            )
        self._problem = problem
        self._over(ZoneLooked(False, problem), "retry")

    def _over(self, looked: ZoneLooked, then: str) -> None:
        """A look is over; the next one is after the SOA's time of that name."""
        self._running, self._is_looking = None, False
        self._asked_next = ""
        if self._again:
            self._schedule(SOONEST)
            return
        self._schedule(self._seconds(then))
        self._tell(looked)

    def _tell(self, looked: ZoneLooked) -> None:
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            told.callback(looked)
