"""A lab that nobody asks anything: what it takes of the machine, beside others that nobody asks."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import harness, peers
from bench.stages import Loads, Server, Stage
from bench.targets import AT_REST, LABNET, THREE_WORKERS, TWO_WORKERS

REST = 5
"""Times the seconds of a load: long enough for what comes once a second."""

SETTLING = 1.0
"""Seconds after the first answer that are no rest yet."""

NAMES = 3
PEERS = ("dnsmasq", "unbound", "nsd", "named")

LAB = Path(__file__).parents[1] / "etc"
"""The default lab: its file, with other ports and, where it is to have workers, their number, and its records."""


def at_rest(folder: Path) -> Stage:
    """The default lab in one process and in several, and other servers of as many names."""
    folder.mkdir()
    peers.write_records(folder, NAMES)
    for name in ("ips.txt", "parent.txt"):
        shutil.copy(LAB / name, folder)
    answers = partial(harness.answers_dns, name="www.biu.ac.il")
    servers = [
        Server(name, partial(_default_lab, folder, workers), answers)
        for name, workers in ((LABNET, 1), (TWO_WORKERS, 2), (THREE_WORKERS, 3))
    ]
    servers += [Server(name, command) for name, command in peers.resolvers(folder) if name in PEERS]
    return Stage(servers, {AT_REST: Loads(_nothing, warm_up=_settling)})


def _default_lab(folder: Path, workers: int, port: int) -> list[str]:
    file = folder / f"default-{workers}.toml"
    text = (LAB / "labnet.toml").read_text()
    for number, other in (("1199", port), ("1200", port + 1), ("8080", port + 2), ("8090", port + 3)):
        text = text.replace(f":{number}", f":{other}")
    file.write_text(text.replace("[lab]\n", f"[lab]\nworkers = {workers}\n"))
    rundir = tempfile.mkdtemp(dir=folder)
    return [*peers.twistd(Path(rundir)), "labnet", "--config", str(file)]


def _nothing(port: int, seconds: float) -> harness.Result:
    """No load, for as long as its figures need; each second counts as an operation."""
    time.sleep(seconds * REST)
    return {"answered": seconds * REST, "qps": 0.0, "lost": 0.0}


def _settling(port: int, seconds: float) -> harness.Result:
    time.sleep(SETTLING)
    return {}
