"""Tests for :mod:`labnet.resolver.validation.denial`, ``nsec`` and ``nsec3``: what records prove, and what not."""

from __future__ import annotations

import base64

import dns.dnssec
import dns.rdata
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.denial import Cut, Proofs, read_types
from labnet.resolver.validation.nsec import NsecProofs
from labnet.resolver.validation.nsec3 import Nsec3Proofs
from labnet.resolver.validation.work import MOST_ROUNDS, Work
from labnet.wire.names import key_of
from labnet.wire.types import RRset, RRType, Security

ZONE = key_of("lab.test")
A, NS, CNAME, SOA, DNAME, DS = 1, 2, 5, 6, 39, 43


def nsec(*lines: str) -> NsecProofs:
    """The proofs of ``OWNER NEXT TYPE…``, names in the zone."""
    rrsets = []
    for line in lines:
        owner, following, *types = line.split()
        rdata = dns.rdata.from_text("IN", "NSEC", f"{_whole(following)} {' '.join(types)}").to_wire()
        rrsets.append(RRset(key_of(_whole(owner)), RRType.NSEC, 60, (rdata or b"",)))
    return NsecProofs(ZONE, rrsets)


def nsec3(
    *lines: str, flags: int = 0, iterations: int = 0, work: Work | None = None, algorithm: int = 1
) -> Nsec3Proofs:
    """The proofs of ``NAME… : TYPE…``: a record from each name's hash to the next one of all names of all lines."""
    names = [(line.partition(":")[0].strip(), line.partition(":")[2]) for line in lines]
    hashed = sorted((_hash(name, iterations), types) for name, types in names)
    rrsets = []
    for number, (digest, types) in enumerate(hashed):
        following = hashed[(number + 1) % len(hashed)][0]
        rdata = dns.rdata.from_text("IN", "NSEC3", f"{algorithm} {flags} {iterations} aa {following} {types}").to_wire()
        if "-" not in types:
            rrsets.append(RRset(key_of(f"{digest}.lab.test"), RRType.NSEC3, 60, (rdata or b"",)))
    return Nsec3Proofs(ZONE, rrsets, work or Work())


def _hash(name: str, iterations: int) -> str:
    return dns.dnssec.nsec3_hash(_whole(name), b"\xaa", iterations, 1)


def _whole(name: str) -> str:
    return "lab.test." if name == "@" else f"{name}.lab.test."


class ProofTests(SynchronousTestCase):
    """What both kinds of records have in common."""

    def refused(self, ask: object, *arguments: object) -> str:
        """Why something is not proven."""
        return str(self.assertRaises(Bogus, ask, *arguments))

    def no_data(self, proofs: Proofs, name: str, rrtype: int = A) -> Security:
        return proofs.no_data(key_of(_whole(name)), rrtype).security

    def no_name(self, proofs: Proofs, name: str) -> Security:
        return proofs.no_name(key_of(_whole(name))).security

    def cut(self, proofs: Proofs, name: str) -> Cut:
        return proofs.cut(key_of(_whole(name)))[0]


