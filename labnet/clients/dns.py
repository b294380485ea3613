"""The resolver's client over DNS: ``labnet resolve --dns``."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from labnet.clients.errors import NoAnswer, NotFound
from labnet.clients.server import AskedServer, Tap, said
from labnet.wire.dns_upstream import BLOCK
from labnet.wire.quoting import quoted

if TYPE_CHECKING:
    from labnet.clients.encrypted import Encryption


@dataclass(frozen=True)
class DNSClient:
    """Asks the server at ``host`` and ``port`` for records of ``rrtype``; by UDP, by TCP if ``tcp`` or truncated.

    With ``encryption`` it is asked by that, with padding (RFC 8467). ``tries`` times with ``timeout`` seconds each.
    ``tap`` takes each socket and returns the one to use.
    """

    host: str
    port: int
    rrtype: str = "A"
    tcp: bool = False
    timeout: float = 3.0
    tries: int = 3
    tap: Tap = field(default=lambda sock: sock)
    encryption: Encryption | None = None

    def ask(self, name: str) -> str:
        """The records of ``name`` as text, one a line. Raises :class:`NotFound`, :class:`NoAnswer`."""
        try:
            pad = 0 if self.encryption is None else BLOCK
            query = dns.message.make_query(name, self.rrtype, use_edns=0, payload=1232, pad=pad)
        except (dns.exception.DNSException, UnicodeError) as error:
            raise NoAnswer(f"DNS cannot ask for {name}: {error}") from error
        if self.encryption is not None and self.encryption.scheme == "https":
            query.id = 0  # caches on the way find it then (RFC 8484, section 4.1)
        reply = self._exchange(query)
        why = "; ".join(quoted(option.text) for option in reply.extended_errors() if option.text)
        why = why and f": {why}"
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise NoAnswer(f"{self.host} port {self.port} says {dns.rcode.to_text(reply.rcode())}{why}")
        wanted = dns.rdatatype.from_text(self.rrtype)
        found = [rrset for rrset in reply.answer if wanted in (rrset.rdtype, dns.rdatatype.ANY)]
        if found:
            return "\n".join([rdata.to_text() for rrset in found for rdata in rrset])
        if reply.rcode() == dns.rcode.NXDOMAIN:
            raise NotFound(f"there is no such name (NXDOMAIN){why}")
        raise NotFound(f"the name has no record of type {self.rrtype} (NODATA){why}")

    def _exchange(self, query: dns.message.Message) -> dns.message.Message:
        wrap = None if self.encryption is None else self.encryption.wrap
        server = AskedServer(self.host, self.port, self.timeout, self.tries, self.tap, wrap)
        wire = query.to_wire()
        if not (self.tcp or wrap):
            reply = server.ask(wire, lambda datagram: _reply(query, datagram, server))
            if not reply.flags & dns.flags.TC:
                return reply
        for _ in range(self.tries):
            try:
                with contextlib.closing(server.connect()) as sock:
                    return _ask(sock, query, wire, server)
            except TimeoutError:
                continue
            except EOFError as error:
                raise NoAnswer(f"no answer from {server}: the connection closed") from error
            except OSError as error:
                raise NoAnswer(f"no answer from {server}: {error.strerror}") from error
        raise NoAnswer(f"no answer from {server}{server.silence}")


def _ask(sock: socket.socket, query: dns.message.Message, wire: bytes, server: AskedServer) -> dns.message.Message:
    """The reply to ``query`` over a stream, each message behind its length (RFC 1035, section 4.2.2).

    Raises EOFError where the stream ends, TimeoutError where all of it takes longer than a try may.
    """
    sock.sendall(struct.pack("!H", len(wire)) + wire)
    received = b""
    for piece in server.pieces(sock):
        received += piece
        while len(received) >= 2 and len(received) >= (end := 2 + int.from_bytes(received[:2])):
            reply = _reply(query, received[2:end], server)
            if reply is not None:
                return reply
            received = received[end:]
    raise EOFError


def _reply(query: dns.message.Message, data: bytes, server: AskedServer) -> dns.message.Message | None:
    """What is in ``data``; None where it is the reply to another query, perhaps a late one."""
    try:
        reply = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError) as error:
        why = quoted(str(error))
        raise NoAnswer(f"{server} answered what is no DNS message: {said(data)}: {why}") from error
    return reply if query.is_response(reply) else None
