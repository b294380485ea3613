"""Plays the scenarios of :mod:`tests.resolver.recursive.testbound`: a resolver among scripted servers, in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from twisted.internet.error import ConnectionRefusedError as RefusedByPeer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.dnsfakes import FakeConnection
from tests.resolver.fakes import Datagram
from tests.resolver.lab import CLIENT, Lab
from tests.resolver.recursive.testbound import Entry, Scenario, Step


class Player:
    """A resolver that walks from the root of ``scenario``, in memory; ``test`` fails where an answer is wrong."""

    def __init__(self, test: SynchronousTestCase, scenario: Scenario) -> None:
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        hints = Path(folder.name) / "root.hints"
        hints.write_text(scenario.hints)
        self._test = test
        self._scenario = scenario
        self._lab = Lab(
            test, parents="root", hints=os.fspath(hints), mixed_case=scenario.mixed_case, records=[], learned=None
        )
        self._step = 0
        self._connections = 0
        self._in_flight: list[tuple[Datagram, dns.message.Message]] = []
        self._id = 0

    def play(self) -> None:
        """Take every step."""
        for step in self._scenario.steps:
            self._test.assertGreater(step.number, self._step, "the numbers of steps have to rise")
            self._step = step.number
            try:
                self._take(step)
            except AssertionError as error:
                raise AssertionError(f"step {step.number} {step.kind}: {error}") from error

    def _take(self, step: Step) -> None:
        match step.kind, step.words, step.entry:
            case "QUERY", [], Entry() as entry:
                self._id += 1
                self._lab.send(entry.message(self._id).to_wire())
                self._serve()
            case "CHECK_ANSWER", [], Entry() as entry:
                self._test.assertTrue(self._lab.network.sent, f"there is no answer; {self._waiting()}")
                self._check(entry, dns.message.from_wire(self._lab.take(CLIENT).payload))
            case "CHECK_OUT_QUERY", [], Entry() as entry:
                self._test.assertTrue(any(entry.matches(query, "UDP") for _, query in self._in_flight), self._waiting())
            case "REPLY", [], Entry() as entry:
                found = [each for each in self._in_flight if entry.matches(each[1], "UDP")]
                self._test.assertTrue(found, self._waiting())
                self._in_flight.remove(found[0])
                self._deliver(*found[0], entry)
                self._serve()
            case "TIME_PASSES", ["ELAPSE", seconds], None:
                self._lab.reactor.pass_time(float(seconds), self._serve)
            case "TIMEOUT", [], None:
                self._in_flight.clear()
                self._lab.reactor.pass_time(self._lab.service.config.parent_timeout, self._serve)
            case "NOTHING", [], None:
                self._test.assertEqual(self._in_flight, [], self._waiting())
            case _:
                raise AssertionError("no such step")

    def _waiting(self) -> str:
        return f"in flight are {[str(query.question[0]) for _, query in self._in_flight]}"

    def _serve(self) -> None:
        """Let the servers reply, until no query is left."""
        network, reactor = self._lab.network, self._lab.reactor
        while True:
            queries = [sent for sent in network.sent if sent.destination != CLIENT]
            connections = reactor.tcpClients[self._connections :]
            if not queries and not connections:
                return
            network.sent[:] = [sent for sent in network.sent if sent.destination == CLIENT]
            for sent in queries:
                query = dns.message.from_wire(sent.payload)
                entry = self._entry(sent.destination[0], query, "UDP")
                if entry is None:
                    self._in_flight.append((sent, query))
                else:
                    self._deliver(sent, query, entry)
            for host, _, factory, _, _ in connections:
                self._connections += 1
                if not self._scenario.takes_tcp:
                    factory.clientConnectionFailed(None, Failure(RefusedByPeer()))
                    continue
                connection = FakeConnection(reactor, self._connections - 1)
                query = dns.message.from_wire(connection.query)
                entry = self._entry(host, query, "TCP")
                if entry is not None:
                    connection.receive(entry.reply_to(query).to_wire())

    def _deliver(self, sent: Datagram, query: dns.message.Message, entry: Entry) -> None:
        self._lab.network.deliver(entry.reply_to(query).to_wire(), sent.destination, sent.source)

    def _entry(self, host: str, query: dns.message.Message, transport: str) -> Entry | None:
        return next(
            (entry for entry in self._scenario.entries(self._step, host) if entry.matches(query, transport)), None
        )

    def _check(self, entry: Entry, answer: dns.message.Message) -> None:
        expected = entry.message(answer.id)
        self._test.assertEqual(dns.rcode.to_text(answer.rcode()), entry.rcode)
        if "all" not in entry.match:
            return
        self._test.assertEqual(set(dns.flags.to_text(answer.flags).split()), entry.flags - {"DO"})
        for section in "question", "answer", "authority":
            self._test.assertEqual(_lines(getattr(answer, section)), _lines(getattr(expected, section)), section)


def _lines(rrsets: list[dns.rrset.RRset]) -> list[str]:
    """Each record without its TTL, in an order of its own: letters in another case differ."""
    return sorted(
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in rrsets for rdata in rrset or [""]
    )
