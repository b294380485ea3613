"""The seam between what a resolver learns and where that outlives the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from collections.abc import Sequence


class ILearned(Interface):
    """Where what was learned outlives this process: logs on disk, or in a worker the way to its supervisor.

    What is learned is a :data:`labnet.resolver.cache.lines.CachedAnswer`, its times on the reactor's clock; where a
    supervisor keeps the logs, it is a line that a worker sent.
    """

    def append(learned: Sequence[Any]) -> None:
        """Keep all that is ``learned``, which the cache has already, before any of it is answered.

        Never raises and never waits: a failure is logged once.
        """

    def rewrite() -> None:
        """Keep what the cache has now and nothing else, as after ``labnet flush``."""

    def close() -> None:
        """Bring everything to the disk; nothing is appended after that."""
