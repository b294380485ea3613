"""The files that ``labnet init`` writes: those of the built-in lab, to be changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from importlib import resources
from typing import Final

from labnet.wire.quoting import quoted

FOLDER: Final = "etc"
"""Where a lab finds its configuration, in the folder that it is started in."""

FILES: Final = ("labnet.toml", "ips.txt", "parent.txt")
"""The configuration first, then the records that it names."""


class ExampleError(Exception):
    """The files cannot be written; the text is one sentence."""


def write_example(folder: str = ".", files: Mapping[str, str] | None = None) -> list[str]:
    """Write a configuration with its records below ``folder``, which is made; the paths, the configuration's first.

    ``files`` are the texts by their names, by default those of the built-in lab. Raises :class:`ExampleError` where a
    file is there already, before anything is written, and where one cannot be written.
    """
    texts = files if files is not None else {name: _builtin(name) for name in FILES}
    paths = {os.path.join(folder, FOLDER, name): text for name, text in texts.items()}
    for path in paths:
        if os.path.lexists(path):
            raise ExampleError(f"{quoted(path)} is there already: name another folder, or move it away")
    for path, text in paths.items():
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write_new(path, text)
        except OSError as error:
            raise ExampleError(f"{quoted(path)} cannot be written: {error.strerror or error}") from None
    return list(paths)


def _builtin(name: str) -> str:
    return (resources.files("labnet.builtin") / name).read_text("utf-8")


def _write_new(path: str, text: str) -> None:
    """Write a file that nobody has, whole or not at all. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(file, "w", encoding="utf-8") as new:
            new.write(text)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
