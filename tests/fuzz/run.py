"""Runs one target, or each in turn, under atheris: ``python -m tests.fuzz.run SECONDS [TARGET]``.

What is found is written to build/fuzz, as is what atheris learned; the seeds stay as they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TARGETS = (
    "dns_query", "dns_reply", "course", "resolver_udp", "resolver_tcp", "commands", "http", "control", "learned",
    "shared", "records", "lists", "capture", "live_page", "watched", "web", "transfer",
    "validation",
)  # fmt: skip
BUILD = Path("build/fuzz")


def fuzz(name: str, seconds: int) -> None:
    """Never returns."""
    import atheris

    with atheris.instrument_imports(include=["labnet"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    corpus = BUILD / name
    corpus.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-timeout=10",
            "-print_final_stats=1",
            "-verbosity=0",
            f"-artifact_prefix={BUILD / name}-",
            str(corpus),
            str(SEEDS / name),
        ],
        TARGETS[name],
    )
    atheris.Fuzz()


def main() -> int:
    seconds, names = int(sys.argv[1]), sys.argv[2:]
    if len(names) == 1:
        fuzz(names[0], seconds)
    failed = []
    for name in names or TARGETS:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", "tests.fuzz.run", str(seconds), name]).returncode:
            failed.append(name)
    print(f"findings in: {', '.join(failed)}: see {BUILD}" if failed else "no findings")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
