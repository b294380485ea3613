"""What the validation of one reply may cost, whoever made the zone (KeyTrap, CVE-2023-50387)."""

from __future__ import annotations

from typing import Final

from labnet.resolver.upstream.errors import Bogus

MOST_VERIFICATIONS: Final = 100
"""Signatures that are verified for one reply, whatever comes of it."""

MOST_FAILURES: Final = 16
"""Verifications of one reply that may fail."""

MOST_ROUNDS: Final = 10_000
"""SHA-1 rounds for one reply's NSEC3 hashes (CVE-2023-50868)."""

LONGEST_VALIDATION: Final = 30.0
"""Seconds that the validation of one reply may take, with all that is asked for it."""


class Work:
    """What was done so far for one reply."""

    __slots__ = ("failures", "rounds", "verifications")

    def __init__(self) -> None:
        self.verifications = 0
        self.failures = 0
        self.rounds = 0

    def verify(self) -> None:
        """One more signature is to be verified; raises :class:`Bogus` where that is too many."""
        self.verifications += 1
        if self.verifications > MOST_VERIFICATIONS:
            raise Bogus(f"the reply takes more than {MOST_VERIFICATIONS} verifications of signatures")

    def failed(self) -> None:
        """One more signature was verified and does not fit; raises :class:`Bogus` where those are too many."""
        self.failures += 1
        if self.failures > MOST_FAILURES:
            raise Bogus(f"more than {MOST_FAILURES} signatures of the reply do not fit")

    def hash(self, rounds: int) -> None:
        """So many more rounds are to be done; raises :class:`Bogus` where that is too much."""
        self.rounds += rounds
        if self.rounds > MOST_ROUNDS:
            raise Bogus(f"the proofs of the reply take more than {MOST_ROUNDS} rounds of hashing")
