"""The zip file that Gradescope takes as an autograder: it installs labnet and has it grade what is handed in."""

from __future__ import annotations

import io
import shlex
import zipfile
from pathlib import Path
from typing import Final

from labnet.metrics import version

_SETUP: Final = """#!/usr/bin/env bash
# Runs once, when Gradescope builds the autograder's image.
set -eu
apt-get update
apt-get install -y python3 python3-venv gcc
python3 -m venv /opt/labnet
/opt/labnet/bin/pip install {package}
"""

_RUN: Final = """#!/usr/bin/env bash
# Runs for each submission. The judge writes the results; what is graded runs as another user and cannot.
set -u
/opt/labnet/bin/labnet grade {assignment} /autograder/submission{run} --detail {detail} \\
    --format gradescope --output /autograder/results/results.json
status=$?
test -s /autograder/results/results.json && exit 0
printf '{{"score": 0, "output": "The grader could not run (status %s): this is our trouble."}}' "$status" \\
    >/autograder/results/results.json
"""


def write_autograder(path: str, assignment: str, run: str | None, detail: str) -> None:
    """Write the zip to ``path``: setup.sh and run_autograder in its root, a wheel or an assignment of one's own beside.

    Raises OSError where it cannot be written or the assignment's file not be read.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        name = assignment
        if assignment.endswith(".toml"):
            archive.writestr(Path(assignment).name, Path(assignment).read_bytes())
            name = f"/autograder/source/{Path(assignment).name}"
        line = f" --run {shlex.quote(run)}" if run else ""
        files = {
            "setup.sh": _SETUP.format(package=f"txlabnet=={version()}"),
            "run_autograder": _RUN.format(assignment=shlex.quote(name), run=line, detail=detail),
        }
        for file, text in files.items():
            info = zipfile.ZipInfo(file)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
    Path(path).write_bytes(content.getvalue())
