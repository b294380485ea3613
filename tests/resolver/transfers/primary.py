"""A resolver whose zones others may have, on a network in memory, and what its clients ask it."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.reading import build
from labnet.config.resolver import ResolverConfig
from labnet.resolver.clients.transport import Transport
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.service import ResolverService, Surroundings
from labnet.wire.tsig import Keyring, Signer, Verifier
from tests.fakes import Client, MemoryReactor
from tests.resolver.dnsfakes import framed

SECRET = b"a secret of the lab's"
KEY = Keyring({"key.lab": ("hmac-sha256", SECRET)}).key("key.lab")

HEAD = "$ORIGIN lab.test.\n$TTL 60\n@ SOA ns admin {serial} 3600 900 86400 120\n@ NS ns\nns A 192.0.2.53\n"


class Primary:
    """The resolver ``main`` with the zone ``lab.test``: :data:`HEAD` and ``records``; ``config`` is its table."""

    def __init__(self, test: SynchronousTestCase, records: str = "", **config: Any) -> None:
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.reactor = MemoryReactor()
        self.notified: list[tuple[str, bytes, int | None, str]] = []
        self._table = {"listen": "udp:1199", "records": "db.lab", "zones": ["lab.test"], "batch": False} | config
        self.write(records)
        reactor: Any = self.reactor
        surroundings = Surroundings(notified=lambda *said: self.notified.append(said))
        self.service = ResolverService("main", *self.load(), reactor, surroundings)
        self.service.privilegedStartService()
        self.service.startService()
        test.addCleanup(self.stop)

    def write(self, records: str, serial: int = 1) -> None:
        """Have the zone's file hold these."""
        (self.folder / "db.lab").write_text(HEAD.format(serial=serial) + records)

    def load(self, **config: Any) -> tuple[ResolverConfig, Loaded]:
        """The configuration, and what the file holds."""
        self._table |= config
        secret = base64.b64encode(SECRET).decode()
        table = {"resolver": {"main": self._table}, "key": {"Key.Lab": {"secret": secret}}}
        settings = build(table, str(self.folder), str(self.folder)).resolver["main"]
        loaded = load_files(settings, self.reactor.seconds())
        assert not loaded.errors, loaded.errors
        return settings, loaded

    def reload(self, records: str, serial: int, **config: Any) -> None:
        """Have the file hold other records, and the resolver read it anew."""
        self.write(records, serial)
        self.service.prepare(*self.load(**config)).commit()

    def stop(self) -> None:
        """Stop, if that has not been done; no timer may be left."""
        if self.service.running:
            self.service.stopService()
        self.reactor.turn()
        self.reactor.pass_time(1)
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()

    def connect(self, host: str = "127.0.0.1") -> Client:
        return self.reactor.connect(host)

    def datagram(self, message: bytes, host: str = "127.0.0.1") -> bytes:
        """What answers ``message`` by UDP, at once."""
        sent: list[bytes] = []
        self.service.streams.responder.respond(message, ((host, 4000), None), Transport.UDP, sent.append)
        (reply,) = sent
        return reply

    def ask(self, question: bytes, host: str = "127.0.0.1") -> list[dns.message.Message]:
        """What answers ``question`` by TCP, at once."""
        client = self.connect(host)
        client.send(framed(question))
        return split(client.received())

    def count(self, *labels: str) -> int:
        """What ``labnet_transfers_total`` counts for direction, kind and result."""
        return sum(
            sample.value
            for sample in self.service.samples()
            if sample.name == "labnet_transfers_total" and sample.labels == ("main", *labels)
        )


def split(stream: bytes) -> list[dns.message.Message]:
    """The messages of a stream that ends with a whole one, signed or not."""
    found = []
    while stream:
        length = int.from_bytes(stream[:2], "big")
        assert len(stream) >= 2 + length, "the stream ends in the middle of a message"
        found.append(dns.message.from_wire(stream[2 : 2 + length], keyring=False, one_rr_per_rrset=True))
        stream = stream[2 + length :]
    return found


def opened(stream: bytes, request_mac: bytes, now: float) -> list[bytes]:
    """The messages of a stream whose signatures are right, without them."""
    verifier, found = Verifier(KEY, request_mac), []
    while stream:
        end = 2 + int.from_bytes(stream[:2], "big")
        found.append(verifier.open(stream[2:end], now))
        stream = stream[end:]
    assert not verifier.unsigned
    return found


def question(zone: str = "lab.test", rrtype: str = "AXFR", serial: int | None = None, edns: int = -1) -> bytes:
    """The question for a whole zone, or for what changed in it since ``serial``."""
    asked = dns.message.make_query(zone, rrtype, id=7, use_edns=edns)
    asked.flags &= ~dns.flags.RD
    if serial is not None:
        soa = f"ns.{zone}. admin.{zone}. {serial} 3600 900 86400 120"
        asked.authority.append(dns.rrset.from_text(f"{zone}.", 60, "IN", "SOA", soa))
    return asked.to_wire()


def signed(message: bytes, now: float) -> tuple[bytes, bytes]:
    """``message`` when it is signed, and what it is signed with."""
    signer = Signer(KEY)
    return signer.sign(message, now), signer.mac


def shown(messages: list[dns.message.Message]) -> list[str]:
    """The records of the answers in their order, without the names' common end, TTL and class."""
    return [
        f"{rrset.name.to_text().removesuffix('lab.test.').rstrip('.') or '@'} "
        f"{dns.rdatatype.to_text(rrset.rdtype)} {text(rrset)}"
        for message in messages
        for rrset in message.answer
    ]


def text(rrset: dns.rrset.RRset) -> str:
    """The data of a record; of an SOA the serial alone."""
    return str(rrset[0].serial) if rrset.rdtype == dns.rdatatype.SOA else rrset[0].to_text()
