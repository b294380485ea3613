"""What is said where a package is missing."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from labnet import packages
from labnet.cli.missing import MISSING, MissingPackage, needs


class NeedsTests(SynchronousTestCase):
    """Around an import."""

    def test_the_package_is_named_with_what_installs_it(self) -> None:
        with self.assertRaises(MissingPackage) as raised, needs("nothere", "console", "labnet status --json does"):
            import_module("nothere.inner")
        says = raised.exception.format_message()
        self.assertEqual(
            says,
            f"this needs nothere, which is not installed: {packages.hint('console')}; labnet status --json does",
        )
        self.assertEqual(raised.exception.exit_code, MISSING)

    def test_another_package_that_fails_to_import_is_a_fault(self) -> None:
        with self.assertRaises(ModuleNotFoundError), needs("rich", "console"):
            raise ModuleNotFoundError("no", name="other")


class HintTests(SynchronousTestCase):
    """What works here."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        (self.root / "labnet").mkdir()
        self.patch(packages, "__file__", str(self.root / "labnet/packages.py"))
        self.patch(sys, "prefix", str(self.root / ".venv"))
        self.patch(os, "environ", {})
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)

    def test_in_a_checkout_it_is_that_which_is_installed(self) -> None:
        """By the pip of its environment, from whichever folder."""
        (self.root / "setup.cfg").touch()
        self.assertEqual(packages.hint("console"), ".venv/bin/pip install -e '.[console]'")
        os.chdir("/")
        self.assertEqual(packages.hint("console"), f"{self.root}/.venv/bin/pip install -e '{self.root}[console]'")

    def test_without_a_checkout_it_is_the_distribution(self) -> None:
        with mock.patch.dict(os.environ, {"VIRTUAL_ENV": sys.prefix}):
            self.assertEqual(packages.hint("shared"), "pip install 'txlabnet[shared]'")
        self.patch(sys, "prefix", sys.base_prefix)
        self.assertEqual(packages.hint("shared"), "pip install 'txlabnet[shared]'")
