"""What is made of the commands when labnet is built: man pages and completions. All else is in setup.cfg."""

import sys
from pathlib import Path

from setuptools import setup

from distutils.command.install_data import install_data  # isort: skip  # setuptools provides it

ROOT = Path(__file__).resolve().parent


class InstallData(install_data):
    """Installs the data files of setup.cfg, and those that are made."""

    def run(self) -> None:
        sys.path.insert(0, str(ROOT))
        from docs.shipped import write

        written = write(ROOT / "build/shipped", self.distribution.get_version())
        self.data_files = [
            *self.data_files,
            *((str(Path(path).parent), [str(file.relative_to(ROOT))]) for path, file in written.items()),
        ]
        super().run()


setup(cmdclass={"install_data": InstallData})
