"""``labnet run``: the lab in the foreground, with a log for people to read."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TextIO, cast

from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from twisted.python import usage
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.daemon.running.signals import Signals
from labnet.daemon.tap import Lab, LabOptions
from labnet.interfaces import StartError
from labnet.wire.quoting import quoted

_TWISTEDS: Final = ("log_legacy", "twisted.")
"""The namespaces of what Twisted says of itself: each port that it opens and closes, once more."""

_WORDS: Final = {LogLevel.warn: "warning: ", LogLevel.error: "error: ", LogLevel.critical: "error: "}


@implementer(ILogObserver)
class ShortLog:
    """Writes each event as the time of day and what happened; what Twisted says of itself only where it is a fault."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        failure = event.get("log_failure")
        if level <= LogLevel.info and failure is None and event.get("log_namespace", "").startswith(_TWISTEDS):
            return
        at = datetime.fromtimestamp(event.get("log_time", 0.0)).strftime("%H:%M:%S")
        text = quoted(formatEvent(event))
        traceback = f"{failure.getTraceback().rstrip()}\n" if isinstance(failure, Failure) else ""
        self._out.write(f"{at} {_WORDS.get(level, '')}{text}\n{traceback}")
        self._out.flush()


def run(config: str | None = None, quiet: bool = False) -> int:
    """Run the lab of the file ``config``, or the one that is found, until Ctrl-C, SIGTERM or ``labnet stop``.

    With ``quiet`` there is no line in the log for each request. Gives the exit status: 0 when it was stopped, 1 where
    the configuration is wrong or a port cannot be had, which is said in a sentence each.
    """
    options: Any = cast(Any, LabOptions)()
    words = [*(["--config", config] if config is not None else []), *(["--quiet"] if quiet else [])]
    try:
        options.parseOptions(words)
    except (SystemExit, usage.UsageError) as error:
        for line in str(error).splitlines():
            print(quoted(line), file=sys.stderr)
        return 1
    globalLogBeginner.beginLoggingTo([cast(ILogObserver, ShortLog(sys.stdout))], redirectStandardIO=False)
    from twisted.internet import reactor

    def stop() -> None:
        with suppress(ReactorNotRunning):  # a second signal before the end of the start
            cast(Any, reactor).stop()

    signals = Signals(reactor)
    for number in signal.SIGINT, signal.SIGTERM:  # the reactor has them only once it runs
        signals.catch(number, stop)
    lab: Any = Lab.makeService(options)
    try:
        lab.privilegedStartService()
        lab.startService()
    except StartError as error:
        print(quoted(str(error)), file=sys.stderr)
        return 1
    cast(Any, reactor).addSystemEventTrigger("before", "shutdown", lab.stopService)
    cast(Any, reactor).run()
    return 0
