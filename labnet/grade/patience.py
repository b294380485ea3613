"""How long a program may take, and when what has not come by now will not come."""

from __future__ import annotations

import time
from typing import Final

from labnet.grade.sandbox.world import Sandbox

PATIENCE: Final = 4.0
"""Seconds that an answer may take; more while the program or the machine is busy."""

MOST_PATIENCE: Final = 30.0
"""Seconds after which a program that is always busy counts as one that does not answer."""

READY: Final = 10.0
"""Seconds that a program may take to open its port; more while it is busy."""

IDLE: Final = 1.0
"""Seconds without any work of the program, at the end of its time, that show that it does not go on."""


class Patience:
    """Says when a program has had ``seconds`` and is idle: then what has not come by now will not come."""

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        self.began = time.monotonic()
        self._sandbox = sandbox
        self._until = self.began + seconds
        self._latest = self.began + max(seconds, MOST_PATIENCE)
        # A short wait is for what must not come: nobody is accused for its end.
        self._idle = min(IDLE, seconds / 4)
        self._ticks = -1
        self._since = self.began

    def is_over(self) -> bool:
        """Whether the program's time is over, and it does nothing any more."""
        now = time.monotonic()
        if now < self._until - self._idle:
            return False
        state = self._sandbox.state()
        if state["busy"] or state["ticks"] != self._ticks:
            self._ticks, self._since = state["ticks"], now
        return now > self._until and (now - self._since >= self._idle or now > self._latest)
