"""A real daemon that is reloaded ten times a second, for a minute, under load."""

from __future__ import annotations

import itertools
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.daemon import Daemon
from tests.interop.plain import greeted, is_time, line
from tests.soak.faults import Client, Parents, names, turn
from tests.soak.processes import memory, open_files

SECONDS = 60.0
EVERY = 0.1
LATEST = 3.0
"""Seconds after which a record that was changed has to be answered as it is now; a busy machine takes its time."""

MOST_GROWTH = 1.1

CONFIG = """
# version {version}
[lab]
state = "{folder}"
[command]
listen = "tcp:0:interface=127.0.0.1"
timeout = {timeout}
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/records"
parents = "text:127.0.0.1:{course}"
learned = "course.learned"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
records = "course:{folder}/records"
parents = "dns:127.0.0.1:{dns}"
learned = "dns.learned"
"""


def address_of(version: int) -> str:
    return f"10.{version >> 16 & 255}.{version >> 8 & 255}.{version & 255}"


class Lab:
    """The daemon with its files, of which there is a new version before each reload."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parents = Parents()
        self.written: list[float] = []
        self.write()

    def write(self) -> None:
        """Change configuration and records, each whole at any moment."""
        version = len(self.written)
        course, dns = (sock.getsockname()[1] for sock in (self.parents.course, self.parents.dns))
        config = CONFIG.format(version=version, folder=self.folder, timeout=600 + version % 2, course=course, dns=dns)
        for name, content in (("lab.toml", config), ("records", f"static.test,{address_of(version)},60\n")):
            new = self.folder / f"{name}.next"
            new.write_text(content)
            new.replace(self.folder / name)
        self.written.append(time.time())

    def check(self, client: Client) -> None:
        """What a client was told was true when it was asked for, or has become so since."""
        for name, told in client.told.items():
            if name == "static.test":
                low = max(n for n, at in enumerate(self.written) if at <= told.asked - LATEST or not n)
                versions = {address_of(version) for version in range(low, len(self.written))}
                assert told.address in versions, f"{told} is older than version {low} of {len(self.written)}"
            else:
                assert told.address == self.parents.address(name, 0)
        assert not client.failed, client.failed[:5]


def asked(server: str) -> Iterator[str]:
    """A record, a name that is new, a name that was learned; again and again."""
    fresh = names(server, 0, long_share=2)
    for number in itertools.count():
        if number % 3:
            yield next(fresh) if number % 3000 == 1 else f"l{number % 7 * 2 + 1}.again.{server}.test"
        else:
            yield "static.test"


@pytest.mark.soak
def test_reload_ten_times_a_second_under_load(tmp_path: Path) -> None:
    """No answer is lost or wrong, no session ends, nothing grows, and the log has a line for a reload at most."""
    lab = Lab(tmp_path)
    with Daemon("labnet", "--quiet", f"--config={tmp_path}/lab.toml", cwd=tmp_path) as daemon:
        command = daemon.address("command server")
        servers = {name: daemon.address(f"resolver {name}") for name in ("course", "dns")}
        streams = {name: asked(name) for name in servers}
        totals: Counter[str] = Counter()
        sizes: list[int] = []
        with greeted(command) as session:
            started = time.monotonic()
            while (now := time.monotonic()) < started + SECONDS:
                lab.write()
                daemon.process.send_signal(signal.SIGHUP)
                totals["reloads asked for"] += 1
                # One question of a name at a time: a reply of the course says nothing else to tell them apart by.
                clients = [Client(server, streams[name], name == "dns", window=1) for name, server in servers.items()]
                turn(lab.parents, clients, EVERY * 0.9 - (now - started) % EVERY)
                for client in clients:
                    client.names = iter(())
                turn(lab.parents, clients, 20)
                for client in clients:
                    assert not client.asked, f"lost: {client.asked}"
                    lab.check(client)
                    totals["answers"] += client.count
                    client.close()
                time.sleep(EVERY - (time.monotonic() - started) % EVERY)
                if totals["reloads asked for"] % 20 == 0:
                    session.send(b"TIME\n")
                    assert is_time(line(session)[:-1], 0)
                    sizes.append(memory(daemon.process.pid))
        done = daemon.log.count("reloaded")
        early, late = sizes[len(sizes) // 4], sizes[-1]
        print(f"\n{dict(totals)}, {done} reloads done; memory {early} kB early, {late} kB late")
        assert done > SECONDS / 3
        assert len(daemon.log.splitlines()) < totals["reloads asked for"] * 2 + 100
        assert late <= early * MOST_GROWTH
        assert len(open_files(daemon.process.pid)) < 60
        assert "#error" not in daemon.log
    lab.parents.close()
