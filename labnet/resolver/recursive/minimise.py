"""QNAME minimisation: a zone's servers see no more of the name than they need (RFC 9156)."""

from __future__ import annotations

from typing import Final

from labnet.wire.names import ancestors
from labnet.wire.types import Question, RRType

MAX_MINIMISE_COUNT: Final = 10
"""Questions on one way down in which the name grows; the last is for the whole name (RFC 9156, section 2.3)."""
MINIMISE_ONE_LAB: Final = 4
"""Those of them that take one label more each; the others share the remaining labels."""


class Minimised:
    """The names to ask for on the way down to ``question``, from a zone that it lies in.

    Parts of the name are asked for with type A, which every server understands (RFC 9156, section 2.1). Labels that
    begin with an underscore are no zone of their own and cost no question (section 2.3).
    """

    def __init__(self, question: Question, zone: bytes) -> None:
        self._question = question
        self._parts = list(ancestors(question.key))[::-1]
        self._asked = 0
        self._whole = False
        self._known = 0
        self.reached(zone)

    def next(self) -> Question:
        """What to ask the servers of the zone reached."""
        last = len(self._parts) - 1
        if self._whole:
            return self._question
        step = 1
        if self._asked >= MINIMISE_ONE_LAB:
            step = max(1, (last - self._known) // (MAX_MINIMISE_COUNT - self._asked))
        at = self._known + step
        while at < last and self._parts[at][1:2] == b"_":
            at += 1
        if at >= last:
            return self._question
        self._asked += 1
        return Question(self._parts[at], RRType.A)

    def reached(self, name: bytes) -> None:
        """``name``, above the question's, is known to be there, or to be a zone: go on below it."""
        self._known = self._parts.index(name)

    def relax(self) -> None:
        """Ask for the whole name from now on: a server stumbled over a part of it (RFC 9156, section 3)."""
        self._whole = True
