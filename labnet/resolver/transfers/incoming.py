"""A zone that another server sends, message by message, until it is whole (RFC 5936, RFC 1995; sans-IO).

Nothing of it counts before the last record has come, which is the SOA that was the first. dnspython's ``dns.xfr`` does
the same; it wants the zone as objects in memory, a kilobyte for each record, where here they are lines of a file.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, NamedTuple

import dns.rcode

from labnet.resolver.records.listing import ZoneRecord, is_newer
from labnet.wire.dns_common import IN, OPCODE, QR, BadMessage
from labnet.wire.names import is_below, text_of
from labnet.wire.soa import SOA, soa_numbers
from labnet.wire.transfer import ReceivedRecord, TransferMessage, read_transfer
from labnet.wire.types import RRType

MOST_BYTES: Final = 1_000_000_000
"""Bytes of the messages of one transfer."""

MOST_CHANGES: Final = 1_000_000
"""Records of one transfer that are removed and added; past that the zone has to be had in full."""

_META: Final = range(128, 256)
"""Types that are for questions and answers alone (RFC 6895, section 3.1)."""


class TransferError(Exception):
    """What another server sends is no zone, or no more of it comes; the text says why."""


class TransferKind(Enum):
    """What is sent."""

    CURRENT = auto()
    """There is no newer version."""
    WHOLE = auto()
    """The zone in full."""
    CHANGES = auto()
    """What to remove and what to add."""


class TransferLine(NamedTuple):
    """A record as a line of a master file, and whether it is to be removed (of the old version) or not."""

    text: str
    removed: bool


class IncomingTransfer:
    """What answers the question with this ``id`` for ``zone``, of which there is the version ``serial`` here, if any.

    ``take`` is given the lines of the records, none of them the SOA; :attr:`kind` says what they are by then.
    """

    def __init__(self, zone: bytes, id: int, serial: int | None, take: Callable[[list[TransferLine]], object]) -> None:
        self.kind: TransferKind | None = None
        self.soa: ZoneRecord | None = None
        """The newest one, with its line in :attr:`soa_line`."""
        self.soa_line = ""
        self.serial = -1
        self._zone = zone
        self._id = id
        self._have = serial
        self._take = take
        self._first: SOA | None = None
        self._removing = False
        self._reached = serial
        self._bytes = self._changes = 0
        self._done = False

    def receive(self, message: bytes) -> bool:
        """Take the next message, without its signature; whether it was the last. Raises :class:`TransferError`."""
        self._bytes += len(message)
        if self._bytes > MOST_BYTES:
            raise TransferError(f"the zone has more than {MOST_BYTES:,} bytes")
        try:
            found = read_transfer(message)
        except BadMessage as error:
            raise TransferError(str(error)) from None
        self._check(found)
        lines: list[TransferLine] = []
        for record in found.records:
            if self._done:
                if self.kind is TransferKind.CURRENT:
                    break  # a whole zone of a version that is here already
                raise TransferError("records come behind the end of the zone")
            line = self._record(record)
            if line is not None:
                lines.append(line)
        if lines:
            self._take(lines)
        return self._done

    def _check(self, message: TransferMessage) -> None:
        opcode, rcode = (message.flags & OPCODE) >> 11, message.flags & 15
        if message.id != self._id or not message.flags & QR or opcode:
            raise TransferError("a message answers another question")
        if rcode:
            raise TransferError(f"it answers {dns.rcode.to_text(dns.rcode.Rcode(rcode))}")
        if any(name != self._zone for name in message.asked):
            raise TransferError("a message is about another name")
        if not message.records:
            raise TransferError("a message has no records")

    def _record(self, record: ReceivedRecord) -> TransferLine | None:
        """What a record is; None where it is an SOA, or not of the zone."""
        if record.rrclass != IN or record.rrtype in _META or record.rrtype == RRType.OPT:
            raise TransferError(f"a record of {text_of(record.name)} is of no class or type that a zone can have")
        if record.rrtype == RRType.SOA:
            if record.name.lower() != self._zone:
                raise TransferError(f"an SOA of {text_of(record.name)} comes with the zone")
            self._soa(record)
            return None
        if self._first is None:
            raise TransferError("the first record is no SOA")
        if self.kind is None:
            self.kind = TransferKind.WHOLE
        if self.kind is TransferKind.CHANGES:
            self._changes += 1
            if self._changes > MOST_CHANGES:
                raise TransferError(f"more than {MOST_CHANGES:,} records change")
        # Other names are no part of the zone, and nobody is to be fooled by them (RFC 5936, section 3.1).
        return TransferLine(record.line, self._removing) if is_below(record.name.lower(), self._zone) else None

    def _soa(self, record: ReceivedRecord) -> None:
        soa = soa_numbers(record.rdata)
        if self._first is None:
            self._begin(record, soa)
        elif self.kind is None and self._have is not None and soa.serial == self._have:
            self.kind, self._removing = TransferKind.CHANGES, True
        elif self.kind is TransferKind.CHANGES:
            self._next(soa)
        elif soa.serial != self._first.serial:
            raise TransferError(f"the zone begins with the serial {self._first.serial} and ends with {soa.serial}")
        else:
            self.kind, self._done = TransferKind.WHOLE, True

    def _begin(self, record: ReceivedRecord, soa: SOA) -> None:
        self._first, self.serial = soa, soa.serial
        self.soa = ZoneRecord(record.name, record.rrtype, record.ttl, record.rdata)
        self.soa_line = record.line
        if self._have is not None and not is_newer(soa.serial, self._have):
            self.kind, self._done = TransferKind.CURRENT, True

    def _next(self, soa: SOA) -> None:
        """One more SOA among changes: behind what is removed the new one, behind what is added the end or the next."""
        assert self._first is not None
        if self._removing:
            if self._reached is not None and not is_newer(soa.serial, self._reached):
                raise TransferError(f"the changes lead from the serial {self._reached} back to {soa.serial}")
            self._reached, self._removing = soa.serial, False
        elif soa.serial != self._reached:
            raise TransferError(f"the changes of the serial {soa.serial} come behind those to {self._reached}")
        elif soa.serial == self._first.serial:
            self._done = True
        else:
            self._removing = True
