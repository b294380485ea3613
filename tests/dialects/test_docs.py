"""The pages on dialects, held to the code."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from labnet.dialects import reader
from labnet.dialects.library import shipped
from labnet.dialects.model import REPLY_FIELDS
from tests.pages import text_of


class DialectPageTests(SynchronousTestCase):
    """docs/dialects.rst, docs/howto-dialect.rst and README.md."""

    def test_every_shipped_dialect_is_told_of(self) -> None:
        rows = re.findall(
            r"^   \* - ``([a-z-]+)``$", text_of("docs/dialects.rst").partition("The keys of a file")[0], re.M
        )
        self.assertEqual(sorted(rows), shipped())
        for name in shipped():
            self.assertIn(f"`{name}`", text_of("README.md"))

    def test_every_key_of_a_file_is_told_of(self) -> None:
        tables = {
            "records": reader._RECORDS,
            "question": reader._QUESTION,
            "reply": reader._REPLY,
            "commands": reader._COMMANDS,
        }
        keys = {f"{table}.{key}" for table, checks in tables.items() for key in checks}
        page = text_of("docs/dialects.rst").partition("The keys of a file")[2]
        told = set(re.findall(r"^   \* - ``([a-z_.]+)``$", page, re.M))
        self.assertEqual({key for key in told if "." in key}, keys)
        with self.assertRaises(reader.DialectError) as caught:
            reader.read_dialect(
                "x",
                b'title = "x"\n'
                + b"".join(b"%s = -1\n" % key.encode() for key in sorted(told) if "." not in key and key != "title"),
            )
        self.assertNotIn("there is no such key", str(caught.exception))
        for field in REPLY_FIELDS:
            self.assertIn(f"``{{{field}}}``", page)

    def test_the_file_of_the_howto_is_the_one_in_etc(self) -> None:
        text = re.sub(r"^   ", "", text_of("docs/howto-dialect.rst"), flags=re.MULTILINE)
        self.assertIn(text_of("etc/dialects/equals.toml").partition("\n")[2], text)
