"""What other servers of a resolver's zones ask of it: a zone in full (AXFR), what changed in it (IXFR), NOTIFY."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.config.resolver import ResolverConfig
from labnet.metrics import Sample
from labnet.net.clocks import wall_of
from labnet.policy.access import Access
from labnet.policy.loglimit import NetworkLogLimit
from labnet.resolver.records.listing import ZoneRecord, all_records, is_newer, serial_of, soa_of
from labnet.resolver.records.zone import Zone
from labnet.resolver.serve.exchange import Given, IZoneExchange, ZoneAsked
from labnet.resolver.transfers.journal import Difference, Journal
from labnet.values.servers import KeyName
from labnet.wire.dns_common import IN, OPCODE
from labnet.wire.dns_request import Query, Refusal
from labnet.wire.dns_response import Options, encode_refusal
from labnet.wire.names import key_of, text_of
from labnet.wire.transfer import (
    AXFR,
    IXFR,
    NOTIFY,
    notify_reply,
    read_notify,
    serial_in,
    transfer_messages,
)
from labnet.wire.tsig import Keyring, Opened
from labnet.wire.types import Rcode

Notified = Callable[[bytes, int | None, str], object]
"""Called with the key of a zone that is said to be newer, its serial if that is said, and the primary's address."""


@implementer(IZoneExchange)
class ZoneExchange:
    """Deals with other servers of the zones of the resolver ``name``.

    ``notified`` is called when a primary of a secondary zone says that there is a newer one.
    """

    log = Logger()

    def __init__(self, name: str, config: ResolverConfig, zone: Zone, clock: IReactorTime, notified: Notified) -> None:
        self._name = name
        self._clock = clock
        self._wall = wall_of(clock)
        self._notified = notified
        self._journal = Journal(clock)
        self._running = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._refusals = NetworkLogLimit()
        self._take(config, zone)

    def change(self, config: ResolverConfig, zone: Zone) -> None:
        """Give these from now on; transfers that are under way go on with what was."""
        before = self._zone
        self._take(config, zone)
        if config.transfer:
            self._journal.change(before, zone, self._apexes)
        else:
            self._journal.stop()

    def _take(self, config: ResolverConfig, zone: Zone) -> None:
        self._zone = zone
        self._most = config.transfers
        self._apexes = frozenset(key_of(each) for each in config.every_zone)
        self._networks = Access([rule for rule in config.transfer if not isinstance(rule, KeyName)])
        self._may_any = bool(config.transfer)
        self._key_names = frozenset(rule.name for rule in config.transfer if isinstance(rule, KeyName))
        self._secondary = {
            key_of(each): {(server.host, server.key) for server in servers}
            for each, servers in config.secondary.items()
        }
        self._keyring = keyring_of(config)

    def stop(self) -> None:
        """Find out no further differences."""
        self._journal.stop()

    def samples(self) -> Iterator[Sample]:
        for (kind, result), count in self._counts.items():
            yield Sample("labnet_transfers_total", (self._name, "out", kind, result), count)

    def time_of_day(self) -> float:
        return self._wall()

    def open(self, message: bytes, refusal: Refusal) -> Opened | None:
        return self._keyring.open(message, refusal, self._wall()) if self._keyring else None

    def give(self, asked: ZoneAsked) -> Given | None:
        refusal, query = asked.refusal, asked.refusal.query
        if (refusal.flags & OPCODE) >> 11 == NOTIFY and refusal.rcode == Rcode.NOTIMP:
            return self._note(asked) if self._secondary else None
        if query is None or refusal.rcode != Rcode.REFUSED or query.rrclass != IN:
            return None
        if query.question.rrtype not in (AXFR, IXFR):
            return None
        kind = "axfr" if query.question.rrtype == AXFR else "ixfr"
        if not (asked.key in self._key_names or self._networks.allows(asked.host)):
            self._refuse(asked, query, kind)
            return None
        apex = query.question.key
        soa = soa_of(self._zone, apex) if apex in self._apexes else None
        if soa is None:
            rcode = Rcode.SERVFAIL if apex in self._apexes else Rcode.NOTAUTH
            return self._failed(asked, query, kind, rcode)
        if kind == "axfr":
            return self._stream(asked, query, _all(self._zone, apex, soa), kind, soa) if asked.many else None
        return self._give_changes(asked, query, soa)

    def _refuse(self, asked: ZoneAsked, query: Query, kind: str) -> None:
        """Note that the client may not have what it asks for."""
        self._counts[kind, "refused"] += 1
        times = self._refusals.count(asked.host, self._clock.seconds()) if self._may_any else None
        if times is not None:
            self.log.warn(
                "resolver {resolver}: {host} may not have the zone {zone} in full: neither it nor a key that it signs "
                "with is in transfer ({times} since the last such line)",
                resolver=self._name,
                host=asked.host,
                zone=text_of(query.question.key),
                times=times,
                event="transfer.refused",
            )

    def _give_changes(self, asked: ZoneAsked, query: Query, soa: ZoneRecord) -> Given:
        """What changed since the version that the client has; if that is not known, all there is."""
        serial, current = serial_in(asked.message), serial_of(soa)
        if serial is None:
            return self._failed(asked, query, "ixfr", Rcode.FORMERR)
        alone = b"".join(transfer_messages(query, [soa], asked.opt))
        if serial == current or is_newer(serial, current):
            self._counts["ixfr", "current"] += 1
            return Given(alone, Rcode.NOERROR, "records")
        if asked.many:
            return self._stream(asked, query, self._changes(query.question.key, serial, soa), "ixfr", soa)
        found = self._journal.since(query.question.key, serial, current)
        if found is None:
            self._counts["ixfr", "done"] += 1
            return Given(alone, Rcode.NOERROR, "records")
        # What does not fit into one message is asked for by TCP then (RFC 1995, section 4).
        messages = transfer_messages(query, _changed(soa, found), asked.opt, asked.limit)
        first, *more = list(islice(messages, 2))
        self._counts["ixfr", "done"] += 1
        return Given(alone if more or len(first) > asked.limit else first, Rcode.NOERROR, "records")

    def _changes(self, apex: bytes, serial: int, soa: ZoneRecord) -> Iterator[ZoneRecord | None]:
        """What changed since ``serial``, once that is found out; or else the zone in full."""
        zone = self._zone
        while self._journal.is_pending(apex):
            yield None
        found = self._journal.since(apex, serial, serial_of(soa))
        yield from _all(zone, apex, soa) if found is None else _changed(soa, found)

    def _stream(
        self, asked: ZoneAsked, query: Query, records: Iterator[ZoneRecord | None], kind: str, soa: ZoneRecord
    ) -> Given:
        if self._running >= self._most:
            return self._failed(asked, query, kind, Rcode.SERVFAIL)
        self._running += 1
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for message in transfer_messages(query, records, asked.opt):
                size += len(message)
                yield message

        def over(why: str) -> None:
            self._running -= 1
            self._counts[kind, "failed" if why else "done"] += 1
            self.log.info(
                "resolver {resolver}: the zone {zone}, serial {serial}, was {given} {host}: {kind}, {size} bytes{why}",
                resolver=self._name,
                zone=text_of(query.question.key),
                serial=serial_of(soa),
                given="not given whole to" if why else "given to",
                host=asked.host,
                kind=kind.upper(),
                size=size,
                why=f"; {why}" if why else "",
                event="transfer.given",
            )

        alone = b"".join(transfer_messages(query, [soa], asked.opt))
        return Given(alone, Rcode.NOERROR, "records", counted(), over)

    def _failed(self, asked: ZoneAsked, query: Query, kind: str, rcode: Rcode) -> Given:
        self._counts[kind, "refused"] += 1
        refusal = Refusal(rcode, asked.refusal.id, asked.refusal.flags, query)
        return Given(encode_refusal(refusal, False, Options()), rcode)

    def _note(self, asked: ZoneAsked) -> Given:
        """A NOTIFY: those of primaries count, with the key of each (RFC 1996, section 3.10)."""
        notify = read_notify(asked.message)
        if notify is None:
            return Given(notify_reply(asked.message, Rcode.FORMERR), Rcode.FORMERR)
        primaries = self._secondary.get(notify.zone, set())
        is_primary = (asked.host, asked.key) in primaries
        self._counts["notify", "done" if is_primary else "refused"] += 1
        if not is_primary:
            return Given(notify_reply(asked.message, Rcode.REFUSED), Rcode.REFUSED)
        self._notified(notify.zone, notify.serial, asked.host)
        return Given(notify_reply(asked.message, Rcode.NOERROR), Rcode.NOERROR)


def keyring_of(config: ResolverConfig) -> Keyring:
    """The keys that ``config`` has."""
    return Keyring({name: (key.algorithm, key.secret or b"") for name, key in config.keys.items()})


def _all(zone: Zone, apex: bytes, soa: ZoneRecord) -> Iterator[ZoneRecord | None]:
    """The records of a zone in the order of a transfer (RFC 5936, section 2.2)."""
    yield soa
    yield from all_records(zone, apex)
    yield soa


def _changed(soa: ZoneRecord, differences: list[Difference]) -> Iterator[ZoneRecord]:
    """Differences in the order of a transfer (RFC 1995, section 4)."""
    yield soa
    for difference in differences:
        yield difference.before
        yield from difference.changes.removed
        yield difference.now
        yield from difference.changes.added
    yield soa
