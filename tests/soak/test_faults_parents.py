"""Parents that come and go, again and again, under load."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.interop.daemon import Daemon
from tests.soak.faults import Client, Parents, ask, names, turn

FLAPS = 12
UP_OR_DOWN = 2.5
"""Seconds for which a parent is there, or is not."""

CONFIG = """
[lab]
state = "{folder}"
[resolver.dns]
listen = "udp:0:interface=127.0.0.1"
parents = ["dns:127.0.0.1:{first}", "dns:127.0.0.1:{second}"]
parent_timeout = 1
[resolver.course]
listen = "udp:0:interface=127.0.0.1"
parents = ["text:127.0.0.1:{text}", "text:127.0.0.1:{other}"]
parent_timeout = 0.8
parent_tries = 1
"""


@pytest.mark.soak
def test_parents_that_come_and_go(tmp_path: Path) -> None:
    """While one of two is always there, every name is answered; each change is one line, and no question is."""
    one, two = Parents(), Parents()
    ports = [sock.getsockname()[1] for sock in (one.dns, two.dns, one.course, two.course)]
    config = tmp_path / "lab.toml"
    config.write_text(CONFIG.format(folder=tmp_path, first=ports[0], second=ports[1], text=ports[2], other=ports[3]))
    with Daemon("labnet", f"--config={config}", cwd=tmp_path) as daemon:
        servers = {name: daemon.address(f"resolver {name}") for name in ("dns", "course")}
        answered = 0
        for flap in range(FLAPS):
            parents = (one, two)[flap % 2]
            clients = [Client(servers[name], names(name, flap), name == "dns", window=1) for name in servers]
            turn(parents, clients, UP_OR_DOWN)
            for client in clients:
                client.names = iter(())
            turn(parents, clients, 20)
            for client in clients:
                assert not client.asked, f"lost: {client.asked}"
                assert not client.failed, f"failed: {client.failed[:5]}"
                answered += len(client.told)
                client.close()
            (two, one)[flap % 2].drain()
        lines = re.findall(r"\S+ is down|\S+ answers again", daemon.log)
        failures = daemon.log.count("is not resolved")
        print(f"\n{answered} answers over {FLAPS} changes; {len(lines)} lines of parents, {failures} of questions")
        assert len(lines) <= 4 * FLAPS
        assert failures <= FLAPS * UP_OR_DOWN * 2
        assert ask(two, servers["dns"], "llast.test", is_dns=True) is not None
    one.close()
    two.close()


@pytest.mark.soak
def test_parents_that_are_all_gone(tmp_path: Path) -> None:
    """With nobody there every question fails in its time, at most a line a second says so; then all are answered."""
    one, nobody = Parents(), Parents()
    port = one.dns.getsockname()[1]
    config = tmp_path / "lab.toml"
    config.write_text(CONFIG.format(folder=tmp_path, first=port, second=port, text=port, other=port))
    with Daemon("labnet", f"--config={config}", cwd=tmp_path) as daemon:
        server = daemon.address("resolver dns")
        started = time.monotonic()
        for gone in range(3):
            client = Client(server, names("dns", gone), is_dns=True, window=50)
            turn(nobody, [client], 4)
            client.names = iter(())
            turn(nobody, [client], 20)
            assert not client.asked
            assert not client.told
            client.close()
            one.drain()
            deadline = time.monotonic() + 60
            while ask(one, server, f"lback{time.monotonic()}.test", is_dns=True) is None:
                assert time.monotonic() < deadline, "it does not recover"
                time.sleep(0.2)
        seconds = time.monotonic() - started
        print(f"\n{daemon.log.count('is not resolved')} lines of failures in {seconds:.0f} s")
        assert daemon.log.count("is not resolved") <= seconds + 1
    one.close()
    nobody.close()
