"""Recursion without a parent: a walk down from the root's servers, referral by referral (RFC 1034, section 5.3.3).

The walk takes nothing on trust: :mod:`labnet.resolver.recursive.bailiwick` says what of a reply counts. It is bounded
in every direction, so that no zone can make it work for long or against others (NXNSAttack, CNAME chains, circles of
servers).
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.interfaces import IParent
from labnet.resolver.files.root_hints import Hints
from labnet.resolver.recursive.bailiwick import Found
from labnet.resolver.recursive.delegation import Delegation, Delegations, Reachable
from labnet.resolver.recursive.minimise import Minimised
from labnet.resolver.recursive.servers import Network, WalkOptions, ZoneServers
from labnet.resolver.recursive.walks import NoServer, RunningWalk, Spent
from labnet.resolver.upstream.errors import ParentFailed
from labnet.wire.names import ROOT, is_below, is_opaque, parent, text_of
from labnet.wire.types import Question, Rcode, RRType, Upstream


@implementer(IParent)
class RootWalk:
    """Asks the servers that the ``hints`` name, and those that they refer to, over ``network``.

    Of a reply that answers, the chain from the name asked for counts, and nothing else. Where the hints are of another
    zone than the root, its ``top``, that is where the walk begins, and names elsewhere are not its to look for.
    """

    def __init__(self, network: Network, hints: Hints, options: WalkOptions | None = None, top: bytes = ROOT) -> None:
        options = options or WalkOptions()
        self.address = "root" if top == ROOT else f"stub {text_of(top)}"
        self._top = top
        self._clock = network.clock
        self._limits = limits = options.limits
        self._delegations = Delegations(hints.servers, limits.zones, top)
        self._servers = ZoneServers(network, self._delegations, Reachable(hints.servers), options, self._join)
        self._walks: dict[Question, RunningWalk] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no question is on its way."""
        return not self._walks

    def ask(self, question: Question) -> Deferred[Upstream]:
        if is_opaque(question.key):
            return fail(ParentFailed(f"DNS cannot carry the name {text_of(question.key)}"))
        return self._join(question, None)

    def _join(self, question: Question, asker: RunningWalk | None) -> Deferred[Upstream]:
        """Walk for ``question``, or wait for the walk that is on its way for the same one.

        Where another walk, the ``asker``, needs the answer, the new one spends what that one may spend.
        """
        if not self._is_inside(question.key):
            return fail(ParentFailed(f"{text_of(question.key)} is outside of the stub zone {text_of(self._top)}"))
        walk = self._walks.get(question)
        if walk is not None and asker is not None and walk.waits_on(asker):
            return fail(ParentFailed(f"{question} leads in a circle back to itself"))
        is_new = walk is None
        if walk is None:
            if asker is None:
                walk = RunningWalk(question, Spent(self._clock.seconds() + self._limits.seconds), 0)
            else:
                walk = RunningWalk(question, asker.spent, asker.depth + 1)
            self._walks[question] = walk
        waiter = walk.wait()
        if asker is not None:
            asker.waits_for = walk
        if is_new:
            walk.running = Deferred.fromCoroutine(self._run(walk))
        return waiter

    async def _run(self, walk: RunningWalk) -> None:
        result: Upstream | Failure
        try:
            result = await self._follow(walk)
        except Exception:
            result = Failure()
        del self._walks[walk.question]
        walk.settle(result)

    async def _follow(self, walk: RunningWalk) -> Upstream:
        """The answer to the walk's question, from CNAME to CNAME: the target of each is resolved from above anew."""
        found = await self._descend(walk, walk.question)
        rrsets, signatures, proofs = found.rrsets, found.signatures, found.proofs
        while found.target is not None and self._is_inside(found.target):
            aliases = [rrset for rrset in rrsets if rrset.rrtype == RRType.CNAME]
            if found.target in {rrset.key for rrset in aliases}:
                raise ParentFailed(f"the CNAMEs of {walk.question} lead in a circle")
            if len(aliases) > self._limits.cnames:
                raise ParentFailed(f"{walk.question} leads over more than {self._limits.cnames} CNAMEs")
            found = await self._descend(walk, walk.question.at(found.target))
            rrsets += found.rrsets
            signatures += found.signatures
            proofs += found.proofs
        return Upstream(found.rcode, walk.server, rrsets, found.soa, signatures=signatures, proofs=proofs)

    async def _descend(self, walk: RunningWalk, question: Question) -> Found:
        """From the deepest zone known above ``question`` down to the one that answers it (RFC 1034, section 5.3.3).

        The numbers are that section's; step 1, "See if the answer is in local information", is the caller's.
        """
        # 2. Find the best servers to ask.
        # DS is the one type that a zone's parent answers for (RFC 4035, section 3.1.4.1).
        start = parent(question.key) if question.rrtype == RRType.DS else question.key
        delegation = self._delegations.find(start, self._clock.seconds())
        is_remembered = delegation.zone != self._top
        path = Minimised(question, delegation.zone)
        while True:
            asked = path.next()
            try:
                # 3. Send them queries until one returns a response.
                result = await self._servers.ask(walk, delegation, asked)
            except NoServer as error:
                # A zone whose servers are silent is not asked for again at its parent (RFC 4697, section 2.1.1);
                # one whose servers know nothing of it may have moved.
                if not error.lame or not (asked != question or is_remembered):
                    raise
                if asked != question:
                    path.relax()
                    continue
                self._delegations.forget(delegation.zone)
                delegation = self._delegations.find(parent(delegation.zone), self._clock.seconds())
                is_remembered = False
                path = Minimised(question, delegation.zone)
                continue
            # 4. Analyze the response.
            if isinstance(result, Delegation):
                # 4b. A better delegation to other servers: cache it, and go to step 2.
                self._count_referral(walk)
                delegation, is_remembered = self._delegations.put(result, delegation, self._clock.seconds()), False
                path.reached(result.zone)
            elif asked == question:
                # 4a. It answers the question or contains a name error; or 4c, it shows a CNAME, which _follow follows.
                return result
            elif result.rcode != Rcode.NOERROR:
                path.relax()
            else:
                path.reached(asked.key)

    def _is_inside(self, key: bytes) -> bool:
        """Whether ``key`` is at or below where it begins."""
        return self._top == ROOT or is_below(key, self._top)

    def _count_referral(self, walk: RunningWalk) -> None:
        walk.spent.referrals += 1
        if walk.spent.referrals > self._limits.referrals:
            raise ParentFailed(f"{walk.question}: gave up after {self._limits.referrals} referrals")
