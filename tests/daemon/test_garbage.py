"""What the garbage collector does in a daemon."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from labnet.daemon.garbage import THRESHOLDS

DAEMON = """
import gc, weakref
from labnet.daemon.garbage import spare_loading, spare_program

class Thing:
    def __init__(self):
        self.itself = self

spare_loading()
print(gc.get_threshold()[0] > 100_000)
spare_program()
print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000, *gc.get_threshold())
later = weakref.ref(Thing())
gc.collect()
print(later() is None)
"""


class GarbageTests(SynchronousTestCase):
    def test_the_program_is_spared(self) -> None:
        """It is not looked at while it is loaded, nor later; what becomes garbage later goes."""
        done = subprocess.run([sys.executable, "-c", DAEMON], capture_output=True, text=True, check=True)
        expected = " ".join(map(str, THRESHOLDS))
        self.assertEqual(done.stdout.splitlines(), ["True", f"True True {expected}", "True"])
