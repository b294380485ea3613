"""Scenarios as text, in the format of unbound's testbound, and a player that puts a resolver among their servers.

A scenario is a tree of scripted name servers and what a client asks and has to be answered::

    stub-addr: 192.0.2.1            ; a server of the root
    use-caps-for-id: yes            ; mixed case in queries; without it there is none
    CONFIG_END
    SCENARIO_BEGIN What it shows
    RANGE_BEGIN 0 100               ; from step 0 to step 100
    ADDRESS 192.0.2.1               ; this server, at port 53, has these entries
    ENTRY_BEGIN                     ; the first entry that matches a query is its reply; without one it is silent
    MATCH opcode qname qtype        ; also subdomain, question, UDP, TCP, DO, noedns, rd, all
    ADJUST copy_id                  ; copy_query: with the question as it came
    REPLY QR AA NOERROR             ; flags and RCODE
    SECTION QUESTION
    lab.test. IN A
    SECTION ANSWER
    lab.test. 300 IN A 192.0.2.80
    ENTRY_END
    RANGE_END
    STEP 1 QUERY                    ; an entry follows: the client's query
    STEP 10 CHECK_ANSWER            ; an entry follows: the answer that it got
    STEP 20 TIME_PASSES ELAPSE 60   ; seconds
    STEP 30 TIMEOUT                 ; one try's time passes for the queries in flight
    STEP 40 CHECK_OUT_QUERY         ; an entry follows: a query in flight, which no server answers
    STEP 50 NOTHING                 ; no query is in flight
    SCENARIO_END

Everything after ``;`` is a comment. Numbers of steps rise.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from twisted.internet.error import ConnectionRefusedError as RefusedByPeer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.resolver.dnsfakes import FakeConnection
from tests.resolver.lab import CLIENT, Lab

_TTL = 3600
_SECTIONS = ("ANSWER", "AUTHORITY", "ADDITIONAL")
_FLAGS = frozenset({"QR", "AA", "TC", "RD", "RA", "AD", "CD"})
_MATCHES = frozenset({"opcode", "qname", "qtype", "subdomain", "question", "UDP", "TCP", "DO", "noedns", "rd", "all"})
_STEPS = frozenset({"QUERY", "CHECK_ANSWER", "CHECK_OUT_QUERY"})


@dataclass
class Entry:
    """A message, and which query it is a reply to."""

    match: set[str] = field(default_factory=set)
    adjust: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    rcode: str = "NOERROR"
    sections: dict[str, list[str]] = field(default_factory=dict)

    @property
    def question(self) -> tuple[dns.name.Name, str]:
        """The name and the type that are asked for."""
        (line,) = self.sections["QUESTION"]
        name, *_, rrtype = line.split()
        return dns.name.from_text(name), rrtype

    def matches(self, query: dns.message.Message, transport: str) -> bool:
        """Whether it is the reply to ``query``, or is that query."""
        name, rrtype = self.question
        (asked,) = query.question
        exact = self.match & {"qname", "question", "all"}
        return (
            (not exact or asked.name == name)
            and ("subdomain" not in self.match or asked.name.is_subdomain(name))
            and (not self.match & {"qtype", "question", "all"} or asked.rdtype == dns.rdatatype.from_text(rrtype))
            and (not self.match & {"UDP", "TCP"} or transport in self.match)
            and ("DO" not in self.match or bool(query.ednsflags & dns.flags.DO))
            and ("rd" not in self.match or bool(query.flags & dns.flags.RD))
            and ("noedns" not in self.match or query.edns < 0)
        )

    def message(self, id: int, question: dns.rrset.RRset | None = None) -> dns.message.Message:
        """The message with this ``id``, and ``question`` in place of its own where there is one."""
        message = dns.message.Message(id)
        name, rrtype = self.question
        asked = dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.from_text(rrtype))
        message.question = [asked if question is None else question]
        if "DO" in self.flags:
            message.use_edns(0, dns.flags.DO)
        message.flags = dns.flags.from_text(" ".join(self.flags & _FLAGS))
        message.set_rcode(dns.rcode.from_text(self.rcode))
        message.answer, message.authority, message.additional = (
            [_rrset(line) for line in self.sections.get(section, ())] for section in _SECTIONS
        )
        return message


@dataclass
class Range:
    """What the servers at some addresses reply from one step to another."""

    first: int
    last: int
    addresses: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Step:
    """One step, with the words behind its name and the entry that follows."""

    number: int
    kind: str
    words: list[str]
    entry: Entry | None = None


@dataclass
class Scenario:
    """A scenario as it is written."""

    roots: list[str] = field(default_factory=list)
    mixed_case: bool = False
    ranges: list[Range] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def parse(text: str) -> Scenario:
    """The scenario in ``text``; ValueError names the line that cannot be read."""
    scenario, entry, section = Scenario(), Entry(), ""
    for number, raw in enumerate(text.splitlines(), 1):
        words = raw.partition(";")[0].split()
        try:
            match words:
                case []:
                    pass
                case ["stub-addr:", address]:
                    scenario.roots.append(address.strip('"'))
                case ["use-caps-for-id:", value]:
                    scenario.mixed_case = value == "yes"
                case ["server:" | "stub-zone:" | "CONFIG_END" | "SCENARIO_BEGIN" | "SCENARIO_END", *_]:
                    pass
                case ["RANGE_BEGIN", first, last]:
                    scenario.ranges.append(Range(int(first), int(last)))
                case ["ADDRESS", address]:
                    scenario.ranges[-1].addresses.add(address)
                case ["STEP", step, kind, *rest]:
                    scenario.steps.append(Step(int(step), kind, rest))
                case ["ENTRY_BEGIN"]:
                    entry = Entry()
                case ["MATCH", *which] if _MATCHES.issuperset(which):
                    entry.match.update(which)
                case ["ADJUST", *how] if {"copy_id", "copy_query"}.issuperset(how):
                    entry.adjust.update(how)
                case ["REPLY", *flags]:
                    entry.flags = {flag for flag in flags if flag in _FLAGS or flag == "DO"}
                    entry.rcode = next((flag for flag in flags if flag not in entry.flags), "NOERROR")
                case ["SECTION", section]:
                    entry.sections[section] = []
                case ["ENTRY_END"] if scenario.steps and scenario.steps[-1].kind in _STEPS:
                    scenario.steps[-1].entry = entry
                case ["ENTRY_END"]:
                    scenario.ranges[-1].entries.append(entry)
                case ["RANGE_END"]:
                    pass
                case _ if section in entry.sections:
                    entry.sections[section].append(" ".join(words))
                case _:
                    raise ValueError("it is not understood")
        except (ValueError, LookupError) as error:
            raise ValueError(f"line {number}: {raw.strip()}: {error}") from None
    return scenario


class Player:
    """A resolver that walks from the root of ``scenario``, in memory; ``test`` fails where an answer is wrong."""

    def __init__(self, test: SynchronousTestCase, scenario: Scenario) -> None:
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        hints = Path(folder.name) / "root.hints"
        names = [f"ns{number}.root-servers.test." for number in range(len(scenario.roots))]
        hints.write_text(
            "".join(f". NS {name}\n" for name in names)
            + "".join(
                f"{name} {'AAAA' if ':' in host else 'A'} {host}\n"
                for name, host in zip(names, scenario.roots, strict=True)
            )
        )
        self._test = test
        self._scenario = scenario
        self._lab = Lab(
            test, parents="root", hints=os.fspath(hints), mixed_case=scenario.mixed_case, records=[], learned=None
        )
        self._step = 0
        self._connections = 0
        self._in_flight: list[dns.message.Message] = []
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
                self._test.assertTrue(any(entry.matches(query, "UDP") for query in self._in_flight), self._waiting())
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
        return f"in flight are {[str(query.question[0]) for query in self._in_flight]}"

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
                reply = self._reply(sent.destination[0], query, "UDP")
                if reply is None:
                    self._in_flight.append(query)
                else:
                    network.deliver(reply.to_wire(), sent.destination, sent.source)
            for host, _, factory, _, _ in connections:
                self._connections += 1
                if not any("TCP" in entry.match for entry in self._entries(host)):
                    factory.clientConnectionFailed(None, Failure(RefusedByPeer()))
                    continue
                connection = FakeConnection(reactor, self._connections - 1)
                reply = self._reply(host, dns.message.from_wire(connection.query), "TCP")
                if reply is not None:
                    connection.receive(reply.to_wire())

    def _entries(self, host: str) -> list[Entry]:
        return [
            entry
            for range in self._scenario.ranges
            if range.first <= self._step <= range.last and host in range.addresses
            for entry in range.entries
        ]

    def _reply(self, host: str, query: dns.message.Message, transport: str) -> dns.message.Message | None:
        for entry in self._entries(host):
            if entry.matches(query, transport):
                return entry.message(query.id, query.question[0] if "copy_query" in entry.adjust else None)
        return None

    def _check(self, entry: Entry, answer: dns.message.Message) -> None:
        expected = entry.message(answer.id)
        self._test.assertEqual(dns.rcode.to_text(answer.rcode()), entry.rcode)
        if "all" not in entry.match:
            return
        self._test.assertEqual(set(dns.flags.to_text(answer.flags).split()), entry.flags - {"DO"})
        for section in "question", "answer", "authority":
            self._test.assertEqual(_lines(getattr(answer, section)), _lines(getattr(expected, section)), section)


def _rrset(line: str) -> dns.rrset.RRset:
    name, *words = line.split()
    ttl = int(words.pop(0)) if words[0].isdigit() else _TTL
    if words[0] == "IN":
        words.pop(0)
    return dns.rrset.from_text(name, ttl, "IN", words[0], " ".join(words[1:]))


def _lines(rrsets: list[dns.rrset.RRset]) -> list[str]:
    """Each record without its TTL, in an order of its own: letters in another case differ."""
    return sorted(
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in rrsets for rdata in rrset or [""]
    )
