"""dig, kdig and drill: ask with the real clients, and read what they print of the answer."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from tests.interop import peers
from tests.interop.daemon import DEADLINE
from tests.interop.plain import Address

Record = tuple[str, str, str]
"""Owner (small letters), type and rdata, so that the prints of several clients can be compared."""

_PATIENT = ("+time=30", "+tries=2", "+noidnin", "+noidnout")
_STATUS = re.compile(r"\b(?:status|rcode): ([A-Z]\w*)")
_FLAGS = re.compile(r"^;; [Ff]lags: ([a-z ]*);", re.MULTILINE)
_SECTION = re.compile(r"^;; (ANSWER|AUTHORITY|ADDITIONAL) SECTION:\n((?:[^;\n].*\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Heard:
    """One answer as a client printed it; ``text`` is the print, ``ttls`` are those of the answer section, seconds."""

    status: str
    flags: frozenset[str]
    answer: frozenset[Record]
    authority: frozenset[Record]
    additional: frozenset[Record]
    ttls: tuple[int, ...]
    text: str

    @property
    def told(self) -> tuple[str, frozenset[Record], frozenset[Record]]:
        """What an answer says whoever gives it: the status, the answer, and the SOA of a negative one."""
        soa = frozenset() if self.answer else frozenset(one for one in self.authority if one[1] == "SOA")
        return self.status, self.answer, soa


def dig(address: Address, *arguments: str) -> Heard:
    """What dig prints for one question."""
    return heard(_run(peers.tool("dig", "bind9-dnsutils"), *_dig_at(address), *arguments))


def digs(
    address: Address, questions: Sequence[tuple[str, str]], *options: str, inside: Sequence[str] = ()
) -> list[Heard]:
    """What one dig prints for each name and type of ``questions``, in their order.

    ``inside`` is what a command line begins with to be run in another network.
    """
    asked = [part for name, rrtype in questions for part in (name, rrtype)]
    text = _run(*inside, peers.tool("dig", "bind9-dnsutils"), *_dig_at(address), *options, *asked)
    answers = [heard(part) for part in text.split(";; Got answer:\n")[1:]]
    assert len(answers) == len(questions), text
    return answers


def kdig(address: Address, *arguments: str) -> Heard:
    """What kdig prints for one question."""
    host, port = address
    program = peers.tool("kdig", "knot-dnsutils")
    return heard(_run(program, f"@{host}", "-p", str(port), "+time=30", "+retry=1", *arguments))


def drill(address: Address, *arguments: str) -> Heard:
    """What drill prints for one question."""
    host, port = address
    return heard(_run(peers.tool("drill", "ldnsutils"), "-p", str(port), *arguments, f"@{host}"))


def _dig_at(address: Address) -> tuple[str, ...]:
    return (f"@{address[0]}", "-p", str(address[1]), *_PATIENT)


def _run(*command: str) -> str:
    run = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        env={**os.environ, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )
    return run.stdout + run.stderr


def heard(text: str) -> Heard:
    """Reads what any of the three clients prints."""
    status, flags = _STATUS.search(text), _FLAGS.search(text)
    assert status is not None, text
    assert flags is not None, text
    bodies = dict(_SECTION.findall(text))
    answer = _records(bodies.get("ANSWER", ""))
    return Heard(
        status[1],
        frozenset(flags[1].split()),
        frozenset(record for _, record in answer),
        frozenset(record for _, record in _records(bodies.get("AUTHORITY", ""))),
        frozenset(record for _, record in _records(bodies.get("ADDITIONAL", ""))),
        tuple(ttl for ttl, _ in answer),
        text,
    )


def _records(body: str) -> list[tuple[int, Record]]:
    found = []
    for line in body.splitlines():
        owner, ttl, rrclass, rrtype, text = line.split(None, 4)
        rdata = dns.rdata.from_text(rrclass, rrtype, text)
        found.append((int(ttl), (owner.lower(), dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())))
    return found
