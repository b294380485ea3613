"""Python's garbage collector, as suits a daemon that keeps many objects for long."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (5_000, 4, 4)
"""New objects until the collector looks at them, and how often a younger generation is before an older one."""

_LOADING: Final = 200_000
"""New objects until then, while the program is loaded: nearly all of them stay."""


def spare_loading() -> None:
    """Have the collector leave the program alone while it is loaded: a quarter of a start is its looking otherwise."""
    gc.set_threshold(_LOADING)


def spare_program() -> None:
    """Have the collector pass over all that is there by now: the program, which stays until the end.

    As Python has it, a daemon that learned from a parent at full speed stood still for up to 85 ms at a time, most of
    it for the program's own objects; so it is a few ms, 30 where much was learned. To be called once, before anything
    is made that a reload replaces: what is a part of a cycle by then is never freed. Of the program itself that is a
    third of a MB, which it would take a seventh of the start to find.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
