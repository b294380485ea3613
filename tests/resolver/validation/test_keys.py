"""Tests for :mod:`labnet.resolver.validation.keys`: which keys of a zone are vouched for."""

from __future__ import annotations

import dns.dnssec
import dns.name
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.validation.keys import MOST_DS, read_ds, unusable_text, usable, vouched_key
from labnet.resolver.validation.signatures import ZoneKey
from labnet.wire.names import key_of
from labnet.wire.types import InfoCode
from tests.resolver.validation.trees import key

ZONE = key_of("lab.test")


class VouchedTests(SynchronousTestCase):
    """DS records, and keys that are trusted as they stand."""

    def setUp(self) -> None:
        self.key = key()
        self.wire = self.key.public.to_wire() or b""

    def ds(self, digest: str) -> bytes:
        policy = dns.dnssec.allow_all_policy
        return (
            dns.dnssec.make_ds(dns.name.from_text("lab.test."), self.key.public, digest, policy=policy).to_wire() or b""
        )

    def test_each_known_digest_fits_its_key_and_no_other(self) -> None:
        """Nor the same key in another zone."""
        for digest in ("SHA1", "SHA256", "SHA384"):
            (vouched,) = usable(read_ds([self.ds(digest)]))
            self.assertTrue(vouched.fits(ZONE, ZoneKey(self.wire)))
            self.assertFalse(vouched.fits(key_of("other.test"), ZoneKey(self.wire)))
            self.assertFalse(vouched._replace(digest=b"x").fits(ZONE, ZoneKey(self.wire)))
            self.assertFalse(vouched.fits(ZONE, ZoneKey(key().public.to_wire() or b"")))
        self.assertTrue(vouched_key(self.wire).fits(ZONE, ZoneKey(self.wire)))
        self.assertFalse(vouched_key(self.wire)._replace(digest=b"x").fits(ZONE, ZoneKey(self.wire)))

    def test_sha1_does_not_count_beside_a_better_digest(self) -> None:
        """RFC 4509, section 3; alone it does."""
        both = read_ds([self.ds("SHA1"), self.ds("SHA256")])
        self.assertEqual([each.kind for each in usable(both)], [2])
        self.assertEqual([each.kind for each in usable(both[:1])], [1])

    def test_what_is_unknown_does_not_count(self) -> None:
        """Which of the two it is, is told."""
        whole = self.ds("SHA256")
        for changed, code in (
            (whole[:2] + b"\xc8" + whole[3:], InfoCode.UNSUPPORTED_DNSKEY_ALGORITHM),
            (whole[:3] + b"\x63" + whole[4:], InfoCode.UNSUPPORTED_DS_DIGEST_TYPE),
        ):
            vouched = read_ds([changed])
            self.assertEqual(usable(vouched), [])
            says, told = unusable_text(ZONE, vouched)
            self.assertEqual(told, code)
            self.assertIn("lab.test", says)

    def test_what_is_no_ds_is_passed_over_and_only_so_many_are_read(self) -> None:
        """Whatever a zone has."""
        self.assertEqual(read_ds([b"", b"\1\2\3\4"]), [])
        self.assertEqual(len(read_ds([self.ds("SHA256")] * 100)), MOST_DS)
