"""What a log of what was learned is doing, and how much of it the file has (:mod:`labnet.resolver.cache.log`)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class State(Enum):
    """What a log is doing."""

    IDLE = auto()
    WRITING = auto()
    SYNCING = auto()
    WAITING = auto()
    CLOSING = auto()
    CLOSED = auto()


class Cause(Enum):
    """What leads from one state to the next."""

    BEGIN = auto()
    WRITTEN = auto()
    REPLACED = auto()
    OVERTAKEN = auto()
    FAILED = auto()
    DEFER = auto()
    CLOSE = auto()
    END = auto()


TRANSITIONS: Final[Mapping[State, Mapping[Cause, State]]] = {
    State.IDLE: {
        Cause.BEGIN: State.WRITING,
        Cause.FAILED: State.WAITING,
        Cause.DEFER: State.WAITING,
        Cause.CLOSE: State.CLOSING,
    },
    State.WRITING: {
        Cause.WRITTEN: State.SYNCING,
        Cause.REPLACED: State.IDLE,
        Cause.OVERTAKEN: State.WAITING,
        Cause.FAILED: State.WAITING,
        Cause.CLOSE: State.CLOSING,
    },
    State.SYNCING: {
        Cause.REPLACED: State.IDLE,
        Cause.OVERTAKEN: State.WAITING,
        Cause.FAILED: State.WAITING,
        Cause.CLOSE: State.CLOSING,
    },
    State.WAITING: {Cause.BEGIN: State.WRITING, Cause.FAILED: State.WAITING, Cause.CLOSE: State.CLOSING},
    State.CLOSING: {
        Cause.BEGIN: State.CLOSING,
        Cause.REPLACED: State.CLOSING,
        Cause.FAILED: State.CLOSING,
        Cause.OVERTAKEN: State.CLOSING,
        Cause.END: State.CLOSED,
    },
    State.CLOSED: {},
}


class Durability(Enum):
    """How much of what is live the file has; the value is what a failure's line in the log says of it."""

    WHOLE = ""
    APPENDED = "new lines are still appended, old ones cannot be removed"
    IN_MEMORY = "it is kept in memory until that is mended"
