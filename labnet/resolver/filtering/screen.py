"""What the lists and the guard against rebinding say for one client after the other (sans-IO but for the log)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from labnet.config.resolver import ResolverConfig
from labnet.events import Step, Story
from labnet.interfaces import IScreen, IScreens
from labnet.metrics import Sample
from labnet.policy.access import address_of
from labnet.policy.loglimit import LogLimit
from labnet.resolver.filtering.lists import BlockList, Verdict
from labnet.resolver.filtering.rebinding import RebindingGuard, addresses_of
from labnet.resolver.filtering.treatment import TreatmentKind
from labnet.resolver.reasons import error_of
from labnet.wire.names import text_of
from labnet.wire.types import Answer, BlockedAnswer, InfoCode, Question, Rcode, RRset, RRType

REBINDING: Final = "rebind_protection"
"""The list that the guard against rebinding counts as."""


@implementer(IScreen)
class Screen:
    """Applies ``lists`` in their order, each with what it wants done with every question of the client, and ``guard``.

    What the first list says that has a name counts; where that is to pass it, the guard alone is left.
    """

    log = Logger()

    def __init__(
        self,
        lists: Sequence[tuple[BlockList, Verdict | None]],
        guard: RebindingGuard | None,
        clock: IReactorTime,
        limit: LogLimit | None = None,
    ) -> None:
        self._lists = lists
        self._guard = guard
        self._clock = clock
        self._limit = limit or LogLimit()
        self._rest = Screen((), guard, clock, self._limit) if lists and guard is not None else None

    def look(self, question: Question, story: Story | None = None) -> tuple[Answer | None, IScreen | None]:
        for block_list, of_client in self._lists:
            verdict = of_client or block_list.find(question.key)
            if verdict is not None:
                kind = "listed" if of_client is None else "listed-client"
                return self._done(question, block_list, verdict, kind, story)
        if story is not None and self._lists:
            story.step("unlisted", name=text_of(question.key))
        return None, self

    def look_at(self, question: Question, answer: Answer, story: Story | None = None) -> Answer:
        addresses = [address for rrset in answer.answer for address in addresses_of(rrset)]
        if not addresses:
            return answer
        for block_list, _ in self._lists:
            verdict = block_list.find_address(addresses)
            if verdict is not None:
                last = question.at(answer.answer[-1].key)
                blocked, _ = self._done(last, block_list, verdict, "listed-address", story)
                if blocked is None:
                    break
                return replace(blocked, until=min(blocked.until, answer.until)).behind(_aliases(answer))
        return self._guarded(question, answer, story)

    def lets_pass(self, question: Question) -> bool:
        return all(of_client is None and each.find(question.key) is None for each, of_client in self._lists)

    def harms(self, question: Question, addresses: Sequence[bytes]) -> bool:
        if self._guard is not None and self._guard.finds(question.key, addresses):
            return True
        return any(each.find_address(addresses) is not None for each, _ in self._lists)

    def _done(
        self, question: Question, block_list: BlockList, verdict: Verdict, kind: str, story: Story | None
    ) -> tuple[Answer | None, IScreen | None]:
        treatment = verdict.treatment
        passes = treatment.kind is TreatmentKind.PASS
        values = {"list": verdict.by, "entry": verdict.entry, "done": treatment.kind.value}
        step = Step("passed" if passes else kind, {"name": text_of(question.key), **values})
        if story is not None:
            story.note(step)
        if passes:
            return None, self._rest
        error = error_of(step)
        if block_list.asked_for:
            error = replace(error, code=InfoCode.FILTERED)
        return treatment.answer(question, verdict.by, error), None

    def _guarded(self, question: Question, answer: Answer, story: Story | None) -> Answer:
        found = None if self._guard is None else self._guard.find(question.key, answer)
        if found is None:
            return answer
        name, address = text_of(question.key), str(ipaddress.ip_address(found))
        step = Step("rebinding", {"name": name, "address": address})
        if story is not None:
            story.note(step)
        more = self._limit.more(self._clock.seconds())
        if more is not None:
            self.log.warn(
                "a parent gives {name} the private address {address}, which is not passed on (DNS rebinding){more}",
                name=name,
                address=address,
                more=more,
                event="resolver.rebinding",
            )
        blocked = BlockedAnswer(Rcode.NOERROR, errors=(error_of(step),), until=answer.until, by=REBINDING)
        return blocked.behind(_aliases(answer))


def _aliases(answer: Answer) -> tuple[RRset, ...]:
    """What of ``answer`` leads to the name whose addresses are kept back: the client is told that, as by unbound."""
    return tuple([rrset for rrset in answer.answer if rrset.rrtype in (RRType.CNAME, RRType.DNAME)])


@implementer(IScreens)
class Screens:
    """The screen of each client, by its address: of ``lists`` those count that are for its network.

    Those that only allow come first, the others as they are given.
    """

    def __init__(self, lists: Iterable[BlockList], guard: RebindingGuard | None, clock: IReactorTime) -> None:
        self.lists = sorted(lists, key=lambda each: not each.allows)
        self._guard = guard
        self._clock = clock
        self._made: dict[tuple[tuple[int, str], ...], Screen] = {}
        self.usual = self._made.setdefault(
            tuple((place, "") for place, each in enumerate(self.lists) if each.only_for is None),
            Screen([(each, None) for each in self.lists if each.only_for is None], guard, clock),
        )

    def of(self, host: str) -> IScreen:
        address = address_of(host)
        found = [
            (place, each, each.find_client(address.packed))
            for place, each in enumerate(self.lists)
            if each.only_for is None or any(address in network for network in each.only_for)
        ]
        key = tuple((place, "" if client is None else client.entry) for place, _, client in found)
        screen = self._made.get(key)
        if screen is None:
            screen = self._made[key] = Screen([(each, client) for _, each, client in found], self._guard, self._clock)
        return screen

    def samples(self, resolver: str) -> Iterator[Sample]:
        """How long the lists of ``resolver`` are."""
        for each in self.lists:
            yield Sample("labnet_block_list_names", (resolver, each.name), len(each.names))


def screens_of(config: ResolverConfig, lists: Sequence[BlockList], clock: IReactorTime) -> Screens | None:
    """What ``config`` and the ``lists`` that it names keep from clients; None where that is nothing."""
    guard = RebindingGuard(config.rebind_exempt) if config.rebind_protection else None
    return Screens(lists, guard, clock) if lists or guard is not None else None