class NsecTests(ProofTests):
    """NSEC records."""

    def test_a_record_of_the_name_says_which_types_it_has(self) -> None:
        """None that was asked for, and no alias."""
        proofs = nsec("www zz A TXT")
        self.assertEqual(self.no_data(proofs, "www", 15), Security.SECURE)
        self.assertIn("says that there are such records", self.refused(self.no_data, proofs, "www", A))
        self.assertIn("is an alias", self.refused(self.no_data, nsec("www zz CNAME"), "www", A))

    def test_each_side_of_a_cut_speaks_for_itself(self) -> None:
        """That above it of the DS, that below it of all else (RFC 6840, section 4.4)."""
        above, below = nsec("sub zz NS"), nsec("sub zz NS SOA")
        self.assertEqual(self.no_data(above, "sub", DS), Security.SECURE)
        self.assertIn("below the cut", self.refused(self.no_data, below, "sub", DS))
        self.assertEqual(self.no_data(below, "sub", A), Security.SECURE)
        self.assertEqual(self.no_data(above, "sub", A), Security.INSECURE)
        self.assertIn("above the cut", self.refused(self.no_data, nsec("sub zz NS DS"), "sub", A))

    def test_a_name_that_is_covered_is_not_there(self) -> None:
        """Where its wildcard is not, either; the last record goes round."""
        self.assertEqual(self.no_name(nsec("mail zz A", "@ a SOA"), "www"), Security.SECURE)
        self.assertIn("no wildcard for *.lab.test", self.refused(self.no_name, nsec("mail zz A"), "www"))
        self.assertIn("no name www", self.refused(self.no_name, nsec("@ mail SOA"), "www"))
        self.assertEqual(self.no_name(nsec("mail @ A", "@ a SOA"), "www"), Security.SECURE)
        self.assertEqual(self.no_name(nsec("@ @ SOA"), "www"), Security.SECURE)
        self.assertIn("no wildcard", self.refused(self.no_name, nsec("mail zz A", "* a A"), "www"))

    def test_the_closest_encloser_decides_which_wildcard_counts(self) -> None:
        """The longest name that one of the two ends has too."""
        proofs = nsec("a.deep zz A", "@ a SOA")
        self.assertIn("*.deep.lab.test", self.refused(self.no_name, proofs, "x.deep"))
        self.assertEqual(self.no_name(nsec("a.deep zz A", "@ a.deep SOA"), "x.deep"), Security.SECURE)

    def test_an_empty_non_terminal_is_there_without_data(self) -> None:
        """The next name is below it."""
        proofs = nsec("a b.ent A", "@ a SOA")
        self.assertEqual(self.no_data(proofs, "ent"), Security.SECURE)
        self.assertIn("no name ent", self.refused(self.no_name, proofs, "ent"))
        self.assertEqual(self.cut(proofs, "ent"), Cut.NONE)

    def test_what_ends_a_zone_proves_nothing_below_it(self) -> None:
        """A delegation, and a DNAME (RFC 6840, section 4.1)."""
        for types in ("NS", "DNAME"):
            proofs = nsec(f"sub zz {types}", "@ a SOA")
            self.assertIn("no name www.sub", self.refused(self.no_name, proofs, "www.sub"))
            self.assertIn("no name www.sub", self.refused(proofs.no_closer, key_of("www.sub.lab.test"), ZONE))

    def test_a_wildcard_without_data(self) -> None:
        """The name is not there, and the wildcard has no such records."""
        self.assertEqual(self.no_data(nsec("*.wild zz A"), "x.wild", 15), Security.SECURE)
        self.assertIn("such records", self.refused(self.no_data, nsec("*.wild zz A"), "x.wild", A))
        self.assertIn("no wildcard gives", self.refused(self.no_data, nsec("a.wild zz A"), "x.wild", 15))

    def test_a_name_made_of_a_wildcard_is_not_there_and_no_other_is_closer(self) -> None:
        """Else the wildcard would not be for it."""
        wild = key_of("wild.lab.test")
        self.assertEqual(nsec("*.wild zz A").no_closer(key_of("x.wild.lab.test"), wild).security, Security.SECURE)
        self.assertIn(
            "not the next one", self.refused(nsec("a.b.wild zz A").no_closer, key_of("x.b.wild.lab.test"), wild)
        )

    def test_what_a_name_without_ds_is(self) -> None:
        """A delegation, a name of the zone, none at all; and what proves nothing."""
        self.assertEqual(self.cut(nsec("sub zz NS"), "sub"), Cut.UNSIGNED)
        self.assertEqual(self.cut(nsec("sub zz A"), "sub"), Cut.NONE)
        self.assertEqual(self.cut(nsec("a zz A"), "sub"), Cut.ABSENT)
        self.assertIn("no DS", self.refused(self.cut, nsec("zz @ A"), "sub"))
        self.assertIn("such records", self.refused(self.cut, nsec("sub zz NS DS"), "sub"))
        self.assertIn("below the cut", self.refused(self.cut, nsec("sub zz NS SOA"), "sub"))

    def test_what_cannot_be_read_proves_nothing(self) -> None:
        """Bitmaps and names of any bytes."""
        for rdata in (b"", b"\x3fa", b"\0\0\1", b"\0\0\0", b"\0\0\x21" + b"a" * 33, b"\0\1\1a\0\1a", b"\0\0\2a"):
            proofs = NsecProofs(ZONE, [RRset(key_of("www.lab.test"), RRType.NSEC, 60, (rdata,))])
            self.assertIn("nothing proves", self.refused(self.no_data, proofs, "www", 15))
        self.assertEqual(read_types(b"\0\1\x40\1\1\x40"), {1, 257})


