"""Tests for :mod:`labnet.dialects.reader` and :mod:`labnet.dialects.library`."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects.codec import AskedName, Codec
from labnet.dialects.library import find, shipped
from labnet.dialects.reader import LARGEST, DialectError, read_dialect

WHOLE = b"""
title = "names and addresses"
[records]
found = ["{name} {address}"]
[reply]
found = ["{name}={address}"]
"""


class ReadTests(SynchronousTestCase):
    """A file is a dialect, or everything that is wrong with it is told."""

    def refuses(self, content: bytes, *problems: str) -> None:
        with self.assertRaises(DialectError) as caught:
            read_dialect("own", content)
        self.assertEqual(caught.exception.problems, problems)

    def test_every_shipped_dialect_is_one(self) -> None:
        """Each has a title, and outlives being pickled, as workers get it."""
        self.assertGreater(len(shipped()), 3)
        for name in shipped():
            dialect = find(name)
            self.assertTrue(dialect.title, name)
            self.assertEqual(pickle.loads(pickle.dumps(dialect)), dialect)

    def test_a_few_lines_are_a_dialect(self) -> None:
        """What a file does not say is as in the assignment."""
        dialect = read_dialect("own", WHOLE)
        self.assertEqual(
            (dialect.name, dialect.kind, dialect.transport, dialect.walk), ("own", "names", "udp", "nobody")
        )
        self.assertEqual(dialect.question.forms, ("{name}",))

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        """Keys that are none, values of another kind, forms that cannot be used, each by its key."""
        self.refuses(
            b'titel = "x"\ntransport = "icmp"\ncache = -1\n'
            b'[reply]\nfound = ["{nam}", "{", 1]\n[records]\nfound = "x"\n'
            b'[question]\nforms = ["{name} {name}", "{ttl}"]\n',
            "titel: there is no such key; did you mean title?",
            "transport: must be udp, tcp or tcp-once, not 'icmp'",
            "cache: must be a whole number from 0 to 2147483647, not -1",
            "reply.found: must be text of 1000 characters at most, not 1",
            "records.found: must be a list of 50 at most, not 'x'",
            "question.forms: '{name} {name}' has {name} twice",
            "question.forms: '{ttl}' has {ttl}, which has no place here",
            "title: this key is needed: what the dialect is, in a few words",
        )

    def test_fields_that_are_none_are_named(self) -> None:
        """With those that there are."""
        with self.assertRaisesRegex(
            DialectError, r"reply.found: '\{nam\}' there is no field \{nam\}: the fields are name"
        ):
            read_dialect("own", WHOLE.replace(b"{name}={address}", b"{nam}"))
        self.refuses(WHOLE.replace(b"{name}=", b"{"), "reply.found: '{{address}' has a brace alone: write {{ or }}")

    def test_keys_that_do_not_go_together_are_told(self) -> None:
        """A referral that leads nowhere, a walk without referrals, frames of a datagram."""
        self.refuses(
            WHOLE + b'referral = ["{suffix}"]\n',
            "reply.referral: '{suffix}' lacks {target}",
        )
        self.refuses(
            b'walk = "client"\nframing = "lf"\n' + WHOLE,
            "reply.referral: must have a form where walk is 'client'",
            "framing: 'lf' is for TCP; a datagram is a message as it is",
        )

    def test_what_is_no_toml_is_told(self) -> None:
        """In a sentence, whatever bytes they are."""
        for content in (b"title =", b"\xff", b"[" * 5000):
            with self.assertRaisesRegex(DialectError, "^is no TOML: "):
                read_dialect("own", content)


class LibraryTests(SynchronousTestCase):
    """Where dialects come from."""

    def test_a_file_is_found_by_its_path(self) -> None:
        """Its name is the file's, and it may be used at once."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mine.toml"
            path.write_bytes(WHOLE)
            codec = Codec(find(os.fspath(path)))
        self.assertEqual(codec.name, "mine")
        self.assertEqual(codec.decode_question(b"www.a\n"), AskedName("www.a"))

    def test_what_cannot_be_found_is_told(self) -> None:
        """The names that there are; what the system says of a path; a file that is too long."""
        with self.assertRaisesRegex(
            DialectError, "there is no dialect 'xml': write the path of a file, or one of address"
        ):
            find("xml")
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(DialectError, "none.toml: cannot be read: No such file"):
                find(f"{folder}/none.toml")
            path = Path(folder) / "long.toml"
            path.write_bytes(b"#" * (LARGEST + 1))
            with self.assertRaisesRegex(DialectError, "long.toml: is longer than"):
                find(os.fspath(path))
