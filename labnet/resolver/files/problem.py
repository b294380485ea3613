"""What is wrong in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file, in one sentence. A warning does not keep the resolver from starting.

    ``line`` counts from 1; 0 is for the file as a whole. ``path`` names the file where it is another one than was read:
    one that it includes.
    """

    line: int
    says: str
    warning: bool = False
    path: str = ""
