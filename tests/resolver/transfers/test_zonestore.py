"""Zones of other servers as files: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.transfers.incoming import TransferError
from labnet.resolver.transfers.zonestore import MODE, NewVersion, touch
from labnet.wire.tsig import Signer, Verifier
from tests.resolver.transfers.primary import KEY
from tests.resolver.transfers.test_incoming import ID, ZONE, a, joined, message, soa


class FileTests(SynchronousTestCase):
    """One zone's file."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "main" / "lab.test.zone"

    def version(self, *messages: bytes, serial: int | None = None, verifier: Verifier | None = None) -> NewVersion:
        """The version that comes in ``messages``, not finished yet."""
        made = NewVersion(str(self.path), ZONE, ID, serial, verifier)
        self.addCleanup(made.drop)
        for each in messages:
            made.receive(each, 0)
        return made

    def stored(self) -> str:
        """The file without its comment."""
        return self.path.read_text().partition("\n")[2]

    def test_whole_zone_is_a_master_file_that_begins_with_its_soa(self) -> None:
        """Its owner and group alone may read it, and nothing else is in the folder."""
        odd = r'a.lab.test. 60 IN TXT ";\\x"'
        self.version(message(soa(5), a("a", 1), odd), message(soa(5))).finish()
        self.assertEqual(self.stored(), joined([soa(5), a("a", 1), odd]))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, MODE)
        self.assertEqual(os.listdir(self.path.parent), ["lab.test.zone"])

    def test_changes_are_made_to_what_was(self) -> None:
        """The order of the other lines stays; the case of an owner does not count, that of text does."""
        self.version(message(soa(5), a("A", 1), "a.lab.test. 60 IN TXT x", "a.lab.test. 60 IN TXT X", soa(5))).finish()
        changes = message(soa(6), soa(5), a("a", 1), "a.lab.test. 60 IN TXT X", soa(6), a("b", 2), soa(6))
        self.version(changes, serial=5).finish()
        self.assertEqual(self.stored(), joined([soa(6), 'A.lab.test. 60 IN TXT "x"', a("b", 2)]))

    def test_changes_that_do_not_fit_leave_what_was(self) -> None:
        """A record is to be removed that is not there, with that TTL, or at all."""
        self.version(message(soa(5), a("a", 1), soa(5))).finish()
        before = self.path.read_text()
        for record in (a("a", 2), a("a", 1).replace(" 60 ", " 61 ")):
            made = self.version(message(soa(6), soa(5), record, soa(6), soa(6)), serial=5)
            with self.assertRaisesRegex(TransferError, "not there: a.lab.test"):
                made.finish()
            made.drop()
        self.assertEqual(self.path.read_text(), before)
        self.assertEqual(os.listdir(self.path.parent), ["lab.test.zone"])

    def test_zone_that_is_cut_leaves_what_was(self) -> None:
        """Half of a new version is nothing; what of it was written is gone."""
        self.version(message(soa(5), a("a", 1), soa(5))).finish()
        before = self.path.read_text()
        made = self.version(message(soa(6), a("b", 1)))
        self.assertEqual(len(os.listdir(self.path.parent)), 2)
        made.drop()
        made.drop()
        self.assertEqual((self.path.read_text(), len(os.listdir(self.path.parent))), (before, 1))

    def test_wrong_signature_in_the_middle_is_refused(self) -> None:
        """So is a last message that is not signed."""
        query = Signer(KEY)
        query.sign(message(), 0)
        for wrong in ("changed", "unsigned", ""):
            signer, verifier = Signer(KEY, query.mac), Verifier(KEY, query.mac)
            made = self.version(signer.sign(message(soa(5), a("a", 1)), 0, many=True), verifier=verifier)
            last = message(a("b", 1), soa(5))
            signed = signer.sign(last, 0, many=True)
            if wrong == "changed":
                with self.assertRaisesRegex(TransferError, "wrong signature"):
                    made.receive(signed.replace(b"\xc0\0\2", b"\xc0\0\3"), 0)
            elif wrong:
                with self.assertRaisesRegex(TransferError, "last message is not signed"):
                    made.receive(last, 0)
            else:
                self.assertTrue(made.receive(signed, 0))
            made.drop()
        self.assertFalse(self.path.exists())

    def test_time_of_the_file_is_the_one_that_it_was_current_at(self) -> None:
        """It is not when it was written."""
        self.version(message(soa(5), soa(5))).finish()
        touch(str(self.path), 1_000_000.5)
        self.assertEqual(os.stat(self.path).st_mtime, 1_000_000.5)
