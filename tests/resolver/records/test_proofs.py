"""Tests for :mod:`labnet.resolver.records.proofs`: what the answers of signed zones have beside their records.

The signatures here are none: nothing in the program looks into one. Zones that are really signed are compared with
other servers' in tests/interop.
"""

from __future__ import annotations

import dns.dnssec
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.records.zone import Zone
from labnet.wire.names import text_of
from labnet.wire.types import Answer, Rcode, RRset, RRType
from tests.resolver.records.zones import DS, MX, TXT, answer_of, ask, zone_of

RRSIG, NSEC, NSEC3 = 46, 47, 50

RECORDS = {
    "@": ["SOA ns host 1 2 3 4 300", "NS ns"],
    "a": ["A 192.0.2.1"],
    "alias": ["CNAME a"],
    "b.ent": ["TXT t"],
    "old": ["DNAME new"],
    "safe": ["NS ns", f"DS 1 13 1 {'00' * 20}"],
    "sub": ["NS ns"],
    "*.w": ["A 192.0.2.2"],
}
"""In canonical order."""


def signature(kind: str, labels: int = 2) -> str:
    """An RRSIG of a type."""
    return f"RRSIG {kind} 13 {labels} 3600 20300101000000 20200101000000 1 lab. AAAA"


def with_nsec() -> Zone:
    """The zone with a chain of NSEC records."""
    owners, lines = list(RECORDS), []
    for owner, following in zip(owners, [*owners[1:], owners[0]], strict=True):
        kinds = [record.split()[0] for record in RECORDS[owner]]
        lines += [f"{owner} 3600 {record}" for record in RECORDS[owner]]
        lines += [f"{owner} 3600 {signature(kind)}" for kind in kinds if owner != "sub"]
        lines += [f"{owner} 300 NSEC {following} {' '.join(kinds)} RRSIG NSEC", f"{owner} 300 {signature('NSEC')}"]
    return zone_of("\n".join(lines), "lab")


def with_nsec3(opted_out: tuple[str, ...] = (), iterations: int = 1, salt: str = "aabb") -> Zone:
    """The zone with a chain of NSEC3 records, without those of some names."""
    lines = [f"@ 0 NSEC3PARAM 1 0 {iterations} {salt}", f"@ 0 {signature('NSEC3PARAM')}"]
    for owner, records in RECORDS.items():
        lines += [f"{owner} 3600 {record}" for record in records]
        lines += [f"{owner} 3600 {signature(record.split()[0])}" for record in records if owner != "sub"]
    names = sorted({*RECORDS, "ent", "w"} - set(opted_out), key=lambda name: hashed(name, iterations, salt))
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        owner, end = hashed(name, iterations, salt), hashed(following, iterations, salt)
        lines += [f"{owner} 300 NSEC3 1 1 {iterations} {salt} {end} A", f"{owner} 300 {signature('NSEC3')}"]
    return zone_of("\n".join(lines), "lab")


def hashed(name: str, iterations: int = 1, salt: str = "aabb") -> str:
    """The label that a name of the zone has in the chain, as dnspython makes it."""
    return dns.dnssec.nsec3_hash("lab." if name == "@" else f"{name}.lab.", salt, iterations, "SHA1").lower()


def shown(rrsets: tuple[RRset, ...]) -> list[str]:
    """The names of RRsets, below the zone's apex, with their types; a signature as the type that it covers."""
    found = []
    for rrset in rrsets:
        name = text_of(rrset.key).removesuffix(".lab")
        kinds = {RRSIG: f"sig{int.from_bytes(rrset.rdatas[0][:2], 'big')}"}
        found.append(f"{name} {kinds.get(rrset.rrtype, rrset.rrtype)}")
    return found


def nsec_of(answer: Answer) -> list[str]:
    """The owners of the NSEC records in the proofs, each of which has its signature."""
    proofs = shown(answer.proofs)
    owners = [proof.split()[0] for proof in proofs if proof.endswith(f" {NSEC}")]
    assert all(f"{owner} sig{NSEC}" in proofs for owner in owners), proofs
    return owners


