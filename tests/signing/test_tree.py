"""Tests for :mod:`labnet.signing.tree` and the command ``sign``: files in, signed files and anchors out."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import dns.name
import dns.zone
from twisted.trial.unittest import SynchronousTestCase

from labnet.cli import main
from labnet.resolver.files.trust_anchors import parse_anchors
from labnet.wire.names import ROOT, key_of

HEAD = "$ORIGIN {origin}\n$TTL 60\n@ SOA ns.test. a.test. 1 1 1 1 60\n@ NS ns.test.\n"


class SignTreeTests(SynchronousTestCase):
    """Zones in a folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.write("root.zone", ".", "test. NS ns.test.\n")
        self.write("test.zone", "test.", "lab NS ns\nns A 127.0.0.1\nplain NS ns\n")
        self.write("lab.zone", "lab.test.", "www A 192.0.2.1\n")

    def write(self, name: str, origin: str, text: str) -> None:
        (self.folder / name).write_text(HEAD.format(origin=origin) + text)

    def run_(self, *words: str, files: tuple[str, ...] = ("root.zone", "test.zone", "lab.zone")) -> tuple[int, str]:
        """The exit status, and what was printed."""
        into = () if "--into" in words else ("--into", str(self.folder / "signed"))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = main(["sign", *into, *words, *[str(self.folder / file) for file in files]])
        return status, printed.getvalue()

    def zone(self, name: str) -> dns.zone.Zone:
        return dns.zone.from_file(str(self.folder / "signed" / name), relativize=False)

    def test_each_zone_vouches_for_those_below_it(self) -> None:
        """The uppermost one's DS is the anchor; what is not among the files has no DS."""
        status, printed = self.run_()
        self.assertEqual((status, printed.count("signed by key")), (0, 3), printed)
        ds = self.zone("test.zone").find_rdataset(dns.name.from_text("lab.test."), "DS")
        self.assertIn(f"lab.test: signed by key {ds[0].key_tag}: {self.folder}/signed/lab.zone", printed)
        self.assertIsNone(self.zone("test.zone").get_rdataset(dns.name.from_text("plain.test."), "DS"))
        anchors = parse_anchors((self.folder / "signed" / "trust-anchors").read_bytes())
        self.assertEqual((list(anchors.zones), anchors.problems), ([ROOT], ()))

    def test_zones_that_have_no_parent_among_them_are_anchors_each(self) -> None:
        """Islands of trust."""
        self.write("other.zone", "other.", "")
        self.assertEqual(self.run_(files=("lab.zone", "other.zone"))[0], 0)
        anchors = parse_anchors((self.folder / "signed" / "trust-anchors").read_bytes())
        self.assertEqual(set(anchors.zones), {key_of("lab.test"), key_of("other")})

    def test_keys_are_used_again_and_are_their_owners_alone(self) -> None:
        """So anchors last longer than signatures."""
        self.run_()
        before = (self.folder / "signed" / "trust-anchors").read_text()
        self.assertEqual(self.run_("--nsec3")[0], 0)
        self.assertEqual((self.folder / "signed" / "trust-anchors").read_text(), before)
        self.assertEqual(os.stat(self.folder / "signed" / "root.pem").st_mode & 0o777, 0o600)
        self.assertIn("NSEC3", (self.folder / "signed" / "lab.zone").read_text())

    def test_what_cannot_be_signed_is_told_in_a_sentence(self) -> None:
        """Which file, why, and what to do; status 2."""
        (self.folder / "none.zone").write_text("www 60 A 192.0.2.1\n")
        (self.folder / "bytes.zone").write_bytes(b"\xff\xfe\0")
        self.run_()
        for (status, printed), says in (
            (self.run_(files=("gone.zone",)), "gone.zone: cannot be read: No such file"),
            (self.run_(files=("none.zone",)), "none.zone: is no file of one zone with a SOA"),
            (self.run_(files=("bytes.zone",)), "bytes.zone: "),
            (self.run_("--into", str(self.folder)), "would take its place; name another folder"),
            (self.run_("--into", str(self.folder / "lab.zone" / "x")), "cannot be written"),
            (self.run_("--algorithm", "ED25519"), ".pem: is no key of ED25519"),
        ):
            self.assertEqual(status, 2, printed)
            self.assertTrue(printed.startswith("labnet: "), printed)
            self.assertIn(says, printed)
        self.assertIn("--opt-out is for --nsec3", self.run_("--opt-out")[1])
