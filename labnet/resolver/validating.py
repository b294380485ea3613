"""Validation, wired: made of the configuration, and kept over a reload that does not change it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from labnet.config.resolver import ResolverConfig
from labnet.interfaces import IParent
from labnet.metrics import Sample
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.upstream.errors import ParentFailed
from labnet.resolver.upstream.selection import Parents, parent_for
from labnet.wire.names import key_of, text_of
from labnet.wire.types import Question, Upstream

if TYPE_CHECKING:
    from labnet.resolver.files.trust_anchors import TrustAnchors
    from labnet.resolver.validation.validator import Validator

Settings = tuple["TrustAnchors", frozenset[bytes]]
"""What validation begins at, and where it ends."""


class Validating:
    """The validation of one resolver, which may be off."""

    def __init__(self, clock: IReactorTime) -> None:
        self.counts: Counter[str] = Counter()
        """Replies that were validated, by what they are."""
        self._clock = clock
        self._settings: Settings | None = None
        self._validator: Validator | None = None
        self._parents: Mapping[bytes, IParent] = {}

    @property
    def is_on(self) -> bool:
        """Whether replies are validated."""
        return self._settings is not None

    def take(self, config: ResolverConfig, loaded: Loaded) -> bool:
        """Validate by ``config`` and its files from now on; whether what was learned before counts no more."""
        before = self._settings
        self._settings = None
        if loaded.anchors is not None:
            self._settings = loaded.anchors, frozenset(map(key_of, config.insecure))
        if self._settings != before:
            self._validator = None
        return self._settings != before

    def parents(self, parents: Mapping[bytes, IParent], of_course: frozenset[bytes]) -> dict[bytes, IParent]:
        """``parents`` by their domain's key, with validation before them but for the domains ``of_course`` parents."""
        self._parents = parents
        if self._settings is None:
            return dict(parents)
        # Most labs validate nothing, and need none of it, nor the package that it takes.
        from labnet.resolver.validation.chain import TrustChain
        from labnet.resolver.validation.parent import ValidatingParent, ValidatingParents
        from labnet.resolver.validation.validator import Validator

        if self._validator is None:
            self._validator = Validator(TrustChain(*self._settings, self._ask, self._clock))
        validator, made = self._validator, dict(parents)
        for domain, parent in parents.items():
            if isinstance(parent, Parents):
                made[domain] = ValidatingParents(parent, validator, self.counts)
            else:
                made[domain] = ValidatingParent(parent, validator, self.counts)
        return made | {domain: parents[domain] for domain in of_course & parents.keys()}

    def forget(self) -> None:
        """Forget what zones have proven, and their keys."""
        if self._validator is not None:
            self._validator.forget()

    def samples(self, resolver: str) -> Iterator[Sample]:
        """The replies that were validated."""
        for result, count in self.counts.items():
            yield Sample("labnet_validations_total", (resolver, result), count)

    def _ask(self, question: Question) -> Deferred[Upstream]:
        parent = parent_for(question, self._parents)
        return (
            fail(ParentFailed(f"no parent knows {text_of(question.key)}")) if parent is None else parent.ask(question)
        )
