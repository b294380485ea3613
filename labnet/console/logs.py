"""The log: nothing that a client sends can look like a line of it, as text or as JSON.

Twisted hands an event to its observers one after the other. :class:`Quoting` stands before all of them, so that what
twistd prints, what syslog gets and the JSON file have the same harmless text, be the event ours or Twisted's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from twisted.logger import ILogObserver, InvalidLogLevelError, LogEvent, LogLevel, LogPublisher, formatEvent
from twisted.python.failure import Failure, format_frames
from twisted.python.reflect import qual, safe_str
from zope.interface import implementer

from labnet.console.linefile import LineFile
from labnet.events import LogLine
from labnet.interfaces import IEvents
from labnet.wire.quoting import quoted

_LEGACY: Final = frozenset({"message", "format", "why", "time", "system", "isError", "failure", "logLevel", "printed"})
"""What Twisted's older way of logging puts into an event beside the event's own fields."""


class QuotedFailure(Failure):
    """A failure whose traceback has no line that its exception's text could have made."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value, failure.type, failure.getTracebackObject())

    def printTraceback(self, file: Any = None, elideFrameworkCode: Any = False, detail: str = "default") -> None:
        if file is None:
            from twisted.python import log

            file = log.logerr
        file.write("Traceback (most recent call last):\n")
        if self.frames:
            format_frames(self.frames, file.write, "default")
        file.write(f"{qual(type(self.value))}: {quoted(safe_str(self.value))}\n")


@implementer(ILogObserver)
class Quoting:
    """Makes every event harmless for the observers behind it: its text, its system and its failure."""

    def __call__(self, event: LogEvent) -> None:
        failure = event.get("failure")
        if isinstance(failure, Failure) and "log_failure" not in event:
            # An older log.err, as the reactor's: its text has the whole traceback already.
            event["log_failure"] = failure
            text = quoted(safe_str(event.get("why") or "Unhandled Error"))
        else:
            text = quoted(formatEvent(event))
        event["log_format"] = "{log_text}"
        event["log_text"] = text
        event.pop("log_flattened", None)
        if event.get("log_system") is not None:
            event["log_system"] = quoted(safe_str(event["log_system"]))
        for key in ("log_failure", "failure"):
            if isinstance(event.get(key), Failure):
                event[key] = QuotedFailure(event[key])
        # The older observers, as the one for syslog, build their text of these; without them they take ours.
        if isinstance(event.get("message"), tuple):
            for key in ("message", "format", "why"):
                event.pop(key, None)


@implementer(ILogObserver)
class JSONLog:
    """Writes each event as one JSON object a line: time, level, event, namespace, message, fields, traceback."""

    def __init__(self, file: LineFile) -> None:
        self._file = file

    def __call__(self, event: LogEvent) -> None:
        self._file.write(encoded(event))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@implementer(ILogObserver)
class LogLines:
    """Tells ``events`` of each line of the log."""

    def __init__(self, events: IEvents) -> None:
        self._events = events

    def __call__(self, event: LogEvent) -> None:
        level, name = event.get("log_level"), quoted(safe_str(event.get("event", "twisted")))
        text = quoted(formatEvent(event))
        failure = event.get("log_failure")
        if isinstance(failure, Failure):
            text = f"{text}: {quoted(failure.getErrorMessage())}"
        self._events.happened(LogLine(event.get("log_time", 0.0), getattr(level, "name", "info"), name, text[:1000]))


def encoded(event: LogEvent) -> bytes:
    """``event`` as a JSON object in ASCII with a newline behind it; an event of Twisted's own is named ``twisted``."""
    level = event.get("log_level")
    table: dict[str, Any] = {
        "time": iso8601(event.get("log_time", 0.0)),
        "level": getattr(level, "name", "info"),
        "event": _value(event.get("event", "twisted")),
        "namespace": _value(event.get("log_namespace", "-")),
        "message": quoted(formatEvent(event)),
        "fields": _fields(event),
    }
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        table["traceback"] = [quoted(line) for line in QuotedFailure(failure).getTraceback().splitlines()]
    return json.dumps(table, separators=(",", ":")).encode("ascii") + b"\n"


def iso8601(when: float) -> str:
    """``when`` (epoch seconds) in UTC to the microsecond: ``2023-10-01T13:33:03.000000Z``."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        quoted(key): _value(value)
        for key, value in event.items()
        if key != "event" and not key.startswith("log_") and key not in _LEGACY
    }


def _value(value: object) -> Any:
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return quoted(safe_str(value))


@implementer(ILogObserver)
class _FromLevel:
    """Hands on to ``observer`` what is of ``level`` and above."""

    def __init__(self, observer: ILogObserver, level: Any) -> None:
        self.observer = observer
        self._level = level

    def __call__(self, event: LogEvent) -> None:
        if (event.get("log_level") or LogLevel.info) >= self._level or event.get("isError"):
            self.observer(event)


class Logs:
    """What the lab adds to ``publisher``: the quoting before every observer, and the JSON log at ``path`` if any.

    ``level`` is from which level on events are written, by those that observe when it opens and by the JSON log.
    """

    def __init__(self, publisher: LogPublisher, path: str | None = None) -> None:
        self._publisher = publisher
        self._quoting = Quoting()
        self.file = LineFile(path) if path is not None else None
        self._json = JSONLog(self.file) if self.file is not None else None
        self._writers: list[ILogObserver] = []
        self.level: str = LogLevel.info.name

    def open(self) -> None:
        """From now on every event is quoted, and written."""
        self._writers = list(self._publisher._observers)
        # A publisher offers no way to be the first, and an observer sees what those before it made of the event.
        self._publisher._observers.insert(0, self._quoting)
        if self._json is not None:
            self._publisher.addObserver(self._json)
            self._writers.append(self._json)

    def set_level(self, name: str) -> None:
        """Write events of this level and above from now on. Raises ValueError with a sentence."""
        try:
            level = LogLevel.levelWithName(name)
        except InvalidLogLevelError:
            levels = ", ".join(one.name for one in LogLevel.iterconstants())
            raise ValueError(f"{name!r} is no level of the log: {levels}") from None
        observers = [getattr(one, "observer", one) if isinstance(one, _FromLevel) else one for one in self._observers]
        if level > LogLevel.info:
            observers = [_FromLevel(one, level) if one in self._writers else one for one in observers]
        self._publisher._observers[:] = observers
        self.level = level.name

    @property
    def _observers(self) -> list[ILogObserver]:
        return list(self._publisher._observers)

    def close(self) -> None:
        """Leave the publisher as it was and close the file; idempotent."""
        self.set_level(LogLevel.info.name)
        self._publisher.removeObserver(self._quoting)
        if self._json is not None:
            self._publisher.removeObserver(self._json)
            self._json.close()
