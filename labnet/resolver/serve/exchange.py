"""What a responder leaves to who knows keys and whole zones: signed messages, transfers, NOTIFY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from zope.interface import Interface

from labnet.wire.dns_request import Refusal
from labnet.wire.types import Rcode

if TYPE_CHECKING:
    from labnet.wire.tsig import Opened

WhenOver = Callable[[str], object]
"""Called once when nothing more is sent: with "", or with why the rest was not."""

SendAll = Callable[[Iterator[bytes], WhenOver], object]
"""Sends messages one after the other, as fast as they are taken; an empty one stands for a wait."""


class ZoneAsked(NamedTuple):
    """A ``message`` that is no question for records, as ``refusal`` says, of the client at the address ``host``.

    It was signed by the ``key`` of that name, "" for none. Its answer has at most ``limit`` bytes, and is in several
    messages where ``many`` may be. ``opt`` is the OPT record that goes with it.
    """

    message: bytes
    refusal: Refusal
    host: str
    key: str
    limit: int
    many: bool
    opt: bytes


class Given(NamedTuple):
    """What the answer is: ``reply``, or ``messages``, which say what ``reply`` says and more; then ``over`` is called.

    It counts as ``rcode``, from ``source``.
    """

    reply: bytes
    rcode: Rcode
    source: str = "none"
    messages: Iterator[bytes] | None = None
    over: WhenOver = lambda why: None


class IZoneExchange(Interface):
    """Knows keys, and deals with other servers of its zones."""

    def time_of_day() -> float:
        """The epoch second that messages are signed at: the other side has a clock of its own."""

    def open(message: bytes, refusal: Refusal) -> Opened | None:
        """Check the signature of ``message``; None where it has none by a known key."""

    def give(asked: ZoneAsked) -> Given | None:
        """The answer to what other servers ask; None where it is nothing of that kind, or not known here."""
