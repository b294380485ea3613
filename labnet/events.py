"""What happens in a lab, as values: each is made where it happens, and given to an :class:`~labnet.interfaces.IEvents`.

Times are epoch seconds by the reactor's clock; an end is an address in text and a port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final, Literal, NamedTuple

End = tuple[str, int]
"""An address in text and a port."""


def end_of(address: object) -> End:
    """The end that a Twisted ``address`` is; zeros where it has none, as a UNIX socket."""
    return str(getattr(address, "host", "0.0.0.0")), int(getattr(address, "port", 0))


MOST_DATAGRAMS: Final = 100
"""Datagrams of one question that are noted; what comes past them is counted as one step."""

MOST_STEPS: Final = 100
"""Steps of one decision that are noted."""

SENTENCES: Final[Mapping[str, str]] = {
    "special": "{name} is a special name, which this resolver answers by itself.",
    "records": "The records have {name} {type}.",
    "records-say-no": "The records say that there is no {name} {type}.",
    "records-silent": "The records say nothing about {name}.",
    "listed": "{name} is on the list {list}, as {entry}: the answer is {done}.",
    "listed-client": "The client is on the list {list}, as {entry}: the answer is {done}.",
    "listed-address": "The answer has an address that is on the list {list}, as {entry}: the answer is {done}.",
    "passed": "It is on the list {list}, as {entry}: no other list counts.",
    "unlisted": "No list has {name}.",
    "translated": "{name} has no AAAA of its own: it is made of its A records, behind {prefix} (DNS64).",
    "rebinding": "A parent gives {name} the private address {address}, which is not passed on.",
    "cache": "The cache has it: learned {age} s ago from {source}, {left} s of its {ttl} s are left.",
    "cache-negative": "The cache knows that {name} {type} is not there: learned {age} s ago from {source}, {left} s of "
    "its {ttl} s are left.",
    "cache-silent": "The cache has nothing about {name} {type}.",
    "cache-over": "What the cache had about {name} {type} is over: learned {age} s ago, with {ttl} s to live.",
    "due": "Less than a tenth of its lifetime is left: it is asked anew in the background.",
    "failed-before": "It failed {age} s ago, and a failure counts for {ttl} s.",
    "because": "It failed because: {why}",
    "stale": "No parent answers, so an answer past its lifetime serves: learned {age} s ago, with {ttl} s to live.",
    "stale-negative": "No parent answers, so it is still not there: learned {age} s ago, with {ttl} s to live.",
    "alias": "{name} is another name of {target}, which is looked for next.",
    "ready": "The answer was ready as bytes, made before from {source}.",
    "joined": "The same question has been on its way to a parent for {seconds} s: this one waits for that answer.",
    "no-parent": "There is no parent to ask.",
    "parents": "Parents in the order in which they are asked: {order}",
    "parent": "{parent} is asked: {why}.",
    "parent-answered": "{parent} answered after {milliseconds} ms: {result}.",
    "parent-failed": "{parent} gave nothing of use after {milliseconds} ms: {why}.",
    "silence": "Nothing came from {parent} for {seconds} s.",
    "thrown-away": "A datagram of {bytes} bytes from {parent} was thrown away: {why}.",
    "server": "{server} is asked for {zone}.",
    "validated": "Validated: {result}: {why}.",
    "proven-before": "Nobody is asked: {by} is known already, by which {name} is not there or has no such records.",
    "was-validated": "It was validated then: {result}.",
    "learned": "It is kept for {ttl} s.",
    "not-kept": "It is not kept: its TTL is 0.",
    "crowded": "It is not asked: too many wait for this question.",
    "full": "It is not asked: too many questions are in flight.",
    "gave-way": "It was given up: it was slow while too many questions were in flight.",
    "recursion-not-asked": "The client does not ask for recursion, so no parent is asked.",
    "records-alone": "The client's network gets the records alone.",
    "refused": "The client's network is not served.",
    "list": "So it is dropped.",
    "denied": "The client's network gets no answer at all.",
    "rate": "The client's network is past its rate of answers: the question is dropped.",
    "slipped": "The client's network is past its rate of answers: a truncated reply sends it to TCP.",
    "proven": "The client's network is past its rate, but a cookie proves its address.",
    "gave-way-to-own": "It was given up: it was slow while many questions of the client's network were in flight.",
    "in_flight": "The client's network has too many questions in flight.",
    "malformed": "It is no question that can be answered.",
    "identity": "It is a question to the server itself, in class CHAOS.",
    "repeated": "The client was told so a moment ago and asks on: it is dropped, as two servers may be talking.",
    "asked-already": "The client asked the same a moment ago, and that answer is still to come.",
    "amplified": "The reply would be much longer than the question, to an address that is not proven: it is dropped.",
    "more": "{count} more steps were not noted.",
}
"""What each kind of step says, with the names of its values."""


class Step(NamedTuple):
    """One step of a decision: its ``kind`` is a key of :data:`SENTENCES`, ``values`` are what the sentence tells."""

    kind: str
    values: Mapping[str, str | float]

    @property
    def sentence(self) -> str:
        """It in words, with its numbers."""
        return SENTENCES[self.kind].format_map(self.values)


class Datagram(NamedTuple):
    """A datagram, or a message by TCP, that was sent at ``time`` or came then, seen from the lab.

    ``kind`` is "sent" (either way), "again" (a retry), "thrown-away", or "silence": then there is no data, and nothing
    came from ``source`` up to ``time``. ``note`` says the reason in words, ``fault`` which fault that was ordered.
    """

    time: float
    source: End
    destination: End
    data: bytes
    transport: str = "udp"
    kind: str = "sent"
    note: str = ""
    fault: str = ""


class Exchange(NamedTuple):
    """One question at one resolver, from its arrival to its reply.

    ``protocol`` is "dns" or "course", ``transport`` "udp", "tcp", "tls" or "https"; ``result`` is "hit" (records,
    cache), "asked" (a parent), "joined", "negative", "refused", "dropped", "limited", "failed" or "malformed";
    ``answer`` is what was said, in a line, and ``ttl`` its least TTL in seconds. ``datagrams`` are the client's and
    those to parents and back, by time. Where the client waited for another one's question, ``joined_to`` is the id of
    that one's exchange.
    """

    id: str
    resolver: str
    listener: End
    client: End
    protocol: str
    transport: str
    name: str
    type: str
    began: float
    ended: float
    result: str
    answer: str
    ttl: int | None
    datagrams: tuple[Datagram, ...]
    why: tuple[Step, ...]
    joined_to: str | None = None


class Session(NamedTuple):
    """Something in a connection to the command server: ``what`` is opened, waiting, served, command or closed.

    ``text`` is the command or the reply in words, ``commands`` how many came with it, ``why`` the reason of its end.
    """

    time: float
    id: str
    client: End
    server: End
    what: str
    text: str = ""
    reply: str = ""
    why: str = ""
    commands: int = 1


class ParentChanged(NamedTuple):
    """A parent of ``resolver`` answered or stayed silent; ``rtt`` is smoothed, in seconds, None before an answer."""

    time: float
    resolver: str
    address: str
    state: Literal["up", "down"]
    rtt: float | None
    failures: int


class LogLine(NamedTuple):
    """A line of the log, as harmless as there: ``time`` is by the time of day, ``event`` the id of the event."""

    time: float
    level: str
    event: str
    text: str


class FaultChanged(NamedTuple):
    """A fault was ordered, or ended: ``what`` is ordered or ended."""

    time: float
    id: str
    what: str
    sentence: str


Event = Exchange | Session | ParentChanged | LogLine | FaultChanged


class Story:
    """What is noted of one question of ``resolver`` while it is answered: its datagrams, and the decision's steps.

    ``seconds`` is the clock; ``happened`` takes what else is worth telling meanwhile.
    """

    __slots__ = ("datagrams", "happened", "id", "is_afterwards", "joined_to", "resolver", "seconds", "steps", "stories")

    def __init__(
        self,
        resolver: str,
        id: str,
        seconds: Callable[[], float],
        happened: Callable[[Event], object] = lambda event: None,
    ) -> None:
        self.resolver = resolver
        self.id = id
        self.seconds = seconds
        self.happened = happened
        self.is_afterwards = False
        """Whether the answer is given already, and only to be explained: nothing is counted, and nobody asked."""
        self.datagrams: list[Datagram] = []
        self.steps: list[Step] = []
        self.stories: list[Story] = []
        """Those of the questions to parents that it waited for."""
        self.joined_to: str | None = None

    def of_flight(self) -> Story:
        """The story of the question to a parent that this one waits for."""
        story = Story(self.resolver, self.id, self.seconds, self.happened)
        self.stories.append(story)
        return story

    def step(self, kind: str, **values: str | float) -> None:
        """Note a step of the decision."""
        self.note(Step(kind, values))

    def note(self, step: Step) -> None:
        """Note ``step`` of the decision."""
        if len(self.steps) < MOST_STEPS:
            self.steps.append(step)

    def saw(
        self, source: End, destination: End, data: bytes, transport: str = "udp", kind: str = "sent", note: str = ""
    ) -> None:
        """Note a datagram that comes or goes now."""
        if len(self.datagrams) < MOST_DATAGRAMS:
            self.datagrams.append(Datagram(self.seconds(), source, destination, data, transport, kind, note))

    def throw_away(self, parent: str, why: str) -> None:
        """What was seen last was from ``parent``, and is no reply to what it was asked."""
        if self.datagrams:
            last = self.datagrams[-1]
            self.datagrams[-1] = last._replace(kind="thrown-away", note=why)
            self.step("thrown-away", bytes=len(last.data), parent=parent, why=why)

    def silence(self, parent: str, seconds: float) -> None:
        """Nothing came from ``parent`` in the last ``seconds``."""
        self.step("silence", parent=parent, seconds=f"{seconds:g}")
        asked = next((one for one in reversed(self.datagrams) if one.kind in ("sent", "again")), None)
        if asked is not None:
            self.saw(asked.destination, asked.source, b"", asked.transport, "silence", f"nothing for {seconds:g} s")

    def all_datagrams(self) -> tuple[Datagram, ...]:
        """Its own and those of the questions to parents, by time."""
        asked = [one for story in self.stories for one in story.datagrams]
        # Of those at one moment the question comes first, its reply last.
        every = [*self.datagrams[:1], *asked[:MOST_DATAGRAMS], *self.datagrams[1:]]
        return tuple(sorted(every, key=lambda one: one.time))


ASKING: ContextVar[Story | None] = ContextVar("asking", default=None)
"""The story of the question that the running code asks a parent for; None where nobody watches."""
