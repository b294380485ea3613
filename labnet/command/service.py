"""The command server: its welcome ports, the gate, the time-outs, EXIT."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from zope.interface import implementer

from labnet.command.admission import WHY, SessionAdmission
from labnet.command.dialects import codec_of, framer_of, protocol_of, with_dialect
from labnet.command.framing import GIVE_UP, SETTLE, CommandFramer
from labnet.command.gate import Gate
from labnet.command.overview import overview
from labnet.command.ports import WelcomePort, WelcomePorts, close
from labnet.command.protocol import CommandFactory, CommandProtocol
from labnet.command.reader import shared_reader
from labnet.command.refusals import RefusalLog
from labnet.command.telling import Telling
from labnet.command.turns import GRACE, SessionTurns
from labnet.config.services import CommandConfig
from labnet.dialects.commands import CommandCodec
from labnet.dialects.reader import DialectError
from labnet.interfaces import UNWATCHED, IChange, IEvents, IMeasured, IReactor, StartError
from labnet.metrics import Sample
from labnet.net.clocks import wall_of
from labnet.net.deadlines import Deadlines
from labnet.net.kernel import memory
from labnet.net.kernel.peer_user import user_of
from labnet.policy.access import address_of
from labnet.values.addresses import LocalUser

CROWD: Final = 1000
"""Sessions at a time whose memory is worth giving back to the system when the last of them has left."""

_ENDS: Final = ("client", "exit", "server", "timeout", "turn", *WHY)


@implementer(IMeasured)
class CommandService(Service):
    """Listens as ``config`` says; ``exited`` is called when EXIT has closed every socket.

    What happens in its sessions is told to ``events``.
    """

    log = Logger()

    def __init__(
        self,
        config: CommandConfig,
        reactor: IReactor,
        exited: Callable[[], None],
        events: IEvents = UNWATCHED,
    ) -> None:
        self.reactor = reactor
        self.telling = Telling(events, reactor)
        self.style = codec_of(config)
        self.protocol = protocol_of(self.style)
        config = with_dialect(config, self.style)
        self.gate: Gate[CommandProtocol] = Gate(config.clients, self._hold, reactor.seconds)
        self.reader = shared_reader(reactor, self.look_at_the_clock)
        self.deadlines: Deadlines[CommandProtocol] = Deadlines(reactor, config.timeout, CommandProtocol.expire)
        self.closing: Deadlines[CommandProtocol] = Deadlines(reactor, GRACE, CommandProtocol.abort)
        self.settling: Deadlines[CommandProtocol] = Deadlines(reactor, SETTLE, CommandProtocol.fell_silent)
        self.giving_up: Deadlines[CommandProtocol] = Deadlines(reactor, GIVE_UP, CommandProtocol.fell_silent)
        self._config = config
        self._exited = exited
        self._wall = wall_of(reactor)
        self.factory = CommandFactory(self)
        self._welcome = WelcomePorts(reactor, self.factory)
        self._admission = SessionAdmission(config)
        self._closed = False
        self._most = 0
        self.now = 0.0
        """What the reactor's clock showed at the last look."""
        self.time_reply = b""
        """The reply to TIME at that moment; made once a second."""
        self.times = 0
        """Commands TIME that were answered."""
        self._second = -1
        self._exits = self._invalids = 0
        self._waiting_for_close: list[Deferred[None]] = []
        self._ends = array("Q", [0] * len(_ENDS))  # no objects: they would hold a crowd's memory
        self._said = RefusalLog(reactor)
        self._turns = SessionTurns(reactor, self.gate, lambda: self._config.turn)

    @property
    def ports(self) -> tuple[IListeningPort, ...]:
        """The welcome ports that are open."""
        return self._welcome.ports

    def privilegedStartService(self) -> None:
        self._welcome.open(self._config.listen)

    def prepare(self, config: CommandConfig) -> IChange:
        """Get ready for ``config``, to be committed or cancelled: its new ports are open then, and do not accept yet.

        Raises StartError where one cannot be opened; then nothing has changed. After an EXIT that closed the server
        nothing is opened: it stays closed.
        """
        try:
            style = codec_of(config)
        except DialectError as error:
            raise StartError(", ".join(config.listen), error) from None
        opened = [] if self._closed else self._welcome.opened_for(config.listen)
        return _Change(self, with_dialect(config, style), style, opened)

    def change(self, config: CommandConfig, style: CommandCodec, opened: Sequence[WelcomePort]) -> None:
        """Run by ``config`` and in the words of ``style`` from now on, with the ports ``opened`` for it.

        Every session goes on.
        """
        if self._closed:
            close(opened)
        else:
            self._welcome.exchange(config.listen, opened)
        self._config = config
        self.style = style
        self.protocol = protocol_of(style)
        self._second = -1
        self._admission.change(config)
        self.deadlines.change(config.timeout)
        self.gate.change(config.clients)

    def open(self, config: CommandConfig) -> None:
        """Listen again after an EXIT, by ``config``. Raises StartError where a port cannot be opened."""
        opened = self._welcome.opened_for(config.listen)
        self._closed = False
        style = codec_of(config)
        self.change(with_dialect(config, style), style, opened)

    def drain(self) -> Deferred[None]:
        """Accept no more connections, and say to each client that the server closes; fires when all are closed.

        A command that has come is answered before. A client that does not read has the time until :meth:`stopService`.
        """
        for session in self.gate.sessions:
            session.dismiss(self.style.closing, "server")
        return self._when_closed()

    def stopService(self) -> Deferred[None]:
        """Fires when every socket is closed."""
        super().stopService()
        return self._close("server")

    def samples(self) -> Iterator[Sample]:
        yield Sample("labnet_sessions", ("served",), self.gate.served)
        yield Sample("labnet_sessions", ("waiting",), self.gate.waiting)
        for end in _ENDS:
            yield Sample("labnet_sessions_ended_total", (end,), self._ends[_ENDS.index(end)])
        for command, count in ("TIME", self.times), ("EXIT", self._exits), ("invalid", self._invalids):
            yield Sample("labnet_commands_total", (command,), count)

    def look_at_the_clock(self) -> None:
        """Once for all commands that come together."""
        self.now = self.reactor.seconds()
        now = self._wall()
        if int(now) != self._second:
            self._second = int(now)
            self.time_reply = self.style.time(now)

    def new_framer(self) -> CommandFramer:
        """What collects the commands of one connection."""
        return framer_of(self.style)

    def counted(self, command: bytes) -> float:
        """``command``, which does not end the connection, is answered now: the time of day in epoch seconds."""
        self.look_at_the_clock()
        if command == b"TIME":
            self.times += 1
        elif not self.style.is_command(command):
            self._invalids += 1
        return self._wall()

    def replies_to(self, commands: list[bytes]) -> bytes:
        """The replies to ``commands``, none of which is EXIT, in one piece."""
        self.look_at_the_clock()
        times = commands.count(b"TIME")
        self.times += times
        if times == len(commands):
            return self.time_reply * times
        self._invalids += len(commands) - times
        replies = {b"TIME": self.time_reply}
        return b"".join([replies.get(command, self.style.invalid) for command in commands])

    def exit(self, session: CommandProtocol) -> None:
        """EXIT came from ``session``: style and networks say whether all close or that one."""
        self._exits += 1
        if self.telling.events.watched:
            self.telling.tell_commands(session, [b"EXIT"], b"")
        if self.style.exit_closes_all and self._may_close_all(session):
            self.log.info("EXIT from {host}: the command server closes", host=session.host, event="command.exit")
            self._close("exit").addCallback(self._exit_done)
        else:
            if self.style.exit_closes_all:
                self._said.exit_alone(session.host)
            session.close("exit")

    def _may_close_all(self, session: CommandProtocol) -> bool:
        allowed = self._config.exit_from
        address = address_of(session.host)
        if any(address in network for network in allowed if not isinstance(network, LocalUser)):
            return True
        users = [user.uid for user in allowed if isinstance(user, LocalUser)]
        return bool(users) and user_of(session.transport) in users

    def _exit_done(self, _: None) -> None:
        if self.running:  # else a stop has overtaken it
            self._exited()

    def admits(self, host: str) -> bool:
        """Whether a client at ``host`` may connect now; a refusal is counted, and logged now and then."""
        refusal = self._admission.refusal(host, self.reactor.seconds())
        if refusal is None:
            return True
        self._ends[_ENDS.index(refusal)] += 1
        self._said.refused(host, refusal)
        return False

    def refuse_http(self, session: CommandProtocol) -> None:
        """Close ``session``, on which an HTTP request came; none of its commands counts."""
        session.close("http")
        self._said.refused(session.host, "http")

    def arrived(self, session: CommandProtocol) -> None:
        """``session`` has a connection."""
        self._admission.arrived(session.host)
        if self.telling.events.watched:
            self.telling.tell(session, "opened")
        waiting = self.gate.waiting
        self.gate.arrive(session)
        if self.telling.events.watched and self.gate.waiting > waiting:
            self.telling.tell(session, "waiting", str(self.gate.waiting))

    def left(self, session: CommandProtocol) -> None:
        """``session`` lost its connection."""
        self._most = max(self._most, self.gate.served)
        self._ends[_ENDS.index(session.end)] += 1
        self.telling.closed(session, session.end)
        self._admission.left(session.host)
        self.deadlines.discard(session)
        self.closing.discard(session)
        self.gate.leave(session)
        if self._most >= CROWD and not self.gate.served:
            self._most = 0
            self._second, self.time_reply, self.now = -1, b"", 0.0  # made in the crowd's midst, they hold memory there
            self.reactor.callLater(0, memory.give_back, self.reactor)
        self._fire_if_closed()

    def watch(self, watched: bool) -> None:
        """Somebody looks at the sessions from now on, or nobody does any more."""
        for session in self.gate.sessions:
            session.look()
            self.telling.id_of(session)

    def status(self) -> dict[str, Any]:
        """The sessions that are served and those that wait, for JSON."""
        return overview(self.gate, self.telling, self.deadlines, self.reactor.seconds(), self._config.timeout)

    def close_session(self, id: str) -> None:
        """Close the session that has this ``id``, as somebody who looks wants it. Raises LookupError."""
        session = next((one for one in self.gate.sessions if self.telling.id_of(one) == id), None)
        if session is None:
            raise LookupError(f"there is no session {id}: it is closed already")
        session.close()

    def _hold(self, hold: bool) -> None:
        self._welcome.hold(hold)
        if hold:
            self._turns.look()
        else:
            self._turns.stop()

    def _close(self, end: str) -> Deferred[None]:
        """Close the welcome ports and every session; fires when all are gone."""
        for session in self.gate.sessions:
            session.close(end)
        return self._when_closed()

    def _when_closed(self) -> Deferred[None]:
        """Close the welcome ports; fires when the sessions are gone too."""
        self._closed = True
        closed: Deferred[None] = Deferred()
        self._waiting_for_close.append(closed)
        return self._welcome.close().addCallback(lambda _: self._fire_if_closed()).addCallback(lambda _: closed)

    def _fire_if_closed(self) -> None:
        if not self._welcome.ports and self.gate.is_empty:
            waiting, self._waiting_for_close = self._waiting_for_close, []
            for closed in waiting:
                closed.callback(None)


@implementer(IChange)
class _Change:
    """The configuration ``config``, the words of ``style`` and the new ports ``opened``, to be taken or dropped."""

    def __init__(
        self, service: CommandService, config: CommandConfig, style: CommandCodec, opened: Sequence[WelcomePort]
    ) -> None:
        self._service = service
        self._config = config
        self._style = style
        self._opened = opened

    def commit(self) -> None:
        self._service.change(self._config, self._style, self._opened)

    def cancel(self) -> None:
        close(self._opened)
