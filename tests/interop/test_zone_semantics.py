"""Zones as labnet answers from them, beside NSD, Knot, named and unbound with the same files.

RCODE, AA, answer and authority section are compared, question by question. Where one of the others answers otherwise,
it is for one of ``REASONS``; any other difference is a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.interop import hard_zones, signed_zones
from tests.interop.random_zones import questions, random_zone
from tests.interop.zone_servers import PEERS, Question, Records, Seen, ask, every_server

Differs = Callable[[Seen, Seen], bool]
"""Whether a reason is why the second answer is not the first, which is labnet's."""


_PROOFS: Final = {"NSEC", "NSEC3", "RRSIG"}


def _types(records: Records) -> set[str]:
    return {rrtype for _, rrtype, *_ in records}


def _adds_servers(ours: Seen, theirs: Seen) -> bool:
    more = theirs.authority - ours.authority
    return theirs._replace(authority=ours.authority) == ours and _types(more) <= {"NS", "RRSIG"}


def _goes_round(ours: Seen) -> bool:
    """Whether the CNAMEs of an answer lead back to themselves, or to ever longer names."""
    links = {name: data for name, rrtype, _, data in ours.answer if rrtype == "CNAME"}
    return bool(links) and (set(links.values()) <= set(links) or ("DNAME" in _types(ours.answer) and len(links) > 5))


def _fails_with_all(ours: Seen, theirs: Seen) -> bool:
    return theirs.rcode == "SERVFAIL" and bool(theirs.answer) and (_goes_round(ours) or len(ours.answer) > 11)


def _stops_earlier(ours: Seen, theirs: Seen) -> bool:
    return theirs.answer < ours.answer and theirs.rcode == "NOERROR" and (_goes_round(ours) or len(ours.answer) > 5)


def _stays_in_the_zone(ours: Seen, theirs: Seen) -> bool:
    leads_there = any(rrtype == "CNAME" and data.endswith(".lower.hard.test.") for _, rrtype, _, data in ours.answer)
    return leads_there and theirs.answer <= ours.answer


def _shares_names(ours: Seen, theirs: Seen) -> bool:
    in_lower = {name for name, rrtype, *_ in ours.authority if rrtype == "SOA"} == {"lower.hard.test."}
    return in_lower and theirs == ours._replace(rcode="NOERROR") and ours.rcode == "NXDOMAIN"


def _proves_less(ours: Seen, theirs: Seen) -> bool:
    rest = theirs._replace(authority=ours.authority)
    left_out = _types(ours.authority - theirs.authority)
    return rest == ours and theirs.authority < ours.authority and left_out <= _PROOFS


def _proves_otherwise(ours: Seen, theirs: Seen) -> bool:
    rest = theirs._replace(authority=ours.authority)
    differing = _types(ours.authority ^ theirs.authority)
    return rest == ours and bool(differing & {"NSEC", "NSEC3"}) and differing <= _PROOFS | {"NS"}


def _answers_at_a_cut(ours: Seen, theirs: Seen) -> bool:
    return "CNAME" in _types(ours.answer) and _types(ours.authority) == {"NS"} and ours.answer < theirs.answer


def _too_long_is_not_there(ours: Seen, theirs: Seen) -> bool:
    return (ours.rcode, theirs.rcode, ours.answer) == ("YXDOMAIN", "NXDOMAIN", theirs.answer)


def _follows_nothing(ours: Seen, theirs: Seen) -> bool:
    made = {(name, rrtype, data) for name, rrtype, _, data in theirs.answer}
    known = {(name, rrtype, data) for name, rrtype, _, data in ours.answer}
    return bool({"CNAME", "DNAME"} & _types(ours.answer)) and theirs.rcode in ("NOERROR", ours.rcode) and made <= known


def _takes_the_lowest_cut(ours: Seen, theirs: Seen) -> bool:
    cuts = [{name for name, rrtype, *_ in seen.authority if rrtype == "NS"} for seen in (ours, theirs)]
    is_dname = "DNAME" in _types(theirs.answer)
    return not ours.authoritative and bool(cuts[0]) and cuts[0] != cuts[1] and (bool(cuts[1]) or is_dname)


def _misses_empty_names(ours: Seen, theirs: Seen) -> bool:
    return ours.authoritative and not ours.answer and {ours.rcode, theirs.rcode} <= {"NOERROR", "NXDOMAIN"}


