"""How often one and the same kind of thing may be logged: outsiders must not be able to fill a disk."""

from __future__ import annotations

import math
from typing import Final

PERIOD: Final = 1.0
"""Seconds between two lines."""


class LogLimit:
    """Lets one line a second through; each says how many were left out before it."""

    def __init__(self) -> None:
        self._logged_at = -math.inf
        self._left_out = 0

    def more(self, now: float) -> str | None:
        """What the line at ``now`` (seconds) has to end with; None where it is to be left out."""
        if 0 <= now - self._logged_at < PERIOD:
            self._left_out += 1
            return None
        more = f" (and {self._left_out} more before)" if self._left_out else ""
        self._logged_at, self._left_out = now, 0
        return more
