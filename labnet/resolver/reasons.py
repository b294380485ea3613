"""Extended errors (RFC 8914) from the steps of a decision: clients are told in the words that whoever watches reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from labnet.events import Step
from labnet.wire.types import Answer, ExtendedError, InfoCode, Rcode

CODES: Final[Mapping[str, InfoCode]] = {
    **dict.fromkeys(("listed", "listed-client", "listed-address", "rebinding"), InfoCode.BLOCKED),
    "failed-before": InfoCode.CACHED_ERROR,
    "no-parent": InfoCode.NOT_AUTHORITATIVE,
    "records-alone": InfoCode.PROHIBITED,
    "recursion-not-asked": InfoCode.NOT_AUTHORITATIVE,
    "refused": InfoCode.PROHIBITED,
    "stale": InfoCode.STALE_ANSWER,
    "stale-negative": InfoCode.STALE_NXDOMAIN,
}
"""The code of each kind of step that has one of its own."""


def error_of(step: Step) -> ExtendedError:
    """What a client is told of ``step``."""
    return ExtendedError(CODES.get(step.kind, InfoCode.OTHER), step.sentence)


def told_why(rcode: Rcode, kind: str) -> Answer:
    """The answer without records whose reason is the step ``kind``, which has no values."""
    return Answer(rcode, errors=(error_of(Step(kind, {})),))
