"""``[capture]`` of the configuration, and the lab that writes its own traffic."""

from __future__ import annotations

import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from labnet.config import reading
from labnet.config.reading import ConfigError

RESOLVER = {"resolver": {"main": {"listen": "udp:1199"}}}


class ConfigurationTests(SynchronousTestCase):
    """The table."""

    def test_the_file_is_below_the_state_folder(self) -> None:
        """Made absolute, as everything is before the daemon changes its folder."""
        built = reading.build({**RESOLVER, "capture": {"file": "own.pcapng"}}, ".", "/run")
        self.assertEqual(built.capture.file, "/run/var/own.pcapng")

    def test_without_it_nothing_is_written(self) -> None:
        """That is the default."""
        self.assertIsNone(reading.build(RESOLVER, ".", "/run").capture.file)

    def test_a_wrong_key_is_told_with_the_one_that_was_meant(self) -> None:
        """As in every table."""
        with self.assertRaises(ConfigError) as caught:
            reading.build({**RESOLVER, "capture": {"fiel": "x"}}, ".", "/run")
        self.assertEqual(caught.exception.problems, ("capture.fiel: there is no such key; did you mean file?",))

    def test_the_built_in_lab_captures_nothing(self) -> None:
        """Nobody asked for it."""
        with tempfile.TemporaryDirectory() as folder:
            self.assertIsNone(reading.load(None, folder).capture.file)
            self.assertFalse(os.listdir(folder))