REASONS: Final[Mapping[str, Mapping[str, Differs]]] = {
    "nsd": {
        "adds the zone's servers to an answer (RFC 1034, section 4.3.2, allows it)": _adds_servers,
        "uses a DNAME once in an answer": _stops_earlier,
        "takes another name for the one to prove behind a DNAME, and above opted-out delegations": _proves_otherwise,
        "takes names of the upper zone's file for names of the lower zone (RFC 2181, section 6.1)": _shares_names,
    },
    "knotd": {
        "follows five CNAMEs": _stops_earlier,
        "proves less of a wildcard without records, or of a name that begins with *": _proves_less,
        "does not go on in another zone of its own": _stays_in_the_zone,
        "says NXDOMAIN where a DNAME makes too long a name (RFC 6672, 2.2: YXDOMAIN)": _too_long_is_not_there,
    },
    "named": {
        "says SERVFAIL behind a circle, or behind 11 CNAMEs, and gives them": _fails_with_all,
        "proves less of a wildcard without records": _proves_less,
        "does not go on in another zone of its own": _stays_in_the_zone,
    },
    "unbound": {
        "answers what stands at a delegation, behind an alias (RFC 1034, section 4.2.1)": _answers_at_a_cut,
        "gives the NSEC of a wildcard the name that was asked for": _proves_otherwise,
        "does not follow aliases in its zones, and gives made CNAMEs a TTL of 0": _follows_nothing,
        "takes the lowest of two delegations or DNAMEs (RFC 1034, section 4.3.2, the upper)": _takes_the_lowest_cut,
        "passes over names without records in its search for wildcards (RFC 4592, 2.2.2, 3.3.1)": _misses_empty_names,
    },
}
"""Why each of the others may answer otherwise."""


def test_every_answer_is_that_of_the_other_servers(tmp_path: Path) -> None:
    """Hard names, and the names of a few random zones."""
    compare(tmp_path, {**hard_zones.ZONES, **random_zones(range(3))}, each=20)


def test_every_proof_is_that_of_the_other_servers(tmp_path: Path) -> None:
    """Signed zones give clients that set DO the signatures and proofs that NSD, Knot and named give."""
    compare_proofs(tmp_path)


@pytest.mark.soak
def test_every_answer_of_many_random_zones_is_that_of_the_other_servers(tmp_path: Path) -> None:
    """Some nine hundred records, and every reason is one that is needed."""
    zones = random_zones(range(100, 160))
    assert sum(zone.count("\n") for zone in zones.values()) > 700
    (tmp_path / "unsigned").mkdir()
    met = compare(tmp_path / "unsigned", {**hard_zones.ZONES, **zones}, each=200)
    met |= compare_proofs(tmp_path)
    assert met == {(peer, reason) for peer, reasons in REASONS.items() for reason in reasons}


def random_zones(seeds: range) -> dict[str, str]:
    """A zone for each of ``seeds``."""
    return {f"z{seed}.test": random_zone(f"z{seed}.test", Random(seed)) for seed in seeds}


def compare(folder: Path, zones: Mapping[str, str], each: int) -> set[tuple[str, str]]:
    """Ask every server about hard names, and ``each`` questions about every zone; gives what :func:`table` does."""
    asked = [Question(name, rrtype) for name, rrtype in hard_zones.QUESTIONS]
    for zone, text in zones.items():
        asked += [Question(name, rrtype) for name, rrtype in questions(text, zone, Random(0), each)]
    return table(folder, zones, asked)


def compare_proofs(folder: Path) -> set[tuple[str, str]]:
    """Ask every server with signed zones for proofs; gives what :func:`table` does."""
    zones = signed_zones.signed(folder / "signed")
    return table(folder, zones, [Question(name, rrtype, dnssec=True) for name, rrtype in signed_zones.questions()])


def table(folder: Path, zones: Mapping[str, str], asked: Sequence[Question]) -> set[tuple[str, str]]:
    """Ask every server all questions, and print the differences; one without a reason is a failure.

    Gives the servers with the reasons that were met.
    """
    counts: Counter[tuple[str, str]] = Counter()
    unexplained = []
    with every_server(folder, zones) as servers:
        for question in dict.fromkeys(asked):
            ours = ask(servers["labnet"], question)
            for peer in PEERS:
                if peer == "unbound" and question.rrtype == "DS" and question.name.rstrip(".") in zones:
                    continue  # it is the parent that is asked, and unbound has none to ask
                theirs = ask(servers[peer], question)
                if theirs != ours:
                    reason = next((why for why, differs in REASONS[peer].items() if differs(ours, theirs)), "")
                    counts[peer, reason] += 1
                    if not reason:
                        unexplained.append(f"{question}\n  labnet: {ours}\n  {peer}: {theirs}")
    print(f"{len(dict.fromkeys(asked))} questions")
    for (peer, reason), count in sorted(counts.items()):
        print(f"{count:5} {peer} {reason}")
    assert not unexplained, "\n".join(unexplained)
    return set(counts)
