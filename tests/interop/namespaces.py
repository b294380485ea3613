"""Networks of the kernel's own, each with every port free: made with ``ip netns``, gone at the end."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop import peers


def ip(*arguments: str) -> None:
    """Run iproute2's ``ip``."""
    command = [peers.tool("ip", "iproute2"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, f"{' '.join(command)}: {run.stderr}"


def inside(namespace: str, *command: str) -> list[str]:
    """The command line that runs ``command`` in ``namespace``, as the same process."""
    return [peers.tool("ip", "iproute2"), "netns", "exec", namespace, *command]


@contextmanager
def namespace() -> Iterator[str]:
    """The name of a new network with its loopback up; it and its interfaces end with the ``with`` block."""
    peers.root()
    name = f"labnet-{os.getpid()}-{secrets.token_hex(3)}"
    made = subprocess.run([peers.tool("ip", "iproute2"), "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        subprocess.run([peers.tool("ip", "iproute2"), "netns", "del", name], capture_output=True)
        peers.unavailable(f"root makes no network namespace here: {made.stderr.strip()}; run with CAP_SYS_ADMIN")
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name)


@contextmanager
def two_hosts(client_address: str, server_address: str) -> Iterator[tuple[str, str]]:
    """Two networks with a cable between them and one address each, as ``192.0.2.1/24``: client and server."""
    with namespace() as client, namespace() as server:
        ip("-n", client, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", server)
        for name, address in ((client, client_address), (server, server_address)):
            ip("-n", name, "address", "add", address, "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield client, server
