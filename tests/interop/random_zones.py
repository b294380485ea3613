"""Zone files of random names, as hard as five servers will load them, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

LABELS = ("a", "b", "c", "*", "*", "A")
TYPES = ("A", "TXT", "MX", "CNAME", "NS", "DNAME")

Name = tuple[str, ...]
"""Labels below the zone's apex, the leftmost first."""


def text_of(name: Name, origin: str) -> str:
    """A name as an absolute one."""
    return ".".join([*name, origin, ""])


def random_zone(origin: str, random: Random) -> str:
    """The text of a zone of some twenty records; every TTL is written, since servers differ in what they make of none.

    Nothing is below a DNAME, and no wildcard is a delegation or has a DNAME: some servers refuse such zones.
    """
    types: dict[Name, list[str]] = {}
    for _ in range(random.randint(8, 20)):
        name = tuple(random.choice(LABELS) for _ in range(random.randint(1, 4)))
        rrtype = random.choice(TYPES)
        if rrtype in ("NS", "DNAME") and name[0] == "*":
            rrtype = "TXT"
        _add(types, name, rrtype)
    folded = {tuple(label.lower() for label in name) for name, kinds in types.items() if "DNAME" in kinds}
    lines = [f"{origin}. 3600 IN SOA ns.x. host.x. 1 7200 3600 1209600 300", f"{origin}. 3600 IN NS ns.x."]
    for name, kinds in types.items():
        if not any(tuple(label.lower() for label in name[depth:]) in folded for depth in range(1, len(name))):
            lines += [f"{text_of(name, origin)} {_data(kind, list(types), origin, random)}" for kind in kinds]
    return "\n".join([*lines, ""])


def questions(zone: str, origin: str, random: Random, most: int) -> list[tuple[str, str]]:
    """Names and types to ask: the names of the zone, those above, beside and below them, each with several types."""
    owners = {line.split()[0].lower() for line in zone.splitlines() if line}
    names = {name for owner in owners for name in _around(owner, f"{origin}.")}
    asked = list(product(sorted(names), ("A", "TXT", "CNAME", "NS", "DS", "DNAME")))
    return random.sample(asked, min(most, len(asked)))


def _around(owner: str, origin: str) -> Iterator[str]:
    while owner.endswith(origin):
        yield owner
        yield f"q.{owner}"
        yield f"*.{owner}"
        yield f"r.q.{owner}"
        owner = owner.partition(".")[2]


def _add(types: dict[Name, list[str]], name: Name, rrtype: str) -> None:
    """Give a name one more type, where it can stand beside the others."""
    same = next((known for known in types if [*map(str.lower, known)] == [*map(str.lower, name)]), name)
    kinds = types.setdefault(same, [])
    alone = {"CNAME"}
    apart = [{"NS", "DNAME"}]
    clashes = bool(kinds) and (rrtype in alone or bool(alone & set(kinds)))
    if rrtype not in kinds and not clashes and not any(pair <= {rrtype, *kinds} for pair in apart):
        kinds.append(rrtype)


def _data(kind: str, names: list[Name], origin: str, random: Random) -> str:
    target = text_of(random.choice(names)[random.randint(0, 1) :], origin)
    ttl = random.choice((60, 300))
    rdata = {
        "A": f"192.0.2.{random.randint(1, 254)}",
        "TXT": f'"{random.randint(1, 99)}"',
        "MX": f"10 {target}",
        "CNAME": target,
        "NS": target if random.random() < 0.5 else "ns.elsewhere.",
        "DNAME": target,
    }
    return f"{ttl} IN {kind} {rdata[kind]}"
