"""Tests for :mod:`labnet.resolver.files.detect`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from labnet.resolver.files.detect import kind_of
from tests.resolver.zonefiles import ZONE_WORDS


class Kinds(SynchronousTestCase):
    """Tests for kind_of."""

    def test_the_content_tells_the_kind(self) -> None:
        """The first telling line decides, whatever the file is called."""
        table = [
            (b"www.biu.ac.il,1.2.3.4,180\n", "course"),
            (b"# note\r\n\r\nwww.biu.ac.il, 21.09.1992.8, 60\r\n", "course"),
            (b"\xef\xbb\xbfwww,1.2.3.4,60,1,1605280488.749312", "course"),
            (b"127.0.0.1 localhost\n", "hosts"),
            (b"# note\n::1\tlocalhost ip6-localhost\n", "hosts"),
            (b"fe80::1%eth0 router\n", "hosts"),
            (b"192.0.2.1 mx ns txt\n", "hosts"),
            (b"192.0.2.1 host # a, b, 3\n", "hosts"),
            (b"$ORIGIN lab.\n", "zone"),
            (b"; note\n", "zone"),
            (b"@ IN SOA ns host (\n", "zone"),
            (b"example.lab. 3600 IN SOA ns host 1 2 3 4 5\n", "zone"),
            (b"www A 192.0.2.1\n", "zone"),
            (b'www 1h TXT "a,b,60"\n', "zone"),
            (b"1.2.3.4 IN A 192.0.2.1\n", "zone"),
            (b"1 PTR www.lab.\n", "zone"),
        ]
        for content, kind in table:
            for path in ("/etc/hosts", "lab.zone", "ips.txt"):
                self.assertEqual(kind_of(path, content), kind, content)

    def test_the_name_tells_where_the_content_does_not(self) -> None:
        """An empty file is what its name says; any other is a course's, whose reader then says what is wrong."""
        table = [
            ("/etc/hosts", "hosts"),
            ("ads.hosts", "hosts"),
            ("lab.zone", "zone"),
            ("/etc/bind/db.lab", "zone"),
            ("ips.txt", "course"),
            ("hosts/ips.txt", "course"),
        ]
        for path, kind in table:
            self.assertEqual(kind_of(path, b"# nothing yet\n"), kind, path)

    @given(st.binary(max_size=200) | st.lists(ZONE_WORDS, max_size=30).map(b"".join))
    def test_any_bytes_are_of_some_kind(self, content: bytes) -> None:
        """The guess is one of the three, whatever the content."""
        self.assertIn(kind_of("records", content), ("course", "hosts", "zone"))
