"""The last warnings and errors of the log, for ``labnet status``."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from labnet.wire.quoting import quoted

MOST: Final = 20
_COUNTED: Final = (LogLevel.warn, LogLevel.error, LogLevel.critical)


@implementer(ILogObserver)
class RecentWarnings:
    """Keeps the last ``most`` warnings and errors; the same text again counts up."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._warnings: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") not in _COUNTED:
            return
        text = formatEvent(event)
        if event.get("log_failure") is not None:
            text = f"{text}: {event['log_failure'].getErrorMessage()}"
        text = quoted(text)
        times = self._warnings.pop(text, {"times": 0})["times"] + 1
        when = event.get("log_time", 0.0)
        self._warnings[text] = {"at": when, "level": event["log_level"].name, "text": text, "times": times}
        if len(self._warnings) > self._most:
            self._warnings.popitem(last=False)

    def last(self) -> list[dict[str, Any]]:
        """The last ones, the newest at the end: ``at`` (epoch seconds), ``level``, ``text``, ``times``."""
        return [dict(one) for one in self._warnings.values()]
