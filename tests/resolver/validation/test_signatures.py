"""Tests for :mod:`labnet.resolver.validation.signatures`: what is signed, in the bytes that are signed."""

from __future__ import annotations

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataset
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.upstream.errors import Bogus
from labnet.resolver.validation.signatures import (
    MOST_SAME_TAG,
    MOST_SIGNATURES,
    Keys,
    ZoneKey,
    canonical_rdata,
    expanded_from,
    lifetime,
    read_signature,
    signatures_of,
    signed_data,
    tag_of,
    verify,
)
from labnet.resolver.validation.work import MOST_VERIFICATIONS, Work
from labnet.signing.zone import Key, make_key
from labnet.wire.names import key_of
from labnet.wire.types import InfoCode, RRset
from tests.resolver.validation.trees import NOW, key

ZONE = dns.name.from_text("lab.test.")

RRSETS = (
    "www.lab.test. 300 IN A 192.0.2.2 192.0.2.1 192.0.2.2",
    "WWW.Lab.test. 300 IN MX 10\\ MAIL.lab.test.",
    "lab.test. 300 IN SOA NS.lab.test.\\ Admin.lab.test.\\ 1\\ 2\\ 3\\ 4\\ 5",
    "_s._udp.lab.test. 300 IN SRV 1\\ 2\\ 3\\ Www.Lab.Test.",
    'n.lab.test. 300 IN NAPTR 1\\ 2\\ "S"\\ "SIP+D2U"\\ ""\\ _SIP._udp.lab.test.',
    't.lab.test. 300 IN TXT "UPPER"',
    "s.lab.test. 300 IN SVCB 1\\ Www.Lab.Test.",
    "lab.test. 300 IN NSEC Www.lab.test.\\ A\\ RRSIG",
    "odd.lab.test. 300 IN TYPE65400 \\#\\ 4\\ 41424344",
)


def rrset_of(text: str) -> tuple[dns.rrset.RRset, RRset]:
    """An RRset for dnspython, and the same as the resolver has it; a space in a record is ``\\ `` in ``text``."""
    name, ttl, rrclass, rrtype, *rdatas = text.replace("\\ ", "\0").split()
    made = dns.rrset.from_text(name, int(ttl), rrclass, rrtype, *[each.replace("\0", " ") for each in rdatas])
    wires = tuple(rdata.to_wire() for rdata in made)
    return made, RRset(made.name.to_wire(), int(made.rdtype), made.ttl, wires)


def signed(rrset: dns.rrset.RRset, by: Key, **how: object) -> bytes:
    """The data of an RRSIG."""
    times = {"inception": NOW - 10, "expiration": NOW + 10}
    wire = dns.dnssec.sign(rrset, by.private, ZONE, by.public, **{**times, **how}).to_wire()
    assert wire is not None
    return wire


def keys(*each: Key) -> Keys:
    """The keys of the zone."""
    return Keys(key_of("lab.test"), tuple(ZoneKey(one.public.to_wire() or b"") for one in each))


def rrsig(rrset: RRset, *rdatas: bytes) -> list[RRset]:
    """Signatures as they stand beside an RRset."""
    return [RRset(rrset.name, 46, rrset.ttl, rdatas)]


