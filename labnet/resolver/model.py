"""What everything in the resolver speaks: a mapping of a name to an address, and how names are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_TTL: Final = 2**31 - 1
"""Seconds; the bound of RFC 2181, section 8."""

LONGEST_NAME: Final = 255
"""Bytes of UTF-8 in a name; the bound of RFC 1035, section 2.3.4."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """One name with its address, static or learned (assignment, "information line").

    ``address`` is opaque text: the assignment's own records are no IPv4 addresses. ``ttl`` is in seconds;
    ``since`` is the epoch second at which the mapping was loaded or learned.
    """

    name: str
    address: str
    ttl: int
    learned: bool
    since: float

    def is_valid(self, now: float) -> bool:
        """Whether it may be answered at ``now`` (epoch seconds): a learned one until its age passes its TTL."""
        return not self.learned or now - self.since <= self.ttl


def fold(name: str) -> str:
    """The form under which names are compared: case and one final dot do not count (RFC 4343)."""
    return name.lower().removesuffix(".")


def is_name(text: str) -> bool:
    """Whether ``text`` can be a name in a records file: 1 to 255 bytes, no comma, white space or control character."""
    return (
        0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
        and "," not in text
        and text.isprintable()
        and " " not in text
    )
