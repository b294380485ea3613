"""Each seed of ``make fuzz``, run once: what was found before is not found again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import run
from tests.fuzz.targets import SEEDS, TARGETS


class SeedTests(SynchronousTestCase):
    def test_no_seed_has_a_target_raise(self) -> None:
        for name, target in TARGETS.items():
            seeds = sorted((SEEDS / name).iterdir())
            self.assertGreaterEqual(len(seeds), 2, name)
            for seed in seeds:
                try:
                    target(seed.read_bytes())
                except Exception as error:
                    self.fail(f"{name} on {seed.name}: {error!r}")

    def test_make_fuzz_runs_every_target(self) -> None:
        self.assertEqual(run.TARGETS, tuple(TARGETS))
