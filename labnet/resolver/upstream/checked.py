"""Parents whose replies are checked before anybody has them, as the fast path asks them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from twisted.internet.defer import Deferred

from labnet.resolver.upstream.dns import DNSParent
from labnet.resolver.upstream.selection import Parents
from labnet.wire.dns_upstream import EarlyReply
from labnet.wire.types import Question, RRset, Security, Upstream


class CheckedParents(ABC):
    """``parents``, which are asked for signatures too (DO), and for what others take for bogus (CD)."""

    def __init__(self, parents: Parents) -> None:
        self.first = parents.first
        self.wait = parents.wait

    @abstractmethod
    def may_answer(self, question: Question) -> bool:
        """Whether ``question`` is answered without asking them."""

    @abstractmethod
    def check(self, rrset: RRset, signature: bytes) -> tuple[Security, RRset] | None:
        """What the ``rrset`` of their answer is that has this ``signature``, record data, or none where that is empty.

        It is given with the TTL that counts. None where that cannot be said at once, or where there is more to say.
        """

    @abstractmethod
    def resume(self, question: Question, replied: DNSParent, early: EarlyReply) -> Deferred[Upstream]:
        """Ask and check, where the parent that ``replied`` is the first in turn: its ``early`` reply has come."""
