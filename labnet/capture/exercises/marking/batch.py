"""Many students' answers to one exercise: a folder of sheets, marked, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from labnet.capture.exercises.marking.verdicts import Mark, mark_best, read_sheet, score
from labnet.capture.exercises.run import Done, run, slug
from labnet.capture.model import CaptureError

_CAPTURES = (".pcapng", ".pcap", ".pcapng.gz", ".pcap.gz")


def mark_folder(exercise: str, path: str, folder: str) -> Iterator[tuple[str, list[Mark] | str]]:
    """Each sheet in ``folder`` (``*.toml``) with its marks, or with what is wrong with it, in the order of the names.

    A sheet with a capture of its own name beside it is marked by that one, any other by the capture at ``path``. A
    sheet that cannot be read costs only itself. Raises :class:`CaptureError` where the folder has none.
    """
    sheets = sorted(Path(folder).glob("*.toml"))
    if not sheets:
        raise CaptureError(f"{folder}: has no sheets of answers: they are files that end in .toml")
    common: Done | None = None
    for sheet in sheets:
        own = next((one for end in _CAPTURES if (one := sheet.with_suffix(end)).exists()), None)
        try:
            answers = read_sheet(str(sheet), slug(exercise))
            if own is not None:
                done = run(exercise, str(own), lambda part: None, every=True)
            else:
                common = done = common or run(exercise, path, lambda part: None, every=True)
            yield sheet.stem, mark_best([done.answers, *done.others], answers)
        except CaptureError as error:
            yield sheet.stem, str(error)


def write_csv(rows: Iterator[tuple[str, list[Mark] | str]], file: TextIO) -> Iterator[str]:
    """A line of CSV a sheet: name, right, of, for the teacher, the verdict of each question, what was wrong.

    Gives a line for people of each sheet as it is done.
    """
    writer = csv.writer(file)
    header: list[str] | None = None
    for name, marks in rows:
        if isinstance(marks, str):
            writer.writerow([_cell(name), "", "", "", _cell(marks)])
            yield f"{name}: {marks}"
            continue
        questions = [mark for mark in marks if mark.verdict != "unknown"]
        if header is None:
            header = [mark.key for mark in questions]
            writer.writerow(["sheet", "right", "of", "for the teacher", "problem", *header])
        total = score(marks)
        row = [_cell(name), total.right, total.count, total.teacher, ""]
        writer.writerow([*row, *(mark.verdict for mark in questions)])
        yield f"{name}: {total}"


def _cell(text: str) -> str:
    """``text`` as a cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in "=+-@" else text
