"""The seams of labnet: read this first.

Every arrow between rooms that a test or another implementation may want to replace is one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IReactorCore,
    IReactorFDSet,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
    IReactorUNIX,
    ITCPTransport,
)
from zope.interface import Attribute, Interface, implementer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twisted.internet.defer import Deferred

    from labnet.events import Event, Story
    from labnet.metrics import Sample
    from labnet.wire.dns_upstream import EarlyReply
    from labnet.wire.types import Answer, Question, Reply, Upstream


class StartError(SystemExit, Exception):
    """A socket cannot be opened; the text says which, why, and what to do.

    twistd reports an Exception of a daemon's start to the shell and removes its pid file; a SystemExit ends the process
    with this sentence and status 1 instead of a traceback. It is both.
    """

    __module__ = "builtins"  # twistd tells the shell 98 bytes: no room for where its class is

    def __init__(self, listener: str, why: object) -> None:
        self.listener = listener
        why = getattr(why, "socketError", why)
        self.errno: int | None = getattr(why, "errno", None)
        why = getattr(why, "strerror", None) or why
        super().__init__(f"labnet: cannot listen on {listener}: {why}; free it or change the listener")


class InUse(StartError):
    """Another lab that runs has the file at ``path``, which is ``what``; ``keys`` are to be set to have another."""

    __module__ = "builtins"  # as of any StartError

    def __init__(self, path: str, what: str, keys: str) -> None:
        SystemExit.__init__(self, f"labnet: {path} is {what} of another lab that runs: stop that one, or set {keys}")
        self.listener = path
        self.errno = None


class IReactor(IReactorCore, IReactorTime, IReactorTCP, IReactorUDP, IReactorUNIX, IReactorFDSet):
    """What the services need of a reactor; its ``seconds()`` are the epoch seconds that lifetimes are counted in.

    Nobody sets that clock (:mod:`labnet.net.clocks`). The time of day, for people and files, is
    :func:`labnet.net.clocks.wall_of` it.
    """


class IStreamTransport(ITCPTransport, IPushProducer, IConsumer):
    """What the command server needs of a connection's transport: every stream of Twisted's has it."""


class IDatagramSocket(Interface):
    """A UDP socket to one address."""

    here: tuple[str, int] = Attribute("Its own address and port; zeros where it is closed.")

    def send(datagram: bytes) -> None:
        """Send ``datagram``; a failure goes to the ``failed`` that the socket was opened with."""

    def close() -> None:
        """Give the socket back; nothing is called after that. Idempotent."""


class IDatagramSockets(Interface):
    """Where sockets to the parents come from."""

    def open(
        host: str, port: int, received: Callable[[bytes], None], failed: Callable[[OSError], None]
    ) -> IDatagramSocket:
        """A socket to the address ``host`` and ``port``, from a fresh random source port.

        ``received`` is called with each datagram that comes from exactly there, ``failed`` when the system says that
        sending or receiving failed (nobody listens there, no route). Raises OSError where no socket can be had.
        """


class IParent(Interface):
    """A server, or a way to many servers, that is asked what the resolver does not know."""

    address: str = Attribute("Where it is, as the logs and the configuration name it.")

    def ask(question: Question) -> Deferred[Upstream]:
        """Ask; the Deferred fires with a reply whose id, port and name were found right.

        Fails with ``ParentFailed`` of :mod:`labnet.resolver.upstream.errors` when the server is silent or gone, or its
        reply is of no use (SERVFAIL, REFUSED, …). Cancelling closes every socket and timer.
        """


class IConnectedParent(IParent):
    """A server to which a connection is kept."""

    def retire() -> None:
        """Close the connection as soon as nothing waits on it. Idempotent."""


class IExchange(Interface):
    """Asks DNS servers, one question to one server at a time."""

    def ask(
        host: str,
        port: int,
        question: Question,
        recursion_desired: bool,
        tcp: bool,
        sending: Callable[[], None] = lambda: None,
    ) -> Deferred[Reply]:
        """Ask the server at the address ``host`` and ``port``: by UDP, then TCP if the reply is truncated; or by TCP.

        ``sending`` is called before each query; what it raises ends the question.

        Fires with the first reply that matches, or fails with ``ParentFailed`` of
        :mod:`labnet.resolver.upstream.errors` after the tries. Cancelling closes every socket and timer.
        """

    def resume(host: str, port: int, question: Question, early: EarlyReply) -> Deferred[Reply]:
        """As :meth:`ask` by UDP, where the reply to the first query has come already: no other query takes its place.

        What it says may take more queries: by TCP where it is truncated or in letters of another case, without EDNS
        where the server does not know that.
        """

    def is_regular(host: str, port: int) -> bool:
        """Whether the server is asked with EDNS and in mixed case: it is not known to answer such queries wrongly."""


class IResolver(Interface):
    """The decisions: what is answered, from where."""

    can_recurse: bool = Attribute("Whether there is a parent to ask.")

    def known(
        question: Question, failures: bool = True, story: Story | None = None, screen: IScreen | None = None
    ) -> Answer | None:
        """What zone and cache know now, without waiting; None where a parent has to be asked.

        ``failures`` says whether a failure of a moment ago counts as known (RFC 9520). The steps that lead to an answer
        are noted in ``story``. ``screen`` is the client's.
        """

    def recorded(question: Question) -> Answer | None:
        """What the records alone say, for a client that may have no more; None where they have nothing."""

    def nearest(question: Question, screen: IScreen | None = None) -> Answer | None:
        """What is known on the way to the answer, for a query without recursion desired.

        The CNAMEs as far as they are known here, or a referral; None where there is neither (RFC 1034, section 4.3.2,
        step 3). ``screen`` is the client's.
        """

    def ask(
        question: Question, story: Story | None = None, network: bytes = b"", screen: IScreen | None = None
    ) -> Deferred[Answer]:
        """Ask the parents; their failure is an answer too (SERVFAIL). Never fails. How is noted in ``story``.

        ``network`` is that of the client: where too much is in flight, the one that has most gives way. ``screen`` is
        the client's too.
        """


class IScreen(Interface):
    """What is kept from a client: names on lists, and answers with addresses that are not to be passed on."""

    def look(question: Question, story: Story | None = None) -> tuple[Answer | None, IScreen | None]:
        """What ``question``, which the records do not answer, is answered with in place of all that is known elsewhere.

        None where no list has an answer to it. With it the screen that counts from there on; None where none does.
        """

    def look_at(question: Question, answer: Answer, story: Story | None = None) -> Answer:
        """``answer``, from the cache or a parent, where it may be passed on; else what is said in its place."""

    def lets_pass(question: Question) -> bool:
        """Whether no list says anything about ``question``."""

    def harms(question: Question, addresses: Sequence[bytes]) -> bool:
        """Whether an answer to ``question`` with ``addresses``, and no other record, has to be looked at."""


class IScreens(Interface):
    """The screens of all clients."""

    usual: IScreen = Attribute("The screen of who is in none of the networks that a list is for.")

    def of(host: str) -> IScreen:
        """The screen of the client at the address ``host``."""


class IChange(Interface):
    """A new configuration of a service, checked and with its new sockets open, to be taken or dropped."""

    def commit() -> None:
        """Take it, in one step, and close the sockets that it no longer has; never fails."""

    def cancel() -> None:
        """Drop it: the new sockets are closed and nothing has changed."""


class IMeasured(Interface):
    """Something that counts."""

    def samples() -> Iterable[Sample]:
        """What it counted so far; each sample's family is declared in :mod:`labnet.metrics`."""


