"""Trust anchors: the DS or DNSKEY records, as in a zone file, of the zones that validation begins at (sans-IO).

Parsing takes any bytes; what is wrong comes back as problems with their line numbers, never as an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

import dns.exception
import dns.rdatatype
import dns.zonefile

from labnet.resolver.files.problem import Problem

MOST_ANCHORS: Final = 1000
"""Records of one file."""

_FORM: Final = "write ZONE DS TAG ALGORITHM TYPE DIGEST or ZONE DNSKEY FLAGS 3 ALGORITHM KEY on one line"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is trusted of one zone: the data of its DS records and of its keys."""

    ds: tuple[bytes, ...] = ()
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The anchors by the zone's key, where they are from (``origin``, for people), and what is wrong there."""

    zones: Mapping[bytes, Anchor]
    origin: str = ""
    problems: tuple[Problem, ...] = ()


def parse_anchors(content: bytes, origin: str = "") -> TrustAnchors:
    """Read the ``content`` of a file of anchors; ``;`` begins a comment, and class and TTL may be left out."""
    zones: dict[bytes, Anchor] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(content.splitlines(), 1):
        text = raw.decode("ascii", "replace").partition(";")[0].strip()
        if not text:
            continue
        if len(zones) >= MOST_ANCHORS:
            problems.append(Problem(number, f"the file has more than {MOST_ANCHORS} anchors"))
            break
        try:
            rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
        except (dns.exception.DNSException, ValueError) as error:
            why = re.sub("^<.*?>:1: ", "", str(error)).rstrip(".") or type(error).__name__
            problems.append(Problem(number, f"is no trust anchor ({why}): {_FORM}"))
            continue
        for rrset in rrsets:
            if rrset.rdtype not in (dns.rdatatype.DS, dns.rdatatype.DNSKEY):
                kind = dns.rdatatype.to_text(rrset.rdtype)
                problems.append(Problem(number, f"is a record of type {kind}, and no trust anchor: {_FORM}"))
                continue
            owner = rrset.name.to_digestable()
            wires = tuple(rdata.to_digestable() for rdata in rrset)
            known = zones.get(owner, Anchor())
            is_ds = rrset.rdtype == dns.rdatatype.DS
            zones[owner] = Anchor(known.ds + wires, known.keys) if is_ds else Anchor(known.ds, known.keys + wires)
    if not zones and not problems:
        problems.append(Problem(1, f"the file has no trust anchor: {_FORM}"))
    return TrustAnchors(zones, origin, tuple(problems))


def builtin_anchors() -> TrustAnchors:
    """The anchors that labnet brings along: those of the Internet's root."""
    content = (resources.files("labnet.builtin") / "root.anchors").read_bytes()
    return parse_anchors(content, "the anchors that came with labnet")
