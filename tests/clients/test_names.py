"""Names that a dialogue completes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet.clients.names import known_names

LAB = """
[lab]
state = "{folder}/var"
[resolver.main]
listen = "udp:0"
records = ["ips.txt", "missing.txt", "large.txt"]
learned = "main.learned"
[resolver.other]
listen = "udp:0"
"""


class KnownNamesTests(SynchronousTestCase):
    """The names of the lab in a folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "var").mkdir()
        path = self.folder / "labnet.toml"
        path.write_text(LAB.format(folder=folder.name))
        environment = mock.patch.dict(os.environ, {"LABNET_CONFIG": str(path)})
        environment.start()
        self.addCleanup(environment.stop)

    def test_records_and_what_was_learned(self) -> None:
        """Comments, blank lines and what is no line of names are passed over; so are files that cannot be read."""
        (self.folder / "ips.txt").write_bytes(b"# of,the course\r\nwww.a, 1.2.3.4,60\r\n\r\n ,x\nno line\n\xff,1,2\n")
        (self.folder / "var/main.learned").write_text("www.b,1.2.3.4,60,1,1605280488.5\n")
        (self.folder / "large.txt").write_bytes(b"www.c,1.2.3.4,60\n" * 60_000)
        self.assertEqual(known_names(), ["www.a", "\ufffd", "www.b"])

    def test_a_wrong_configuration_has_no_names(self) -> None:
        """Who types a name is not told of it."""
        (self.folder / "labnet.toml").write_text("[resolver.main]\n")
        self.assertEqual(known_names(), [])
