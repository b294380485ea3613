"""Damaged captures; the soak test runs ten thousand of them."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.capture.mutations import mutate, originals, run_on

HOW_MANY = 150


class MutationTests(SynchronousTestCase):
    """Anything may be in a file."""

    def test_damaged_captures_are_told_as_far_as_they_go(self) -> None:
        """Nothing but an error for the user comes out of a run."""
        chance = random.Random(1992)
        whole = originals()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "damaged.pcap")
            for number in range(HOW_MANY):
                path.write_bytes(mutate(chance.choice(whole), whole, chance))
                try:
                    run_on(path)
                except Exception as error:
                    self.fail(f"mutation {number} of seed 1992: {error!r}")
