"""How asking a server fails."""

from __future__ import annotations

from labnet.wire.types import ExtendedError, InfoCode, Rcode


class ParentFailed(Exception):
    """A server did not answer, or not usefully. The text says which and how; ``errors`` are its own extended errors.

    ``code`` is what a client is told of it.
    """

    code = InfoCode.NO_REACHABLE_AUTHORITY

    def __init__(self, text: str, errors: tuple[ExtendedError, ...] = ()) -> None:
        super().__init__(text)
        self.errors = errors


class Unusable(ParentFailed):
    """A server's reply arrived and holds nothing of use. ``rcode`` is the reply's."""

    def __init__(self, text: str, rcode: int, errors: tuple[ExtendedError, ...] = ()) -> None:
        super().__init__(text, errors)
        self.rcode = rcode


class Bogus(ParentFailed):
    """An answer arrived that validation found bogus; the text says which of its signatures or proofs fails, and why."""

    def __init__(self, text: str, code: InfoCode = InfoCode.DNSSEC_BOGUS) -> None:
        super().__init__(text)
        self.code = code


class NoReply(ParentFailed):
    """Every try was sent, and nothing came back."""


class NoRoute(ParentFailed):
    """This machine has no way to the server's address, as where it has no IPv6: nothing was sent."""


def unreadable(address: str, why: Exception) -> Unusable:
    """The failure for a reply that arrived from ``address`` and cannot be read: the server is there."""
    return Unusable(f"{address} sent a reply that cannot be read: {why}", Rcode.SERVFAIL)
