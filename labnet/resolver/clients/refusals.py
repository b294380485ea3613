"""What the log says of clients that a resolver does not serve: seldom, for anybody can be one."""

from __future__ import annotations

from typing import ClassVar

from twisted.logger import Logger

from labnet.policy.loglimit import NetworkLogLimit


class RefusedClients:
    """Says of the clients that the ``resolver`` of this name refuses, each network once a minute."""

    log: ClassVar[Logger] = Logger()

    def __init__(self, resolver: str) -> None:
        self._resolver = resolver
        self._limit = NetworkLogLimit()

    def note(self, host: str, now: float) -> None:
        """A question, or a connection, of ``host`` is refused at ``now`` (seconds)."""
        count = self._limit.count(host, now)
        if count is not None:
            self.log.warn(
                "resolver {resolver} refuses {host}: its network is not in `allow`{more}",
                resolver=self._resolver,
                host=host,
                count=count,
                more=f" ({count} questions of it since the last such line)" if count > 1 else "",
                event="resolver.refused",
            )
