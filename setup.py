"""What is made when labnet is built: man pages, completions, and links to where it lives. All else is in setup.cfg."""

import os
import re
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

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


def links(url: str) -> dict[str, Any]:
    """The metadata that lead to the repository at ``url``, whose web pages are laid out as GitHub's and GitLab's.

    README.md's links are to files beside it, which a package's page on an index has not: they become those of the tag.
    """
    setup_cfg = ConfigParser()
    setup_cfg.read(ROOT / "setup.cfg", encoding="utf-8")
    tag = f"v{setup_cfg['metadata']['version']}"

    def absolute(link: re.Match[str]) -> str:
        return f"{link[0]}{url}/{'raw' if link[0].startswith('!') else 'blob'}/{tag}/"

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        "url": url,
        "project_urls": {
            "Documentation": f"{url}/blob/{tag}/docs/index.rst",
            "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
            "Issues": f"{url}/issues",
        },
        "long_description": re.sub(r"!?\[[^]]*\]\((?!\w+:|#)", absolute, readme),
    }


URL = os.environ.get("LABNET_URL", "").rstrip("/")

setup(cmdclass={"install_data": InstallData}, **(links(URL) if URL else {}))