class VerifyTests(SynchronousTestCase):
    """Signatures that dnspython made."""

    def check(self, rrset: RRset, by: Keys, *rdatas: bytes, now: float = NOW, work: Work | None = None) -> None:
        """Raises where none of the signatures holds."""
        verify(rrset, signatures_of(rrset, rrsig(rrset, *rdatas)), by, now, work or Work())

    def wrong(self, rrset: RRset, by: Keys, *rdatas: bytes, now: float = NOW) -> InfoCode:
        """The code of what is wrong."""
        return self.assertRaises(Bogus, self.check, rrset, by, *rdatas, now=now).code

    def test_what_another_program_signed_holds_for_every_kind_of_data(self) -> None:
        """Names in data are in small letters where RFC 4034 says so, and as they are elsewhere; doubles count once."""
        by = key()
        for text in RRSETS:
            made, rrset = rrset_of(text)
            self.check(rrset, keys(by), signed(made, by))

    def test_every_algorithm_is_checked(self) -> None:
        """Those that zones are signed by."""
        made, rrset = rrset_of(RRSETS[0])
        for algorithm in ("RSASHA256", "RSASHA512", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519", "ED448"):
            by = make_key(algorithm)
            rdata = signed(made, by)
            self.check(rrset, keys(by), rdata)
            self.assertEqual(self.wrong(rrset, keys(by), rdata[:-1] + bytes((rdata[-1] ^ 1,))), InfoCode.DNSSEC_BOGUS)

    def test_the_times_are_those_of_the_day_and_go_round(self) -> None:
        """Both ends count; times are of 32 bits, in serial number arithmetic (RFC 4034, section 3.1.5)."""
        made, rrset = rrset_of(RRSETS[0])
        by = key()
        rdata = signed(made, by)
        for now in (NOW - 10, NOW + 10):
            self.check(rrset, keys(by), rdata, now=now)
        self.assertEqual(self.wrong(rrset, keys(by), rdata, now=NOW - 11), InfoCode.SIGNATURE_NOT_YET_VALID)
        self.assertEqual(self.wrong(rrset, keys(by), rdata, now=NOW + 11), InfoCode.SIGNATURE_EXPIRED)
        late = 2**32 - 5
        rdata = signed(made, by, inception=late, expiration=10)
        self.check(rrset, keys(by), rdata, now=2**32 + 5)
        self.assertEqual(self.wrong(rrset, keys(by), rdata, now=late - 5), InfoCode.SIGNATURE_NOT_YET_VALID)

    def test_one_signature_that_holds_is_enough(self) -> None:
        """Beside others that do not, of whatever kind; only so many are looked at."""
        made, rrset = rrset_of(RRSETS[0])
        by, other = key(), key()
        good, over = signed(made, by), signed(made, by, expiration=NOW - 1, inception=NOW - 5)
        self.check(rrset, keys(by), over, signed(made, other), b"no signature", good)
        many = [over[:-2] + number.to_bytes(2, "big") for number in range(MOST_SIGNATURES)]
        self.assertEqual(self.wrong(rrset, keys(by), *many, good), InfoCode.SIGNATURE_EXPIRED)

    def test_a_wildcard_is_signed_once_for_all_names(self) -> None:
        """Its labels say so, and where the wildcard is; they may not be more than the name's."""
        by = key()
        made, _ = rrset_of("*.lab.test. 300 IN A 192.0.2.1")
        rdata = signed(made, by)
        for name, encloser in (("a.b.lab.test.", "lab.test"), ("*.lab.test.", None), ("*.a.lab.test.", "lab.test")):
            _, rrset = rrset_of(f"{name} 300 IN A 192.0.2.1")
            self.check(rrset, keys(by), rdata)
            signature = read_signature(rdata)
            assert signature is not None
            self.assertEqual(expanded_from(rrset, signature), None if encloser is None else key_of(encloser))
        _, rrset = rrset_of("test. 300 IN A 192.0.2.1")
        self.assertEqual(self.wrong(rrset, keys(by), rdata), InfoCode.DNSSEC_BOGUS)

    def test_the_signer_is_the_zone_whatever_key_it_has(self) -> None:
        """Zones may share a key; what is signed for one is not signed for the other."""
        made, rrset = rrset_of(RRSETS[0])
        by = key()
        times = {"inception": NOW - 10, "expiration": NOW + 10}
        other = dns.dnssec.sign(made, by.private, dns.name.from_text("test."), by.public, **times).to_wire()
        error = self.assertRaises(Bogus, self.check, rrset, keys(by), other)
        self.assertIn("is not by its zone, lab.test", str(error))

    def test_a_signature_for_more_labels_than_the_name_has_does_not_count(self) -> None:
        """Though the key made it (RFC 4035, section 5.3.1)."""
        made, rrset = rrset_of(RRSETS[0])
        by = key()
        signature = read_signature(signed(made, by))
        assert signature is not None
        more = signature.signed[:3] + b"\5" + signature.signed[4:]
        wrong = signature._replace(labels=5, signed=more)
        rdata = more + by.private.sign(signed_data(rrset, wrong))
        error = self.assertRaises(Bogus, self.check, rrset, keys(by), rdata)
        self.assertIn("is for a name of 5 labels", str(error))

    def test_a_key_has_to_be_a_zone_key_of_dnssec(self) -> None:
        """Its flags and its protocol say that."""
        made, rrset = rrset_of(RRSETS[0])
        for flags, protocol, code in (
            (0, 3, InfoCode.NO_ZONE_KEY_BIT_SET),
            (257, 4, InfoCode.DNSKEY_MISSING),
            (385, 3, InfoCode.DNSKEY_MISSING),
        ):
            by = key()
            by = Key(by.private, by.public.replace(flags=flags, protocol=protocol))
            self.assertEqual(self.wrong(rrset, keys(by), signed(made, by)), code)

    def test_an_unknown_algorithm_is_told(self) -> None:
        """By its number."""
        made, rrset = rrset_of(RRSETS[0])
        by = key()
        rdata = signed(made, by)
        error = self.assertRaises(Bogus, self.check, rrset, keys(by), rdata[:2] + b"\xc8" + rdata[3:])
        self.assertEqual(error.code, InfoCode.UNSUPPORTED_DNSKEY_ALGORITHM)
        self.assertIn("of algorithm 200", str(error))

    def test_keys_of_one_tag_are_tried_up_to_a_bound(self) -> None:
        """And verifications are counted over all of a reply (KeyTrap)."""
        made, rrset = rrset_of(RRSETS[0])
        by = key()
        alike = [ZoneKey(by.public.to_wire() or b"")] * 40
        rdata = signed(made, by)
        work = Work()
        wrong = [rdata[:-1] + bytes((rdata[-1] ^ 1,))]
        self.assertRaises(Bogus, self.check, rrset, Keys(key_of("lab.test"), tuple(alike)), *wrong, work=work)
        self.assertEqual(work.verifications, MOST_SAME_TAG)
        work.verifications = MOST_VERIFICATIONS
        error = self.assertRaises(Bogus, self.check, rrset, keys(by), rdata, work=work)
        self.assertIn("more than 100 verifications", str(error))


class BytesTests(SynchronousTestCase):
    """What stands in records."""

    def test_a_tag_is_the_one_that_dnspython_finds(self) -> None:
        """RFC 4034, appendix B; of even and odd lengths."""
        for algorithm in ("ECDSAP256SHA256", "ED448", "RSASHA256"):
            by = make_key(algorithm)
            self.assertEqual(tag_of(by.public.to_wire() or b""), by.tag)

    def test_data_that_cannot_be_read_is_what_it_is(self) -> None:
        """A key that is none verifies nothing, a signature that is none is not there."""
        self.assertIsNone(read_signature(b"\0\1\2"))
        self.assertIsNone(read_signature(b"\0" * 18 + b"\x3fcut"))
        self.assertRaises(ValueError, ZoneKey, b"\1\1\3\x0d")
        for rdata in (
            b"\1\1\3\x0d" + b"\xff" * 64,
            b"\1\1\3\x0d\1",
            b"\1\1\3\x08\0",
            b"\1\1\3\xfd\1",
            b"\1\1\3\xc8abc",
        ):
            self.assertFalse(ZoneKey(rdata).verifies(b"\1" * 64, b"data"))
        self.assertEqual(canonical_rdata(2, b"\x3fcut"), b"\x3fcut")

    def test_what_is_signed_lives_as_long_as_all_of_it(self) -> None:
        """The least of its TTL, the one that was signed, and what the signature has left."""
        made, rrset = rrset_of(RRSETS[0])
        signature = read_signature(signed(made, key(), expiration=NOW + 7))
        assert signature is not None
        self.assertEqual(lifetime(rrset, signature, NOW + 0.5), 7)
        self.assertEqual(lifetime(rrset, signature._replace(original_ttl=3), NOW), 3)
