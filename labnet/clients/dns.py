"""The resolver's client over DNS: ``labnet resolve --dns``, and the walk from a root with ``--trace``."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from labnet.clients.errors import NoAnswer
from labnet.wire.quoting import quoted


@dataclass(frozen=True)
class DNSClient:
    """Asks the server at ``host`` and ``port`` for records of ``rrtype``; by UDP, by TCP if ``tcp`` or truncated.

    ``tries`` times with ``timeout`` seconds each.
    """

    host: str
    port: int
    rrtype: str = "A"
    tcp: bool = False
    timeout: float = 3.0
    tries: int = 3

    def ask(self, name: str) -> str | None:
        """The records of ``name`` as text, one a line; None where there are none. Raises NoAnswer."""
        try:
            query = dns.message.make_query(name, self.rrtype, use_edns=0, payload=1232)
        except (dns.exception.DNSException, UnicodeError) as error:
            raise NoAnswer(f"DNS cannot ask for {name}: {error}") from error
        reply = self._exchange(query)
        if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            why = "; ".join(quoted(option.text) for option in reply.extended_errors() if option.text)
            raise NoAnswer(
                f"{self.host} port {self.port} says {dns.rcode.to_text(reply.rcode())}" + (why and f": {why}")
            )
        wanted = dns.rdatatype.from_text(self.rrtype)
        found = [rrset for rrset in reply.answer if wanted in (rrset.rdtype, dns.rdatatype.ANY)]
        return "\n".join([rdata.to_text() for rrset in found for rdata in rrset]) or None

    def _exchange(self, query: dns.message.Message) -> dns.message.Message:
        where = f"{self.host} port {self.port}"
        for _ in range(self.tries):
            try:
                if self.tcp:
                    return dns.query.tcp(query, self.host, self.timeout, self.port)
                return dns.query.udp_with_fallback(
                    query, self.host, self.timeout, self.port, ignore_unexpected=True, ignore_errors=True
                )[0]
            except dns.exception.Timeout:
                continue
            except (OSError, EOFError) as error:
                why = getattr(error, "strerror", None) or "the connection closed"
                raise NoAnswer(f"no answer from {where}: {why}") from error
            except (dns.exception.DNSException, ValueError) as error:
                raise NoAnswer(f"{where} answered what is no DNS message: {quoted(str(error))}") from error
        raise NoAnswer(f"no answer from {where} in {self.tries} tries of {self.timeout:g} s")
