"""The system's clock is set back and forward by hours under a real daemon, which libfaketime shows another one."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from labnet.resolver.files.course import parse_records
from tests.interop import peers
from tests.interop.daemon import Daemon, environment
from tests.interop.plain import greeted, line
from tests.soak.faults import Parents, ask

FAKETIME = "faketime/libfaketimeMT.so.1"
HOUR = 3600
TIMEOUT = 3.0
PARENT_TIMEOUT = 1.0

CONFIG = """
[lab]
state = "{folder}"
[command]
listen = "tcp:0:interface=127.0.0.1"
clients = 0
timeout = {timeout}
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
parents = "text:127.0.0.1:{course}"
learned = "course.learned"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
parents = "dns:127.0.0.1:{dns}"
prefetch = false
[resolver.alone]
listen = "udp:0:interface=127.0.0.1"
parents = "text:127.0.0.1:{silent}"
parent_timeout = {parent_timeout}
parent_tries = 1
"""


class SettableClock:
    """What makes the clock of a process one that the test sets; its clocks that nobody can set stay real."""

    def __init__(self, folder: Path) -> None:
        library = next(iter(Path("/usr/lib").glob(f"*/{FAKETIME}")), None)
        if library is None:
            peers.unavailable("this test sets a daemon's clock: apt-get install libfaketime")
        self._path = folder / "clock"
        self.set(0)
        self.environment = environment(
            LD_PRELOAD=str(library),
            FAKETIME_TIMESTAMP_FILE=str(self._path),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )

    def set(self, seconds: int) -> None:
        """Have it show so much more than the real one."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._path)
        self.ahead = seconds

    def shows(self, text: bytes) -> bool:
        """Whether the reply to TIME is its time."""
        shown = time.mktime(time.strptime(text.decode().strip()))
        return abs(shown - (time.time() + self.ahead)) < 3


@pytest.mark.soak
def test_a_clock_that_is_set_back_and_forward(tmp_path: Path) -> None:
    """Answers stay as long as they were told to, sessions and parents have their time and no more, TIME tells it."""
    clock = SettableClock(tmp_path)
    parents = Parents()
    silent = socket.socket(type=socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    course, dns = (sock.getsockname()[1] for sock in (parents.course, parents.dns))
    (tmp_path / "lab.toml").write_text(
        CONFIG.format(
            folder=tmp_path,
            course=course,
            dns=dns,
            silent=silent.getsockname()[1],
            timeout=TIMEOUT,
            parent_timeout=PARENT_TIMEOUT,
        )
    )
    arguments = ("labnet", f"--config={tmp_path}/lab.toml")
    with Daemon(*arguments, cwd=tmp_path, env=clock.environment) as daemon:
        command = daemon.address("command server")
        servers = {name: daemon.address(f"resolver {name}") for name in ("course", "dns", "alone")}
        for number, ahead in enumerate((HOUR, -HOUR, 0, -HOUR, HOUR)):
            name = f"l{number}.test"
            for server in ("course", "dns"):
                assert ask(parents, servers[server], name, server == "dns") == parents.address(name, parents.run)
            learned = time.monotonic()
            with greeted(command) as session:
                touched = time.monotonic()
                clock.set(ahead)
                parents.run += 1
                # Neither are they over at once …
                for server in ("course", "dns"):
                    told = ask(parents, servers[server], name, server == "dns")
                    assert told == parents.address(name, parents.run - 1), f"{name} is over at {ahead}"
                session.send(b"TIME\n")
                assert clock.shows(line(session))
                touched = time.monotonic()
                # … nor do they last an hour.
                asked = time.monotonic()
                assert ask(parents, servers["alone"], f"x{number}.test") is None
                silent_for = time.monotonic() - asked
                assert PARENT_TIMEOUT <= silent_for < PARENT_TIMEOUT + 1
                session.settimeout(30)
                assert session.recv(100) == b""
                lasted = time.monotonic() - touched
                assert TIMEOUT - 0.1 <= lasted < TIMEOUT + 1
            time.sleep(max(0.0, learned + 13.5 - time.monotonic()))
            for server in ("course", "dns"):
                told = ask(parents, servers[server], name, server == "dns")
                assert told == parents.address(name, parents.run), f"{name} does not end at {ahead}"
            records = parse_records((tmp_path / "course.learned").read_bytes(), 0.0)
            newest = records.learned[-1].since
            assert abs(newest - (time.time() + ahead)) < 5, "the log is not of the time of day"
            print(f"\n{ahead:+d} s: a session lasted {lasted:.2f} s, a silent parent {silent_for:.2f} s")
        name = "l9.test"
        assert ask(parents, servers["course"], name) == parents.address(name, parents.run)
        daemon.kill()
    parents.run += 1
    with Daemon(*arguments, cwd=tmp_path, env=clock.environment) as daemon:
        # The lifetimes in the file go by the clock that was set.
        told = ask(parents, daemon.address("resolver course"), name)
        assert told == parents.address(name, parents.run - 1)
        daemon.kill()
    clock.set(-HOUR)
    parents.run += 1
    with Daemon(*arguments, cwd=tmp_path, env=clock.environment) as daemon:
        server = daemon.address("resolver course")
        # Dated in the future: what is left of it is its lifetime from now on at most.
        ask(parents, server, name)
        time.sleep(13.5)
        assert ask(parents, server, name) == parents.address(name, parents.run)
        assert daemon.log.count("#error") == 0
    parents.close()
    silent.close()
