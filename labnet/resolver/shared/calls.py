"""Commands on their way to the server of a shared cache: how long each may take, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.resolver.shared.connection import printable, shown
from labnet.resolver.shared.values import StoreGone

REFUSED: Final = 1.0
"""Seconds after a refusal in which an accepted command does not yet say that the server has room again."""


class Call:
    """A command that waits for its answer for ``within`` seconds; then ``overdue`` is called with it, once.

    ``is_slow`` says that half of that time has passed. The time counts from the reactor's next turn, in which the
    command is sent; and what has come when it is over is read first. So a lab that is busy is not taken for a slow
    server.
    """

    def __init__(self, clock: IReactorTime, within: float, overdue: Callable[[Call], None]) -> None:
        self.result: Deferred[Any] = Deferred(lambda _: None)
        self.within = within
        self.is_slow = False
        self._clock = clock
        self._overdue = overdue
        self._timer: IDelayedCall = clock.callLater(0, self._sent)

    def answered(self, reply: Any) -> None:
        """The answer is ``reply``, which may be a Failure; who asked may have given it up."""
        if self._timer.active():
            self._timer.cancel()
        if not self.result.called:
            self.result.callback(reply)

    def _sent(self) -> None:
        self._timer = self._clock.callLater(self.within / 2, self._look, self._half)

    def _look(self, then: Callable[[], None]) -> None:
        self._timer = self._clock.callLater(0, then)

    def _half(self) -> None:
        self.is_slow = True
        self._timer = self._clock.callLater(self.within / 2, self._look, self._over)

    def _over(self) -> None:
        self._overdue(self)


class Calls:
    """The commands that have no answer yet.

    ``failed`` is called with the reason where the server answered one with an error that is not that key's alone,
    ``late`` with the seconds and the reason where one was not answered in time.
    """

    def __init__(self, clock: IReactorTime, failed: Callable[[str], None], late: Callable[[float, str], None]) -> None:
        self._clock = clock
        self._failed = failed
        self._late = late
        self._calls: set[Call] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def send(self, execute: Callable[..., Any] | None, within: float, most: int, command: tuple[Any, ...]) -> Call:
        """Have ``execute`` send ``command``; its result fails with :class:`StoreGone`, at once past ``most`` commands.

        Without an answer it fails after ``within`` seconds.
        """
        call = Call(self._clock, within, self._overdue)

        def answered(reply: Any) -> None:
            if call not in self._calls:
                return  # its connection was given up
            self._calls.discard(call)
            if not isinstance(reply, Failure):
                call.answered(reply)
                return
            why = shown(reply)
            call.answered(Failure(StoreGone(why)))
            if not why.startswith("WRONGTYPE"):  # that one key is not ours
                self._failed(why)

        if execute is None:
            call.answered(Failure(StoreGone("it is not there")))
        elif len(self._calls) >= most:
            call.answered(Failure(StoreGone(f"it has {most} commands to answer already")))
        else:
            self._calls.add(call)
            maybeDeferred(execute, *command).addBoth(answered)
        return call

    def give_up(self, why: str) -> None:
        """Fail all of them: their connection is gone."""
        calls, self._calls = self._calls, set()
        for call in calls:
            call.answered(Failure(StoreGone(why)))

    def _overdue(self, call: Call) -> None:
        why = f"it did not answer within {call.within:g} s"
        if not call.result.called:
            call.result.errback(StoreGone(why))
        self._late(call.within, why)


class Room:
    """Whether the server at ``place`` takes what it is given: said in ``log`` once, and so is that it does again."""

    def __init__(self, clock: IReactorTime, log: Logger, place: str) -> None:
        self._clock = clock
        self._log = log
        self._place = place
        self._refused_at: float | None = None

    def said(self, word: object, *accepted: bytes) -> None:
        """Take up the server's word on a command: done, if one of ``accepted``, else what it is short of."""
        now = self._clock.seconds()
        if word in accepted:
            if self._refused_at is not None and not 0 <= now - self._refused_at < REFUSED:
                self._refused_at = None
                self._log.info(
                    "the shared cache at {place} takes answers again", place=self._place, event="shared.room"
                )
            return
        if self._refused_at is None:
            self._log.warn(
                "the shared cache at {place} takes nothing more: {why}; the lab asks its parents by itself",
                place=self._place,
                why=printable(word),
                event="shared.full",
            )
        self._refused_at = now
