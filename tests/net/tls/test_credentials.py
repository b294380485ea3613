"""Tests for :mod:`labnet.net.tls.credentials`."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from labnet.net.tls.credentials import BadCredentials, read_credentials
from tests import certificates

DAY = 86400


class CredentialsTests(SynchronousTestCase):
    """What is read of the two files."""

    def refused(self, chain: bytes, key: bytes) -> tuple[str, bool]:
        with self.assertRaises(BadCredentials) as caught:
            read_credentials(chain, key)
        return str(caught.exception), caught.exception.of_key

    def test_a_pair_is_taken_with_its_time(self) -> None:
        found = read_credentials(*certificates.server())
        self.assertAlmostEqual(found.ends - found.begins, 30 * DAY + 3600, delta=5)
        self.assertNotIn("PRIVATE", repr(found))

    def test_what_is_wrong_is_said_of_the_file_that_it_is_in(self) -> None:
        chain, key = certificates.server()
        _, other = certificates.server("other.lab.test")
        weak = rsa.generate_private_key(65537, 1024)
        encrypted = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        plain = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        no_key = "holds no private key in PEM without a password"
        self.assertEqual(self.refused(b"", key), ("holds no certificate in PEM", False))
        self.assertEqual(self.refused(key, key), ("holds no certificate in PEM", False))
        self.assertEqual(self.refused(chain, b"x"), (no_key, True))
        self.assertEqual(self.refused(chain, chain), (no_key, True))
        self.assertEqual(self.refused(chain, encrypted), (no_key, True))
        self.assertEqual(self.refused(chain, other), ("is not the key of the certificate", True))
        self.assertEqual(self.refused(chain, plain), ("is not the key of the certificate", True))

    def test_doubtful_times_are_said_in_words(self) -> None:
        now = time.time()
        found = read_credentials(*certificates.server())
        self.assertIsNone(found.doubt(now))
        self.assertRegex(
            found.doubt(found.begins - 1) or "", r"^is valid from \d{4}-\d\d-\d\d on, so clients refuse it"
        )
        self.assertRegex(found.doubt(found.ends - 6 * DAY) or "", r"^ends on \d{4}-\d\d-\d\d: renew it$")
        self.assertRegex(found.doubt(found.ends) or "", r"^ended on \d{4}-\d\d-\d\d, so clients refuse it: renew it$")
