"""Files that take long to read: a stop does not wait for them, and a long log is up soon."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.plain import resolve
from tests.soak.processes import memory, processor_time

LINES = 1_000_000
CACHE = 32_000_000
UP = 5.0
"""Seconds within which a lab with a log of :data:`LINES` lines serves."""

ENDS = 3.0
"""Seconds within which a lab ends that is reading files."""

CONFIG = '[resolver.main]\nlisten = "udp:0:interface=127.0.0.1"\nrecords = "zone:zone"\n[console]\nlog = "log.json"\n'


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_lab_that_is_reading_files(number: signal.Signals, tmp_path: Path) -> None:
    """Three lines that stand for three million records keep a reload busy for minutes, and a stop for no time."""
    (tmp_path / "labnet.toml").write_text(CONFIG)
    (tmp_path / "zone").write_text("$TTL 60\nwww.lab.test. A 192.0.2.1\n")
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        daemon.address("resolver main")
        lines = "".join(f"$GENERATE 1-999999 w$.z{zone}.test. TXT x$\n" for zone in range(3))
        (tmp_path / "zone").write_text("$TTL 60\nwww.lab.test. A 192.0.2.1\n" + lines)
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(2.0)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("a reload waits for the one before it, which is at .*zone")
        began = time.monotonic()
        daemon.process.send_signal(number)
        daemon.process.wait(DEADLINE)
        took = time.monotonic() - began
        print(f"\nended {took:.2f} s after {number.name}")
        assert took < ENDS


def dns_lines(count: int) -> str:
    now = time.time()
    lines = []
    for number in range(count):
        key = (b"\x0ahost%06d\x07example\x00" % number).hex()
        lines.append(
            f'{{"q":"{key}","t":1,"s":{now - 10},"l":86400,"r":0,"f":"192.0.2.53:53",'
            f'"a":[["{key}",1,86400,["c0000201"]]],"n":[]}}\n'
        )
    return "".join(lines)


def course_lines(count: int) -> str:
    now = time.time()
    return "".join(f"host{number:06}.example,192.0.2.1,86400,1,{now - 10}\n" for number in range(count))


@pytest.mark.soak
@pytest.mark.parametrize("suffix", ["", ".dns"])
def test_a_log_of_a_million_lines_is_up_soon(suffix: str, tmp_path: Path) -> None:
    """With the newest answers that the cache has room for, and no more memory than those take."""
    config = CONFIG.replace('records = "zone:zone"', f'learned = "learned"\ncache_bytes = {CACHE}')
    (tmp_path / "labnet.toml").write_text(config)
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        resolve(daemon.address("resolver main"), "nothing.example")
        empty = memory(daemon.process.pid)
        daemon.stop()
    (tmp_path / "var" / f"learned{suffix}").write_text((dns_lines if suffix else course_lines)(LINES))
    began = time.monotonic()
    with Daemon("labnet", "--config", "labnet.toml", cwd=tmp_path) as daemon:
        address = daemon.address("resolver main")
        took = time.monotonic() - began
        worked = processor_time(daemon.process.pid)
        grown = 1000 * (memory(daemon.process.pid) - empty)
        print(f"\nup after {took:.1f} s, {worked:.1f} s of them at work; {grown / 1e6:.1f} MB more than without a log")
        assert resolve(address, f"host{LINES - 1:06}.example").startswith(b'["host')
        # A machine that is busy with other things takes longer.
        assert min(took, worked) < UP
        assert grown < 1.2 * CACHE
        daemon.stop()
