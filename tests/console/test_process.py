"""What the process says of itself."""

from __future__ import annotations

import platform
import resource
import tempfile
from importlib import metadata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from labnet.console.process import Process
from labnet.metrics import FAMILIES, version


class ProcessTests(SynchronousTestCase):
    """The samples of a process."""

    def test_the_system_tells_of_memory_and_files(self) -> None:
        """What /proc says is read as it stands there."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "statm").write_text("900 300 5 1 0 1 0\n")
            (Path(folder) / "fd").mkdir()
            for number in range(5):
                (Path(folder) / "fd" / str(number)).touch()
            values = {sample.name: sample.value for sample in Process(12.5, folder).samples()}
        self.assertEqual(values["process_resident_memory_bytes"], 300 * resource.getpagesize())
        self.assertEqual(values["process_open_fds"], 4)
        self.assertEqual(values["labnet_start_time_seconds"], 12.5)
        self.assertEqual(values["process_max_fds"], resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.assertGreater(values["process_cpu_seconds_total"], 0)

    def test_a_system_without_proc_leaves_them_out(self) -> None:
        """The others are there all the same."""
        names = {sample.name for sample in Process(0.0, "/nowhere").samples()}
        self.assertIn("process_cpu_seconds_total", names)
        self.assertNotIn("process_open_fds", names)

    def test_the_program_is_named(self) -> None:
        """By its version and Python's."""
        first = next(iter(Process(0.0).samples()))
        self.assertEqual(first, ("labnet_build_info", (metadata.version("txlabnet"), platform.python_version()), 1))

        def nothing(_: str) -> str:
            raise metadata.PackageNotFoundError

        self.patch(metadata, "version", nothing)
        self.assertEqual(version(), "unknown")

    def test_every_sample_has_its_family(self) -> None:
        """With as many labels as it declares."""
        for name, labels, _ in Process(0.0).samples():
            self.assertEqual(len(labels), len(FAMILIES[name].labels))
