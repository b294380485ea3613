"""Tests for :mod:`labnet.clients.dns`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.dns import DNSClient
from labnet.clients.errors import NoAnswer
from tests.resolver.dnsfakes import reply_to

Reply = Callable[[dns.message.Message], dns.message.Message]


def replying(*answer: str, **reply: Any) -> Reply:
    """A server that always replies so."""
    return lambda query: dns.message.from_wire(reply_to(query.to_wire(), *answer, **reply))


class DNSClientTests(SynchronousTestCase):
    """The network is dnspython's, with its two ways to send replaced."""

    def setUp(self) -> None:
        self.asked: list[tuple[str, str, tuple[Any, ...]]] = []
        self.patch(dns.query, "tcp", lambda *args, **more: self.send("tcp", *args, **more))
        self.patch(dns.query, "udp_with_fallback", lambda *args, **more: (self.send("udp", *args, **more), False))
        self.events: list[Reply | Exception] = []

    def send(self, how: str, query: dns.message.Message, *where: Any, **more: Any) -> dns.message.Message:
        """What the fake network does with one query: the next event, or silence."""
        self.asked.append((how, query.question[0].to_text(), where))
        event = self.events.pop(0) if self.events else dns.exception.Timeout()
        if isinstance(event, Exception):
            raise event
        return event(query)

    def client(self, **options: Any) -> DNSClient:
        return DNSClient("192.0.2.1", 1199, **{"timeout": 2.0, "tries": 3} | options)

    def fails(self, client: DNSClient, says: str, name: str = "www.lab") -> None:
        with self.assertRaises(NoAnswer) as caught:
            client.ask(name)
        self.assertEqual(str(caught.exception), says)

    def test_records_are_told_one_a_line(self) -> None:
        """The client asks by UDP and gives the rdata of the type, without the chain that leads to it."""
        self.events = [replying("www.lab. 60 CNAME x.lab.", "x.lab. 60 A 10.0.0.1", "x.lab. 60 A 10.0.0.2")]
        self.assertEqual(self.client().ask("www.lab"), "10.0.0.1\n10.0.0.2")
        self.assertEqual(self.asked, [("udp", "www.lab. IN A", ("192.0.2.1", 2.0, 1199))])

    def test_tcp(self) -> None:
        """With ``tcp`` the question goes by TCP alone."""
        self.events = [replying("www.lab. 60 MX 5 mail.lab.")]
        self.assertEqual(self.client(tcp=True, rrtype="MX").ask("www.lab"), "5 mail.lab.")
        self.assertEqual(self.asked, [("tcp", "www.lab. IN MX", ("192.0.2.1", 2.0, 1199))])

    def test_any(self) -> None:
        """A client that asks for type ANY prints all records of the reply."""
        self.events = [replying("www.lab. 60 A 10.0.0.1", "www.lab. 60 TXT x")]
        self.assertEqual(self.client(rrtype="ANY").ask("www.lab"), '10.0.0.1\n"x"')

    def test_not_found(self) -> None:
        """A name that does not exist, or that has no such record, gives None."""
        self.events = [replying(rcode="NXDOMAIN"), replying(), replying("www.lab. 60 CNAME x.lab.")]
        for _ in range(3):
            self.assertIsNone(self.client().ask("www.lab"))

    def test_failure_says_why(self) -> None:
        """Any other RCODE is no answer; the server's extended errors are shown."""
        why = [dns.edns.EDEOption(22, "no parent answers"), dns.edns.EDEOption(0), dns.edns.EDEOption(0, "from x")]
        self.events = [replying(rcode="SERVFAIL", options=why), replying(rcode="REFUSED")]
        self.fails(self.client(), "192.0.2.1 port 1199 says SERVFAIL: no parent answers; from x")
        self.fails(self.client(), "192.0.2.1 port 1199 says REFUSED")

    def test_the_words_of_a_server_do_not_reach_the_terminal_as_they_are(self) -> None:
        """An extended error's text could clear the screen, or look like another line."""
        self.events = [replying(rcode="SERVFAIL", options=[dns.edns.EDEOption(0, "\x1b[2J\nok\u202e")])]
        self.fails(self.client(), r"192.0.2.1 port 1199 says SERVFAIL: \x1b[2J\nok\u202e")

    def test_silence_is_tried_again(self) -> None:
        """After a try without a reply comes the next, and after the last a sentence."""
        self.events = [dns.exception.Timeout(), replying("www.lab. 60 A 10.0.0.1")]
        self.assertEqual(self.client().ask("www.lab"), "10.0.0.1")
        self.fails(self.client(timeout=0.5), "no answer from 192.0.2.1 port 1199 in 3 tries of 0.5 s")
        self.assertEqual(len(self.asked), 5)

    def test_network_errors(self) -> None:
        """A refusal, and a connection that ends early, are said in one sentence without another try."""
        self.events = [ConnectionRefusedError(111, "Connection refused"), EOFError()]
        self.fails(self.client(), "no answer from 192.0.2.1 port 1199: Connection refused")
        self.fails(self.client(tcp=True), "no answer from 192.0.2.1 port 1199: the connection closed")

    def test_garbage(self) -> None:
        """What cannot be read is said to be no DNS message."""
        for error in (dns.message.ShortHeader(), dns.name.BadPointer(), ValueError("bad")):
            self.events = [error]
            with self.assertRaisesRegex(NoAnswer, "192.0.2.1 port 1199 answered what is no DNS message: "):
                self.client().ask("www.lab")

    def test_name_or_type_that_dns_cannot_carry(self) -> None:
        """A name with an empty or a long label, and a type that is none, are refused before anything is sent."""
        for name in ("a..b", "x" * 64, "\udc80", "a." * 128):
            with self.assertRaisesRegex(NoAnswer, "DNS cannot ask for "):
                self.client().ask(name)
        with self.assertRaisesRegex(NoAnswer, "DNS cannot ask for www.lab: "):
            self.client(rrtype="NOSUCH").ask("www.lab")
        self.assertEqual(self.asked, [])
