"""The states of a connection to the command server, and what moves it from one to another.

A connection is in one :class:`SessionState` at a time, and ``TRANSITIONS`` names every :class:`SessionEvent` that
moves it on; an event that the table does not have in a state changes nothing there. So a close that comes twice is one
close, and data or a turn that comes too late is ignored::

    WAITING --serve--> SERVED <--pause / resume--> HELD
       |                 |                          |
       +-----dismiss-----+--> PARTING <-resume / pause-> PARTING_HELD <--dismiss-- HELD
                                 |
                               said --> FLUSHING        every state --close--> CLOSING --lost--> GONE

Three things hold in every state:

* Commands are taken, and replies made, in SERVED and PARTING alone. While a client leaves its replies unread (HELD),
  its further commands stay bytes: a batch of replies and a segment of commands bound what one connection takes.
* The time-out of ``deadlines`` runs from SERVED to FLUSHING. In CLOSING the grace of ``closing`` runs instead; then
  the connection is aborted.
* A connection is in one of ``settling`` and ``giving_up`` only in SERVED, while its last line has no end yet: a client
  of the course sends none, so a pause counts as one (:mod:`labnet.command.framing`).

A segment of nothing but TIME on a connection with nothing unfinished takes the fast path, at the head of the protocol's
``dataReceived``; ``_fast`` is true exactly then, and every way out of SERVED clears it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class SessionState(IntEnum):
    """How far a connection is; from FLUSHING on no command is taken any more."""

    WAITING = 0
    """Connected and not read from: its turn has not come."""
    SERVED = 1
    """Commands are read and answered."""
    HELD = 2
    """Unread replies have stopped the reading."""
    PARTING = 3
    """The last words are due once the commands that have come are answered."""
    PARTING_HELD = 4
    """PARTING, while unread replies have stopped the answers."""
    FLUSHING = 5
    """All is said; what is unread keeps the connection open until the time-out."""
    CLOSING = 6
    """The server closes; what is unread has the grace of a close."""
    GONE = 7
    """The connection is aborted or lost."""


class SessionEvent(IntEnum):
    """What moves a connection from one :class:`SessionState` to another."""

    SERVE = 0
    """The gate gives the client its turn."""
    PAUSE = 1
    """Too much waits to be sent."""
    RESUME = 2
    """All that waited is sent."""
    DISMISS = 3
    """The client sends no more, or the server stops."""
    SAID = 4
    """The last words are on their way."""
    CLOSE = 5
    """The server closes the connection."""
    LOST = 6
    """The connection is aborted or lost."""


TRANSITIONS: Final[dict[tuple[SessionState, SessionEvent], SessionState]] = {
    (SessionState.WAITING, SessionEvent.SERVE): SessionState.SERVED,
    (SessionState.WAITING, SessionEvent.DISMISS): SessionState.PARTING,
    (SessionState.SERVED, SessionEvent.PAUSE): SessionState.HELD,
    (SessionState.SERVED, SessionEvent.DISMISS): SessionState.PARTING,
    (SessionState.HELD, SessionEvent.RESUME): SessionState.SERVED,
    (SessionState.HELD, SessionEvent.DISMISS): SessionState.PARTING_HELD,
    (SessionState.PARTING, SessionEvent.PAUSE): SessionState.PARTING_HELD,
    (SessionState.PARTING, SessionEvent.SAID): SessionState.FLUSHING,
    (SessionState.PARTING_HELD, SessionEvent.RESUME): SessionState.PARTING,
    (SessionState.PARTING_HELD, SessionEvent.SAID): SessionState.FLUSHING,
    **{(state, SessionEvent.CLOSE): SessionState.CLOSING for state in SessionState if state < SessionState.CLOSING},
    **{(state, SessionEvent.LOST): SessionState.GONE for state in SessionState},
}
