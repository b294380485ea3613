"""How a question came and its answer goes."""

from __future__ import annotations

from enum import IntEnum


class Transport(IntEnum):
    """What carries DNS messages between a client and the resolver; all but UDP are streams, so it alone is false."""

    UDP = 0
    TCP = 1
    TLS = 2
    HTTPS = 3

    @property
    def label(self) -> str:
        """How metrics and logs call it."""
        return _LABELS[self]

    @property
    def is_encrypted(self) -> bool:
        """Whether the size of a message is all that others see of it."""
        return self >= Transport.TLS


_LABELS = tuple(transport.name.lower() for transport in Transport)
