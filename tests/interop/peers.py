"""Real programs and powers that a test needs: where one is missing, CI fails and any other run skips, saying why."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def tool(name: str, package: str) -> str:
    """The path of the program ``name``, which Debian has in ``package``."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return path or unavailable(f"this test talks to the real {name}: apt-get install {package}")


def root() -> None:
    """Only root makes network namespaces; where the tests run as somebody else, CI included, they skip."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


def unavailable(why: str) -> NoReturn:
    """What the test needs is not there; ``why`` says what to do."""
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
