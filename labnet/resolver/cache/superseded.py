"""Which names have a line in a course log already, so that a newer line of the same name is noticed.

Other programs read a records file from its top and take the first line of a name. An expired line must not stay before
the one that was learned anew, so a log is rewritten soon after a name of it was learned again.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

MOST_NAMES: Final = 50_000
"""Names that are remembered; in a file with more of them newer lines of the same name wait for the next compaction."""


class NamedLines:
    """The names in one log, by a hash of each."""

    def __init__(self) -> None:
        self._names: set[int] = set()
        self._may_have_others = False

    def start(self, names: Iterable[str], may_have_others: bool) -> None:
        """The log has lines of these ``names`` now, and perhaps of others too."""
        self._names = {hash(name.lower()) for name in islice(names, MOST_NAMES)}
        self._may_have_others = may_have_others

    def add(self, name: str) -> bool:
        """A line of ``name`` is put at the end; whether one of that name stands, or may stand, before it."""
        known, names = hash(name.lower()), self._names
        if known in names or self._may_have_others:
            return True
        if len(names) < MOST_NAMES:
            names.add(known)
        return False
