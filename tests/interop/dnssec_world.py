"""A world of signed and broken zones (:mod:`tests.resolver.validation.world`) behind a port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message

from tests.interop.dns_peers import LOOPBACK, free_port
from tests.interop.plain import Address
from tests.resolver.validation.world import World


@contextmanager
def serving_world(world: World) -> Iterator[Address]:
    """``world`` at a port of its own, over UDP and TCP, until the ``with`` block ends."""
    address = (LOOPBACK, free_port())
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket() as streams:
        datagrams.bind(address)
        streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        streams.bind(address)
        streams.listen(100)
        threads = [
            threading.Thread(target=_serve_datagrams, args=(world, datagrams), daemon=True),
            threading.Thread(target=_serve_streams, args=(world, streams), daemon=True),
        ]
        for thread in threads:
            thread.start()
        yield address
        for sock in (datagrams, streams):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def _serve_datagrams(world: World, sock: socket.socket) -> None:
    with suppress(OSError):
        while True:
            data, client = sock.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            wire = world.reply(query).to_wire(max_size=65535)
            if len(wire) > max(512, query.payload):
                short = dns.message.make_response(query)
                short.flags |= dns.flags.TC
                wire = short.to_wire()
            sock.sendto(wire, client)


def _serve_streams(world: World, sock: socket.socket) -> None:
    with suppress(OSError):
        while True:
            stream, _ = sock.accept()
            with stream, suppress(OSError):
                stream.settimeout(2)
                head = stream.recv(2, socket.MSG_WAITALL)
                data = stream.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
                if data:
                    wire = world.reply(dns.message.from_wire(data)).to_wire(max_size=65535)
                    stream.sendall(len(wire).to_bytes(2, "big") + wire)
