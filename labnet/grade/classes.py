"""A whole class: each file or folder of a folder is a submission; one bad one ends nothing."""

from __future__ import annotations

import csv
import html
import os
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from labnet.grade.assignment import Assignment
from labnet.grade.model import Grade, Outcome
from labnet.grade.report.evidence import Detail
from labnet.grade.report.formats import as_json
from labnet.grade.report.page import page
from labnet.grade.report.text import number
from labnet.grade.run import grade
from labnet.grade.sandbox.levels import Level, choose
from labnet.grade.submission import SubmissionError, collect
from labnet.wire.quoting import quoted

COLUMNS: Final = ("student", "score", "max_score", "status", "first_cause", "unstable", "our_trouble", "seed", "report")

Row = dict[str, str]


def grade_class(assignment: Assignment, options: dict[str, Any], seed: int) -> int:
    """Grade each entry of the folder ``options["class_folder"]``; its exit status.

    Writes NAME.html and NAME.json for each as soon as it is done, then grades.csv and index.html, into
    ``options["into"]``. Raises OSError where the folders cannot be read or written.
    """
    folder, into = Path(options["class_folder"]), Path(options["into"] or "grades")
    level = choose(options["trust"], options["level"])
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    into.mkdir(parents=True, exist_ok=True)

    def one(name: str) -> Row:
        row = _graded(assignment, folder / name, options, level, seed, into)
        print(
            f"{row['student']}: {row['score']} of {row['max_score']} {row['first_cause']}", file=sys.stderr, flush=True
        )
        return row

    with ThreadPoolExecutor(options["jobs"], "class") as pool:
        rows = list(pool.map(one, names))
    with open(into / "grades.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    (into / "index.html").write_text(_index(assignment, rows), "utf-8")
    print(f"{len(rows)} submissions: {into / 'index.html'}, {into / 'grades.csv'}")
    return max((int(row["status"]) for row in rows if row["status"] != "2"), default=0) or (
        2 if any(row["status"] == "2" for row in rows) else 0
    )


def _graded(assignment: Assignment, path: Path, options: dict[str, Any], level: Level, seed: int, into: Path) -> Row:
    row: Row = dict.fromkeys(COLUMNS, "")
    row.update(student=quoted(path.stem if path.is_file() else path.name), seed=str(seed), status="2")
    row["max_score"] = number(sum(check.points for check in assignment.checks))
    try:
        with tempfile.TemporaryDirectory(prefix="labnet-grade-") as folder:
            os.chmod(folder, 0o711)
            submission = collect([str(path)], options["run_line"], folder)
            done = grade(assignment, submission, level, seed, options["only"])
    except SubmissionError as error:
        return row | {"our_trouble": str(error)}
    except Exception as error:  # one submission must not cost the others their grades
        traceback.print_exc()
        return row | {"our_trouble": f"the grader failed: {error!r}"}
    name = f"{path.name}.html"
    (into / name).write_text(page(done, Detail(options["detail"])), "utf-8")
    (into / f"{path.name}.json").write_text(as_json(done), "utf-8")
    return row | _told(done) | {"report": name}


def _told(done: Grade) -> Row:
    failed = [*done.of(Outcome.FAILED), *done.of(Outcome.UNSTABLE)]
    first = max(failed, key=lambda result: result.check.points, default=None)
    return {
        "score": number(done.score),
        "max_score": number(done.most),
        "status": str(done.status),
        "first_cause": "" if first is None else f"{first.check.id}: {first.cause or first.seen}",
        "unstable": " ".join(result.check.id for result in done.of(Outcome.UNSTABLE)),
        "our_trouble": "; ".join(f"{result.check.id}: {result.seen}" for result in done.of(Outcome.TROUBLE)),
    }


def _harmless(value: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") and not value[1:2].isdigit() else quoted(value)


def _index(assignment: Assignment, rows: list[Row]) -> str:
    from labnet.grade.report.page import STYLE

    cells = []
    for row in rows:
        name = html.escape(row["student"])
        link = f'<a href="{html.escape(row["report"])}">{name}</a>' if row["report"] else name
        score = f"{row['score'] or '-'} of {row['max_score']}"
        told = (row["first_cause"], row["unstable"], row["our_trouble"])
        cells.append(
            f"<tr><td>{link}</td><td>{score}</td>"
            + "".join(f"<td>{html.escape(quoted(one))}</td>" for one in told)
            + "</tr>"
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{html.escape(assignment.title)}</title>'
        f"<style>{STYLE} td:nth-child(2) {{ white-space: nowrap }}</style></head>"
        f"<body><main><h1>{html.escape(assignment.title)}</h1>"
        f'<p class="score">{len(rows)} submissions</p><div class="picture"><table><thead><tr><th>Student</th>'
        "<th>Points</th><th>First cause</th><th>Unstable</th><th>Our trouble</th></tr></thead><tbody>"
        + "\n".join(cells)
        + "</tbody></table></div></main></body></html>\n"
    )
