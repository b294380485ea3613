"""Tests for :mod:`labnet.resolver.files.trust_anchors`: what validation begins at, in a file."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.trust_anchors import builtin_anchors, parse_anchors
from labnet.resolver.validation.keys import read_ds, usable
from labnet.wire.names import ROOT, key_of

DS = "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
KEY = "257 3 13 u9UAKsWt5parcY5POERgQ0DgbBNFw60UTEtKO0jHwv/ylmbVJKij4kLIisO2z47MAMUzAxInqGLIR2OvGhreoQ=="


class AnchorTests(SynchronousTestCase):
    """Lines as in a zone file."""

    def problems(self, text: str) -> list[str]:
        return [f"{problem.line}: {problem.says}" for problem in parse_anchors(text.encode()).problems]

    def test_ds_and_keys_are_taken_with_or_without_class_and_ttl(self) -> None:
        """Of several zones, several of one, in letters of any case; comments are the author's."""
        text = f"; mine\n. DS {DS}\n. 3600 IN DS {DS.replace('20326', '1')} ; the next\n\nLab.Test. IN DNSKEY {KEY}\n"
        anchors = parse_anchors(text.encode(), "file")
        self.assertEqual(anchors.problems, ())
        self.assertEqual(list(anchors.zones), [ROOT, key_of("lab.test")])
        self.assertEqual([each.tag for each in read_ds(anchors.zones[ROOT].ds)], [20326, 1])
        self.assertEqual(len(anchors.zones[key_of("lab.test")].keys), 1)

    def test_what_is_no_anchor_is_told_with_its_line(self) -> None:
        """And how one is written."""
        (says,) = self.problems(f". DS {DS}\n. DS 1 2\n")
        self.assertTrue(says.startswith("2: is no trust anchor ("), says)
        self.assertIn("write ZONE DS TAG ALGORITHM TYPE DIGEST", says)
        (says,) = self.problems(f". DS {DS}\nwww. A 10.0.0.1\n")
        self.assertTrue(says.startswith("2: is a record of type A, and no trust anchor"), says)

    def test_a_file_without_an_anchor_is_an_error(self) -> None:
        """Nothing could be validated by it."""
        self.assertTrue(self.problems("; nothing\n")[0].startswith("1: the file has no trust anchor"))

    def test_any_bytes_are_read(self) -> None:
        """None of them is an exception."""
        for content in (
            b"\xff\xfe",
            b". DS",
            b"$INCLUDE /etc/passwd",
            b". DS 1 8 2 zz",
            b"(" * 100,
            b". CH DS 1 8 2 aa",
        ):
            self.assertTrue(parse_anchors(content).problems, content)

    def test_the_anchors_of_the_root_come_with_labnet(self) -> None:
        """The key of 2017 and that of 2024, both of kinds that count."""
        anchors = builtin_anchors()
        self.assertEqual((anchors.problems, list(anchors.zones)), ((), [ROOT]))
        self.assertEqual([each.tag for each in usable(read_ds(anchors.zones[ROOT].ds))], [20326, 38696])
