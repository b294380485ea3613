"""The name servers of a scenario at real addresses: ``python -m tests.interop.scripted FILE``.

They listen at port 53 of each address of the scenario and reply as its entries say (see
:mod:`tests.resolver.recursive.testbound`). What no entry matches is refused; the root's servers name themselves. Each
line of standard input is the number of the step from then on; it is repeated on standard output once it is so.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.resolver.recursive.testbound import Scenario, parse


class Servers:
    """All servers of ``scenario`` at one of its steps."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.step = 0

    def reply(self, host: str, datagram: bytes, transport: str) -> bytes:
        """What the server at ``host`` replies to the query in ``datagram``."""
        query = dns.message.from_wire(datagram)
        for entry in self.scenario.entries(self.step, host):
            if entry.matches(query, transport):
                return entry.reply_to(query).to_wire()
        reply = dns.message.make_response(query)
        if query.question[0].name == dns.name.root and query.question[0].rdtype == dns.rdatatype.NS:
            reply.flags |= dns.flags.AA
            for number, root in enumerate(self.scenario.roots):
                name, kind = f"ns{number}.root-servers.test.", "AAAA" if ":" in root else "A"
                reply.answer.append(dns.rrset.from_text(".", 3600, "IN", "NS", name))
                reply.additional.append(dns.rrset.from_text(name, 3600, "IN", kind, root))
        else:
            reply.set_rcode(dns.rcode.REFUSED)
        return reply.to_wire()

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one query of a connection."""
        length = int.from_bytes(await reader.readexactly(2))
        reply = self.reply(writer.get_extra_info("sockname")[0], await reader.readexactly(length), "TCP")
        writer.write(len(reply).to_bytes(2) + reply)
        await writer.drain()
        writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """The UDP port of the server at ``host``."""

    def __init__(self, servers: Servers, host: str) -> None:
        self._servers = servers
        self._host = host

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._servers.reply(self._host, data, "UDP"), addr)


async def serve(path: str) -> None:
    """Serve the scenario in the file ``path`` until standard input ends."""
    servers, loop = Servers(parse(Path(path).read_text())), asyncio.get_running_loop()
    for host in sorted(servers.scenario.addresses):
        await loop.create_datagram_endpoint(lambda host=host: Datagrams(servers, host), (host, 53))
        if servers.scenario.takes_tcp:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            await asyncio.start_server(servers.serve_tcp, host, 53, family=family)
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        servers.step = int(line)
        print(servers.step, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
