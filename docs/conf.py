"""How Sphinx builds these pages: sphinx-build -W docs docs/_build, or make docs."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

_metadata = configparser.ConfigParser()
_metadata.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import generate  # noqa: E402

Path(generate.DOCS, "generated/modules.inc").write_text(generate.modules(), encoding="utf-8")

project = "labnet"
author = "The labnet authors"
project_copyright = f"2026, {author}"
version = release = _metadata["metadata"]["version"]

extensions = ["sphinx_copybutton"]
exclude_patterns = ["_build", "changes"]
nitpicky = True
highlight_language = "none"

copybutton_prompt_text = r"[$#] "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"labnet {release}"
html_static_path = ["_static"]
html_css_files = ["labnet.css"]
html_copy_source = False


def setup(app: Any) -> None:
    """Metrics and events of the log are objects of their own: each has a link, and the search finds it."""
    app.add_object_type("metric", "metric", "pair: %s; metric")
    app.add_object_type("event", "event", "pair: %s; event of the log")
