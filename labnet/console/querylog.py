"""The query log: one JSON object a line for each question that is noted."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from labnet.console.linefile import LineFile
from labnet.console.logs import iso8601
from labnet.interfaces import AnsweredQuery, IQueryLog
from labnet.net.clocks import ahead
from labnet.wire.quoting import quoted

FLUSH: Final = 1.0
"""Seconds that a line waits at most until it is in the file."""

MOST_WAITING: Final = 2000
"""Lines in memory; with so many the file is written at once."""

MOST_TEXTS: Final = 1000
"""Listeners and parents whose text is remembered: recursion meets any number of servers."""


@implementer(IQueryLog)
class QueryLog(Service):
    """Notes the questions in the file at ``path``; ``share`` of them is what it wants."""

    def __init__(self, path: str, share: float, clock: IReactorTime) -> None:
        self.share = share
        self.file = LineFile(path)
        self._clock = clock
        self._ahead = 0.0
        self._second = -1.0
        self._to_the_second = ""
        self._waiting: list[str] = []
        self._texts: dict[str, str] = {}
        self._flushing = LoopingCall(self.flush)
        self._flushing.clock = clock

    def startService(self) -> None:
        super().startService()
        self._flushing.start(FLUSH, now=False)

    def stopService(self) -> Deferred[None] | None:
        super().stopService()
        if self._flushing.running:
            self._flushing.stop()
        self.flush()
        self.file.close()
        return None

    def query_log(self, answered: AnsweredQuery) -> None:
        # What is one of a few texts needs no encoder, which is slow.
        when, resolver, listener, host, port, transport, protocol, name, rrtype = answered[:9]
        result, source, answer, ttl, parent, seconds, by, security = answered[9:]
        when += self._ahead
        if not 0.0 <= when - self._second < 1.0:
            self._second = float(when // 1)
            self._to_the_second = iso8601(self._second)[:-7]
        self._waiting.append(
            f'{{"time":"{self._to_the_second}{int((when - self._second) * 1e6):06d}Z",'
            f'"resolver":{self._text(resolver)},"listener":{self._text(listener)},'
            f'"client":{encode_basestring_ascii(quoted(host))},"port":{port},'
            f'"transport":"{transport}","protocol":"{protocol}","name":{encode_basestring_ascii(quoted(name))},'
            f'"type":{encode_basestring_ascii(quoted(rrtype))},"result":"{result}","source":"{source}",'
            f'"answer":{encode_basestring_ascii(quoted(answer))},"ttl":{"null" if ttl is None else ttl},'
            f'"parent":{self._text(parent)},"milliseconds":{seconds * 1000:.3f},"list":{self._text(by)}'
            + (f',"validated":"{security}"}}\n' if security else "}\n")
        )
        if len(self._waiting) >= MOST_WAITING:
            self.flush()

    def _text(self, text: str) -> str:
        """``text``, which is one of a few, as JSON."""
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            found = self._texts[text] = encode_basestring_ascii(quoted(text))
        return found

    def flush(self) -> None:
        """Write what waits."""
        # Questions are timed by a clock that is never set; the log has the time of day.
        self._ahead = ahead(self._clock)
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self.file.write("".join(lines).encode("ascii"), len(lines))