class Nsec3Tests(ProofTests):
    """NSEC3 records."""

    def test_a_record_of_the_hash_says_which_types_the_name_has(self) -> None:
        """As with NSEC."""
        proofs = nsec3("@ : SOA", "www : A", "ent :")
        self.assertEqual(self.no_data(proofs, "www", 15), Security.SECURE)
        self.assertEqual(self.no_data(proofs, "ent", A), Security.SECURE)
        self.assertIn("such records", self.refused(self.no_data, proofs, "www", A))
        self.assertEqual(self.no_data(nsec3("@ : SOA", "sub : NS"), "sub", A), Security.INSECURE)

    def test_a_name_is_not_there_where_its_encloser_is_and_its_wildcard_is_not(self) -> None:
        """RFC 5155, section 8.4."""
        self.assertEqual(self.no_name(nsec3("@ : SOA", "www : A"), "nothing.here"), Security.SECURE)
        self.assertIn("which name above", self.refused(self.no_name, nsec3("www : A"), "nothing"))
        self.assertIn("no wildcard", self.refused(self.no_name, nsec3("@ : SOA", "* : A"), "nothing"))
        self.assertIn("no name www", self.refused(self.no_name, nsec3("@ : SOA", "www : A"), "www"))

    def test_what_ends_a_zone_encloses_nothing(self) -> None:
        """RFC 5155, section 8.3."""
        for types in ("NS", "DNAME"):
            self.assertIn("ends the zone", self.refused(self.no_name, nsec3("@ : SOA", f"sub : {types}"), "www.sub"))

    def test_a_wildcard_without_data_and_a_name_made_of_one(self) -> None:
        """RFC 5155, sections 8.7 and 8.8."""
        proofs = nsec3("@ : SOA", "wild :", "*.wild : A")
        self.assertEqual(self.no_data(proofs, "x.wild", 15), Security.SECURE)
        self.assertIn("such records", self.refused(self.no_data, proofs, "x.wild", A))
        self.assertEqual(
            proofs.no_closer(key_of("x.y.wild.lab.test"), key_of("wild.lab.test")).security, Security.SECURE
        )
        there = nsec3("@ : SOA", "wild :", "x.wild : A")
        self.assertIn("no name", self.refused(there.no_closer, key_of("x.wild.lab.test"), key_of("wild.lab.test")))

    def test_opt_out_proves_that_nothing_signed_is_there(self) -> None:
        """So what is said is insecure (RFC 5155, sections 8.6 and 9.2)."""
        proofs = nsec3("@ : SOA", "www : A", flags=1)
        self.assertEqual(self.no_name(proofs, "nothing"), Security.INSECURE)
        self.assertEqual(self.no_data(proofs, "sub", DS), Security.INSECURE)
        self.assertEqual(self.cut(proofs, "sub"), Cut.UNSIGNED)
        self.assertEqual(self.cut(nsec3("@ : SOA", "www : A"), "sub"), Cut.ABSENT)
        self.assertIn("has no DS", self.refused(self.no_data, nsec3("@ : SOA"), "sub", DS))

    def test_a_chain_of_too_many_iterations_makes_what_it_proves_insecure(self) -> None:
        """Nothing is hashed for it."""
        work = Work()
        proofs = nsec3("@ : SOA", "www : A", iterations=151, work=work)
        self.assertEqual(self.no_name(proofs, "nothing"), Security.INSECURE)
        self.assertEqual(self.no_data(proofs, "www", A), Security.INSECURE)
        self.assertEqual(self.cut(proofs, "www"), Cut.UNSIGNED)
        self.assertEqual(work.rounds, 0)

    def test_unknown_hashes_and_flags_are_passed_over(self) -> None:
        """RFC 5155, sections 8.1 and 8.2."""
        for proofs in (nsec3("@ : SOA", flags=2), nsec3("@ : SOA", algorithm=2)):
            self.assertIn("nothing proves", self.refused(self.no_name, proofs, "nothing"))

    def test_hashing_has_a_bound(self) -> None:
        """A name of many labels, and many iterations (CVE-2023-50868)."""
        work = Work()
        proofs = nsec3("elsewhere : A", iterations=150, work=work)
        self.assertIn("rounds of hashing", self.refused(self.no_name, proofs, ".".join("a" * 100)))
        self.assertLessEqual(work.rounds, MOST_ROUNDS + 151)

    def test_what_cannot_be_read_proves_nothing(self) -> None:
        """Nor do records of another zone, or that are no hash."""
        good = base64.b32hexencode(b"a" * 20).decode()
        for owner, rdata in (
            (f"{good}.lab.test", b""),
            (f"{good}.lab.test", b"\1\0\0\0\5a"),
            (f"{good}.lab.test", b"\1\0\0\0\0\x14cut"),
            ("zz!.lab.test", b"\1\0\0\0\0\x14" + b"b" * 20),
            (f"{good}.other.test", b"\1\0\0\0\0\x14" + b"b" * 20),
        ):
            proofs = Nsec3Proofs(ZONE, [RRset(key_of(owner), RRType.NSEC3, 60, (rdata,))], Work())
            self.assertIn("nothing proves", self.refused(self.no_name, proofs, "nothing"))
