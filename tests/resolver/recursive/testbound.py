"""Scenarios as text, in the format of unbound's testbound.

A scenario is a tree of scripted name servers and what a client asks and has to be answered::

    stub-addr: 192.0.2.1            ; a server of the root
    use-caps-for-id: yes            ; mixed case in queries; without it there is none
    do-tcp: no                      ; no server takes TCP
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
    STEP 50 REPLY                   ; an entry follows: the reply to the query in flight that it matches
    STEP 60 NOTHING                 ; no query is in flight
    SCENARIO_END

Everything after ``;`` is a comment. Numbers of steps rise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_TTL = 3600
_SECTIONS = ("ANSWER", "AUTHORITY", "ADDITIONAL")
_FLAGS = frozenset({"QR", "AA", "TC", "RD", "RA", "AD", "CD"})
_MATCHES = frozenset({"opcode", "qname", "qtype", "subdomain", "question", "UDP", "TCP", "DO", "noedns", "rd", "all"})
_STEPS = frozenset({"QUERY", "CHECK_ANSWER", "CHECK_OUT_QUERY", "REPLY"})


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

    def reply_to(self, query: dns.message.Message) -> dns.message.Message:
        """The message as the reply to ``query``."""
        return self.message(query.id, query.question[0] if "copy_query" in self.adjust else None)


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
    takes_tcp: bool = True
    ranges: list[Range] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def addresses(self) -> set[str]:
        """Every address that a server has."""
        return {*self.roots, *(address for each in self.ranges for address in each.addresses)}

    def entries(self, step: int, host: str) -> list[Entry]:
        """What the server at ``host`` replies from at ``step``."""
        return [
            entry
            for each in self.ranges
            if each.first <= step <= each.last and host in each.addresses
            for entry in each.entries
        ]

    @property
    def hints(self) -> str:
        """The root's servers as a hints file names them."""
        lines = []
        for number, host in enumerate(self.roots):
            name = f"ns{number}.root-servers.test."
            lines.append(f". 3600 NS {name}\n{name} 3600 {'AAAA' if ':' in host else 'A'} {host}\n")
        return "".join(lines)


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
                case ["do-tcp:", value]:
                    scenario.takes_tcp = value == "yes"
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


def _rrset(line: str) -> dns.rrset.RRset:
    name, *words = line.split()
    ttl = int(words.pop(0)) if words[0].isdigit() else _TTL
    if words[0] == "IN":
        words.pop(0)
    return dns.rrset.from_text(name, ttl, "IN", words[0], " ".join(words[1:]))
