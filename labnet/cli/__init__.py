"""The frame of the ``labnet`` command: which commands there are, how their options are written, how one ends.

No command is here: each room has its own in its ``cli.py``, and ``table`` names them, so that only the one that is
used is imported. ``frame`` has the classes of click that they are made with, ``readers`` the kinds of values,
``program`` runs one and turns what went wrong into a sentence and an exit status. A running daemon imports nothing of
this room.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. 2 is a wrong command line's too, 130 is Ctrl-C's."""
    from labnet.cli.program import run

    return run(argv)
