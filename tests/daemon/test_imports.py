"""What a lab loads: what its configuration asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]

LAB = """
import sys
from labnet.config.reading import load
from labnet.daemon import tap
options = tap.LabOptions()
options.parseOptions(["--config", "etc/labnet.toml"])
tap.Lab.makeService(options)
print(*sys.modules)
"""

SELDOM = {
    "OpenSSL": "TLS",
    "cryptography": "TLS and validation",
    "twisted.internet.endpoints": "listeners of other kinds than tcp: and unix:",
    "labnet.daemon.workers": "several processes",
    "labnet.resolver.transfers": "zones of other servers",
    "labnet.wire.tsig": "signed messages",
    "labnet.resolver.validation": "validation",
    "labnet.resolver.files.trust_anchors": "validation",
    "labnet.resolver.recursive": "recursion from the root",
    "labnet.resolver.files.root_hints": "recursion from the root",
    "labnet.resolver.serve.encrypted": "encrypted listeners",
    "labnet.resolver.upstream.encrypted": "encrypted parents",
    "labnet.net.tls": "TLS",
    "labnet.resolver.shared.cache": "a cache that labs share",
    "labnet.faults.switchboard": "faults",
    "labnet.capture": "captures",
    "labnet.cli": "the command line",
}
"""What the lab of etc/labnet.toml has no use for, and what it is for."""


class ImportTests(SynchronousTestCase):
    def test_a_lab_loads_nothing_that_it_is_not_configured_for(self) -> None:
        """It would pay for it with memory and at each start."""
        done = subprocess.run([sys.executable, "-c", LAB], cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        loaded = set(done.stdout.split())
        self.assertIn("labnet.resolver.service", loaded)
        found = {name for name in SELDOM for one in loaded if f"{one}.".startswith(f"{name}.")}
        self.assertEqual(found, set())