class Nsec(SynchronousTestCase):
    """A zone with NSEC records."""

    def setUp(self) -> None:
        self.zone = with_nsec()

    def test_an_answer_has_the_signature_of_its_records(self) -> None:
        """And no other one, with the TTL of what it covers."""
        answer = answer_of(self.zone, "a.lab")
        self.assertEqual((shown(answer.signatures), answer.proofs), (["a sig1"], ()))
        self.assertEqual(answer.signatures[0].ttl, 3600)
        self.assertEqual(shown(answer_of(self.zone, "alias.lab").signatures), ["alias sig5"])
        self.assertEqual(shown(answer_of(self.zone, "lab", RRType.SOA).signatures), ["lab sig6"])

    def test_a_dname_is_signed_and_the_cname_made_of_it_is_not(self) -> None:
        """RFC 6672, section 5.3.1."""
        answer = answer_of(self.zone, "x.old.lab")
        self.assertEqual((shown(answer.answer), shown(answer.signatures)), (["old 39", "x.old 5"], ["old sig39"]))

    def test_no_name_is_proved_by_what_covers_it_and_its_wildcard(self) -> None:
        """One record may do both; the SOA is signed too."""
        for name, owners in (("b.lab", ["alias", "lab"]), ("x.a.lab", ["a"]), ("x.ent.lab", ["b.ent", "alias"])):
            answer = answer_of(self.zone, name)
            self.assertEqual((answer.rcode, nsec_of(answer)), (Rcode.NXDOMAIN, owners), name)
            self.assertIn("lab sig6", shown(answer.proofs))

    def test_no_data_is_proved_by_the_names_own_record(self) -> None:
        """Of an empty non-terminal, by the record before it."""
        for name, owner in (("a.lab", "a"), ("ent.lab", "alias"), ("lab", "lab"), ("sub.lab", "sub")):
            answer = answer_of(self.zone, name, DS if name == "sub.lab" else MX)
            self.assertEqual((answer.rcode, nsec_of(answer)), (Rcode.NOERROR, [owner]), name)

    def test_a_wildcards_answer_proves_that_the_name_is_not_there(self) -> None:
        """The signature is the wildcard's under the name that was asked for; NODATA needs the wildcard's record too."""
        answer = answer_of(self.zone, "x.y.w.lab")
        self.assertEqual((shown(answer.signatures), nsec_of(answer)), (["x.y.w sig1"], ["*.w"]))
        self.assertEqual(nsec_of(answer_of(self.zone, "x.w.lab", TXT)), ["*.w"])

    def test_a_referral_has_the_ds_or_that_there_is_none(self) -> None:
        """Signed, as no other record of a referral is."""
        answer = answer_of(self.zone, "x.safe.lab")
        self.assertEqual((shown(answer.proofs), answer.signatures), (["safe 43", "safe sig43"], ()))
        self.assertEqual(nsec_of(answer_of(self.zone, "x.sub.lab")), ["sub"])

    def test_a_zone_that_is_not_signed_has_no_proofs(self) -> None:
        """Nor has a signed one that is none of the authoritative zones."""
        for zone in (zone_of("@ SOA a b 1 2 3 4 5\na A 192.0.2.1", "lab"), zone_of("a A 192.0.2.1\na NSEC b A")):
            for name in ("a.lab", "b.lab"):
                answer = ask(zone, name)
                if answer is not None:
                    self.assertEqual((answer.signatures, answer.proofs), ((), ()), name)


class Nsec3(SynchronousTestCase):
    """A zone with NSEC3 records."""

    def owners(self, answer: Answer) -> set[str]:
        """The names whose NSEC3 records are in the proofs, each of which has its signature."""
        names = {hashed(name): name for name in (*RECORDS, "ent", "w")}
        proofs = shown(answer.proofs)
        found = {proof.split()[0] for proof in proofs if proof.endswith(f" {NSEC3}")}
        self.assertTrue(all(f"{owner} sig{NSEC3}" in proofs for owner in found), proofs)
        return {names[owner] for owner in found}

    def covering(self, name: str, *left_out: str) -> str:
        """The name whose NSEC3 record covers another one."""
        names = sorted({*RECORDS, "ent", "w"} - set(left_out), key=hashed)
        return next((one for one in reversed(names) if hashed(one) < hashed(name)), names[-1])

    def test_no_name_is_proved_by_the_closest_encloser(self) -> None:
        """It is there, the next closer name and the wildcard are not (RFC 5155, section 7.2.2)."""
        zone = with_nsec3()
        for name, encloser, closer in (("no", "@", "no"), ("x.y.a", "a", "y.a"), ("x.ent", "ent", "x.ent")):
            answer = answer_of(zone, f"{name}.lab")
            wildcard = "*" if encloser == "@" else f"*.{encloser}"
            expected = {encloser, self.covering(closer), self.covering(wildcard)}
            self.assertEqual((answer.rcode, self.owners(answer)), (Rcode.NXDOMAIN, expected), name)

    def test_no_data_is_proved_by_the_names_own_record(self) -> None:
        """Of an empty non-terminal too (RFC 5155, section 7.2.3)."""
        zone = with_nsec3()
        for name in ("a", "ent", "w"):
            self.assertEqual(self.owners(answer_of(zone, f"{name}.lab", MX)), {name})

    def test_a_wildcards_answer_proves_that_the_next_closer_name_is_not_there(self) -> None:
        """NODATA of a wildcard proves encloser, next closer name and wildcard (sections 7.2.5 and 7.2.6)."""
        zone = with_nsec3()
        answer = answer_of(zone, "x.y.w.lab")
        self.assertEqual((shown(answer.signatures), self.owners(answer)), (["x.y.w sig1"], {self.covering("y.w")}))
        self.assertEqual(self.owners(answer_of(zone, "x.y.w.lab", TXT)), {"w", self.covering("y.w"), "*.w"})

    def test_a_delegation_that_is_left_out_is_proved_by_its_closest_encloser(self) -> None:
        """With opt-out (section 7.2.7); a wildcard is then looked for where the proof ends."""
        zone = with_nsec3(("sub", "ent", "b.ent"))
        names = ("sub", "ent", "b.ent")
        self.assertEqual(self.owners(answer_of(zone, "x.sub.lab")), {"@", self.covering("sub", *names)})
        self.assertEqual(self.owners(answer_of(zone, "sub.lab", DS)), {"@", self.covering("sub", *names)})
        expected = {"@", self.covering("ent", *names), self.covering("*", *names)}
        self.assertEqual(self.owners(answer_of(zone, "x.ent.lab")), expected)

    def test_the_name_of_an_nsec3_record_does_not_exist(self) -> None:
        """Who asks for it gets NXDOMAIN (section 7.2.8)."""
        answer = answer_of(with_nsec3(), f"{hashed('a')}.lab", NSEC3)
        self.assertEqual((answer.rcode, answer.answer), (Rcode.NXDOMAIN, ()))

    def test_a_chain_of_too_many_iterations_is_not_used(self) -> None:
        """Answers keep their signatures and have no proofs (RFC 9276, section 3.2)."""
        self.assertEqual(self.owners(answer_of(with_nsec3(iterations=151), "no.lab")), set())
        self.assertEqual(shown(answer_of(with_nsec3(iterations=151), "a.lab").signatures), ["a sig1"])
        self.assertTrue(answer_of(with_nsec3(iterations=150), "no.lab").proofs[1:])
