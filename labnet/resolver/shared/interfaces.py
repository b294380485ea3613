"""The seam between the decisions of a shared cache and the server that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from labnet.resolver.shared.values import Flush, Looked


class ISharedStore(Interface):
    """The server of a shared cache, as far as it can be reached. Keys and values are any bytes.

    Every Deferred fails with :class:`labnet.resolver.shared.values.StoreGone` where the server is not there, says no,
    or has not answered after ``within`` seconds; then the store finds out by itself whether it is still there.
    """

    is_up: bool = Attribute("Whether it is there, as far as is known.")

    def look(key: bytes, token: bytes, hold: float, insist: bool, within: float) -> Deferred[Looked]:
        """The value of ``key``; where there is none, the lock on it under ``token`` for at most ``hold`` seconds.

        Where another lab that is alive has the lock, its word comes as a message. ``insist`` wants the lock although
        there is a value.
        """

    def tell(key: bytes, token: bytes, value: bytes, left: float) -> Deferred[None]:
        """Keep ``value`` for ``left`` seconds (0: not at all), give up the lock, and tell all who wait.

        An empty ``value`` says that there is none; it counts only from who still has the lock.
        """

    def ping(within: float) -> Deferred[None]:
        """See whether the server answers."""

    def flush(flush: Flush) -> Deferred[int]:
        """Drop what is stored of it and have the other labs forget it; how many values were dropped."""
