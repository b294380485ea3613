"""A parent that speaks the course protocol, and the servers that it refers to.

A server of some dialects answers with another server instead of an address: ``.co.il,192.0.2.1:777,NS``. Then that one
is asked, which may refer to a further one. Referrals that lead back to a server that was asked already, or on and on,
end in a failure: most resolvers of the courses would ask for ever.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.dialects.codec import Reply, place_of
from labnet.interfaces import IParent
from labnet.net.addresses import address_text
from labnet.policy.loglimit import LogLimit
from labnet.resolver.upstream.course_exchange import CourseExchange, Strays, TextNetwork
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import ROOT, text_of
from labnet.wire.types import Question, Rcode, Referral, Upstream, is_name

MOST_REFERRALS: Final = 10
"""Referrals that are followed for one question; with the next one the question fails."""

MOST_REMEMBERED: Final = 1000
"""Referrals of one parent that are remembered; the oldest goes first."""

Place = tuple[str, int]


@implementer(IParent)
@dataclass(frozen=True)
class TextParent:
    """A parent at ``host`` (an address) and ``port`` that speaks the course protocol, asked by way of ``network``.

    Whatever the type asked for, it is asked for the name. The servers that it refers to are asked in its place, and
    remembered.
    """

    host: str
    port: int
    network: TextNetwork
    log_limit: LogLimit = field(default_factory=LogLimit, init=False, compare=False, repr=False)
    strays: Strays = field(default_factory=Strays, init=False, compare=False, repr=False)
    referrals: dict[str, tuple[Referral, Place, float]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """By suffix: the referral, where it leads, and the epoch second up to which it is remembered."""

    @property
    def address(self) -> str:
        return address_text(self.host, self.port)

    def ask(self, question: Question) -> Deferred[Upstream]:
        name = question.spelled or text_of(question.key)
        if question.key == ROOT or name.startswith("[") or not is_name(name):
            return fail(ParentFailed(f"{self.address} speaks the course protocol, which cannot carry the name {name}"))
        known = self._remembered(name)
        if known is None:
            return self._ask(name, (self.host, self.port), ())
        return self._ask(name, known[1], ()).addErrback(self._lost, name, known[0])

    def _ask(self, name: str, place: Place, before: tuple[Place, ...]) -> Deferred[Upstream]:
        """Ask the server at ``place``, to which the servers ``before`` have led."""
        asked = self.network.codec.question_for(name)
        exchange = CourseExchange(self.network, *place, asked, self.strays, self.log_limit)
        return exchange.start().addCallback(self._replied, name, place, before)

    def _replied(
        self, reply: Reply, name: str, place: Place, before: tuple[Place, ...]
    ) -> Upstream | Deferred[Upstream]:
        address = address_text(*place)
        if not isinstance(reply, Referral):
            rcode = Rcode.NXDOMAIN if reply is None else Rcode.NOERROR
            return Upstream(rcode, address, course_reply=reply, is_of_course=True)
        if not reply.fits(name):
            raise ParentFailed(f"{address} refers to a server for {reply.suffix}, which {name} does not end in")
        if len(before) >= MOST_REFERRALS:
            raise ParentFailed(f"more than {MOST_REFERRALS} referrals lead on from {self.address}")
        host, port = place_of(reply.target, self.network.referral_port or place[1])
        return self._address_of(host, address).addCallback(self._go_on, port, reply, name, (*before, place))

    def _go_on(
        self, host: str, port: int, referral: Referral, name: str, before: tuple[Place, ...]
    ) -> Deferred[Upstream]:
        place = host, port
        if place in before:
            raise ParentFailed(f"{address_text(*before[-1])} refers to {address_text(*place)}, which was asked already")
        until = self.network.clock.seconds() + self.network.referral_ttl
        suffix = referral.suffix.lower()
        self.referrals.pop(suffix, None)
        if suffix and self.network.referral_ttl:
            self.referrals[suffix] = (referral, place, until)
            if len(self.referrals) > MOST_REMEMBERED:
                del self.referrals[next(iter(self.referrals))]
        return self._ask(name, place, before)

    def _address_of(self, host: str, by: str) -> Deferred[str]:
        """The address of the ``host`` that a server refers to."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            looked_up = self.network.look_up("127.0.0.1" if host == "localhost" else host)
        else:
            return _fired(host)

        def unknown(failure: Failure) -> Failure:
            says = f"{by} refers to {host!r}, whose address cannot be found: {failure.getErrorMessage()}"
            return Failure(ParentFailed(says))

        return looked_up.addErrback(unknown)

    def _remembered(self, name: str) -> tuple[Referral, Place] | None:
        """The longest referral that fits ``name`` and is remembered."""
        now, best = self.network.clock.seconds(), None
        for referral, place, until in list(self.referrals.values()):
            if until < now:
                del self.referrals[referral.suffix.lower()]
            elif referral.fits(name) and (best is None or len(referral.suffix) > len(best[0].suffix)):
                best = referral, place
        return best

    def _lost(self, failure: Failure, name: str, referral: Referral) -> Deferred[Upstream]:
        """The server of a ``referral`` that was remembered is of no use: begin where it came from."""
        failure.trap(ParentFailed)
        self.referrals.pop(referral.suffix.lower(), None)
        return self._ask(name, (self.host, self.port), ())


def _fired(value: str) -> Deferred[str]:
    done: Deferred[str] = Deferred()
    done.callback(value)
    return done
