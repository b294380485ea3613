"""A miss that is validated: names of a signed zone, and names that it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import peers
from bench.stages import Load, Loads, Stage, beside_parent
from bench.targets import VALIDATED, VALIDATED_NONE

NAMES = 60_000
"""So many that a load of a few seconds asks for none twice."""


def validated(folder: Path, udp: Load) -> Iterator[Stage]:
    """Names of a signed zone, and names that it does not have; each is asked for once, so each is a miss."""
    folder.mkdir()
    peers.write_records(folder, NAMES)
    signed = peers.sign_records(folder)
    asking = partial(udp, once=True, authentic=True)
    addresses = partial(asking, window=100)
    none = partial(asking, window=20, rcode=3, answers=0)
    for path, load, suffix in ((VALIDATED, addresses, ""), (VALIDATED_NONE, none, "-absent")):
        full, warm_up = (partial(load, questions=signed / f"{name}{suffix}") for name in ("shuffled", "backward"))
        yield Stage(beside_parent(signed, peers.validators), {path: Loads(full, warm_up=warm_up)})
