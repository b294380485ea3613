"""A log of 200,000 answers is written anew while a real daemon serves: nobody waits for it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from labnet.resolver.cache.entry import Entry
from labnet.resolver.cache.lines import encode_dns_line
from labnet.wire.types import Answer, Question, Rcode, RRset, RRType
from tests.interop.daemon import DEADLINE, Daemon
from tests.soak.dns_packets import question, wire_of

ENTRIES = 200_000
LONGEST_TURN = 0.05
EVERY = 0.002

CONFIG = """
[lab]
state = "{folder}"
[resolver.main]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/records"
parents = "dns:127.0.0.1:9"
learned = "learned"
cache_bytes = 1_000_000_000
packet_cache_bytes = 0
"""


def write_log(path: Path) -> None:
    """A log of that many answers, all of them valid for a day."""
    now = time.time()
    with path.open("w") as log:
        for number in range(ENTRIES):
            name = wire_of(f"host{number}.lab.test")
            rrset = RRset(name, RRType.A, 86400, (number.to_bytes(4, "big"),))
            entry = Entry(Answer(Rcode.NOERROR, (rrset,)), now, 86400, "127.0.0.1:9")
            log.write(encode_dns_line((Question(name, RRType.A), entry)) + "\n")


def control(path: Path, **request: str) -> object:
    """What the daemon answers over its control socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(str(path))
        sock.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(sock.makefile().readline())


def slowest(server: tuple[str, int], path: Path, until_written: int | None) -> tuple[list[float], float]:
    """How long answers took, the slowest last, and for how long they were asked for.

    They are asked for until the file at ``path`` is another than that of inode ``until_written``, or for five seconds.
    """
    took = []
    started = time.monotonic()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(server)
        sock.settimeout(DEADLINE)
        while (path.stat().st_ino == until_written) if until_written else (time.monotonic() < started + 5):
            assert time.monotonic() < started + 2 * DEADLINE, "it is not written anew"
            asked = time.monotonic()
            sock.send(question(1, wire_of("static.test")))
            sock.recv(512)
            took.append(time.monotonic() - asked)
            time.sleep(EVERY)
    return sorted(took), time.monotonic() - started


def processor(pid: int) -> float:
    """Seconds that the process waited for a processor, because others had them all."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@pytest.mark.soak
def test_a_big_log_is_written_anew_while_it_serves(tmp_path: Path) -> None:
    """Of a thousand answers none waits longer than 50 ms for it, beside what a busy machine has it wait anyway."""
    (tmp_path / "records").write_text("static.test,1.2.3.4,60\n")
    (tmp_path / "lab.toml").write_text(CONFIG.format(folder=tmp_path))
    log = tmp_path / "learned.dns"
    write_log(log)
    with Daemon("labnet", f"--config={tmp_path}/lab.toml", cwd=tmp_path) as daemon:
        server = daemon.address("resolver main")
        alone, _ = slowest(server, log, None)
        inode = log.stat().st_ino
        print("\n", control(tmp_path / "control.sock", do="flush", name="host7.lab.test"))
        waited = processor(daemon.process.pid)
        beside, seconds = slowest(server, log, inode)
        waited = processor(daemon.process.pid) - waited
        for when, took in (("alone", alone), (f"beside, for {seconds:.1f} s", beside)):
            print(
                f"{when}: median {took[len(took) // 2] * 1e3:.2f} ms, 99.9 % {took[-len(took) // 1000] * 1e3:.1f} ms,",
                end=" ",
            )
            print(f"slowest {took[-1] * 1e3:.1f} ms")
        print(f"it waited for a processor for {waited:.2f} s")
        assert beside[-len(beside) // 1000] <= LONGEST_TURN + alone[-1]
        lines = log.read_bytes().splitlines()
        assert len(lines) == ENTRIES - 1
        assert b"host7.lab" not in b"".join(bytes.fromhex(json.loads(line)["q"]) for line in lines[:20])
