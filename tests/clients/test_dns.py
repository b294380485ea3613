"""Tests for :mod:`labnet.clients.dns`."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import dns.edns
import dns.message

from labnet.clients.dns import DNSClient
from labnet.clients.errors import NoAnswer, NotFound
from tests.clients.network import ClientCase, FakeNetwork
from tests.resolver.dnsfakes import reply_to

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def replying(*answer: str, **reply: Any) -> Callable[[bytes], bytes]:
    """A server that replies so to the datagram that it got last."""
    return lambda query: reply_to(query, *answer, **reply)


def framed(*answer: str, **reply: Any) -> Callable[[bytes], bytes]:
    """The same over a stream, each message behind its length."""

    def made(query: bytes) -> bytes:
        message = reply_to(query[2:], *answer, **reply)
        return struct.pack("!H", len(message)) + message

    return made


def asked(network: FakeNetwork) -> list[str]:
    """The questions that were sent over datagrams."""
    return [dns.message.from_wire(sent).question[0].to_text() for _, sent in network.sent]


class DNSClientTests(ClientCase):
    """Over a network in memory."""

    def client(self, **options: Any) -> DNSClient:
        return DNSClient("192.0.2.1", 1199, **{"timeout": 2.0, "tries": 3} | options)

    def fails(self, client: DNSClient, says: str, name: str = "www.lab", how: type[Exception] = NoAnswer) -> None:
        with self.assertRaises(how) as caught:
            client.ask(name)
        self.assertEqual(str(caught.exception), says)

    def test_records_are_told_one_a_line(self) -> None:
        """The client asks by UDP and gives the rdata of the type, without the chain that leads to it."""
        network = self.network(replying("www.lab. 60 CNAME x.lab.", "x.lab. 60 A 10.0.0.1", "x.lab. 60 A 10.0.0.2"))
        self.assertEqual(self.client().ask("www.lab"), "10.0.0.1\n10.0.0.2")
        self.assertEqual(network.looked_up, ("192.0.2.1", 1199, socket.SOCK_DGRAM))
        self.assertEqual(asked(network), ["www.lab. IN A"])

    def test_tcp(self) -> None:
        """With ``tcp`` the question goes by TCP alone, and the reply may come in pieces."""
        whole = framed("www.lab. 60 MX 5 mail.lab.")
        pieces: list[bytes] = []

        def first(query: bytes) -> bytes:
            pieces.append(whole(query))
            return pieces[0][:1]

        network = self.network(first, lambda query: pieces[0][1:20], lambda query: pieces[0][20:])
        self.assertEqual(self.client(tcp=True, rrtype="MX").ask("www.lab"), "5 mail.lab.")
        self.assertEqual(network.looked_up, ("192.0.2.1", 1199, socket.SOCK_STREAM))
        ((_, sent),) = network.sent
        self.assertEqual(struct.unpack("!H", sent[:2])[0], len(sent) - 2)
        self.assertEqual(dns.message.from_wire(sent[2:]).question[0].to_text(), "www.lab. IN MX")

    def test_what_is_truncated_is_asked_again_over_tcp(self) -> None:
        """And only that reply counts."""
        network = self.network(
            replying("www.lab. 60 A 10.0.0.9", flags="QR RD RA TC"), framed("www.lab. 60 A 10.0.0.1")
        )
        self.assertEqual(self.client().ask("www.lab"), "10.0.0.1")
        self.assertEqual(network.looked_up[2], socket.SOCK_STREAM)

    def test_any(self) -> None:
        """A client that asks for type ANY prints all records of the reply."""
        self.network(replying("www.lab. 60 A 10.0.0.1", "www.lab. 60 TXT x"))
        self.assertEqual(self.client(rrtype="ANY").ask("www.lab"), '10.0.0.1\n"x"')

    def test_no_such_name_and_no_such_record_are_told_apart(self) -> None:
        """NXDOMAIN, and NODATA with a chain or without; with what the server says to it."""
        why = [dns.edns.EDEOption(0, "from the records")]
        for reply, says in (
            (replying(rcode="NXDOMAIN"), "there is no such name (NXDOMAIN)"),
            (replying(rcode="NXDOMAIN", options=why), "there is no such name (NXDOMAIN): from the records"),
            (replying(), "the name has no record of type A (NODATA)"),
            (replying("www.lab. 60 CNAME x.lab."), "the name has no record of type A (NODATA)"),
        ):
            self.network(reply)
            self.fails(self.client(), says, how=NotFound)

    def test_failure_says_why(self) -> None:
        """Any other RCODE is no answer; the server's extended errors are shown."""
        why = [dns.edns.EDEOption(22, "no parent answers"), dns.edns.EDEOption(0), dns.edns.EDEOption(0, "from x")]
        self.network(replying(rcode="SERVFAIL", options=why))
        self.fails(self.client(), "192.0.2.1 port 1199 says SERVFAIL: no parent answers; from x")
        self.network(replying(rcode="REFUSED"))
        self.fails(self.client(), "192.0.2.1 port 1199 says REFUSED")

    def test_the_words_of_a_server_do_not_reach_the_terminal_as_they_are(self) -> None:
        """An extended error's text could clear the screen, or look like another line."""
        self.network(replying(rcode="SERVFAIL", options=[dns.edns.EDEOption(0, "\x1b[2J\nok\u202e")]))
        self.fails(self.client(), r"192.0.2.1 port 1199 says SERVFAIL: \x1b[2J\nok\u202e")

    def test_silence_is_tried_again(self) -> None:
        """After a try without a reply comes the next, and after the last a sentence."""
        for more, reply in (({}, replying), ({"tcp": True}, framed)):
            network = self.network(2.5, reply("www.lab. 60 A 10.0.0.1"))
            self.assertEqual(self.client(**more).ask("www.lab"), "10.0.0.1")
            self.assertEqual(len(network.sent), 2)
            network = self.network()
            says = "no answer from 192.0.2.1 port 1199 in 3 tries of 0.5 s"
            self.fails(self.client(timeout=0.5, **more), says)
            self.assertEqual((len(network.sent), network.now), (3, 101.5))

    def test_a_stream_that_drips_takes_no_longer_than_its_tries(self) -> None:
        """A byte now and then does not start a try's time anew."""
        network = self.network(*[event for _ in range(20) for event in (0.25, b"\xff")])
        with self.assertRaisesRegex(NoAnswer, "in 2 tries of 1 s$"):
            self.client(tcp=True, timeout=1.0, tries=2).ask("www.lab")
        self.assertEqual(network.now, 102.0)

    def test_another_questions_reply_is_ignored(self) -> None:
        """A late one, perhaps; where nothing else comes the error quotes it."""
        late = replying("www.lab. 60 A 6.6.6.6")
        network = self.network(
            lambda query: bytes([query[0] ^ 1]) + late(query)[1:], replying("www.lab. 60 A 10.0.0.1")
        )
        self.assertEqual(self.client().ask("www.lab"), "10.0.0.1")
        self.assertEqual(len(network.sent), 1)
        self.network(lambda query: query)
        with self.assertRaisesRegex(NoAnswer, "in 1 tries of 2 s; it replied to another question: .*www"):
            self.client(tries=1).ask("www.lab")
        network = self.network(
            lambda query: framed("www.lab. 60 A 6.6.6.6")(query[:2] + bytes([query[2] ^ 1]) + query[3:]),
            framed("www.lab. 60 A 10.0.0.1"),
        )
        self.assertEqual(self.client(tcp=True).ask("www.lab"), "10.0.0.1")

    def test_a_refusal_is_said_at_once(self) -> None:
        """Over either, in one try; so is a connection that ends early or breaks."""
        for event in REFUSED, OSError(errno.EHOSTUNREACH, "No route to host"):
            network = self.network(event)
            self.fails(self.client(), f"no answer from 192.0.2.1 port 1199: {event.strerror}")
            self.assertEqual((len(network.sent), network.now), (1, 100.0))
        network = self.network()
        network.refusing["127.0.0.1"] = REFUSED
        self.fails(self.client(tcp=True), "no answer from 192.0.2.1 port 1199: Connection refused")
        self.assertEqual((network.sent, network.now), ([], 100.0))
        for event, says in (
            (b"", "the connection closed"),
            (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        ):
            self.network(event)
            self.fails(self.client(tcp=True), f"no answer from 192.0.2.1 port 1199: {says}")

    def test_a_host_name_may_stand_for_the_server(self) -> None:
        """Of its addresses the next one is asked where no server listens on the first, over either."""
        for more, reply in (({}, replying), ({"tcp": True}, framed)):
            network = self.network(reply("www.lab. 60 A 10.0.0.1"), addresses=("127.0.0.2", "127.0.0.1"))
            network.refusing["127.0.0.2"] = REFUSED
            self.assertEqual(self.client(**more).ask("www.lab"), "10.0.0.1")
            self.assertEqual(network.sent[-1][0], "127.0.0.1")

    def test_connecting_that_takes_too_long_is_tried_again(self) -> None:
        """As silence is."""
        network = self.network()
        network.refusing["127.0.0.1"] = TimeoutError("timed out")
        self.fails(self.client(tcp=True), "no answer from 192.0.2.1 port 1199 in 3 tries of 2 s")

    def test_what_is_no_dns_message_is_quoted(self) -> None:
        """At once, with what is wrong with it."""
        for data, says in (
            (b'["www.lab", "10.0.0.1"]', r"'\[\"www.lab\", \"10.0.0.1\"\]': .+"),
            (b"[]", r"'\[\]': .*short"),
        ):
            for more in {}, {"tcp": True}:
                network = self.network(struct.pack("!H", len(data)) + data if more else data)
                with self.assertRaisesRegex(NoAnswer, f"^192.0.2.1 port 1199 answered what is no DNS message: {says}"):
                    self.client(**more).ask("www.lab")
                self.assertEqual((len(network.sent), network.now), (1, 100.0))

    def test_name_or_type_that_dns_cannot_carry(self) -> None:
        """A name with an empty or a long label, and a type that is none, are refused before anything is sent."""
        network = self.network()
        for name in ("a..b", "x" * 64, "\udc80", "a." * 128):
            with self.assertRaisesRegex(NoAnswer, "DNS cannot ask for "):
                self.client().ask(name)
        with self.assertRaisesRegex(NoAnswer, "DNS cannot ask for www.lab: "):
            self.client(rrtype="NOSUCH").ask("www.lab")
        self.assertEqual((network.sent, network.looked_up), ([], ()))
