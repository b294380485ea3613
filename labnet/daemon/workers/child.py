"""One worker process: a lab that shares its resolvers' ports with others, and tells its supervisor what it learns.

Its standard input is a pipe from the supervisor, and the end of that means that the supervisor is gone. What it says
goes to standard output, one JSON object a line: what it logs, what it learns, that it serves, why it cannot.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.internet.stdio import StandardIO
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, LogEvent, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.config.reading import Config
from labnet.console.logs import encoded
from labnet.daemon.base import Environment
from labnet.daemon.service import LabService
from labnet.daemon.workers.labfile import read_lab_file
from labnet.daemon.workers.messages import LONGEST_MESSAGE, LearnedOutbox, encoded_message
from labnet.daemon.workers.orders import Orders, share
from labnet.daemon.workers.telling import EventRelay
from labnet.interfaces import StartError
from labnet.net.clocks import Steady, since_boot
from labnet.net.opening.listening import listening_reactor
from labnet.net.opening.systemd import FIRST_INHERITED, Inherited
from labnet.resolver.cache.interfaces import ILearned
from labnet.resolver.cache.lines import CachedAnswer, decode_line, encode_line
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.service import Surroundings

ORPHANED: Final = 0.2
"""Seconds that a worker without a supervisor has to answer what is in flight."""


class SupervisorProtocol(LineOnlyReceiver):
    """Standard input and output of a worker, once it has its orders.

    ``ended`` is called when it is to end; with False, its supervisor is gone.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, reactor: IReactorTime, ended: Callable[[bool], object]) -> None:
        self._reactor = reactor
        self._ended = ended
        self._is_to_end = False
        self._outbox: LearnedOutbox | None = None
        self.learned: Callable[[str, CachedAnswer], object] = lambda resolver, cached: None
        """Called with what another worker learned, and the resolver that did."""
        self.watch: Callable[[bool], object] = lambda watched: None
        """Called when somebody begins to look at the supervisor, and when nobody does any more."""

    def connectionMade(self) -> None:
        self._outbox = LearnedOutbox(cast(ITransport, self.transport), self._reactor)

    def lineReceived(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return  # the rest of a line that a worker before this one had begun to read
        if "stop" in message:
            self._is_to_end = True
            self._ended(True)
        if "watch" in message:
            self.watch(bool(message["watch"]))
        for resolver, lines in message.get("learned", {}).items():
            for each in lines:
                self.learned(resolver, decode_line(each, "another worker"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._outbox = None
        if not self._is_to_end:
            self._ended(False)

    @property
    def is_busy(self) -> bool:
        """Whether the supervisor does not read."""
        return self._outbox is None or self._outbox.is_busy

    def learn(self, resolver: str, cached: CachedAnswer) -> None:
        """Send what this worker's ``resolver`` of that name learned."""
        if self._outbox is not None:
            self._outbox.put(resolver, encode_line(cached))

    def log(self, event: LogEvent) -> None:
        """Send ``event``, in place of logging it."""
        self._write(b'{"log":' + encoded(event).rstrip() + b"}\n")

    def send(self, **message: Any) -> None:
        """Send a message; at once, also before there is a transport."""
        self._write(encoded_message(**message))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()


@implementer(ILearned)
class LearnedBySupervisor:
    """In place of logs: what the resolver of this name learns goes to the ``supervisor``, which keeps them."""

    def __init__(self, resolver: str, supervisor: SupervisorProtocol) -> None:
        self._resolver = resolver
        self._supervisor = supervisor

    def append(self, learned: Sequence[CachedAnswer]) -> None:
        for cached in learned:
            self._supervisor.learn(self._resolver, cached)

    def rewrite(self) -> None:
        """The supervisor flushes its logs itself."""

    def close(self) -> None:
        """The supervisor closes its logs itself."""


class WorkerLab(LabService):
    """The lab of one worker: what it learns goes to its supervisor, and what others learned comes from there."""

    def __init__(self, orders: Orders, supervisor: SupervisorProtocol, *arguments: Any, **options: Any) -> None:
        self._orders = orders
        self._supervisor = supervisor
        supervisor.learned = self.learned
        super().__init__(*arguments, **options)
        self.ring.origin = f"{orders.number}-"
        relay = EventRelay(self.ring, lambda events: supervisor.send(events=events), lambda: supervisor.is_busy)
        supervisor.watch = relay.watch

    def _surroundings(self, resolver: str) -> Surroundings:
        learned = LearnedBySupervisor(resolver, self._supervisor)
        return replace(super()._surroundings(resolver), learned=learned, secret=bytes.fromhex(self._orders.secret))

    def _doubts(self, config: Config, loaded: Mapping[str, Loaded]) -> list[str]:
        return []  # its supervisor says them

    def learned(self, resolver: str, cached: CachedAnswer) -> None:
        """Another worker's ``resolver`` learned ``cached``."""
        service = self.resolvers.get(resolver)
        if service is not None:
            service.learning.put(*cached)

    def _notified(self, resolver: str, zone: bytes, serial: int | None, host: str) -> None:
        self._supervisor.send(notified=[resolver, zone.hex(), serial, host])

    def hurry(self) -> None:
        """End soon: the supervisor is gone, and the next one is to find the ports free."""
        lab = self.config.lab.model_copy(update={"grace": ORPHANED})
        self.config = self.config.model_copy(update={"lab": lab})

    def _command_exited(self) -> None:
        self._supervisor.send(exited=True)
        super()._command_exited()


def run(orders: Orders, reactor: Any) -> int:
    """Be the worker that ``orders`` say; the exit status, once the supervisor has had it end."""

    def end(in_order: bool) -> None:
        if not in_order:
            lab.hurry()
        with contextlib.suppress(ReactorNotRunning):
            reactor.stop()

    def reading(_: object = None) -> tuple[Config, dict[str, Loaded]]:
        config, loaded = read_lab_file(orders.lab)
        return share(config, orders), loaded

    def in_thread(_: object) -> Deferred[tuple[Config, dict[str, Loaded]]]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), reading)

    supervisor = SupervisorProtocol(reactor, end)
    globalLogBeginner.beginLoggingTo([cast(ILogObserver, supervisor.log)], redirectStandardIO=False)
    # All workers count as their supervisor does, whenever they were started.
    clock = Steady(lambda: since_boot() + orders.clock)
    clock.wall = time.time
    reactor.seconds = clock
    inherited = Inherited(zip(orders.inherited, count(FIRST_INHERITED)))
    try:
        config, loaded = reading()
        environment = Environment(in_thread=in_thread, requests=orders.requests, keeps_zones=False)
        shared = listening_reactor(reactor, inherited, orders.workers, config.lab.freebind)
        lab = WorkerLab(orders, supervisor, config, loaded, shared, environment=environment)
        lab.privilegedStartService()
        lab.startService()
    except StartError as error:
        supervisor.send(failed=str(error))
        return 1

    def begin() -> None:
        StandardIO(supervisor)
        supervisor.send(up=os.getpid())

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", lab.stopService)
    reactor.run()
    return 0
