"""Ten thousand damaged captures: no traceback, and none takes long."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.capture.mutations import mutate, originals, run_on

MUTATIONS = 10_000
AS_PROCESSES = 25
MOST_SECONDS = 5.0


@pytest.mark.soak
def test_ten_thousand_mutations_are_told_in_time(tmp_path: Path) -> None:
    """Everything that a capture is used for is run on each; some are run as a user would run them."""
    chance = random.Random(20231001)
    whole = originals()
    path = tmp_path / "damaged.pcap"
    slowest = 0.0
    for number in range(MUTATIONS):
        path.write_bytes(mutate(chance.choice(whole), whole, chance))
        seconds = run_on(path)
        assert seconds < MOST_SECONDS, f"mutation {number} took {seconds:.1f} s"
        slowest = max(slowest, seconds)
        if number % (MUTATIONS // AS_PROCESSES) == 0:
            command = [str(Path(sys.executable).with_name("labnet")), "explain", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode in (0, 2), done.stderr
            assert "Traceback" not in done.stderr
    print(f"{MUTATIONS} mutations of {len(whole)} captures; the slowest run took {slowest:.3f} s")
