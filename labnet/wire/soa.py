"""The numbers of an SOA (RFC 1035, section 3.3.13): the serial of a zone, and when it is looked for again."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_SOA_NUMBERS: Final = struct.Struct("!5I")


class SOA(NamedTuple):
    """All but the serial are seconds."""

    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int

    @property
    def lifetime(self) -> int:
        """Seconds that a secondary answers without a word of a primary: long enough for one look that fails."""
        return max(self.expire, self.refresh + self.retry, 60)


def soa_numbers(rdata: bytes) -> SOA:
    """The numbers in the data of an SOA, whose names are not compressed. Raises struct.error where it is none."""
    return SOA(*_SOA_NUMBERS.unpack(rdata[-_SOA_NUMBERS.size :]))
