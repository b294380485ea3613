"""The command ``grade``."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from labnet.cli.frame import LabCommand
from labnet.net.kernel.open_files import raise_open_files_limit

if TYPE_CHECKING:
    from labnet.grade.assignment import Assignment
    from labnet.grade.model import Grade
    from labnet.grade.report.evidence import Detail

FORMATS: Final = ("text", "html", "json", "junit", "gradescope", "classroom50")
DETAILS: Final = ("full", "actual", "title")


@click.command(
    cls=LabCommand,
    short_help="say what of an assignment a program meets",
    examples=[
        ("labnet grade command server.py", "run every check of the TCP command server"),
        ("labnet grade resolver my/ --run 'python3 dns.py'", "a folder, and how it is started"),
        ("labnet grade command server.py --only timeout", "one check and what it needs"),
        ("labnet grade resolver --class submissions/ --into grades/", "a class: a page and a CSV with a row a student"),
        ("labnet grade list", "the assignments"),
        ("labnet grade show resolver", "an assignment's checks; show resolver:learns is one of them"),
    ],
)
@click.argument("assignment", help="an assignment's name, a TOML file of your own, or list or show")
@click.argument("program", nargs=-1, help="the file or folder to be graded; after show: ASSIGNMENT or ASSIGNMENT:CHECK")
@click.option(
    "--run", "run_line", metavar="LINE", help="how the program is started: 'python3 {file}', arguments come behind"
)
@click.option("--only", multiple=True, metavar="CHECK", help="this check and what it needs; more than one may be named")
@click.option("--seed", type=click.IntRange(0), help="the seed of what is drawn by chance; it is printed [drawn]")
@click.option("--trust", is_flag=True, help="run the program without a sandbox where this machine has none")
@click.option("--level", type=click.Choice(["A", "B", "C", "D"]), help="no better sandbox than this one")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="what is printed [text]")
@click.option("--detail", type=click.Choice(DETAILS), default="full", help="how much of a failure is shown [full]")
@click.option("--output", "-o", type=click.Path(readable=False), help="write into this file, in place of printing")
@click.option(
    "--capture", "captures", type=click.Path(readable=False), help="write the capture of each failure into this folder"
)
@click.option(
    "--class", "class_folder", type=click.Path(readable=False), help="grade each file and folder of this folder"
)
@click.option("--into", type=click.Path(readable=False), help="with --class: the folder for all reports [grades]")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, help="with --class: programs at one time [4]")
@click.option(
    "--gradescope-zip",
    type=click.Path(readable=False),
    metavar="FILE.zip",
    help="write the autograder that Gradescope takes",
)
def grade(**options: Any) -> int:
    """Run PROGRAM against real sockets and scripted peers, and say what of ASSIGNMENT it meets.

    PROGRAM is a file or a folder. ASSIGNMENT is command, command-client, resolver, resolver-client, zone,
    hostname-table, or a TOML file of your own. Exit status: 0 all passed, 1 something failed, 2 it could not be found
    out.
    """
    from labnet.grade.assignment import AssignmentError
    from labnet.grade.sandbox.levels import SandboxError
    from labnet.grade.submission import SubmissionError

    try:
        return _grade(**options)
    except AssignmentError as error:
        problems = error.problems
    except (SandboxError, SubmissionError) as error:
        problems = [str(error)]
    except OSError as error:
        problems = [f"{error.filename}: {error.strerror}"]
    for problem in problems:
        print(f"labnet: {problem}", file=sys.stderr)
    return 2


def _grade(assignment: str, program: tuple[str, ...], **options: Any) -> int:
    from labnet.grade.assignment import SHIPPED, load

    if assignment == "list":
        for name in SHIPPED:
            found = load(name)
            print(f"{name:<18} {found.title}; {len(found.checks)} checks; {found.about}")
        return 0
    if assignment == "show":
        return _show(program)
    loaded = load(assignment)
    if options["gradescope_zip"]:
        from labnet.grade.report.gradescope import write_autograder

        write_autograder(options["gradescope_zip"], assignment, options["run_line"], options["detail"])
        return 0
    seed = random.SystemRandom().randrange(1_000_000) if options["seed"] is None else options["seed"]
    raise_open_files_limit()
    if options["class_folder"]:
        from labnet.grade.classes import grade_class

        return grade_class(loaded, options, seed)
    if not program:
        raise click.UsageError("the PROGRAM to be graded is missing: a file or a folder")
    return _grade_one(loaded, program, options, seed)


def _show(names: tuple[str, ...]) -> int:
    from labnet.grade.assignment import load
    from labnet.grade.report.text import number

    if not names:
        raise click.UsageError("which assignment, or ASSIGNMENT:CHECK, is to be shown")
    for name in names:
        assignment, _, wanted = name.partition(":")
        loaded = load(assignment)
        if wanted:
            loaded.closure([wanted])
        for check in loaded.checks:
            if wanted in ("", check.id):
                print(f"{check.id}: {check.title} ({number(check.points)} points)")
                print(f"  The assignment: {check.sentence}")
                print(f"  What is done: {check.does}")
                print(f"  What counts: {check.counts}")
                if check.needs:
                    print(f"  Needs: {', '.join(check.needs)}")
    return 0


def _grade_one(assignment: Assignment, program: tuple[str, ...], options: dict[str, Any], seed: int) -> int:
    from labnet.grade.report.evidence import Detail
    from labnet.grade.report.text import line_of
    from labnet.grade.run import grade as run_checks
    from labnet.grade.sandbox.levels import choose
    from labnet.grade.submission import collect

    level = choose(options["trust"], options["level"])
    with tempfile.TemporaryDirectory(prefix="labnet-grade-") as folder:
        os.chmod(folder, 0o711)
        submission = collect(list(program), options["run_line"], folder)
        shows = options["form"] == "text" and sys.stderr.isatty()
        done = run_checks(
            assignment,
            submission,
            level,
            seed,
            options["only"],
            lambda result: print(line_of(result, colour=True), file=sys.stderr) if shows else None,
        )
    text = worded(done, options["form"], Detail(options["detail"]), sys.stdout.isatty() and not options["output"])
    if options["output"]:
        Path(options["output"]).write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    if options["captures"]:
        write_captures(done, Path(options["captures"]))
    return done.status


def worded(done: Grade, form: str, detail: Detail, colour: bool = False) -> str:
    """The report of ``done`` in ``form``, one of :data:`FORMATS`."""
    from labnet.grade.report import formats, page, text

    if form == "html":
        return page.page(done, detail)
    if form == "json":
        return formats.as_json(done) + "\n"
    if form == "junit":
        return formats.as_junit(done, detail)
    if form == "gradescope":
        return formats.as_gradescope(done, detail) + "\n"
    if form == "classroom50":
        return formats.as_classroom50(done, os.environ) + "\n"
    return "\n".join(text.report(done, detail, colour)) + "\n"


def write_captures(done: Grade, folder: Path) -> None:
    """The capture of each failure, as CHECK.pcapng in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in done.results:
        if result.evidence is not None and result.evidence.capture:
            (folder / f"{result.check.id}.pcapng").write_bytes(result.evidence.capture)
