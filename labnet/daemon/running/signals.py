"""Signals of the system as calls in the reactor."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class Signals:
    """Signals that are caught, until they are given back to whoever had them before."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._before: dict[int, Any] = {}

    def catch(self, number: int, call: Callable[[], object]) -> None:
        """Have ``call`` called in the reactor for each signal ``number`` from now on."""

        def caught(number: int, frame: FrameType | None) -> None:
            self._reactor.callFromThread(call)

        before = signal.signal(number, caught)
        self._before.setdefault(number, before)

    def give_back(self) -> None:
        """Whoever had the signals before has them again."""
        before, self._before = self._before, {}
        for number, action in before.items():
            signal.signal(number, action)


class Terminal:
    """The terminal that the process was started in, if it was, by its standard error.

    SIGHUP asks for a reload; the system sends it too when the terminal is closed: then this one is gone.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._was_there = os.isatty(descriptor)

    @property
    def is_gone(self) -> bool:
        return self._was_there and not os.isatty(self._descriptor)