class AnsweredQuery(NamedTuple):
    """A question of the client at ``host`` and ``port`` that was answered at ``when`` (epoch seconds).

    It came to the ``resolver`` of that name by its ``listener``, an address and a port in text. ``transport`` is udp,
    tcp, tls or https, ``protocol`` dns or the dialect's name; ``name`` is as the client wrote it, ``rrtype`` as in
    presentation form; ``result`` and ``source`` are the labels of ``labnet_queries_total``. ``answer`` is what was
    said, in a few words, "" where that is nothing; ``ttl`` the seconds that it holds. ``parent`` is who told it, ""
    where nobody had to. It took ``seconds``. ``by`` is the list that it was answered by, "" where none was;
    ``security`` is what validation found, "" where nothing was validated.
    """

    when: float
    resolver: str
    listener: str
    host: str
    port: int
    transport: str
    protocol: str
    name: str
    rrtype: str
    result: str
    source: str
    answer: str
    ttl: int | None
    parent: str
    seconds: float
    by: str = ""
    security: str = ""


class IQueryLog(Interface):
    """Where questions are noted, each with what was answered. It never raises and never waits."""

    share: float = Attribute("The share of the questions that it wants, above 0 to 1; the caller picks them.")

    def query_log(answered: AnsweredQuery) -> None:
        """``answered`` was answered just now."""


class IEvents(Interface):
    """Where what happens is told, as it happens, for whoever looks at the lab. No method raises or waits."""

    watched: bool = Attribute("Whether anybody looks; while nobody does, nothing is made for it.")
    wants: bool = Attribute("Whether :meth:`take` would have one more question told of now.")

    def take(count: int = 1, ready: bool = False) -> int:
        """How many of ``count`` questions that came just now are to be told of; the others are counted as left out.

        ``ready`` are those that are answered at full speed, of which fewer are wanted.
        """

    def new_id() -> str:
        """An id for an exchange or a session, as no other has."""

    def happened(event: Event) -> None:
        """``event`` happened just now."""


@implementer(IEvents)
class Unwatched:
    """Nobody looks."""

    watched = False
    wants = False

    def take(self, count: int = 1, ready: bool = False) -> int:
        return 0

    def new_id(self) -> str:
        return ""

    def happened(self, event: Event) -> None:
        """It goes nowhere."""


UNWATCHED: Final[IEvents] = Unwatched()


class ISession(Interface):
    """One connection to the command server, as its gate and its time-out see it."""

    def serve() -> None:
        """It is this client's turn: greet it and take its commands."""

    def close() -> None:
        """Send what is still to be sent, then close; idempotent."""

    def abort() -> None:
        """Close now, whatever is unsent."""


class ITraffic(Interface):
    """A sink for the program's own traffic. An end is an address and a port, times are the sink's own to take.

    ``outward`` says whether the program sent it or received it: what goes from one of its sockets to another is
    reported twice. No method ever raises.
    """

    def datagram(source: tuple[str, int], destination: tuple[str, int], data: bytes, outward: bool) -> None:
        """A datagram was sent or received."""

    def opened(client: tuple[str, int], server: tuple[str, int]) -> None:
        """A TCP connection from ``client`` was opened."""

    def sent(source: tuple[str, int], destination: tuple[str, int], data: bytes, outward: bool) -> None:
        """``data`` went over a TCP connection."""

    def closed(source: tuple[str, int], destination: tuple[str, int], reset: bool, outward: bool) -> None:
        """``source`` closed its side of a TCP connection, or ``reset`` it."""

    def ended(source: tuple[str, int], destination: tuple[str, int]) -> None:
        """A TCP connection is over; nothing more of it follows."""

    def close() -> None:
        """Write what is left and close the file."""
