"""One resolver on a network in memory, asked over DNS and the course protocol, with parents that the test plays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from labnet.config.resolver import ResolverConfig
from labnet.resolver.loading.files import load_files
from labnet.resolver.loading.loaded import Loaded
from labnet.resolver.service import ResolverService, Surroundings
from tests.resolver.dnsfakes import reply_to
from tests.resolver.fakes import Address, Datagram, FakeReactor

EPOCH = 1605280488.0
SERVER: Address = ("127.0.0.1", 1199)
CLIENT: Address = ("172.16.20.65", 54699)
PARENT: Address = ("192.0.2.53", 53)
OTHER: Address = ("192.0.2.54", 53)
COURSE: Address = ("192.0.2.53", 1200)


class LabReactor(FakeReactor, MemoryReactorClock):
    """The network in memory, and connections by TCP that are made where the test makes them."""


class Lab:
    """The resolver of one test, with ``files`` by name in a folder of its own; those that are not logs are its records.

    ``config`` is as in the configuration file; the only parent is ``PARENT`` where it says nothing else.
    """

    def __init__(self, test: SynchronousTestCase, files: Mapping[str, str] | None = None, **config: Any) -> None:
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.reactor = LabReactor(EPOCH)
        self.network = self.reactor.network
        for name, content in (files or {}).items():
            (self.folder / name).write_bytes(content.encode())
        records = [os.fspath(self.folder / name) for name in files or {} if not name.startswith("learned")]
        self.config = {
            "listen": f"udp:{SERVER[1]}",
            "batch": False,
            "allow": ["0.0.0.0/0", "::/0"],
            "parents": ["dns:192.0.2.53"],
            "records": records,
            "learned": os.fspath(self.folder / "learned"),
        } | config
        self.warnings: list[str] = []
        self.start()
        test.addCleanup(self.stop)

    def start(self) -> None:
        """Start the service on the files as they are."""
        config = ResolverConfig.model_validate(self.config)
        loaded: Loaded = load_files(config, self.reactor.seconds())
        assert not loaded.errors, loaded.errors
        self.warnings = loaded.warnings
        reactor: Any = self.reactor
        self.service = ResolverService("main", config, loaded, reactor, Surroundings(self.network, Random(1)))
        self.service.privilegedStartService()
        self.service.startService()

    def stop(self) -> None:
        """Stop the service; nothing of it may be left."""
        if not self.service.running:
            return
        stopped: list[object] = []
        self.service.stopService().addCallback(stopped.append)
        self.reactor.next_turn()
        assert stopped, "the resolver does not stop"
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()
        assert not self.network.sockets, list(self.network.sockets)

    def restart(self, **config: Any) -> None:
        """Stop, and start on the same files, with ``config`` changed."""
        self.stop()
        self.config |= config
        self.start()

    def send(self, payload: bytes, client: Address = CLIENT) -> None:
        """A datagram of a client's comes in."""
        self.network.deliver(payload, client, SERVER)

    def begin(self, name: str, rrtype: str = "A", client: Address = CLIENT, rd: bool = True) -> None:
        """Ask by DNS, with EDNS; :meth:`told` has the reply."""
        query = dns.message.make_query(name, rrtype, use_edns=0, payload=1232, id=client[1] & 0xFFFF)
        if not rd:
            query.flags &= ~dns.flags.RD
        self.send(query.to_wire(), client)

    def told(self, client: Address = CLIENT) -> dns.message.Message:
        """The one reply that was sent to ``client`` since the last look."""
        reply = dns.message.from_wire(self.take(client).payload)
        assert reply.id == client[1] & 0xFFFF
        return reply

    def ask(self, name: str, rrtype: str = "A", client: Address = CLIENT, rd: bool = True) -> dns.message.Message:
        """The reply to a question that is answered at once; no parent is asked meanwhile."""
        self.begin(name, rrtype, client, rd)
        reply = self.told(client)
        assert not self.network.sent, [str(sent) for sent in self.network.sent]
        return reply

    def course(self, name: str, client: Address = CLIENT) -> None:
        """Ask by the course protocol."""
        self.send(name.encode(), client)

    def course_told(self, client: Address = CLIENT) -> bytes:
        """The one reply of the course protocol that was sent to ``client``."""
        return self.take(client).payload

    def take(self, destination: Address) -> Datagram:
        """The one datagram that was sent to ``destination`` since the last look."""
        (found,) = [sent for sent in self.network.sent if sent.destination == destination]
        self.network.sent.remove(found)
        return found

    def asked(self, name: str | None = None, rrtype: str = "A", parent: Address = PARENT) -> Datagram:
        """The one query that ``parent`` got since the last look; it is for ``name``."""
        query = self.take(parent)
        (question,) = dns.message.from_wire(query.payload).question
        if name is not None:
            text = f"{question.name.to_text(omit_final_dot=True).lower()} {dns.rdatatype.to_text(question.rdtype)}"
            assert text == f"{name} {rrtype}", text
        return query

    def tell(self, query: Datagram, *answer: str, **reply: Any) -> None:
        """The parent replies to ``query``; see :func:`tests.resolver.dnsfakes.reply_to`."""
        self.network.deliver(reply_to(query.payload, *answer, **reply), query.destination, query.source)

    def resolve(self, name: str, *answer: str, rrtype: str = "A", **reply: Any) -> dns.message.Message:
        """Ask by DNS; the parent is asked the very same and replies; what the client is told."""
        self.begin(name, rrtype)
        self.tell(self.asked(name, rrtype), *answer, **reply)
        return self.told()

    def pass_time(self, seconds: float) -> None:
        self.reactor.pass_time(seconds)


def shown(reply: dns.message.Message) -> list[str]:
    """The records of the answer section, as text."""
    return [line for rrset in reply.answer for line in rrset.to_text().split("\n")]


def rcode(reply: dns.message.Message) -> str:
    """The RCODE as text."""
    return dns.rcode.to_text(reply.rcode())


def errors(reply: dns.message.Message) -> list[str]:
    """The texts of the extended errors."""
    return [error.text or "" for error in reply.extended_errors()]


def codes(reply: dns.message.Message) -> list[int]:
    """The codes of the extended errors."""
    return [int(error.code) for error in reply.extended_errors()]
