"""Replies by UDP go in one piece, from the ports of both kinds (RFC 9715)."""

from __future__ import annotations

import socket
from typing import Any
from unittest import mock

import pytest
import pytest_twisted
from twisted.internet import reactor as default_reactor

from labnet.net.opening.listening import listening_reactor
from labnet.net.opening.systemd import Inherited
from labnet.resolver.ready.packetcache import PacketCaches
from labnet.resolver.serve.ports import Ports
from labnet.values.listeners import UDPListen
from tests.interop.test_batch_port import Echo

reactor: Any = default_reactor
PROBE = 3
ASKS = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
async def test_a_port_never_fragments(batch: bool, interface: str) -> None:
    """Neither does it ask the system what the path is thought to take."""
    packets = PacketCaches(0, reactor)
    ports = Ports(listening_reactor(reactor, Inherited()), lambda: Echo(packets), mock.Mock(), packets)
    (listener,) = ports.open([UDPListen(port=0, interface=interface)], batch, 0.0)
    sock = listener.udp.socket
    assert sock.getsockopt(*ASKS[sock.family]) == PROBE
    await listener.close()
