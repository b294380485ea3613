"""Tests for :mod:`labnet.wire.names`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.wire.names import (
    ROOT,
    ancestors,
    is_below,
    is_opaque,
    key_of,
    key_of_shown,
    labels,
    parent,
    text_of,
    wire_of,
)


class NamesTests(SynchronousTestCase):
    """Names go between text and wire form, and compare without case."""

    def test_wire_form_is_that_of_the_rfc(self) -> None:
        """Each label stands behind its length, the root's zero last (RFC 1035, section 3.1)."""
        self.assertEqual(wire_of("www.Example"), b"\3www\7Example\0")

    def test_key_folds_case_and_the_final_dot(self) -> None:
        """A name, its upper-case form and its absolute form have one key (RFC 4343)."""
        self.assertEqual(key_of("WWW.example."), key_of("www.Example"))

    def test_root(self) -> None:
        """The root is a single dot."""
        self.assertEqual((wire_of("."), text_of(ROOT)), (ROOT, "."))

    def test_names_beyond_dns_are_opaque(self) -> None:
        """A course name that DNS cannot carry has a key all the same, and keeps its text."""
        for name in ("a..b", ".a", "x" * 64, "x." * 130, ""):
            self.assertIsNone(wire_of(name), name)
            self.assertTrue(is_opaque(key_of(name)), name)
            self.assertEqual(text_of(key_of(name.upper())), name.removesuffix("."))
        self.assertFalse(is_opaque(key_of("a.b")))

    def test_longest_name_and_label(self) -> None:
        """63 bytes in a label and 255 in a name are the most (RFC 1035, section 2.3.4)."""
        self.assertIsNotNone(wire_of("x" * 63))
        self.assertIsNotNone(wire_of(".".join(["x" * 49] * 5)))
        self.assertIsNone(wire_of(".".join(["x" * 63] * 4)))

    def test_parents(self) -> None:
        """The ancestors of a name are itself, its parents, and the root."""
        key = key_of("a.b.c")
        self.assertEqual(list(ancestors(key)), [key, key_of("b.c"), key_of("c"), ROOT])
        self.assertEqual(parent(key), key_of("b.c"))
        self.assertEqual(list(labels(key)), [b"a", b"b", b"c"])

    def test_below_is_by_labels(self) -> None:
        """A name is below a zone if it ends in the zone's labels, not in its bytes alone."""
        self.assertTrue(is_below(key_of("a.lab"), key_of("lab")))
        self.assertTrue(is_below(key_of("lab"), key_of("lab")))
        self.assertTrue(is_below(key_of("lab"), ROOT))
        self.assertFalse(is_below(key_of("alab"), key_of("lab")))
        self.assertFalse(is_below(b"\5x\3lab\0", key_of("lab")))

    def test_a_name_is_read_as_it_is_shown(self) -> None:
        """Escapes stand for their bytes (RFC 1035, section 5.1), and what is no escape for itself."""
        for text, key in [
            (r"foo\.bar.Test", b"\x07foo.bar\x04test\0"),
            (r"\046", b"\1.\0"),
            (r"\046.", b"\1.\0"),
            (r"\000\255.x.", b"\2\0\xff\1x\0"),
            (r"a\\b", b"\3a\\b\0"),
            ("bücher\\.x.bücher", b"\x09b\xc3\xbccher.x\x0dxn--bcher-kva\0"),
            (r"\256", key_of(r"\256")),
            ("a\\", key_of("a\\")),
            (r"a..b\.c", key_of(r"a..b\.c")),
            (r"\." * 64, key_of(r"\." * 64)),
        ]:
            self.assertEqual(key_of_shown(text), key, text)

    @given(st.lists(st.binary(min_size=1, max_size=20), max_size=5))
    def test_every_key_is_read_from_what_is_shown_of_it(self, labels: list[bytes]) -> None:
        key = b"".join([bytes((len(label),)) + label.lower() for label in labels]) + ROOT
        self.assertEqual(key_of_shown(text_of(key)), key)
        self.assertEqual(key_of_shown(f"{text_of(key)}." if labels else "."), key)

    def test_odd_bytes_are_escaped(self) -> None:
        """Bytes that a zone file would escape are escaped (RFC 1035, section 5.1)."""
        self.assertEqual(text_of(b"\4a.b\\\2\0\x20\0"), "a\\.b\\\\.\\000\\032")
        self.assertEqual(text_of(b"\2\xff\x41\0"), "\\255A")

    def test_an_internationalized_name_has_a_labels_inside_and_u_labels_for_people(self) -> None:
        """However it is written: with small letters or capitals, as A-labels, with the dots of other scripts."""
        key = b"\x0exn--mnchen-3ya\3lab\0"
        for name in ("münchen.lab", "MÜNCHEN.Lab.", "xn--mnchen-3ya.lab", "XN--MNCHEN-3YA.lab", "münchen\u3002lab"):
            self.assertEqual((key_of(name), text_of(key_of(name))), (key, "münchen.lab"), name)
        self.assertEqual(wire_of("XN--MNCHEN-3YA.lab"), b"\x0eXN--MNCHEN-3YA\3lab\0")

    def test_a_label_without_an_a_label_is_itself(self) -> None:
        """What IDNA forbids is UTF-8, what only looks like an A-label is as it is, and both come back."""
        for name in ("\u05d0a1.lab", "xn--zzzzzz.lab", "xn--a.lab", "xn--.lab", "\u2024.lab"):
            self.assertEqual(text_of(key_of(name)), name)

    def test_names_in_utf8_do_not_look_like_those_with_a_labels(self) -> None:
        """A label of UTF-8 that has an A-label is another name on the wire, and is written with escapes."""
        self.assertEqual(text_of(b"\2\xc3\xbc\3lab\0"), "\\195\\188.lab")

    @given(st.lists(st.binary(min_size=1, max_size=12) | st.text("xn-üß\u05d0a.1", min_size=1, max_size=9), max_size=3))
    def test_two_names_never_have_one_text(self, parts: list[bytes | str]) -> None:
        """A text without escapes leads back to the key that it is of."""
        labels = [part.encode() if isinstance(part, str) else part for part in parts]
        key = (b"".join(bytes((len(label),)) + label for label in labels) + ROOT).lower()
        text = text_of(key)
        if "\\" not in text:
            self.assertEqual(key_of(text), key)

    @given(st.lists(st.binary(min_size=1, max_size=20), max_size=8))
    def test_text_of_any_labels_is_printable(self, parts: list[bytes]) -> None:
        """Whatever bytes a name is made of, its text can be logged on one line."""
        wire = b"".join(bytes((len(part),)) + part for part in parts) + ROOT
        text = text_of(wire)
        self.assertTrue(text.isprintable(), text)
        self.assertNotIn(" ", text)
