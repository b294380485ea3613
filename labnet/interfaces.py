"""The seams of labnet: read this first.

Every arrow between rooms that a test or another implementation may want to replace is one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IReactorCore,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
    ITCPTransport,
)
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from labnet.resolver.model import Mapping
    from labnet.resolver.text import Told


class StartError(SystemExit, Exception):
    """A socket cannot be opened; the text says which, why, and what to do.

    twistd reports an Exception of a daemon's start to the shell and removes its pid file; a SystemExit ends the process
    with this sentence and status 1 instead of a traceback. It is both.
    """

    def __init__(self, listener: str, why: object) -> None:
        why = getattr(why, "socketError", why)
        why = getattr(why, "strerror", None) or why
        super().__init__(f"labnet: cannot listen on {listener}: {why}; free it or change the listener")


class IReactor(IReactorCore, IReactorTime, IReactorTCP, IReactorUDP):
    """What the services need of a reactor; its ``seconds()`` are the epoch seconds that lifetimes are counted in."""


class IStreamTransport(ITCPTransport, IPushProducer, IConsumer):
    """What the command server needs of a connection's transport: every stream of Twisted's has it."""


class IParent(Interface):
    """A server that is asked for what the resolver does not know."""

    address: str = Attribute("Where it is, as the logs and the configuration name it.")

    def ask(name: str) -> Deferred[Told | None]:
        """Ask for ``name``: what the parent told, or None where it does not know the name.

        Fails with :class:`labnet.resolver.parent.ParentFailed` when it is silent or gone. Cancelling closes the socket.
        """


class ILearned(Interface):
    """Where learned mappings are kept over a restart."""

    def append(mapping: Mapping) -> None:
        """Keep ``mapping``. Never raises."""


class IResolver(Interface):
    """The decisions: what is answered, from where."""

    def known(name: str) -> Mapping | None:
        """The mapping that zone or cache have for ``name`` now, without waiting; None where neither has one."""

    def ask(name: str) -> Deferred[Mapping | None]:
        """Ask the parents for ``name``; None where they do not know it or do not answer. Never fails."""


class ISession(Interface):
    """One connection to the command server, as its gate and its time-out see it."""

    def serve() -> None:
        """It is this client's turn: greet it and take its commands."""

    def close(reason: str) -> None:
        """Send what is still to be sent, then close; idempotent."""

    def abort() -> None:
        """Close now, whatever is unsent."""
