"""Tests for :mod:`labnet.authority`: the certificates, the folder, the command."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.trial.unittest import SynchronousTestCase

from labnet.authority.certificates import CertificateError, new_authority, new_key, pem_of, read_name
from labnet.authority.folder import FolderError, make
from labnet.cli import main

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


class NameTests(SynchronousTestCase):
    """What a server may be called."""

    def test_domains_addresses_and_wildcards_are_names(self) -> None:
        self.assertEqual(read_name("DNS.lab.test."), "dns.lab.test")
        self.assertEqual(read_name("*.münchen.lab"), "*.xn--mnchen-3ya.lab")
        self.assertEqual(read_name("[2001:db8::53]"), ipaddress.ip_address("2001:db8::53"))

    def test_anything_else_is_refused_in_a_sentence(self) -> None:
        for text in ("", ".", "a..b", "a b", "a/b", "*", "a" * 64, "x.*.test"):
            with self.assertRaisesRegex(CertificateError, "is neither a domain name nor an IP address"):
                read_name(text)


class FolderTests(SynchronousTestCase):
    """Files that are made, kept and refused."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = os.path.join(made.name, "certs")

    def make(self, *names: str, now: datetime = NOW, days: int = 30) -> x509.Certificate:
        self.made = make(self.folder, [read_name(name) for name in names], "an authority", now, days)
        return x509.load_pem_x509_certificate(Path(self.made.certificate).read_bytes())

    def test_the_server_has_its_names_and_is_vouched_for(self) -> None:
        found = self.make("dns.lab.test", "192.0.2.53", "::1")
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["dns.lab.test"])
        self.assertEqual([str(one) for one in names.get_values_for_type(x509.IPAddress)], ["192.0.2.53", "::1"])
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(Path(self.made.authority).read_bytes()))
        self.assertEqual(found.not_valid_after_utc, NOW + timedelta(days=30))

    def test_only_the_owner_reads_keys(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        self.make("dns.lab.test")
        self.assertEqual(mode(self.made.key), 0o600)
        self.assertEqual(mode(os.path.join(self.folder, "ca.key")), 0o600)
        self.assertEqual([mode(self.made.certificate), mode(self.made.authority)], [0o644, 0o644])

    def test_a_renewal_keeps_the_key_and_the_authority(self) -> None:
        first = self.make("dns.lab.test")
        self.assertTrue(self.made.is_new_authority)
        second = self.make("dns.lab.test", now=NOW + timedelta(days=20))
        self.assertFalse(self.made.is_new_authority)
        self.assertEqual(first.public_key(), second.public_key())
        self.assertEqual(first.issuer, second.issuer)
        self.assertNotEqual(first.serial_number, second.serial_number)

    def test_no_certificate_outlasts_its_authority(self) -> None:
        self.make("dns.lab.test")
        late = self.make("dns.lab.test", now=NOW + timedelta(days=3649), days=30)
        self.assertEqual(late.not_valid_after_utc, NOW + timedelta(days=3650))
        with self.assertRaisesRegex(FolderError, r"ca\.pem: ended on 2036-02-27; move ca.pem and ca.key away"):
            self.make("dns.lab.test", now=NOW + timedelta(days=3651))

    def test_files_that_cannot_be_used_are_named(self) -> None:
        self.make("dns.lab.test")
        folder, stranger = Path(self.folder), new_authority("another", NOW)
        ed = ed25519.Ed25519PrivateKey.generate()
        wrong = {
            "dns.lab.test.key": [(b"x", "no private key"), (pem_of_any(ed), "another kind")],
            "ca.key": [(pem_of(new_key()), r"ca\.pem: does not belong to the key")],
            "ca.pem": [(b"x", "no certificate"), (Path(self.made.certificate).read_bytes(), "no authority's")],
        }
        for name, contents in wrong.items():
            good = (folder / name).read_bytes()
            for content, says in contents:
                (folder / name).write_bytes(content)
                with self.assertRaisesRegex(FolderError, says):
                    self.make("dns.lab.test")
            (folder / name).write_bytes(good)
        (folder / "ca.pem").write_bytes(pem_of(stranger.certificate))
        with self.assertRaisesRegex(FolderError, "does not belong"):
            self.make("dns.lab.test")
        (folder / "ca.key").unlink()
        with self.assertRaisesRegex(FolderError, r"ca\.key: cannot be read: No such file"):
            self.make("dns.lab.test")

    def test_the_authoritys_files_are_no_servers(self) -> None:
        with self.assertRaisesRegex(FolderError, "the files of the authority have this name"):
            self.make("ca")
        self.assertFalse(os.path.exists(self.folder))


class CommandTests(SynchronousTestCase):
    """``labnet cert``."""

    def run_(self, *words: str) -> tuple[int, str, str]:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(["cert", *words])
        return status, out.getvalue(), err.getvalue()

    def test_it_says_what_it_made_and_how_to_listen(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            status, out, err = self.run_("--folder", folder)
            self.assertEqual((status, err), (0, ""))
            self.assertIn(f"{folder}/ca.pem: what clients have to trust", out)
            self.assertIn("for localhost, 127.0.0.1, ::1, until ", out)
            self.assertIn(f"listen = 'tls:853:certificate={folder}/localhost.pem:key={folder}/localhost.key'", out)
            self.assertNotIn("ca.pem", self.run_("--folder", folder)[1])

    def test_what_is_wrong_is_one_sentence(self) -> None:
        for words, status, says in (
            (["a b"], 1, "labnet: 'a b' is neither a domain name nor an IP address\n"),
            (["--folder", "/dev/null/x"], 1, "labnet: /dev/null/x: cannot be made: Not a directory\n"),
            (["--days", "0"], 2, "labnet: '0' is no number of days: 1 to 9999; labnet cert --help says more\n"),
        ):
            self.assertEqual(self.run_(*words), (status, "", says))


def pem_of_any(key: ed25519.Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
