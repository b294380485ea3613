"""A newcomer's way: from a clone to the first answer, timed step by step. What pip does is told apart.

``python -m bench.newcomer`` clones this checkout into a folder of its own and does there what README's first page says,
with a home that is empty, and from the start of the lab on in a network that nobody else is in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

DEADLINE: Final = 300.0
"""Seconds that any step may take."""

ALONE: Final = ("unshare", "--net", "--map-root-user", "sh", "-c")
"""A network with nothing but its own loopback."""

FIRST_ANSWER: Final = """
ip link set lo up
make run >lab.log 2>&1 &
until .venv/bin/labnet resolve --tries 1 127.0.0.1 1199 www.google.co.il 2>error.log; do sleep 0.05; done
.venv/bin/labnet stop >/dev/null
wait
"""


def timed(command: Sequence[str], folder: Path) -> tuple[float, str]:
    """Seconds until ``command`` in ``folder`` printed its first line, or ended without one; and that line."""
    passed_on = ("PATH", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE")
    environment = {key: value for key, value in os.environ.items() if key in passed_on} | {"HOME": str(folder)}
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = time.monotonic() - began
        process.communicate(timeout=DEADLINE)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took, line


def main() -> int:
    """Print each step and how long it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone, _ = timed(("git", "clone", "--quiet", str(ROOT), "labnet"), folder)
        lab = folder / "labnet"
        venv, _ = timed(("make", "--quiet", ".venv/bin/python"), lab)
        pip, _ = timed(("make", "--quiet", ".venv/run"), lab)
        answer, said = timed((*ALONE, FIRST_ANSWER), lab)
    steps = {
        "git clone": clone,
        "python -m venv (pip itself)": venv,
        "pip install": pip,
        "make run to the first answer": answer,
    }
    for step, seconds in steps.items():
        print(f"{step:<30}{seconds:7.2f} s")
    print(f"{'all':<30}{sum(steps.values()):7.2f} s, without pip {clone + answer:.2f} s")
    print(f"the answer: {said.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
