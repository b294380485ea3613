"""Modules that are loaded when something of them is used."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

SCRIPT = """
import sys
from labnet.net.put_off import LATER, put_off
put_off()
from twisted.internet import reactor
import twisted.web.server
unloaded = lambda: [name for name in LATER if type(sys.modules[name]).__name__ == "_Later"]
before = unloaded()
assert {"ssl", "twisted.internet.ssl", "twisted.protocols.tls"} <= set(before), before
assert "OpenSSL" not in sys.modules
import inspect, ssl, warnings
[getattr(module, "__file__", None) for module in list(sys.modules.values())]
assert unloaded() == before, unloaded()
ssl.create_default_context()
from twisted.internet.ssl import CertificateOptions
from twisted.protocols import tls
assert issubclass(tls.TLSMemoryBIOProtocol, object)
CertificateOptions()
from twisted.internet.protocol import Factory
reactor.listenSSL(0, Factory(), CertificateOptions())
print(unloaded())
"""


class PutOffTests(SynchronousTestCase):
    def test_they_are_loaded_when_they_are_used(self) -> None:
        """Not by the reactor, nor by who looks through all modules; what a reactor does by TLS works all the same."""
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        self.assertNotIn("'ssl'", done.stdout)
        self.assertIn("'twisted.web.util'", done.stdout)
