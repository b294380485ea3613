"""Zone files as tests write them: relative to an origin, read into a list of RRsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from labnet.resolver.files.problem import Problem
from labnet.resolver.files.zonefile import read_zone
from labnet.wire.names import text_of, wire_of
from labnet.wire.types import RRset

ZONE_WORDS = st.sampled_from(
    [
        *rb"$ORIGIN $TTL $INCLUDE $GENERATE 1-9 @ ( ) \ \# ; $ ${1,2,d} a. . .. * A AAAA SOA TXT MX".split(),
        *rb"NAPTR LOC IN CH 300 99999999999 192.0.2.1 ::1 xn--".split(),
        *(b" ", b" ", b"\t", b"\n", b"\n", b"\r\n", b'"', b"\xff", b"\xc3\xbc", b"\0"),
    ]
)
"""Words that zone files are made of, to be put together in any order."""

Shown = tuple[str, int, int, tuple[bytes, ...]]


@dataclass
class Read:
    """What a file holds: RRsets as they were handed on, and problems."""

    rrsets: list[RRset] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def shown(self) -> list[Shown]:
        """The RRsets with their names as text."""
        return [(text_of(rrset.name), int(rrset.rrtype), rrset.ttl, rrset.rdatas) for rrset in self.rrsets]

    @property
    def names(self) -> list[str]:
        """The owners as text."""
        return [text_of(rrset.name) for rrset in self.rrsets]

    @property
    def complaints(self) -> list[tuple[int, str, bool]]:
        """What is wrong: line, sentence, whether it is but a warning."""
        return [(problem.line, problem.says, problem.warning) for problem in self.problems]


def read(
    content: str | bytes,
    origin: str | None = None,
    default_ttl: int | None = None,
    add: Callable[[RRset], str | None] = lambda rrset: None,
) -> Read:
    """Read a zone file as if ``$ORIGIN`` and ``$TTL`` stood before its first line; ``add`` may refuse records."""
    result = Read()

    def take(rrset: RRset) -> str | None:
        says = add(rrset)
        if says is None:
            result.rrsets.append(rrset)
        return says

    head = b"" if origin is None else f"$ORIGIN {origin.removesuffix('.')}.\n".encode()
    head += b"" if default_ttl is None else f"$TTL {default_ttl}\n".encode()
    problems = read_zone(head + (content.encode() if isinstance(content, str) else content), take)
    lines = head.count(b"\n")
    result.problems = [replace(problem, line=problem.line - lines) for problem in problems]
    return result


def ip(text: str) -> bytes:
    """An IPv4 address's bytes."""
    return bytes(map(int, text.split(".")))


def wire(text: str) -> bytes:
    """A name's wire form."""
    found = wire_of(text)
    assert found is not None
    return found
