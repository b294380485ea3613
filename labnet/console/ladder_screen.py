"""The live ladder as a terminal shows it: what was told, and the lines of a screen of a given size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from labnet.ladder.live import live_ladder
from labnet.ladder.model import cut
from labnet.ladder.text import ladder_lines, ladder_sentences

MOST: Final = 60
"""Exchanges that are kept, and sessions."""

_MOST_EVENTS: Final = 100
"""Events of one session that are kept."""

_HEAD: Final = 2
"""Lines of a ladder that name its columns."""

Value = dict[str, Any]


class LadderScreen:
    """What a lab told, bounded; ``hosts`` says what listens at an address."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._exchanges: OrderedDict[str, Value] = OrderedDict()
        self._sessions: OrderedDict[str, list[Value]] = OrderedDict()
        self.skipped = 0
        self.lost = ""

    def take(self, kind: str, value: Any) -> bool:
        """Note an event; whether the ladder is another one now."""
        if kind == "exchange":
            self._exchanges[value["id"]] = value
            if len(self._exchanges) > MOST:
                self._exchanges.popitem(last=False)
        elif kind == "session":
            events = self._sessions.setdefault(value["id"], [])
            if len(events) < _MOST_EVENTS:
                events.append(value)
            if len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
        elif kind == "skipped":
            self.skipped += value["count"]
        else:
            return False
        return True

    def lines(self, width: int, height: int, title: str) -> Iterator[tuple[str, str]]:
        """The lines of a screen with what each is: a title, the columns, and as much of the ladder's end as fits."""
        lost = f" · {self.lost}; trying again" if self.lost else ""
        skipped = f" · skipped {self.skipped}" if self.skipped else ""
        yield "title", cut(f"{title}{skipped}{lost}", width)
        if not self._exchanges and not self._sessions:
            yield "heading", cut("Nobody has asked anything yet; each question is drawn here as it comes.", width)
            return
        drawn = list(ladder_lines(self._ladder(), width))
        yield from drawn[:_HEAD]
        room = max(1, height - 1 - _HEAD)
        yield from drawn[_HEAD:][-room:]

    def one(self, kind: str, value: Value, width: int, in_words: bool) -> Iterator[str]:
        """The lines of one exchange, or of a session that is over: for a file, and for who listens."""
        if kind == "exchange":
            ladder = live_ladder([value], (), self._hosts)
        elif value["what"] == "closed":
            ladder = live_ladder((), self._sessions.get(value["id"], [value]), self._hosts)
        else:
            return
        yield from ladder_sentences(ladder) if in_words else (line for _, line in ladder_lines(ladder, width))

    def _ladder(self) -> Any:
        sessions = [event for events in self._sessions.values() for event in events]
        return live_ladder(list(self._exchanges.values()), sessions, self._hosts)
