"""Root hints: where a walk from the root begins (the ``named.root`` format; sans-IO but for the built-in file).

Lines that are blank or start with ``;`` are the author's. Parsing takes any bytes; what is wrong comes back as
problems with their line numbers, never as an exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.zonefile

from labnet.resolver.files.problem import Problem
from labnet.wire.names import ROOT, text_of

_IDLE_TTL: Final = 3_600_000  # hints are used as they are: no TTL in them means anything


@dataclass(frozen=True, slots=True)
class NameServer:
    """A server of a zone: its name as a key, and the IP addresses that are known for it, as text."""

    name: bytes
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hints:
    """The root's servers, each with at least one address, and what is wrong in the file that names them."""

    servers: tuple[NameServer, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    owner: bytes
    rrtype: int
    value: bytes | str


def parse_hints(content: bytes) -> Hints:
    """Read a hints file's ``content``: NS records of the root, and an A or AAAA record for each name they give."""
    problems: list[Problem] = []
    records: list[_Record] = []
    last_owner = "."
    for number, raw in enumerate(content.splitlines(), 1):
        text = raw.decode("ascii", "replace").partition(";")[0].rstrip()
        if not text or text.upper().startswith("$TTL"):
            continue
        if text[0] in " \t":
            text = last_owner + text
        last_owner = text.split()[0]
        try:
            records += _read_line(number, text)
        except _Unreadable as error:
            problems.append(Problem(number, str(error)))
    servers = _servers(records, problems)
    return Hints(servers, tuple(sorted(problems, key=lambda problem: problem.line)))


def builtin_hints() -> Hints:
    """The hints that labnet brings along: the thirteen root servers of the Internet."""
    return parse_hints((resources.files("labnet.builtin") / "root.hints").read_bytes())


class _Unreadable(Exception):
    """A line is no record; the text says why."""


def _read_line(number: int, text: str) -> list[_Record]:
    if text.startswith("$"):
        raise _Unreadable(f"{text.split()[0]} is not understood in hints: write every name in full, with its final dot")
    try:
        rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=_IDLE_TTL)
    except (dns.exception.DNSException, ValueError) as error:
        why = re.sub("^<.*?>:1: ", "", str(error)).rstrip(".") or type(error).__name__
        raise _Unreadable(f"is no record ({why}): write NAME TTL TYPE VALUE, as in `. 3600000 NS a.example.`") from None
    return [
        _Record(
            number,
            rrset.name.to_digestable(),
            rrset.rdtype,
            rdata.target.to_digestable() if rrset.rdtype == dns.rdatatype.NS else rdata.to_text(),
        )
        for rrset in rrsets
        for rdata in rrset
    ]


def _servers(records: list[_Record], problems: list[Problem]) -> tuple[NameServer, ...]:
    named: dict[bytes, int] = {}
    addresses: dict[bytes, list[str]] = {}
    for record in records:
        if record.rrtype == dns.rdatatype.NS and isinstance(record.value, bytes):
            if record.owner == ROOT:
                named.setdefault(record.value, record.line)
            else:
                says = f"names a server of {text_of(record.owner)}: hints are for the root alone, the line is ignored"
                problems.append(Problem(record.line, says, warning=True))
        elif record.rrtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and isinstance(record.value, str):
            known = addresses.setdefault(record.owner, [])
            if record.value not in known:
                known.append(record.value)
        else:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(record.rrtype))
            says = f"is a record of type {kind}: hints are NS, A and AAAA, the line is ignored"
            problems.append(Problem(record.line, says, warning=True))
    for record in records:
        if record.owner not in named and isinstance(record.value, str) and record.owner in addresses:
            says = f"is an address of {text_of(record.owner)}, which no NS line names: the line is ignored"
            problems.append(Problem(record.line, says, warning=True))
    for name, line in named.items():
        if name not in addresses:
            says = f"no address of {text_of(name)} stands in this file: the server is left out"
            problems.append(Problem(line, says, warning=True))
    servers = tuple(NameServer(name, tuple(addresses[name])) for name in named if name in addresses)
    if not servers and all(problem.warning for problem in problems):
        problems.append(
            Problem(1, "the hints name no root server with an address: add `. NS NAME` and `NAME A ADDRESS`")
        )
    return servers
