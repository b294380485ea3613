"""Tests for :mod:`labnet.clients.encrypted`: over a pair of sockets, with a server in a thread."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import dns.message
from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.encrypted import Encryption
from labnet.clients.errors import NoAnswer
from labnet.wire.web.http2 import HTTP2Codec
from tests import certificates
from tests.certificates import NAME
from tests.resolver.dnsfakes import framed, reply_to

QUERY = dns.message.make_query("www.lab", "A", id=0).to_wire()
TYPE = ((b"content-type", b"application/dns-message"),)

Serve = Callable[[ssl.SSLSocket], None]


def over_tls(tls: ssl.SSLSocket) -> None:
    query = tls.recv(65536)
    if not query:
        return
    tls.sendall(framed(reply_to(query[2:], "www.lab. 60 A 192.0.2.1")))


def over_https(status: int, body: bytes = b"") -> Serve:
    def serve(tls: ssl.SSLSocket) -> None:
        codec = HTTP2Codec()
        while data := tls.recv(65536):
            for request in codec.receive(data):
                found = body or reply_to(request.body, "www.lab. 60 A 192.0.2.1")
                codec.respond(request.stream, status, TYPE, found)
            tls.sendall(codec.to_send())

    return serve


class EncryptionTests(SynchronousTestCase):
    """What is checked of a server, and how it is asked then."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = certificates.write(folder.name)
        self.ca = os.path.join(folder.name, "ca.pem")

    def connect(self, encryption: Encryption, serve: Serve, *protocols: str, host: str = NAME) -> Any:
        here, there = socket.socketpair()
        here.settimeout(30)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.files)
        context.set_alpn_protocols(list(protocols))

        def run() -> None:
            with contextlib.suppress(OSError), context.wrap_socket(there, server_side=True) as tls:
                serve(tls)
            there.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(here.close)
        wrapped = encryption.wrap(here, host)
        self.addCleanup(wrapped.close)
        return wrapped

    def answer(self, sock: Any) -> str:
        sock.sendall(framed(QUERY))
        reply = sock.recv(65536)
        self.assertEqual(int.from_bytes(reply[:2], "big"), len(reply) - 2)
        return dns.message.from_wire(reply[2:]).answer[0].to_text()

    def refused(self, encryption: Encryption, serve: Serve, *protocols: str, host: str = NAME) -> str:
        with self.assertRaises(NoAnswer) as caught:
            self.answer(self.connect(encryption, serve, *protocols, host=host))
        return str(caught.exception)

    def test_messages_go_both_ways_over_tls_and_over_https(self) -> None:
        tls = self.connect(Encryption("tls", ca=self.ca), over_tls, "dot")
        self.assertEqual(self.answer(tls), "www.lab. 60 IN A 192.0.2.1")
        https = self.connect(Encryption("https", ca=self.ca), over_https(200), "h2")
        self.assertEqual([self.answer(https) for _ in range(2)], ["www.lab. 60 IN A 192.0.2.1"] * 2)

    def test_the_name_that_is_checked_is_the_host_or_another(self) -> None:
        self.answer(self.connect(Encryption("tls", ca=self.ca), over_tls, host="127.0.0.1"))
        self.answer(self.connect(Encryption("tls", NAME, self.ca), over_tls, host="192.0.2.1"))
        says = self.refused(Encryption("tls", ca=self.ca), over_tls, host="192.0.2.1")
        self.assertRegex(says, "^192.0.2.1 does not prove who it is: IP address mismatch")
        says = self.refused(Encryption("tls", "other.test", self.ca), over_tls)
        self.assertRegex(says, "^other.test does not prove who it is: Hostname mismatch")

    def test_a_stranger_is_asked_only_on_request(self) -> None:
        says = self.refused(Encryption("tls"), over_tls)
        self.assertRegex(
            says, "does not prove who it is: .*; --tls-ca FILE names its authority, --insecure asks whoever"
        )
        self.answer(self.connect(Encryption("tls", insecure=True), over_tls))

    def test_the_certificate_is_told_of(self) -> None:
        said: list[str] = []
        self.answer(self.connect(Encryption("tls", ca=self.ca, tell=said.append), over_tls, "dot"))
        self.assertRegex(said[0], rf"^TLSv1.3, \w+, dot; the certificate is for {NAME}, 127.0.0.1, by CN=the tests' ")

    def test_a_file_without_authorities_is_named(self) -> None:
        empty = self.files[1]
        self.assertEqual(self.refused(Encryption("tls", ca=empty), over_tls), f"{empty}: holds no certificate in PEM")
        self.assertRegex(self.refused(Encryption("tls", ca="/nowhere"), over_tls), "^/nowhere: cannot be read: No such")

    def test_a_server_without_http2_or_with_another_status_is_told_so(self) -> None:
        https = Encryption("https", ca=self.ca)
        self.assertEqual(self.refused(https, over_tls), f"{NAME} speaks no HTTP/2")
        says = self.refused(https, over_https(404, b"nothing\x1b here\n"), "h2")
        self.assertEqual(says, rf"{NAME} answers with the status 404: nothing\x1b here")

    def test_bytes_that_are_no_tls_are_told_so(self) -> None:
        here, there = socket.socketpair()
        self.addCleanup(there.close)
        there.sendall(b"HTTP/1.1 400 \r\n\r\n")
        with self.assertRaisesRegex(NoAnswer, rf"^TLS with {NAME} failed: wrong version number"):
            Encryption("tls").wrap(here, NAME)
