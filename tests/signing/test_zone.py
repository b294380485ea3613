"""Tests for :mod:`labnet.signing.zone`: a zone is signed as a validator wants it."""

from __future__ import annotations

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.zone
from twisted.trial.unittest import SynchronousTestCase

from labnet.signing.zone import Key, Signing, make_key, read_key, sign

NOW = 1_800_000_000
DAY = 86_400
ZONE = """$ORIGIN lab.test.
$TTL 300
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.1
deep.ent A 192.0.2.2
sub NS ns.sub
ns.sub A 127.0.0.1
secure NS ns
secure DS 1 13 2 {digest}
""".format(digest="aa" * 32)


def types_of(record: object) -> set[str]:
    """The types in the bitmap of an NSEC or NSEC3 record."""
    windows = record.windows
    return {
        dns.rdatatype.to_text(dns.rdatatype.RdataType.make(window * 256 + 8 * place + bit))
        for window, block in windows
        for place, byte in enumerate(block)
        for bit in range(8)
        if byte & 128 >> bit
    }


class SignTests(SynchronousTestCase):
    """One zone and its key."""

    def setUp(self) -> None:
        self.key = make_key("ECDSAP256SHA256")

    def signed(self, **how: object) -> dns.zone.Zone:
        zone = dns.zone.from_text(ZONE, relativize=False)
        sign(zone, self.key, Signing(NOW, **how))
        return zone

    def types(self, zone: dns.zone.Zone, rrtype: str) -> dict[str, set[str]]:
        """What each NSEC or NSEC3 record says, by its owner."""
        return {str(name): types_of(rdata) for name, _, rdata in zone.iterate_rdatas(rrtype)}

    def test_every_record_of_the_zone_is_signed_and_nothing_else(self) -> None:
        """Not a delegation, nor what is below it; times and signer are those that were wanted."""
        for how in ({}, {"nsec3": True}):
            zone = self.signed(days=7, **how)
            for name, rdataset in list(zone.iterate_rdatasets()):
                if rdataset.rdtype == dns.rdatatype.RRSIG:
                    continue
                signatures = zone.get_rdataset(name, "RRSIG", rdataset.rdtype)
                is_other = str(name).endswith("sub.lab.test.") and rdataset.rdtype != dns.rdatatype.NSEC
                is_other = is_other or (str(name) == "secure.lab.test." and rdataset.rdtype == dns.rdatatype.NS)
                self.assertEqual(signatures is None, is_other, (name, rdataset))
                if signatures is not None:
                    keys = {zone.origin: zone.find_rdataset(zone.origin, "DNSKEY")}
                    dns.dnssec.validate((name, rdataset), (name, signatures), keys, now=NOW + 7 * DAY)
                    self.assertLess(signatures[0].inception, NOW)

    def test_nsec_records_make_a_ring_of_all_names(self) -> None:
        """With the types of each; names below a delegation are left out."""
        zone = self.signed()
        self.assertEqual(
            self.types(zone, "NSEC"),
            {
                "lab.test.": {"NS", "SOA", "RRSIG", "NSEC", "DNSKEY"},
                "deep.ent.lab.test.": {"A", "RRSIG", "NSEC"},
                "ns.lab.test.": {"A", "RRSIG", "NSEC"},
                "secure.lab.test.": {"NS", "DS", "RRSIG", "NSEC"},
                "sub.lab.test.": {"NS", "RRSIG", "NSEC"},
                "www.lab.test.": {"A", "RRSIG", "NSEC"},
            },
        )

    def test_nsec3_records_make_a_ring_of_all_hashes(self) -> None:
        """Empty non-terminals have one too; opt-out leaves out what is not signed."""
        names = ("lab.test.", "ent.lab.test.", "deep.ent.lab.test.", "ns.lab.test.", "secure.lab.test.")
        for how, others in (({}, ("sub.lab.test.", "www.lab.test.")), ({"opt_out": True}, ("www.lab.test.",))):
            zone = self.signed(nsec3=True, iterations=2, salt=b"\1\2", **how)
            hashes = {dns.dnssec.nsec3_hash(name, b"\1\2", 2, 1).lower() for name in (*names, *others)}
            found = self.types(zone, "NSEC3")
            self.assertEqual({name.split(".")[0] for name in found}, hashes)
            following = {str(rdata).split()[4] for _, _, rdata in zone.iterate_rdatas("NSEC3")}
            self.assertEqual(following, hashes)
            self.assertEqual(zone.get_rdataset(zone.origin, "NSEC3PARAM")[0].to_text(), "1 0 2 0102")
            self.assertEqual(self.types(zone, "NSEC"), {})
            ent = dns.dnssec.nsec3_hash("ent.lab.test.", b"\1\2", 2, 1).lower()
            self.assertEqual(found[f"{ent}.lab.test."], set())

    def test_a_zone_that_is_signed_is_signed_anew(self) -> None:
        """Nothing of the first time is left."""
        zone = self.signed(nsec3=True)
        sign(zone, make_key("ED25519"), Signing(NOW))
        self.assertEqual(len(zone.find_rdataset(zone.origin, "DNSKEY")), 1)
        self.assertEqual(self.types(zone, "NSEC3"), {})
        self.assertEqual(len(zone.get_rdataset(dns.name.from_text("www.lab.test."), "RRSIG", "A")), 1)

    def test_keys_of_every_algorithm_come_back_from_their_file(self) -> None:
        """With the same tag."""
        for algorithm in ("ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519", "ED448", "RSASHA256", "RSASHA512"):
            made = make_key(algorithm)
            again: Key = read_key(made.private.to_pem(), algorithm)
            self.assertEqual(again.tag, made.tag)
        self.assertRaises((ValueError, TypeError), read_key, b"none", "ED25519")
