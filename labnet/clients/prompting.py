"""Lines typed at prompt_toolkit: with history over runs, and completion by the Tab key."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.shortcuts import CompleteStyle

from labnet.clients.names import known_names

MOST_LINES: Final = 1000
"""Lines that are remembered; the file may hold twice as many before it is written anew."""

_LONGEST: Final = 1_000_000
"""Bytes of the file that are read, from its end."""


def name_reader() -> Callable[[], str]:
    """What reads a name: completed by those of the lab in this folder and by those asked for before."""
    prompts = session("resolve", in_background(known_names), is_completed_by_history=True)
    return lambda: prompts.prompt()


def session(
    dialogue: str, words: Callable[[], Iterable[str]], is_completed_by_history: bool = False
) -> PromptSession[str]:
    """Prompts of the ``dialogue`` of that name, with its history over runs; Tab completes by ``words``."""
    try:
        history: History = LineHistory(state_folder() / f"{dialogue}.history")
    except OSError as error:
        print(f"labnet: the history is not kept: {error.filename}: {error.strerror}", file=sys.stderr)
        history = InMemoryHistory()

    def known() -> list[str]:
        return sorted({*words(), *(history.get_strings() if is_completed_by_history else ())})

    return PromptSession(
        history=history,
        completer=WordCompleter(known, ignore_case=True, sentence=True),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
    )


def in_background(find: Callable[[], Iterable[str]]) -> Callable[[], Iterable[str]]:
    """Words that ``find`` looks for meanwhile; none until it has found them."""
    found: list[str] = []
    threading.Thread(target=lambda: found.extend(find()), name="labnet names", daemon=True).start()
    return lambda: found


def state_folder() -> Path:
    """Where a user's labnet keeps what it remembers: ``labnet`` in ``$XDG_STATE_HOME`` or in ``~/.local/state``."""
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if os.path.isabs(named) else Path.home() / ".local/state") / "labnet"


class LineHistory(History):
    """The lines typed so far, in the file at ``path`` that its user alone may read. Raises OSError."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._file = self._opened()
        lines = self._lines()
        if len(lines) > 2 * MOST_LINES:
            self._rewrite(lines[-MOST_LINES:])

    def load_history_strings(self) -> Iterable[str]:
        """The lines, the newest first."""
        return reversed(self._lines()[-MOST_LINES:])

    def store_string(self, string: str) -> None:
        """Append one line; a full disk costs it, and is said."""
        try:
            os.write(self._file, _encoded(string))
        except OSError as error:
            why = f"labnet: {self._path}: cannot be written: {error.strerror}"
            run_in_terminal(lambda: print(why, file=sys.stderr))

    def _opened(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        os.fchmod(file, 0o600)
        return file

    def _lines(self) -> list[str]:
        size = os.fstat(self._file).st_size
        start = max(0, size - _LONGEST)
        lines = os.pread(self._file, _LONGEST, start).decode(errors="surrogateescape").split("\n")[:-1]
        return lines[1:] if start else lines

    def _rewrite(self, lines: list[str]) -> None:
        beside = self._path.with_suffix(f".{os.getpid()}")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(b"".join(map(_encoded, lines)))
        beside.replace(self._path)
        os.close(self._file)
        self._file = self._opened()


def _encoded(line: str) -> bytes:
    return line.replace("\n", " ").encode(errors="surrogateescape") + b"\n"
