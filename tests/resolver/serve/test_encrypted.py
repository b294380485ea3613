"""Tests for :mod:`labnet.resolver.serve.encrypted`: DNS over TLS, in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from typing import Any

import dns.edns
import dns.message
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.resolver import ResolverConfig
from labnet.dialects.library import find, shipped
from labnet.interfaces import StartError
from labnet.resolver.loading.files import load_files
from labnet.resolver.serve.responder import BLOCK
from labnet.resolver.serve.tcp import GRACE
from labnet.resolver.service import ResolverService, Surroundings
from tests import certificates
from tests.certificates import TLSClient, trusting
from tests.fakes import Client, MemoryReactor
from tests.resolver.dnsfakes import FakeSockets, framed, reply_to
from tests.resolver.serve.test_tcp import ids, query, split

ZONE = "$ORIGIN lab.\n$TTL 60\nwww A 10.0.0.1\nbig TXT " + " ".join(["x" * 200] * 20) + "\n"
PADDED = dns.edns.GenericOption(12, b"")


def padded_query(name: str, id: int = 1, payload: int = 1232) -> bytes:
    return framed(dns.message.make_query(name, "A", id=id, payload=payload, options=[PADDED]).to_wire())


class Encrypted:
    """A resolver with ``www.lab`` that listens by TLS; ``other.example`` is asked of a parent that the test plays."""

    def __init__(self, test: SynchronousTestCase, kind: str = "tls", **config: Any) -> None:
        self.reactor = MemoryReactor()
        self.parents = FakeSockets()
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.files = certificates.write(self.folder)
        with open(os.path.join(self.folder, "db.lab"), "w") as file:
            file.write(ZONE)
        files = "" if kind == "http" else f":certificate={self.files[0]}:key={self.files[1]}"
        self.given = {
            "listen": f"{kind}:853{files}",
            "records": [os.path.join(self.folder, "db.lab")],
            "zones": ["lab"],
            "parents": ["dns:192.0.2.53"],
            "parent_timeout": 60,
        } | config
        settings = ResolverConfig.model_validate(self.given)
        reactor: Any = self.reactor
        loaded = load_files(settings, self.reactor.seconds())
        test.assertEqual(loaded.errors, [])
        self.service = ResolverService("main", settings, loaded, reactor, Surroundings(self.parents))
        self.service.privilegedStartService()
        self.service.startService()
        test.addCleanup(self.stop)

    def stop(self) -> None:
        if self.service.running:
            self.service.stopService()
        self.reactor.turn()
        self.reactor.pass_time(GRACE * 2)
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()

    def reload(self, **config: Any) -> None:
        settings = ResolverConfig.model_validate(self.given | config)
        self.service.prepare(settings, load_files(settings, self.reactor.seconds())).commit()

    def connect(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> TLSClient:
        return TLSClient(self.reactor.connect(host), context or trusting("dot"))

    def counted(self) -> dict[tuple[str, ...], float]:
        return {sample.labels[1:]: sample.value for sample in self.service.samples() if "_total" in sample.name}


class DoTTests(SynchronousTestCase):
    """DNS over TLS."""

    def test_a_question_is_answered_and_counted(self) -> None:
        lab = Encrypted(self)
        client = lab.connect()
        self.assertEqual((client.tls.version(), client.tls.selected_alpn_protocol()), ("TLSv1.3", "dot"))
        client.send(query("www.lab"))
        (reply,) = split(client.received())
        self.assertEqual(reply.answer[0].to_text(), "www.lab. 60 IN A 10.0.0.1")
        client.send(query("www.lab", 2))
        self.assertEqual(ids(client.received()), [2])
        counted = lab.counted()
        self.assertEqual(counted["tls", "dns", "NOERROR", "records"], 1)
        self.assertEqual(counted["tls", "dns", "NOERROR", "ready"], 1)

    def test_questions_in_one_segment_are_answered_as_the_answers_come(self) -> None:
        lab = Encrypted(self)
        client = lab.connect()
        client.send(query("other.example", 1), query("www.lab", 2) + query("big.lab", 3))
        self.assertEqual(ids(client.received()), [2, 3])
        (asked,) = lab.parents.opened
        asked.receive(reply_to(asked.query, "other.example. 60 A 192.0.2.1"))
        lab.reactor.turn()
        self.assertEqual(ids(client.received()), [1])

    def test_a_client_without_alpn_or_with_another_is_served(self) -> None:
        lab = Encrypted(self)
        for context in (trusting(), trusting("h2")):
            client = lab.connect(context)
            self.assertIsNone(client.tls.selected_alpn_protocol())
            client.send(query("www.lab"))
            self.assertEqual(ids(client.received()), [1])

    def test_an_older_tls_than_1_2_is_refused(self) -> None:
        old = trusting()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with self.assertRaisesRegex(ssl.SSLError, "alert protocol version"):
            Encrypted(self).connect(old)

    def test_the_course_protocol_is_not_spoken_here(self) -> None:
        stream = next(name for name in shipped() if find(name).kind == "names" and find(name).is_stream)
        client = Encrypted(self, dialect=stream, records=[]).connect()
        client.send(b"www.lab\n")
        self.assertEqual(client.received(), b"")

    def test_who_is_not_allowed_gets_no_handshake(self) -> None:
        lab = Encrypted(self)
        client = lab.reactor.connect("192.0.2.1")
        self.assertTrue(client.closed)
        self.assertEqual(client.received(), b"")


class PaddingTests(SynchronousTestCase):
    """RFC 8467: only who pads is padded to."""

    def test_a_padded_question_has_a_padded_answer_each_time(self) -> None:
        client = Encrypted(self).connect()
        for id, name, blocks in ((1, "www.lab", 1), (2, "WWW.lab", 1), (3, "www.lab", 1), (4, "no.lab", 1)):
            client.send(padded_query(name, id))
            received = client.received()
            self.assertEqual(len(received), 2 + blocks * BLOCK, name)
            self.assertEqual(ids(received), [id])

    def test_a_question_without_padding_has_none(self) -> None:
        client = Encrypted(self).connect()
        client.send(padded_query("www.lab"), framed(dns.message.make_query("www.lab", "A", payload=1232).to_wire()))
        _, plain = split(client.received())
        self.assertLess(len(plain.to_wire()), BLOCK)
        self.assertNotIn(12, [option.otype for option in plain.options])

    def test_a_refusal_is_padded_too(self) -> None:
        client = Encrypted(self).connect()
        message = dns.message.make_query("www.lab", "AXFR", payload=1232, options=[PADDED])
        client.send(framed(message.to_wire()))
        self.assertEqual(len(client.received()), 2 + BLOCK)

    def test_what_is_not_encrypted_is_not_padded(self) -> None:
        lab = Encrypted(self, listen=["udp:53"], batch=False)
        client = lab.reactor.connect()
        client.send(padded_query("www.lab"))
        self.assertLess(len(client.received()), BLOCK)


class BoundsTests(SynchronousTestCase):
    """What strangers may take."""

    def test_a_handshake_that_stops_is_closed_after_the_idle_time(self) -> None:
        lab = Encrypted(self, tcp_idle=10)
        client = lab.reactor.connect()
        client.send(b"\x16\x03\x01")
        lab.reactor.pass_time(11)
        self.assertTrue(client.closed)

    def test_an_idle_connection_is_closed(self) -> None:
        lab = Encrypted(self, tcp_idle=10)
        client = lab.connect()
        client.send(query("www.lab"))
        lab.reactor.pass_time(11 + 2 * GRACE)
        wire = client.wire
        assert isinstance(wire, Client)
        self.assertTrue(wire.closed)

    def test_tls_and_tcp_share_the_bounds(self) -> None:
        lab = Encrypted(self, tcp_connections=2)
        wires = [lab.connect().wire for _ in range(3)]
        self.assertEqual([wire.closed for wire in wires if isinstance(wire, Client)], [True, False, False])

    def test_bytes_that_are_no_tls_close_and_are_said_once_a_second(self) -> None:
        lab, said = Encrypted(self), []

        def observe(event: LogEvent) -> None:
            if event.get("event") == "resolver.tls-failed":
                said.append(event["why"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        for data in (b"GET / HTTP/1.1\r\n\r\n", query("www.lab"), b"\xff" * 100):
            client = lab.reactor.connect()
            client.send(data)
            self.assertTrue(client.closed)
        self.assertEqual(said, ["http request"])
        self.assertEqual(lab.counted()[("malformed",)], 3)

    def test_a_client_that_closes_in_the_handshake_is_no_error(self) -> None:
        lab = Encrypted(self)
        with self.assertRaises(ssl.SSLCertVerificationError):
            lab.connect(trusting(by="another authority"))
        client = lab.reactor.connect()
        client.half_close()
        self.assertTrue(client.closed)
        self.assertEqual(self.flushLoggedErrors(), [])


class ReloadTests(SynchronousTestCase):
    """Certificates and listeners that change."""

    def test_a_renewed_certificate_is_shown_from_the_next_connection_on(self) -> None:
        lab = Encrypted(self)
        before = lab.connect()
        certificates.write(lab.folder, certificates.server(certificates.NAME, "renewed.lab.test"))
        lab.reload()
        names = dict(lab.connect().tls.getpeercert() or {})["subjectAltName"]
        self.assertIn(("DNS", "renewed.lab.test"), names)
        before.send(query("www.lab"))
        self.assertEqual(ids(before.received()), [1])

    def test_a_listener_joins_and_leaves(self) -> None:
        lab = Encrypted(self)
        listen = str(lab.given["listen"])
        lab.reload(listen=[listen, listen.replace("853", "854", 1)])
        client = TLSClient(lab.reactor.arrive(("127.0.0.1", 1), port=1)[0], trusting())
        client.send(query("www.lab"))
        self.assertEqual(ids(client.received()), [1])
        self.assertEqual([kind for kind, _ in lab.service.all_ports], ["tls", "tls"])
        lab.reload()
        self.assertEqual(len(lab.service.all_ports), 1)

    def test_a_port_that_is_taken_is_said_with_the_listener(self) -> None:
        lab = Encrypted(self)
        lab.reactor.taken.add(854)
        with self.assertRaisesRegex(
            StartError, r"cannot listen on tls:854:interface=127\.0\.0\.1:certificate=.*in use"
        ):
            lab.reload(listen=str(lab.given["listen"]).replace("853", "854", 1))

    def test_files_that_cannot_be_used_are_errors_and_an_old_certificate_is_a_warning(self) -> None:
        lab = Encrypted(self)
        settings = ResolverConfig.model_validate(lab.given)
        certificates.write(lab.folder, certificates.server(age=60))
        loaded = load_files(settings, time.time())
        self.assertEqual(loaded.errors, [])
        self.assertRegex(loaded.warnings[0], r"server\.pem: ended on .*, so clients refuse it: renew it")
        certificates.write(lab.folder, (certificates.server()[0], b""))
        self.assertRegex(load_files(settings, 0).errors[0], r"server\.key: holds no private key in PEM")
        os.unlink(lab.files[0])
        self.assertRegex(load_files(settings, 0).errors[0], r"server\.pem: there is no such file")
