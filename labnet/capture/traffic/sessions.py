"""TCP segments into sessions: what each side said in order, which commands got which replies, who closed and why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from labnet.capture.model import Dissected
from labnet.capture.packet.applications import ApplicationData
from labnet.capture.traffic.stream import Arrival, Stream, Waiting
from labnet.command.framing import CommandFramer

MOST_OPEN: Final = 4096
"""Sessions followed at a time; past it the one silent longest ends as it stands."""
MOST_EVENTS: Final = 500
"""Commands, replies and other events of one session."""
LINGER: Final = 60_000_000_000
"""Nanoseconds for which a session that is over is remembered, so that late segments belong to it (TCP's TIME-WAIT)."""
TIME_OUT: Final = 14.5
"""Seconds without a command from which a close by the server is put down to the assignment's 15 s."""

End = tuple[str, int]
_NUMBERS: Final = Struct("!IIHH")
FIN, SYN, RST, ACK = 1, 2, 4, 16


class _Numbers(NamedTuple):
    """What the header of a segment says."""

    sequence: int
    acknowledged: int
    flags: int
    window: int


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something in a session: ``who`` is "client", "server" or empty, ``kind`` names it, ``says`` tells it."""

    frame: int
    time_ns: int
    who: str
    kind: str
    says: str


@dataclass(slots=True)
class CapturedSession:
    """One TCP connection as far as the capture shows it."""

    client: End
    server: End
    started: bool
    """Whether its first segment, the SYN, is in the capture."""
    first_frame: int
    time_ns: int
    protocol: str = ""
    events: list[TimelineEvent] = field(default_factory=list)
    untold: int = 0
    closed: str = ""
    """Who closed and why, one sentence; empty where the capture does not show it."""
    sides: dict[End, Stream] = field(default_factory=dict)
    finished: set[End] = field(default_factory=set)
    framer: CommandFramer = field(default_factory=CommandFramer)
    last_command_ns: int = 0
    last_client_ns: int = 0
    last_client_frame: int = 0
    unanswered: int = 0
    last_command: str = ""
    last_frame: int = 0
    over_ns: int | None = None
    """When both sides had closed, or one had reset it."""

    def tell(self, frame: int, time_ns: int, who: str, kind: str, says: str) -> None:
        if len(self.events) >= MOST_EVENTS:
            self.untold += 1
        else:
            self.events.append(TimelineEvent(frame, time_ns, who, kind, says))


class Sessions:
    """Follows TCP connections, segment by segment, and gives each session when it is over."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[End, End], CapturedSession] = OrderedDict()
        self._over: OrderedDict[tuple[End, End], int] = OrderedDict()
        self._exits: OrderedDict[End, int] = OrderedDict()
        self._waiting = Waiting()

    def add(self, frame: Dissected, message: ApplicationData | None) -> Iterator[CapturedSession]:
        """The sessions that are over with the segment in ``frame``."""
        layer, ports = frame.transport, frame.ports
        if layer is None or layer.name != "tcp" or ports is None or layer.cut:
            return
        sequence, acknowledged, flags, window = layer.unpack(_NUMBERS, 4)
        flags &= 0x1FF
        source, destination = (frame.source, ports[0]), (frame.destination, ports[1])
        key = (min(source, destination), max(source, destination))
        now = frame.packet.time_ns
        yield from self._leave(now)  # before this one is looked for, which may leave too
        session = self._open.get(key)
        if session is not None and flags & (SYN | ACK) == SYN and (session.finished or session.over_ns is not None):
            yield _released(self._open.pop(key))
            session = None
        if session is None:
            if flags & RST or not (flags & (SYN | FIN) or frame.data):
                return  # an acknowledgement alone tells nothing of a connection, least of all of one that is over
            session = self._open[key] = _opened(frame, source, destination, flags)
            if len(self._open) > MOST_OPEN:
                yield _released(self._open.popitem(last=False)[1])
        self._open.move_to_end(key)
        self._segment(session, frame, source, _Numbers(sequence, acknowledged, flags, window), message)
        if session.over_ns is None and (flags & RST or (len(session.finished) == 2 and not flags & FIN)):
            session.over_ns = now
            self._over[key] = now

    def _leave(self, now: int) -> Iterator[CapturedSession]:
        """The sessions that have been over for so long that nothing of them comes any more."""
        while self._over:
            key, since = next(iter(self._over.items()))
            if now - since < LINGER:
                return
            del self._over[key]
            session = self._open.get(key)
            if session is not None and session.over_ns == since:
                yield _released(self._open.pop(key))

    def rest(self) -> Iterator[CapturedSession]:
        """What is still open at the end of the capture, and what was over a moment ago."""
        while self._open:
            yield _released(self._open.popitem(last=False)[1])

    def _segment(
        self,
        session: CapturedSession,
        frame: Dissected,
        source: End,
        numbers: _Numbers,
        message: ApplicationData | None,
    ) -> None:
        sequence, flags = numbers.sequence, numbers.flags
        session.last_frame = number = frame.packet.number
        now = frame.packet.time_ns
        who = "client" if source == session.client else "server"
        stream = session.sides.setdefault(source, Stream(self._waiting))
        peer = session.sides.get(session.server if who == "client" else session.client)
        if flags & SYN:
            again = stream.base == (sequence + 1) % 2**32
            stream.start(sequence + 1)
            says = "asks for a connection" if not flags & ACK else "accepts it"
            session.tell(
                number, now, who, "again" if again else "syn", f"{says} again (the SYN is repeated)" if again else says
            )
        if frame.size:
            new, arrival = stream.take(sequence, frame.data, frame.size, peer.window if peer is not None else -1)
            if arrival is not Arrival.NEW:
                session.tell(number, now, who, arrival.name.lower(), arrival.value)
            if new:
                self._said(session, frame, who, new, message)
        elif not flags & (SYN | FIN | RST):
            self._acknowledged(session, frame, who, numbers)
        stream.window = numbers.window
        if flags & RST:
            session.tell(number, now, who, "reset", "resets the connection")
            session.closed = session.closed or f"The {who} reset the connection"
        elif flags & FIN:
            stream.end = stream.offset(sequence) + frame.size
            self._finished(session, frame, source, who)

    @staticmethod
    def _acknowledged(session: CapturedSession, frame: Dissected, who: str, numbers: _Numbers) -> None:
        """An acknowledgement without data: the same one again says that a segment is missing (RFC 5681)."""
        ends = (session.client, session.server) if who == "client" else (session.server, session.client)
        stream, peer = session.sides[ends[0]], session.sides.get(ends[1])
        said = (numbers.acknowledged, numbers.window)
        if said != stream.acknowledged:
            stream.acknowledged, stream.repeats = said, 0
            return
        outstanding = peer is not None and peer.covered and peer.covered[-1][1] > peer.offset(said[0])
        if outstanding and len(session.finished) < 2:
            stream.repeats += 1
            says = f"acknowledges the same byte again: one before is missing (duplicate ACK {stream.repeats})"
            session.tell(frame.packet.number, frame.packet.time_ns, who, "duplicate", says)

    def _said(
        self, session: CapturedSession, frame: Dissected, who: str, data: bytes, message: ApplicationData | None
    ) -> None:
        number, now = frame.packet.number, frame.packet.time_ns
        if message is not None and not session.protocol:
            session.protocol = message.protocol
        if session.protocol != "Command":
            cut = f" ({len(data)} of them in the capture)" if frame.packet.is_cut and frame.size > len(data) else ""
            says = message.says if message is not None else f"{frame.size if cut else len(data)} bytes{cut}"
            session.tell(number, now, who, "data", says)
            return
        if who == "server":
            # A reply tells that unfinished input counted as a command, even to a server that waits less than ours.
            self._pause(session, now, answered=not session.unanswered)
            kind = "greeting" if not session.last_command_ns else "reply"
            session.last_command_ns = session.last_command_ns or now
            session.unanswered = 0
            session.tell(number, now, who, kind, _shown(data))
            return
        self._pause(session, now, answered=False)
        session.last_client_frame, session.last_client_ns = frame.packet.number, now
        self._commands(session, session.framer.receive(data))

    def _pause(self, session: CapturedSession, now: int, answered: bool) -> None:
        patience = session.framer.patience
        if patience is not None and (answered or (now - session.last_client_ns) / 1e9 >= patience):
            self._commands(session, session.framer.pause())

    def _commands(self, session: CapturedSession, commands: list[bytes]) -> None:
        frame, time_ns = session.last_client_frame, session.last_client_ns
        for command in commands:
            session.unanswered += 1
            session.last_command, session.last_command_ns = command.decode(errors="replace"), time_ns
            session.tell(frame, time_ns, "client", "command", _shown(command))
            if command == b"EXIT":
                self._exits[session.server] = time_ns
                if len(self._exits) > MOST_OPEN:
                    self._exits.popitem(last=False)

    def _finished(self, session: CapturedSession, frame: Dissected, source: End, who: str) -> None:
        if source in session.finished:
            says = "closes its side again (the FIN is repeated)"
            session.tell(frame.packet.number, frame.packet.time_ns, who, "again", says)
            return
        first = not session.finished
        number, now = frame.packet.number, frame.packet.time_ns
        session.finished.add(source)
        if session.protocol == "Command":
            self._commands(session, session.framer.end())
        session.tell(number, now, who, "fin", "closes its side")
        if first:
            session.closed = self._why(session, frame, who)

    def _why(self, session: CapturedSession, frame: Dissected, who: str) -> str:
        if who == "client":
            return "The client closed first"
        if session.protocol != "Command":
            return "The server closed first"
        if session.last_command == "EXIT":
            return "The server closed because of EXIT"
        silent = (frame.packet.time_ns - session.last_command_ns) / 1e9
        if session.last_command_ns and silent >= TIME_OUT:
            return f"The server closed after {silent:.1f} s without a command: its time-out (15 s in the assignment)"
        exited = self._exits.get(session.server)
        if exited is not None and 0 <= frame.packet.time_ns - exited < 2_000_000_000:
            return "The server closed because another client sent EXIT, which closes every socket"
        after = f"{silent:.1f} s after the last command" if session.last_command else f"after {silent:.1f} s of silence"
        return f"The server closed first, {after}: neither EXIT nor the assignment's 15 s explain it"


def _opened(frame: Dissected, source: End, destination: End, flags: int) -> CapturedSession:
    """Who asks for the connection is the client; where that was not captured, who has the higher port."""
    if flags & SYN:
        client, server = (destination, source) if flags & ACK else (source, destination)
    else:
        client, server = (source, destination) if source[1] >= destination[1] else (destination, source)
    started = bool(flags & SYN) and not flags & ACK
    session = CapturedSession(client, server, started, frame.packet.number, frame.packet.time_ns)
    if not started:
        session.tell(session.first_frame, session.time_ns, "", "late", "the connection is older than the capture")
    return session


def _released(session: CapturedSession) -> CapturedSession:
    """``session``, of which nothing waits for more."""
    for stream in session.sides.values():
        stream.release()
    return session


def _shown(data: bytes) -> str:
    text = data.decode(errors="replace")
    return repr(text if len(text) <= 200 else text[:200] + "…")
