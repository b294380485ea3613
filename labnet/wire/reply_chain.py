"""What a DNS reply says about a question: the chain of CNAMEs and DNAMEs from its name, and what proves that.

Records of other names are dropped, whoever sent them (RFC 2181, section 5.4.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from labnet.wire.names import ancestors, is_below, parent, renamed
from labnet.wire.types import DNSSEC_OK, Question, Reply, RRset, RRType

MOST_CNAMES: Final = 16
"""CNAMEs of one reply that are followed."""


class ReplyChain(NamedTuple):
    """What a reply says about a question: ``rrsets`` in order, each CNAME before what it leads to, nothing else.

    ``target`` is the key of the last name. ``is_answered`` says that the last RRset is of the type asked for; if not,
    ``soa`` is that of the negative answer, where there is a credible one. Where the question has DNSSEC_OK,
    ``signatures`` are of ``rrsets``, ``proofs`` are what proves a negative answer or a wildcard.
    """

    rrsets: tuple[RRset, ...]
    target: bytes
    is_answered: bool
    soa: RRset | None
    signatures: tuple[RRset, ...] = ()
    proofs: tuple[RRset, ...] = ()

    @property
    def is_too_long(self) -> bool:
        """Whether it ends with a DNAME that makes a name too long, which is YXDOMAIN (RFC 6672, section 2.2)."""
        return bool(self.rrsets) and not self.is_answered and self.rrsets[-1].rrtype == RRType.DNAME


def chain_of(question: Question, reply: Reply) -> ReplyChain:
    """What ``reply``, a forwarder's, says about ``question``. Records of names that it does not lead to are dropped.

    A DNAME stands before the CNAME that follows from it, which is made where the server left it out (RFC 6672, section
    3.1). A chain that comes back to a name ends there with the CNAME that does so. The SOA counts only where the last
    name is in its zone.
    """
    chain = _chain_of(question, reply)
    if not question.dnssec & DNSSEC_OK:
        return chain
    signatures = signatures_of(chain.rrsets, reply.answer)
    denials = [rrset for rrset in reply.authority if rrset.rrtype in (RRType.NSEC, RRType.NSEC3)]
    proven = denials if chain.soa is None else [chain.soa, *denials]
    return chain._replace(signatures=signatures, proofs=(*denials, *signatures_of(proven, reply.authority)))


def signatures_of(rrsets: Iterable[RRset], section: Iterable[RRset]) -> tuple[RRset, ...]:
    """The RRSIGs in ``section`` that sign ``rrsets`` (RFC 4034, section 3)."""
    signing = {rrset.key: rrset for rrset in section if rrset.rrtype == RRType.RRSIG}
    found = []
    for rrset in rrsets:
        if (one := signing.get(rrset.key)) is not None:
            covered = rrset.rrtype.to_bytes(2, "big")
            if rdatas := tuple([rdata for rdata in one.rdatas if rdata.startswith(covered)]):
                found.append(RRset(one.name, one.rrtype, one.ttl, rdatas))
    return tuple(found)


def _chain_of(question: Question, reply: Reply) -> ReplyChain:
    found = {(rrset.key, rrset.rrtype): rrset for rrset in reply.answer}
    if question.rrtype == RRType.ANY:
        every = tuple(rrset for rrset in reply.answer if rrset.key == question.key)
        made_by = _dname_above(question.key, found) if any(each.rrtype == RRType.CNAME for each in every) else None
        every = every if made_by is None else (made_by, *every)
        return ReplyChain(every, question.key, bool(every), None if every else _soa_above(question.key, reply))
    chain: list[RRset] = []
    name = question.key
    passed: set[bytes] = set()
    while name not in passed and len(passed) < MOST_CNAMES:
        rrset, dname = found.get((name, question.rrtype)), _dname_above(name, found)
        if dname is not None and (rrset is None or question.rrtype == RRType.CNAME):
            chain.append(RRset(dname.name, dname.rrtype, dname.ttl, dname.rdatas[:1]))
        if rrset is not None:
            return ReplyChain((*chain, rrset), name, True, None)
        cname = found.get((name, RRType.CNAME))
        if dname is not None:
            made = renamed(name, dname.name, dname.rdatas[0])
            # The server's own may carry the letters of the query over into its target.
            if made is not None and (cname is None or cname.rdatas[0].lower() == made.lower()):
                cname = RRset(name, RRType.CNAME, dname.ttl if cname is None else cname.ttl, (made,))
        if cname is None:
            break
        passed.add(name)
        target = cname.rdatas[0]
        chain.append(RRset(cname.name, cname.rrtype, cname.ttl, (target,)))
        name = target.lower()
    return ReplyChain(tuple(chain), name, False, _soa_above(name, reply))


def _dname_above(name: bytes, found: dict[tuple[bytes, int], RRset]) -> RRset | None:
    for owner in ancestors(parent(name)):
        if (dname := found.get((owner, RRType.DNAME))) is not None:
            return dname
    return None


def _soa_above(name: bytes, reply: Reply) -> RRset | None:
    for rrset in reply.authority:
        if rrset.rrtype == RRType.SOA and is_below(name, rrset.key):
            return RRset(rrset.name, rrset.rrtype, rrset.ttl, rrset.rdatas[:1])
    return None
