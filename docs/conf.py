"""How Sphinx builds these pages: sphinx-build -W docs docs/_build, or make docs."""

from __future__ import annotations

import configparser
from pathlib import Path

_metadata = configparser.ConfigParser()
_metadata.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")

project = "labnet"
author = "The labnet authors"
project_copyright = f"2026, {author}"
version = release = _metadata["metadata"]["version"]

extensions: list[str] = []
exclude_patterns = ["_build"]
nitpicky = True
highlight_language = "none"

html_theme = "alabaster"
html_title = f"labnet {release}"
html_theme_options = {"description": "The networking lab in one Twisted daemon", "page_width": "1100px"}
