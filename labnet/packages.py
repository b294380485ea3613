"""How a package that is missing is installed here: what an error says who needs one that only an extra installs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def hint(extra: str) -> str:
    """The command that installs ``extra``, for the environment that runs this and for the folder one is in."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "setup.cfg").is_file():
        return f"{_pip()} install 'txlabnet[{extra}]'"
    place = "." if _is_here(root) else str(root)
    return f"{_pip()} install -e '{place}[{extra}]'"


def _pip() -> str:
    """``pip``, or its path where this environment is not the active one."""
    active = os.environ.get("VIRTUAL_ENV")
    if sys.prefix == sys.base_prefix or (
        active is not None and os.path.realpath(active) == os.path.realpath(sys.prefix)
    ):
        return "pip"
    path = os.path.join(sys.prefix, "bin", "pip")
    return os.path.relpath(path) if _is_here(Path(sys.prefix).parent) else path


def _is_here(folder: Path) -> bool:
    try:
        return os.path.samefile(folder, ".")
    except OSError:
        return False
